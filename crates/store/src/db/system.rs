//! Systems of a tenant: rows of `bo_system`.

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_core::time::Timestamp;
use serde_json::Value;

use super::administration::AdministrationRows;
use super::{Db, on, transaction};
use crate::Error;
use crate::record::SystemRecord;

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
