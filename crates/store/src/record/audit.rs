//! The audit trail: its lines, who did it, and what is kept of the request.

use bo_auth_core::identifier::{AreaCode, SystemId, UserId};
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Who ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Actor {
    /// The session's own user.
    User,
    /// An administrator.
    Admin,
    /// A rule of the service: limit, reuse, lifetime.
    Service,
}

impl Actor {
    /// The word that stands in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
            Self::Service => "service",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::User, Self::Admin, Self::Service].into_iter().find(|actor| actor.as_str() == text)
    }
}

/// What is recorded about the request that ends or opens a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestTrace {
    /// The peer's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// `XuserFromFirstShareId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_share_user_id: Option<UserId>,
    /// `XuserFromSecondShareId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_share_user_id: Option<UserId>,
    /// `XfilterAreaCode`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub area_code: Option<AreaCode>,
    /// The administrator who did it, a user of the tenant that is reserved for them; absent on the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_user_id: Option<UserId>,
    /// What was changed, where that is an administrator's doing: a JSON object without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
}

/// One line of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditRecord {
    /// The event, in the order of time.
    pub event_id: i64,
    /// What happened: `session.started`, `session.ended`, `user.disabled`, `user.password-changed`, or an
    /// administrator's action.
    pub kind: String,
    /// In which system.
    pub sys_id: Option<SystemId>,
    /// To which user.
    pub user_id: Option<UserId>,
    /// To which session.
    pub session_id: Option<SessionId>,
    /// Why, where a session ended.
    pub reason: Option<EndReason>,
    /// By whom.
    pub actor: Actor,
    /// The request it came with, as a JSON object.
    pub trace: serde_json::Value,
    /// When.
    pub at: Timestamp,
}

/// Which lines of the audit trail are asked for; what is absent does not narrow.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Of this kind.
    pub kind: Option<String>,
    /// Of this user.
    pub user_id: Option<UserId>,
    /// Of this session.
    pub session_id: Option<SessionId>,
}
