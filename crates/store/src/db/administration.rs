//! What administrators change: the rows and the line of the audit trail in one transaction, and only where nobody else
//! has changed the row since it was read.

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_core::time::Timestamp;
use sqlx::types::Json;

use super::area::AreaRows;
use super::event::{Event, EventLog};
use super::not_before::Marks;
use super::{Db, both_connections, transaction};
use crate::Error;
use crate::record::{AdminReach, Administration, AdministrationEvent, KeyRecord, Marking, Revoked, SystemRecord, TenantRecord, UserRecord};

impl Db {
    /// Carries a change out, with its line of the audit trail where one is given, and where a marking is given, the end of
    /// all sessions of its scope. Answers what every node must hear of before it answers again.
    ///
    /// # Errors
    /// [`Error::Exists`] where what is to be added is there; [`Error::Missing`] where what is to be changed is not;
    /// [`Error::Changed`] where the row is not of `unchanged_since` any more. Nothing was written then.
    pub async fn administer(
        &self,
        owner_id: &OwnerId,
        change: &Administration<'_>,
        unchanged_since: Option<Timestamp>,
        now: Timestamp,
        event: Option<&AdministrationEvent>,
        marking: Option<&Marking>,
    ) -> Result<Revoked, Error> {
        transaction!(self, |connection, attempt| {
            // Rows are locked in one order: user, tenant, system.
            let mut mark = match (marking, change) {
                (Some(marking), _) => connection.mark(marking, event.map(|event| event.kind), attempt).await?,
                (None, change) if change.concerns_nodes() => connection.announce_revision(owner_id, now, attempt).await?,
                (None, _) => None,
            };
            match change {
                Administration::AddTenant(tenant) => {
                    connection.insert_tenant(tenant, now).await?;
                    // Nodes may know that there was none of this id.
                    mark = connection.announce_revision(owner_id, now, attempt).await?;
                }
                Administration::ChangeTenant(tenant) => connection.update_tenant(tenant, unchanged_since, now).await?,
                Administration::AddSystem(system) => connection.insert_system(owner_id, system, now).await?,
                Administration::ChangeSystem(system) => connection.update_system(owner_id, system, unchanged_since, now).await?,
                Administration::AddUser(user, hash) => connection.insert_user(owner_id, user, hash, now).await?,
                Administration::AddAdmin(admin, hash) => {
                    connection.insert_user(owner_id, &admin.user, hash, now).await?;
                    connection.insert_admin(owner_id, &admin.user, &admin.reach, now).await?;
                }
                Administration::ImportAreas(areas) => connection.import_areas(owner_id, areas).await?,
            }
            // A marking has its own line.
            if let Some(event) = event.filter(|_| marking.is_none()) {
                connection.record(&[Event::administered(owner_id, event, attempt)]).await?;
            }
            Revoked { sessions: Vec::new(), marks: mark.into_iter().collect() }
        })
    }
}

impl Administration<'_> {
    /// Whether nodes hold what it changes, prepared.
    pub const fn concerns_nodes(&self) -> bool {
        matches!(self, Self::ChangeTenant(_) | Self::AddSystem(_) | Self::ChangeSystem(_))
    }
}

/// Whether a statement has changed its row, which was read at `unchanged_since` where that is known.
pub(super) const fn changed(rows: u64, unchanged_since: Option<Timestamp>, what: &'static str) -> Result<(), Error> {
    match (rows, unchanged_since) {
        (1.., _) => Ok(()),
        (0, Some(_)) => Err(Error::Changed(what)),
        (0, None) => Err(Error::Missing(what)),
    }
}

