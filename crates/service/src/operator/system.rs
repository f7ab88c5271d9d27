//! Systems of a tenant: added, listed, changed.

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_core::session::EndReason;
use bo_auth_core::settings::SystemSettings;
use bo_auth_core::time::Timestamp;
use bo_auth_store::record::{Administration, Scope, SystemRecord, TenantRecord};
use serde_json::{Map, Value, json};

use super::tenant::{TenantChange, lay_over, without_nulls};
use super::{Change, Operator, bounds};
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
    /// [`Error::NotFound`] where the tenant is unknown, [`Error::Conflict`] where the system exists, [`Error::Refused`] where
    /// the settings are not valid.
    pub async fn add_system(
        &self,
        owner_id: &OwnerId,
        sys_id: SystemId,
        name: String,
        settings: Map<String, Value>,
    ) -> Result<Change, Error> {
        let tenant = self.get_tenant(owner_id).await?;
        let record = SystemRecord { sys_id, name, settings: Value::Object(settings), disabled: false, updated_at: self.now() };
        bounds::another_system(&tenant)?;
        bounds::settings(&record.settings, &validate(&tenant, &record, &record.settings)?)?;
        let mut event = self.event("system.added", Some(json!({"name": record.name, "settings": record.settings})));
        event.sys_id = Some(record.sys_id.clone());
        self.administer(owner_id, &Administration::AddSystem(&record), None, &event, None).await.map_err(|error| match error {
            Error::Conflict(_) => Error::Conflict(format!("system `{}` exists already", record.sys_id)),
            other => other,
        })
    }

    /// Changes a system. Disabling it ends all of its sessions.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is none, [`Error::Refused`] where the settings are not valid.
    pub async fn change_system(&self, owner_id: &OwnerId, sys_id: &SystemId, change: SystemChange) -> Result<Change, Error> {
        let tenant = self.get_tenant(owner_id).await?;
        let found = tenant.systems.iter().find(|system| system.sys_id == *sys_id);
        let record = found.ok_or_else(|| Error::NotFound(format!("tenant `{owner_id}` has no system `{sys_id}`")))?.clone();
        let make_default = change.make_default;
        let changed = self.change_system_from(&tenant, record, change, None).await?;
        if make_default && tenant.default_sys_id != *sys_id {
            let default = TenantChange { default_sys_id: Some(sys_id.clone()), ..TenantChange::default() };
            let outcome = self.change_tenant(tenant, default, None).await;
            return outcome.map_err(|error| match error {
                Error::DoneNotEverywhere(_) => error,
                error => Error::Refused(format!("the system is changed, but it is not the default one yet: {error}")),
            });
        }
        Ok(changed)
    }

    /// Changes a system that has been read; only where it is still so, if `unchanged_since` says when it was.
    ///
    /// # Errors
    /// [`Error::Refused`] where the settings are not valid; [`Error::Stale`].
    pub async fn change_system_from(
        &self,
        tenant: &TenantRecord,
        mut record: SystemRecord,
        change: SystemChange,
        unchanged_since: Option<Timestamp>,
    ) -> Result<Change, Error> {
        let details = json!({"name": change.name, "disabled": change.disabled, "settings": change.settings});
        let kind = match change.disabled {
            Some(true) if !record.disabled => "system.disabled",
            Some(false) if record.disabled => "system.enabled",
            _ => "system.changed",
        };
        record.name = change.name.unwrap_or(record.name);
        record.disabled = change.disabled.unwrap_or(record.disabled);
        let is_new = !change.settings.is_empty();
        let settings = Value::Object(change.settings);
        lay_over(&mut record.settings, settings.clone());
        let merged = validate(tenant, &record, &settings)?;
        if is_new {
            bounds::settings(&record.settings, &merged)?;
        }
        let mut event = self.event(kind, Some(without_nulls(details)));
        event.sys_id = Some(record.sys_id.clone());
        let ends = (kind == "system.disabled").then(|| (Scope::System(record.sys_id.clone()), EndReason::SystemDisabled));
        self.administer(&tenant.owner_id, &Administration::ChangeSystem(&record), unchanged_since, &event, ends).await
    }
}

/// `new` is what of the settings is being set.
fn validate(tenant: &TenantRecord, system: &SystemRecord, new: &Value) -> Result<SystemSettings, Error> {
    let refused = |error: bo_auth_core::Error| Error::Refused(error.to_string());
    SystemSettings::verify_spelling(new).map_err(refused)?;
    SystemSettings::from_documents(&[&tenant.settings, &system.settings]).map_err(refused)
}
