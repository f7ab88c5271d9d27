//! Tenants: added with their first system and keys, listed, disabled.

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_core::random::alphanumeric;
use bo_auth_core::session::EndReason;
use bo_auth_core::settings::SystemSettings;
use bo_auth_core::signing_key::Algorithm;
use bo_auth_core::time::Timestamp;
use bo_auth_store::record::{Administration, KeyPurpose, Scope, SystemRecord, TenantRecord};
use serde_json::{Map, Value, json};

use super::{Change, Operator, bounds};
use crate::Error;

/// Characters of a generated DES key: DES uses eight bytes and no more.
pub const DES_KEY_CHARACTERS: usize = 8;

/// A tenant that is to be added.
#[derive(Debug, Clone)]
pub struct NewTenant {
    /// The tenant.
    pub owner_id: OwnerId,
    /// Its name for people.
    pub name: String,
    /// Its first system, which is the default one, with its name.
    pub system: (SystemId, String),
    /// How access tokens are signed.
    pub algorithm: Algorithm,
    /// Settings that its systems inherit.
    pub settings: Value,
}

/// What is to change about a tenant; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct TenantChange {
    /// Its name for people.
    pub name: Option<String>,
    /// Whether it is disabled.
    pub disabled: Option<bool>,
    /// Settings to be laid over its own; `null` takes one back.
    pub settings: Map<String, Value>,
    /// The system where `XsysId` is absent.
    pub default_sys_id: Option<SystemId>,
}

/// Lays settings over a document; `null` takes one back.
pub(super) fn lay_over(document: &mut Value, settings: Value) {
    let (Value::Object(own), Value::Object(settings)) = (document, settings) else { return };
    for (name, value) in settings {
        if value.is_null() {
            own.shift_remove(&name);
        } else {
            own.insert(name, value);
        }
    }
}

/// What of a change is worth recording: without members that were not given.
pub(crate) fn without_nulls(mut details: Value) -> Value {
    if let Value::Object(members) = &mut details {
        members.retain(|_, value| !value.is_null() && value.as_object().is_none_or(|inner| !inner.is_empty()));
    }
    details
}

impl Operator {
    /// Adds a tenant. `des_key` is generated where absent; the answer is the key, which is shown this once.
    ///
    /// # Errors
    /// [`Error::Conflict`] where the tenant exists; [`Error::Refused`] where its id is reserved, the settings are not valid,
    /// or the key is empty.
    pub async fn add_tenant(&self, new: &NewTenant, des_key: Option<&str>) -> Result<String, Error> {
        if new.owner_id.is_reserved() {
            return Err(Error::Refused(format!("`{}` is reserved and can be no tenant's id", new.owner_id)));
        }
        let (record, des_key) = self.prepare_tenant(new, des_key).await?;
        let event = self.event("tenant.added", Some(json!({"name": record.name, "systems": [new.system.0]})));
        self.administer(&record.owner_id, &Administration::AddTenant(&record), None, &event, None).await.map_err(|error| match error {
            Error::Conflict(_) => Error::Conflict(format!("tenant `{}` exists already", record.owner_id)),
            other => other,
        })?;
        Ok(des_key)
    }