/// The statements, inside a transaction that has begun.
pub(super) trait AdministrationRows {
    async fn insert_tenant(&mut self, tenant: &TenantRecord, now: Timestamp) -> Result<(), Error>;
    async fn update_tenant(&mut self, tenant: &TenantRecord, unchanged_since: Option<Timestamp>, now: Timestamp) -> Result<(), Error>;
    async fn insert_system(&mut self, owner_id: &OwnerId, system: &SystemRecord, now: Timestamp) -> Result<(), Error>;
    async fn update_system(
        &mut self,
        owner_id: &OwnerId,
        system: &SystemRecord,
        unchanged_since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Error>;
    async fn insert_user(&mut self, owner_id: &OwnerId, user: &UserRecord, password_hash: &str, now: Timestamp) -> Result<(), Error>;
    async fn insert_admin(&mut self, owner_id: &OwnerId, user: &UserRecord, reach: &AdminReach, now: Timestamp) -> Result<(), Error>;
    async fn insert_key(&mut self, owner_id: &OwnerId, key: &KeyRecord) -> Result<(), Error>;
}

both_connections!(AdministrationRows {
    async fn insert_tenant(&mut self, tenant: &TenantRecord, now: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO bo_project (owner_id, name, default_sys_id, settings, disabled_at, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $6)",
        )
        .bind(tenant.owner_id.as_str())
        .bind(&tenant.name)
        .bind(tenant.default_sys_id.as_str())
        .bind(Json(&tenant.settings))
        .bind(tenant.disabled.then_some(now.0))
        .bind(now.0)
        .execute(&mut *self)
        .await
        .map_err(|error| Error::of_insert(error, "tenant", "tenant"))?;
        for system in &tenant.systems {
            self.insert_system(&tenant.owner_id, system, now).await?;
        }
        for key in &tenant.keys {
            self.insert_key(&tenant.owner_id, key).await?;
        }
        Ok(())
    }

    async fn update_tenant(&mut self, tenant: &TenantRecord, unchanged_since: Option<Timestamp>, now: Timestamp) -> Result<(), Error> {
        let done = sqlx::query(
            "UPDATE bo_project SET name = $2, settings = $3, default_sys_id = $4, \
                 disabled_at = CASE WHEN $5 THEN coalesce(disabled_at, $6) END, \
                 updated_at = CASE WHEN updated_at >= $6 THEN updated_at + 1 ELSE $6 END \
             WHERE owner_id = $1 AND ($7 IS NULL OR updated_at = $7) \
                 AND EXISTS (SELECT 1 FROM bo_system WHERE owner_id = $1 AND sys_id = $4)",
        )
        .bind(tenant.owner_id.as_str())
        .bind(&tenant.name)
        .bind(Json(&tenant.settings))
        .bind(tenant.default_sys_id.as_str())
        .bind(tenant.disabled)
        .bind(now.0)
        .bind(unchanged_since.map(Timestamp::millis))
        .execute(&mut *self)
        .await?;
        changed(done.rows_affected(), unchanged_since, "tenant")
    }

    async fn insert_system(&mut self, owner_id: &OwnerId, system: &SystemRecord, now: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO bo_system (owner_id, sys_id, name, settings, disabled_at, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $6)",
        )
        .bind(owner_id.as_str())
        .bind(system.sys_id.as_str())
        .bind(&system.name)
        .bind(Json(&system.settings))
        .bind(system.disabled.then_some(now.0))
        .bind(now.0)
        .execute(&mut *self)
        .await
        .map_err(|error| Error::of_insert(error, "system", "tenant"))?;
        Ok(())
    }

    async fn update_system(
        &mut self,
        owner_id: &OwnerId,
        system: &SystemRecord,
        unchanged_since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let done = sqlx::query(
            "UPDATE bo_system SET name = $3, settings = $4, disabled_at = CASE WHEN $5 THEN coalesce(disabled_at, $6) END, \
                 updated_at = CASE WHEN updated_at >= $6 THEN updated_at + 1 ELSE $6 END \
             WHERE owner_id = $1 AND sys_id = $2 AND ($7 IS NULL OR updated_at = $7)",
        )
        .bind(owner_id.as_str())
        .bind(system.sys_id.as_str())
        .bind(&system.name)
        .bind(Json(&system.settings))
        .bind(system.disabled)
        .bind(now.0)
        .bind(unchanged_since.map(Timestamp::millis))
        .execute(&mut *self)
        .await?;
        changed(done.rows_affected(), unchanged_since, "system")
    }

    async fn insert_user(&mut self, owner_id: &OwnerId, user: &UserRecord, password_hash: &str, now: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO bo_user (owner_id, user_id, account, mobile, name, push_name, password_hash, area_codes, disabled_at, \
                 created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
        )
        .bind(owner_id.as_str())
        .bind(user.user_id.as_str())
        .bind(&user.account)
        .bind(user.mobile.as_deref())
        .bind(&user.name)
        .bind(user.push_name.as_deref())
        .bind(password_hash)
        .bind(Json(&user.area_codes))
        .bind(user.disabled.then_some(now.0))
        .bind(now.0)
        .execute(&mut *self)
        .await
        .map_err(|error| Error::of_insert(error, "user", "tenant"))?;
        Ok(())
    }

    async fn insert_admin(&mut self, owner_id: &OwnerId, user: &UserRecord, reach: &AdminReach, now: Timestamp) -> Result<(), Error> {
        let reach_owner_id = match reach {
            AdminReach::Platform => None,
            AdminReach::Tenant(reached) => Some(reached.as_str()),
        };
        sqlx::query("INSERT INTO bo_admin (owner_id, user_id, role, reach_owner_id, created_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(owner_id.as_str())
            .bind(user.user_id.as_str())
            .bind(reach.role())
            .bind(reach_owner_id)
            .bind(now.0)
            .execute(&mut *self)
            .await
            .map_err(|error| Error::of_insert(error, "administrator", "tenant"))?;
        Ok(())
    }

    async fn insert_key(&mut self, owner_id: &OwnerId, key: &KeyRecord) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO bo_signing_key (owner_id, key_id, purpose, algorithm, sealed, created_at, retires_at, \
                 signs_from, announced) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(owner_id.as_str())
        .bind(key.key_id.as_str())
        .bind(key.purpose.as_str())
        .bind(&key.algorithm)
        .bind(&key.sealed)
        .bind(key.created_at.0)
        .bind(key.retires_at.map(Timestamp::millis))
        .bind(key.signs_from.map(Timestamp::millis))
        .bind(i32::from(key.announced))
        .execute(&mut *self)
        .await
        .map_err(|error| Error::of_insert(error, "key", "tenant"))?;
        Ok(())
    }
});

impl Db {
    /// A system's row.
    pub async fn find_system(&self, owner_id: &OwnerId, sys_id: &SystemId) -> Result<Option<SystemRecord>, Error> {
        let systems = self.systems_between(owner_id, owner_id).await?;
        Ok(systems.into_iter().map(|(_, system)| system).find(|system| system.sys_id == *sys_id))
    }
}
