//! Tenants: rows of `bo_project`.

use std::collections::HashMap;

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_core::time::Timestamp;
use serde_json::Value;

use super::administration::AdministrationRows;
use super::{Db, on, transaction};
use crate::Error;
use crate::record::{SystemRecord, TenantRecord};

#[derive(sqlx::FromRow)]
struct ProjectRow {
    #[sqlx(try_from = "String")]
    owner_id: OwnerId,
    name: String,
    #[sqlx(try_from = "String")]
    default_sys_id: SystemId,
    #[sqlx(json)]
    settings: Value,
    disabled_at: Option<i64>,
    revision: i64,
    updated_at: i64,
}

impl ProjectRow {
    fn into_record(self) -> TenantRecord {
        TenantRecord {
            owner_id: self.owner_id,
            name: self.name,
            default_sys_id: self.default_sys_id,
            settings: self.settings,
            disabled: self.disabled_at.is_some(),
            systems: Vec::new(),
            keys: Vec::new(),
            revision: self.revision,
            updated_at: Timestamp(self.updated_at),
        }
    }
}

impl Db {
    /// Adds a tenant with its systems and keys, all or nothing.
    ///
    /// # Errors
    /// [`Error::Exists`] where there is one of this id.
    pub async fn insert_tenant(&self, tenant: &TenantRecord, now: Timestamp) -> Result<(), Error> {
        transaction!(self, |connection, _attempt| { connection.insert_tenant(tenant, now).await? })
    }

    /// A tenant with its systems and the keys that count.
    pub async fn find_tenant(&self, owner_id: &OwnerId) -> Result<Option<TenantRecord>, Error> {
        let Some(project) = self.find_project(owner_id).await? else { return Ok(None) };
        // The three tables are written in one transaction, so whoever sees the first row sees the others.
        let systems = self.systems_between(owner_id, owner_id).await?.into_iter().map(|(_, system)| system).collect();
        let keys = self.list_keys_that_count(owner_id).await?;
        Ok(Some(TenantRecord { systems, keys, ..project.into_record() }))
    }

    async fn find_project(&self, owner_id: &OwnerId) -> Result<Option<ProjectRow>, Error> {
        on!(self, read, |connection| sqlx::query_as(
            "SELECT owner_id, name, default_sys_id, settings, disabled_at, revision, updated_at FROM bo_project WHERE owner_id = $1",
        )
        .bind(owner_id.as_str())
        .fetch_optional(connection))
    }

    /// Up to `limit` tenants behind `after` in the order of their ids, with their systems and without their keys.
    /// Works for all tenants.
    pub async fn list_tenants(&self, after: Option<&OwnerId>, limit: i64) -> Result<Vec<TenantRecord>, Error> {
        let projects = self.list_projects(after, limit).await?;
        let (Some(first), Some(last)) = (projects.first(), projects.last()) else { return Ok(Vec::new()) };
        let mut systems: HashMap<OwnerId, Vec<SystemRecord>> = HashMap::new();
        for (owner_id, system) in self.systems_between(&first.owner_id, &last.owner_id).await? {
            systems.entry(owner_id).or_default().push(system);
        }
        let with_systems = |project: ProjectRow| {
            let systems = systems.remove(&project.owner_id).unwrap_or_default();
            TenantRecord { systems, ..project.into_record() }
        };
        Ok(projects.into_iter().map(with_systems).collect())
    }

    async fn list_projects(&self, after: Option<&OwnerId>, limit: i64) -> Result<Vec<ProjectRow>, Error> {
        on!(self, read, |connection| sqlx::query_as(
            "SELECT owner_id, name, default_sys_id, settings, disabled_at, revision, updated_at FROM bo_project \
             WHERE owner_id > $1 ORDER BY owner_id LIMIT $2",
        )
        .bind(after.map_or("", OwnerId::as_str))
        .bind(limit)
        .fetch_all(connection))
    }
}
