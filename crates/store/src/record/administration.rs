//! Administrators, and what they change.

use bo_auth_core::identifier::{OwnerId, SystemId, UserId};
use bo_auth_core::time::Timestamp;

use super::area::AreaRecord;
use super::audit::RequestTrace;
use super::tenant::{SystemRecord, TenantRecord};
use super::user::UserRecord;

/// What an administrator may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminReach {
    /// All tenants.
    Platform,
    /// One tenant.
    Tenant(OwnerId),
}

impl AdminReach {
    /// The word that stands in the database.
    pub const fn role(&self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Tenant(_) => "tenant",
        }
    }
}

/// An administrator: a user of the tenant that is reserved for them, and what that user may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminRecord {
    /// The user.
    pub user: UserRecord,
    /// What the user may reach.
    pub reach: AdminReach,
}

/// What an administrator does to a tenant. It is written in one transaction, with its line of the audit trail.
#[derive(Debug, Clone, Copy)]
pub enum Administration<'a> {
    /// Adds the tenant with its systems and keys.
    AddTenant(&'a TenantRecord),
    /// Replaces the tenant's own row; its systems and keys stay.
    ChangeTenant(&'a TenantRecord),
    /// Adds a system.
    AddSystem(&'a SystemRecord),
    /// Replaces a system's row.
    ChangeSystem(&'a SystemRecord),
    /// Adds a user with this password hash.
    AddUser(&'a UserRecord, &'a str),
    /// Adds an administrator with this password hash.
    AddAdmin(&'a AdminRecord, &'a str),
    /// Adds areas or replaces those of the same codes.
    ImportAreas(&'a [AreaRecord]),
}

/// A line of the audit trail about something an administrator does.
#[derive(Debug, Clone)]
pub struct AdministrationEvent {
    /// What happened, such as `system.changed`.
    pub kind: &'static str,
    /// To which system.
    pub sys_id: Option<SystemId>,
    /// To which user.
    pub user_id: Option<UserId>,
    /// The id of the event.
    pub event_id: i64,
    /// When.
    pub at: Timestamp,
    /// By whom, from where, and what it was.
    pub trace: RequestTrace,
}
