//! Where versions stand back since they failed too often: rows of `bo_plugin_switched_off`.

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::time::Timestamp;

use super::PluginLog;
use crate::Error;
use crate::db::{Db, on, transaction};
use crate::plugin_record::PluginSwitch;
use crate::record::{AuditRecord, NotBefore};

#[derive(sqlx::FromRow)]
struct SwitchRow {
    name: String,
    version: i64,
    tenant_id: String,
    sys_id: String,
    route: String,
    code: String,
    at: i64,
}

impl From<SwitchRow> for PluginSwitch {
    fn from(row: SwitchRow) -> Self {
        Self {
            name: row.name,
            version: row.version,
            tenant_id: row.tenant_id,
            sys_id: row.sys_id,
            route: row.route,
            code: row.code,
            at: Timestamp(row.at),
        }
    }
}

impl Db {
    /// Writes down that a version stands back at a place; answers what nodes must hear of, or
    /// nothing if another node has written it.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn switch_plugin_off(
        &self,
        owner_id: &OwnerId,
        switch: &PluginSwitch,
        event: &AuditRecord,
    ) -> Result<Option<NotBefore>, Error> {
        transaction!(self, |connection, attempt| {
            let added = sqlx::query(
                "INSERT INTO bo_plugin_switched_off (owner_id, name, version, tenant_id, sys_id, route, code, at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
            )
            .bind(owner_id.as_str())
            .bind(&switch.name)
            .bind(switch.version)
            .bind(&switch.tenant_id)
            .bind(&switch.sys_id)
            .bind(&switch.route)
            .bind(&switch.code)
            .bind(switch.at.0)
            .execute(&mut *connection)
            .await?
            .rows_affected();
            if added == 0 {
                None
            } else {
                connection.plugin_event(owner_id, event).await?;
                Some(connection.plugins_changed(owner_id, event.at, attempt).await?)
            }
        })
    }

    /// Writes down that a version answers again at a place; answers what nodes must hear of, or
    /// nothing if another node has written it.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn switch_plugin_on(
        &self,
        owner_id: &OwnerId,
        switch: &PluginSwitch,
        event: &AuditRecord,
    ) -> Result<Option<NotBefore>, Error> {
        transaction!(self, |connection, attempt| {
            let removed = sqlx::query(
                "DELETE FROM bo_plugin_switched_off WHERE owner_id = $1 AND name = $2 AND version = $3 AND tenant_id = $4 \
                     AND sys_id = $5 AND route = $6",
            )
            .bind(owner_id.as_str())
            .bind(&switch.name)
            .bind(switch.version)
            .bind(&switch.tenant_id)
            .bind(&switch.sys_id)
            .bind(&switch.route)
            .execute(&mut *connection)
            .await?
            .rows_affected();
            if removed == 0 {
                None
            } else {
                connection.plugin_event(owner_id, event).await?;
                Some(connection.plugins_changed(owner_id, event.at, attempt).await?)
            }
        })
    }

    /// Where an owner's versions stand back that are to answer, by name.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn list_plugin_switches(&self, owner_id: &OwnerId) -> Result<Vec<PluginSwitch>, Error> {
        let rows: Vec<SwitchRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT off.name, off.version, off.tenant_id, off.sys_id, off.route, off.code, off.at \
             FROM bo_plugin_switched_off AS off JOIN bo_plugin AS plugin ON plugin.owner_id = off.owner_id AND plugin.name = off.name \
             WHERE off.owner_id = $1 AND plugin.active_version IS NOT NULL \
             ORDER BY off.name, off.version, off.tenant_id, off.sys_id, off.route LIMIT 10000",
        )
        .bind(owner_id.as_str())
        .fetch_all(connection))?;
        Ok(rows.into_iter().map(Into::into).collect())
    }
}
