//! A tenant as it is served: its own row, its systems, and its keys, sealed.

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::key::KeyRecord;

/// A tenant with everything that is needed to serve a request of it, secrets still sealed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TenantRecord {
    /// The tenant.
    pub owner_id: OwnerId,
    /// Its name for people.
    pub name: String,
    /// The system where `XsysId` is absent.
    pub default_sys_id: SystemId,
    /// Settings that its systems inherit, as a JSON object.
    pub settings: serde_json::Value,
    /// Whether it is disabled.
    pub disabled: bool,
    /// When the row last changed; grows with every change.
    #[serde(default)]
    pub updated_at: Timestamp,
    /// Its systems.
    pub systems: Vec<SystemRecord>,
    /// Its keys, the newest first.
    pub keys: Vec<KeyRecord>,
    /// How often these rows were changed in a way that every node had to hear of. What an older server has cached has none.
    #[serde(default)]
    pub revision: i64,
}

/// A system of a tenant.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SystemRecord {
    /// The system.
    pub sys_id: SystemId,
    /// Its name for people.
    pub name: String,
    /// Its own settings, as a JSON object.
    pub settings: serde_json::Value,
    /// Whether it is disabled.
    pub disabled: bool,
    /// When the row last changed; grows with every change.
    #[serde(default)]
    pub updated_at: Timestamp,
}

/// A system's settings, and where they hold.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingsRecord {
    /// The tenant.
    pub owner_id: OwnerId,
    /// The system.
    pub sys_id: SystemId,
    /// Whether it is the tenant's default one.
    pub is_default: bool,
    /// Whether it, or its tenant, is disabled.
    pub disabled: bool,
    /// The tenant's settings document.
    pub tenant_settings: serde_json::Value,
    /// The system's own.
    pub system_settings: serde_json::Value,
}
