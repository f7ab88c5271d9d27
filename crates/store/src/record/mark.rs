//! Not-before marks, by which all sessions of a scope end with one write.

use bo_auth_core::identifier::{OwnerId, SystemId, UserId};
use bo_auth_core::session::EndReason;
use bo_auth_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::audit::{Actor, RequestTrace};

/// Whose sessions a not-before mark refuses: those of one level of the rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All of the tenant.
    Tenant,
    /// All of one of its systems.
    System(SystemId),
    /// All of one of its users, in whichever system.
    User(UserId),
}

/// All sessions of a user, a system or a tenant that are to end.
#[derive(Debug, Clone)]
pub struct Marking {
    /// The tenant.
    pub owner_id: OwnerId,
    /// Whose sessions.
    pub scope: Scope,
    /// Why.
    pub reason: EndReason,
    /// By whom.
    pub actor: Actor,
    /// When. The mark may lie a little later: behind the newest session that another node's clock has dated.
    pub at: Timestamp,
    /// Where the mark lies, if not behind every session that there is: sessions that have begun since go on.
    pub before: Option<Timestamp>,
    /// The request it came with.
    pub trace: RequestTrace,
}

/// A not-before mark as it stands in the database: every session of its scope that began earlier is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotBefore {
    /// The tenant.
    pub owner_id: OwnerId,
    /// Whose sessions.
    pub scope: Scope,
    /// From when on sessions must have begun; the epoch where only rows of the tenant or of the user have changed.
    pub not_before: Timestamp,
    /// Why.
    pub reason: EndReason,
    /// What the tenant's rows are at; 0 for a user's mark, which says nothing of them.
    pub revision: i64,
    /// The id of the event that the mark is; 0 where it is not known any more, or none was written.
    pub event_id: i64,
}

/// A mark whose sessions are still to be ended one by one.
#[derive(Debug, Clone)]
pub struct PendingMark {
    /// The mark.
    pub mark: NotBefore,
    /// By whom.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// The request it came with.
    pub trace: RequestTrace,
}
