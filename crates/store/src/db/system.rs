//! Systems of a tenant: rows of `bo_system`.

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_core::session::EndReason;
use bo_auth_core::time::Timestamp;
use serde_json::Value;
use sqlx::types::Json;

use super::administration::AdministrationRows;
use super::not_before::Marks;
use super::{Db, on, transaction};
use crate::Error;
use crate::record::{Actor, Marking, RequestTrace, Revoked, Scope, SystemRecord};

#[derive(sqlx::FromRow)]
struct SystemRow {
    #[sqlx(try_from = "String")]
    owner_id: OwnerId,
    #[sqlx(try_from = "String")]
    sys_id: SystemId,
    name: String,
    #[sqlx(json)]
    settings: Value,
    disabled_at: Option<i64>,
    updated_at: i64,
}

#[derive(sqlx::FromRow)]
struct OriginRow {
    #[sqlx(try_from = "String")]
    owner_id: OwnerId,
    #[sqlx(try_from = "String")]
    sys_id: SystemId,
    #[sqlx(json)]
    tenant_settings: Value,
    #[sqlx(json)]
    system_settings: Value,
}

impl Db {
    /// Adds a system.
    ///
    /// # Errors
    /// [`Error::Exists`] where the tenant has one of this id, [`Error::Missing`] where there is no such tenant.
    pub async fn insert_system(&self, owner_id: &OwnerId, system: &SystemRecord, now: Timestamp) -> Result<(), Error> {
        transaction!(self, |connection, _attempt| { connection.insert_system(owner_id, system, now).await? })
    }

    /// Replaces a system's row, in one transaction with the mark that refuses all of its sessions where it becomes
    /// disabled; answers that mark, or else the tenant's revision.
    ///
    /// # Errors
    /// [`Error::Missing`] where the tenant has no such system.
    pub async fn update_system(&self, owner_id: &OwnerId, system: &SystemRecord, now: Timestamp) -> Result<Revoked, Error> {
        let marking = Marking {
            owner_id: owner_id.clone(),
            scope: Scope::System(system.sys_id.clone()),
            reason: EndReason::SystemDisabled,
            actor: Actor::Admin,
            at: now,
            trace: RequestTrace::default(),
        };
        transaction!(self, |connection, attempt| {
            let becomes_disabled = system.disabled && {
                let enabled: i64 =
                    sqlx::query_scalar("SELECT count(*) FROM bo_system WHERE owner_id = $1 AND sys_id = $2 AND disabled_at IS NULL")
                        .bind(owner_id.as_str())
                        .bind(system.sys_id.as_str())
                        .fetch_one(&mut *connection)
                        .await?;
                enabled > 0
            };
            let mark = if becomes_disabled {
                connection.mark(&marking, Some("system.disabled"), attempt).await?
            } else {
                connection.announce_revision(owner_id, now, attempt).await?
            };
            let changed = sqlx::query(
                "UPDATE bo_system SET name = $3, settings = $4, disabled_at = CASE WHEN $5 THEN coalesce(disabled_at, $6) END, updated_at = $6 \
             WHERE owner_id = $1 AND sys_id = $2",
        )
        .bind(owner_id.as_str())
        .bind(system.sys_id.as_str())
        .bind(&system.name)
        .bind(Json(&system.settings))
            .bind(system.disabled)
            .bind(now.0)
            .execute(&mut *connection)
            .await?;
            if changed.rows_affected() == 0 {
                return Err(Error::Missing("system"));
            }
            Revoked { sessions: Vec::new(), marks: mark.into_iter().collect() }
        })
    }

    /// The systems of the tenants from `first` to `last`.
    pub(super) async fn systems_between(&self, first: &OwnerId, last: &OwnerId) -> Result<Vec<(OwnerId, SystemRecord)>, Error> {
        let rows: Vec<SystemRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT owner_id, sys_id, name, settings, disabled_at, updated_at FROM bo_system \
             WHERE owner_id >= $1 AND owner_id <= $2 ORDER BY owner_id, sys_id",
        )
        .bind(first.as_str())
        .bind(last.as_str())
        .fetch_all(connection))?;
        let record = |row: SystemRow| {
            let disabled = row.disabled_at.is_some();
            let updated_at = Timestamp(row.updated_at);
            (row.owner_id, SystemRecord { sys_id: row.sys_id, name: row.name, settings: row.settings, disabled, updated_at })
        };
        Ok(rows.into_iter().map(record).collect())
    }

    /// Every enabled system of every enabled tenant, with the tenant's settings and its own: where the origins stand
    /// that a preflight is answered from. Works for all tenants.
    pub async fn list_origins(&self) -> Result<Vec<(OwnerId, SystemId, Value, Value)>, Error> {
        let rows: Vec<OriginRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT project.owner_id, system.sys_id, project.settings AS tenant_settings, system.settings AS system_settings \
             FROM bo_project AS project JOIN bo_system AS system ON system.owner_id = project.owner_id \
             WHERE project.disabled_at IS NULL AND system.disabled_at IS NULL",
        )
        .fetch_all(connection))?;
        Ok(rows.into_iter().map(|row| (row.owner_id, row.sys_id, row.tenant_settings, row.system_settings)).collect())
    }
}
