//! What the database holds, as values: one struct for each thing, with the row's own meaning and units.

use std::fmt;

use bo_auth_core::identifier::{AreaCode, KeyId, OwnerId, SystemId, UserId};
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::time::Timestamp;
use serde::{Deserialize, Serialize};

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

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyPurpose {
    /// DES, for `XverifyApi` and passwords on their way.
    Stamp,
    /// HMAC-SHA256, for `XverifyApi` version 2.
    StampMac,
    /// Signs access tokens.
    Access,
    /// Authenticates refresh tokens.
    Refresh,
}

impl KeyPurpose {
    /// The word that stands in the database and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stamp => "stamp",
            Self::StampMac => "stamp-mac",
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Stamp, Self::StampMac, Self::Access, Self::Refresh].into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// One version of one of a tenant's keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyRecord {
    /// The version.
    pub key_id: KeyId,
    /// What it is for.
    pub purpose: KeyPurpose,
    /// `DES`, `HS256`, `RS256`, `ES256` or `EdDSA`.
    pub algorithm: String,
    /// The secret, sealed under the master key and bound to its row.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on nothing made with it is accepted; `None` while it is the current one.
    pub retires_at: Option<Timestamp>,
}

/// A user's profile: what `user/current` shows and what may be cached. Never the password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRecord {
    /// The user.
    pub user_id: UserId,
    /// The name to sign in with, unique within the tenant.
    pub account: String,
    /// The name for people.
    pub name: String,
    /// A mobile number, unique within the tenant; v1.0 signs in with it.
    pub mobile: Option<String>,
    /// The name for push messages (claim `push_name`).
    pub push_name: Option<String>,
    /// The areas the user is confined to; empty for all.
    pub area_codes: Vec<AreaCode>,
    /// Whether the user is disabled.
    pub disabled: bool,
    /// When the row last changed; grows with every change.
    pub updated_at: Timestamp,
}

/// A user with the password's hash. Not cached, not serialised.
#[derive(Clone)]
pub struct Credentials {
    /// The profile.
    pub user: UserRecord,
    /// Argon2id in PHC form.
    pub password_hash: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

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

/// One session that is to end.
#[derive(Debug, Clone)]
pub struct Ending {
    /// The tenant.
    pub owner_id: OwnerId,
    /// The session.
    pub session_id: SessionId,
    /// Why.
    pub reason: EndReason,
    /// By whom.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// Until when access tokens of the session could still be alive, at least.
    pub keep_until: Timestamp,
    /// The id of the event, should this call be the one that ends it.
    pub event_id: i64,
    /// The request it came with.
    pub trace: RequestTrace,
}

/// Several sessions of one user that are to end together.
#[derive(Debug, Clone)]
pub struct UserEnding {
    /// The tenant.
    pub owner_id: OwnerId,
    /// The user.
    pub user_id: UserId,
    /// One session that goes on.
    pub except: Option<SessionId>,
    /// Nothing is ended, and nobody is answered, where this session is not live (not ended and not run out) at that
    /// moment, checked in the same transaction: the proofs of a session that is over end no others.
    pub while_live: Option<SessionId>,
    /// Why.
    pub reason: EndReason,
    /// By whom.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// Until when access tokens of the sessions could still be alive, at least.
    pub keep_until: Timestamp,
    /// The request it came with.
    pub trace: RequestTrace,
}

/// A session that this call has ended, or that had ended before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedSession {
    /// The tenant.
    pub owner_id: OwnerId,
    /// The session.
    pub session_id: SessionId,
    /// The system it belonged to.
    pub sys_id: SystemId,
    /// Whose it was.
    pub user_id: UserId,
    /// Why it ended.
    pub reason: EndReason,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Until when its access tokens could be alive: how long it must be remembered.
    pub keep_until: Timestamp,
    /// The id of the event that its end is; 0 where it is not known any more.
    pub event_id: i64,
}

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

/// What a change has ended: sessions whose rows say so, and whole scopes whose rows follow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked {
    /// Sessions that this call has ended.
    pub sessions: Vec<EndedSession>,
    /// Marks that this call has made.
    pub marks: Vec<NotBefore>,
}

impl Revoked {
    /// How many sessions of a user end in the transaction that makes the user's mark; the others follow.
    pub const AT_ONCE: usize = 1_000;

    /// Marks about which nothing is left to do once they are told: every session of theirs has its end already.
    pub fn finished_marks(&self) -> impl Iterator<Item = &NotBefore> {
        let all = self.sessions.len() < Self::AT_ONCE;
        self.marks.iter().filter(move |mark| mark.not_before == Timestamp(0) || (all && matches!(mark.scope, Scope::User(_))))
    }

    /// Sessions alone.
    pub const fn of_sessions(sessions: Vec<EndedSession>) -> Self {
        Self { sessions, marks: Vec::new() }
    }

    /// Whether there is nothing that anybody must hear of.
    pub const fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.marks.is_empty()
    }
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

/// What became of an [`Ending`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndOutcome {
    /// This call ended it; the transaction is durable.
    Ended(EndedSession),
    /// It had ended before; nothing was written.
    AlreadyEnded(EndedSession),
    /// There is no such session in this tenant; nothing was written.
    Unknown,
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

/// An area's row, as it is imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AreaRecord {
    /// The code.
    pub area_code: AreaCode,
    /// The area around it.
    pub parent_code: Option<AreaCode>,
    /// Its name.
    pub name: String,
}

/// How often stamps of one kind were accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StampUse {
    /// The tenant.
    pub owner_id: OwnerId,
    /// The system.
    pub sys_id: SystemId,
    /// `des-ecb-pkcs7`, `des-cbc-pkcs7` or `hmac-v2`.
    pub scheme: String,
    /// The key's version.
    pub key_id: KeyId,
    /// How often.
    pub uses: i64,
    /// When last.
    pub last_used_at: Timestamp,
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
    /// Adds a key; the earlier ones of its purpose end at this instant.
    RotateKey(&'a KeyRecord, Timestamp),
    /// Withdraws a key that has a successor: nothing made with it is accepted any more.
    WithdrawKey(&'a KeyId),
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
