//! Systems of a tenant: rows of `bo_system`.

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_core::time::Timestamp;
use serde_json::Value;

use super::administration::AdministrationRows;
use super::{Db, on, transaction};
use crate::Error;
use crate::record::{SettingsRecord, SystemRecord};

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
struct SettingsRow {
    #[sqlx(try_from = "String")]
    owner_id: OwnerId,
    #[sqlx(try_from = "String")]
    sys_id: SystemId,
    #[sqlx(try_from = "String")]
    default_sys_id: SystemId,
    tenant_disabled_at: Option<i64>,
    system_disabled_at: Option<i64>,
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

    /// Every system with its tenant's settings and its own: what an answer is shaped by that no call of the system has come
    /// to. Works for all tenants.
    pub async fn list_settings(&self) -> Result<Vec<SettingsRecord>, Error> {
        let rows: Vec<SettingsRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT project.owner_id, system.sys_id, project.default_sys_id, \
                 project.disabled_at AS tenant_disabled_at, system.disabled_at AS system_disabled_at, \
                 project.settings AS tenant_settings, system.settings AS system_settings \
             FROM bo_project AS project JOIN bo_system AS system ON system.owner_id = project.owner_id",
        )
        .fetch_all(connection))?;
        let record = |row: SettingsRow| SettingsRecord {
            is_default: row.sys_id == row.default_sys_id,
            disabled: row.tenant_disabled_at.is_some() || row.system_disabled_at.is_some(),
            owner_id: row.owner_id,
            sys_id: row.sys_id,
            tenant_settings: row.tenant_settings,
            system_settings: row.system_settings,
        };
        Ok(rows.into_iter().map(record).collect())
    }
}
