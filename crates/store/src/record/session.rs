//! Sessions as they are opened, rotated and listed. What ends one stands in `ending` and `mark`.

use bo_auth_core::identifier::{AreaCode, SystemId, UserId};
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::time::Timestamp;

/// A session's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// The session.
    pub session_id: SessionId,
    /// The system it was opened in.
    pub sys_id: SystemId,
    /// Whose it is.
    pub user_id: UserId,
    /// The refresh token's current generation.
    pub generation: u32,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last refreshed; `created_at` at first.
    pub refreshed_at: Timestamp,
    /// From when on it is over for want of a refresh.
    pub idle_expires_at: Timestamp,
    /// From when on it is over in any case.
    pub expires_at: Timestamp,
    /// The first-level sharer's user id.
    pub first_share_user_id: Option<UserId>,
    /// The second-level sharer's user id.
    pub second_share_user_id: Option<UserId>,
    /// The area it was opened for.
    pub area_code: Option<AreaCode>,
    /// The address it was opened from.
    pub address: Option<String>,
    /// The user agent it was opened with, cut to 256 characters.
    pub user_agent: Option<String>,
    /// When and why it ended.
    pub ended: Option<(Timestamp, EndReason)>,
}

/// A session that is to be opened.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The row. Its `generation` is 0 and `ended` is `None`.
    pub session: SessionRecord,
    /// When its first access token expires.
    pub access_expires_at: Timestamp,
    /// The id of the audit event, and the base of those for sessions that give way.
    pub event_id: i64,
    /// How many live sessions the user may have in the system, this one included.
    pub limit: Option<u32>,
    /// The password hash that the login was checked against. Nothing is opened, and `None` is answered, where the
    /// user's row holds another one by now, or the user is disabled: a login must not outlive a password change.
    pub password_hash: String,
}

/// A session that is to move to its next generation.
#[derive(Debug, Clone, Copy)]
pub struct Rotating<'a> {
    /// The session.
    pub session_id: SessionId,
    /// The generation that it must be at.
    pub from_generation: u32,
    /// When.
    pub refreshed_at: Timestamp,
    /// Until when it then lives without another refresh.
    pub idle_expires_at: Timestamp,
    /// Until when the access token lives that is handed out with it.
    pub access_expires_at: Timestamp,
    /// The address of whoever asks.
    pub address: Option<&'a str>,
    /// Their user agent, cut as a session's is.
    pub user_agent: Option<&'a str>,
}

/// Who has moved a session to its generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshedBy {
    /// The address.
    pub address: Option<String>,
    /// The user agent.
    pub user_agent: Option<String>,
}

/// What became of a rotation (contract 1.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// This call moved the session to the next generation; the row as it is now.
    Rotated(SessionRecord),
    /// The session is at another generation, or has ended or run out; the row as it is.
    Unchanged(SessionRecord),
    /// There is no such session in this tenant.
    Unknown,
}

/// Which sessions are asked for; what is absent does not narrow.
#[derive(Debug, Clone, Default)]
pub struct SessionFilter {
    /// Of this user.
    pub user_id: Option<UserId>,
    /// Of this system.
    pub sys_id: Option<SystemId>,
    /// Neither ended nor run out at this instant.
    pub live_at: Option<Timestamp>,
}
