//! Systems of a tenant: added, listed, changed.

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_core::settings::SystemSettings;
use bo_auth_store::record::{SystemRecord, TenantRecord};
use serde_json::{Map, Value};

use super::{Change, Operator};
use crate::Error;

/// What is to change about a system; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct SystemChange {
    /// Its name for people.
    pub name: Option<String>,
    /// Whether it is disabled.
    pub disabled: Option<bool>,
    /// Settings to be laid over its own; `null` takes one back.
    pub settings: Map<String, Value>,
    /// Make it the tenant's default system.
    pub make_default: bool,
}

impl Operator {
    /// Adds a system.
    ///
    /// # Errors
    /// [`Error::Refused`] where the tenant is unknown, the system exists, or the settings are not valid.
    pub async fn add_system(
        &self,
        owner_id: &OwnerId,
        sys_id: SystemId,
        name: String,
        settings: Map<String, Value>,
    ) -> Result<Change, Error> {
        let tenant = self.get_tenant(owner_id).await?;
        let record = SystemRecord { sys_id, name, settings: Value::Object(settings), disabled: false };
        validate(&tenant, &record)?;
        self.db.insert_system(owner_id, &record, self.now()).await.map_err(|error| match error {
            bo_auth_store::Error::Exists(_) => Error::Refused(format!("system `{}` exists already", record.sys_id)),
            other => other.into(),
        })?;
        self.tenant_changed(owner_id).await
    }

    /// Changes a system. Disabling it ends all of its sessions.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is none, or the settings are not valid.
    pub async fn change_system(&self, owner_id: &OwnerId, sys_id: &SystemId, change: SystemChange) -> Result<Change, Error> {
        let tenant = self.get_tenant(owner_id).await?;
        let found = tenant.systems.iter().find(|system| system.sys_id == *sys_id);
        let mut record = found.ok_or_else(|| Error::Refused(format!("tenant `{owner_id}` has no system `{sys_id}`")))?.clone();
        if let Some(name) = change.name {
            record.name = name;
        }
        record.disabled = change.disabled.unwrap_or(record.disabled);
        if let Value::Object(own) = &mut record.settings {
            for (name, value) in change.settings {
                if value.is_null() {
                    own.shift_remove(&name);
                } else {
                    own.insert(name, value);
                }
            }
        }
        validate(&tenant, &record)?;
        if change.make_default {
            self.db.set_default_system(owner_id, sys_id, self.now()).await?;
        }
        let revoked = self.db.update_system(owner_id, &record, self.now()).await?;
        self.tenant_revoked(owner_id, &revoked).await
    }
}

fn validate(tenant: &TenantRecord, system: &SystemRecord) -> Result<(), Error> {
    SystemSettings::from_documents(&[&tenant.settings, &system.settings]).map(|_| ()).map_err(|error| Error::Refused(error.to_string()))
}