    /// A tenant's rows with keys of its own, and its DES key.
    pub(crate) async fn prepare_tenant(&self, new: &NewTenant, des_key: Option<&str>) -> Result<(TenantRecord, String), Error> {
        let refused = |error: bo_auth_core::Error| Error::Refused(error.to_string());
        SystemSettings::verify_spelling(&new.settings).map_err(refused)?;
        bounds::settings(&new.settings, &SystemSettings::from_documents(&[&new.settings]).map_err(refused)?)?;
        if des_key.is_some_and(str::is_empty) {
            return Err(Error::Refused("a DES key has at least one character".to_owned()));
        }
        let des_key = des_key.map_or_else(|| alphanumeric(&*self.random, DES_KEY_CHARACTERS), str::to_owned);
        let owner_id = &new.owner_id;
        let mut mac_secret = [0u8; 32];
        self.random.fill(&mut mac_secret);
        let mut refresh_secret = [0u8; 32];
        self.random.fill(&mut refresh_secret);
        let keys = vec![
            self.seal(owner_id, KeyPurpose::Stamp, "DES", des_key.as_bytes())?,
            self.seal(owner_id, KeyPurpose::StampMac, "HMAC-SHA256", &mac_secret)?,
            self.new_signing_key(owner_id, new.algorithm).await?,
            self.seal(owner_id, KeyPurpose::Refresh, "HMAC-SHA256", &refresh_secret)?,
        ];
        let (sys_id, system_name) = new.system.clone();
        let (settings, updated_at) = (Value::Object(Map::new()), self.now());
        let record = TenantRecord {
            owner_id: owner_id.clone(),
            name: new.name.clone(),
            default_sys_id: sys_id.clone(),
            settings: new.settings.clone(),
            disabled: false,
            revision: 0,
            updated_at,
            systems: vec![SystemRecord { sys_id, name: system_name, settings, disabled: false, updated_at }],
            keys,
        };
        Ok((record, des_key))
    }

    /// Up to `limit` tenants behind `after`, without their keys.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn list_tenants(&self, after: Option<&OwnerId>, limit: i64) -> Result<Vec<TenantRecord>, Error> {
        // One more, in the place of the reserved one that may be among them.
        let mut tenants = self.db.list_tenants(after, limit.saturating_add(1)).await?;
        tenants.retain(|tenant| !tenant.owner_id.is_reserved());
        tenants.truncate(usize::try_from(limit).unwrap_or(0));
        Ok(tenants)
    }

    /// Disables a tenant, which ends all of its sessions, or enables it.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is none.
    pub async fn set_tenant_disabled(&self, owner_id: &OwnerId, disabled: bool) -> Result<Change, Error> {
        let tenant = self.get_tenant(owner_id).await?;
        self.change_tenant(tenant, TenantChange { disabled: Some(disabled), ..TenantChange::default() }, None).await
    }

    /// Changes a tenant that has been read; only where it is still so, if `unchanged_since` says when it was.
    ///
    /// # Errors
    /// [`Error::Refused`] where the settings are not valid, for the tenant or for one of its systems, or there is no such
    /// system; [`Error::Stale`].
    pub async fn change_tenant(
        &self,
        mut tenant: TenantRecord,
        change: TenantChange,
        unchanged_since: Option<Timestamp>,
    ) -> Result<Change, Error> {
        let details = json!({
            "name": change.name, "disabled": change.disabled, "settings": change.settings, "defaultSysId": change.default_sys_id,
        });
        let kind = match change.disabled {
            Some(true) if !tenant.disabled => "tenant.disabled",
            Some(false) if tenant.disabled => "tenant.enabled",
            _ => "tenant.changed",
        };
        tenant.name = change.name.unwrap_or(tenant.name);
        tenant.disabled = change.disabled.unwrap_or(tenant.disabled);
        if let Some(sys_id) = change.default_sys_id {
            if !tenant.systems.iter().any(|system| system.sys_id == sys_id) {
                return Err(Error::Refused(format!("tenant `{}` has no system `{sys_id}`", tenant.owner_id)));
            }
            tenant.default_sys_id = sys_id;
        }
        let refused = |error: bo_auth_core::Error| Error::Refused(error.to_string());
        let is_new = !change.settings.is_empty();
        let settings = Value::Object(change.settings);
        SystemSettings::verify_spelling(&settings).map_err(refused)?;
        lay_over(&mut tenant.settings, settings);
        let merged = SystemSettings::from_documents(&[&tenant.settings]).map_err(refused)?;
        if is_new {
            bounds::settings(&tenant.settings, &merged)?;
        }
        for system in &tenant.systems {
            SystemSettings::from_documents(&[&tenant.settings, &system.settings]).map_err(refused)?;
        }
        let event = self.event(kind, Some(without_nulls(details)));
        let ends = (kind == "tenant.disabled").then_some((Scope::Tenant, EndReason::TenantDisabled));
        self.administer(&tenant.owner_id, &Administration::ChangeTenant(&tenant), unchanged_since, &event, ends).await
    }
}
