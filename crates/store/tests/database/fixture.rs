//! A tenant with a system and a user, and what is done with them again and again.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bo_auth_core::identifier::{KeyId, OwnerId, SystemId, UserId};
use bo_auth_core::random::SystemRandom;
use bo_auth_core::session::{EndReason, SessionId, first_id_at, time_ordered_id};
use bo_auth_core::time::Timestamp;
use bo_auth_store::record::{
    Actor, Administration, AdministrationEvent, EndOutcome, EndedSession, Ending, KeyPurpose, KeyRecord, Marking, NewSession, RequestTrace,
    Revoked, Rotating, Scope, SessionRecord, SystemRecord, TenantRecord, UserEnding, UserRecord,
};
use bo_auth_store::revocation::SessionKey;
use bo_auth_store::{Db, Error};
use serde_json::json;

/// The instant at which tests begin.
pub(crate) const NOW: Timestamp = Timestamp(1_790_000_000_000);

/// The hash of every user's password.
pub(crate) const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA";

pub(crate) fn later(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

pub(crate) fn owner(text: &str) -> OwnerId {
    OwnerId::parse(text).unwrap()
}

pub(crate) fn system(text: &str) -> SystemId {
    SystemId::parse(text).unwrap()
}

pub(crate) fn user(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

/// An id that no other session of the test has: of random ones, some hundred of one instant may well meet.
pub(crate) fn session_id(now: Timestamp) -> SessionId {
    static DRAWN: AtomicI64 = AtomicI64::new(0);
    SessionId::from_number(first_id_at(now) + DRAWN.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn event_id(now: Timestamp) -> i64 {
    time_ordered_id(now, &SystemRandom::default())
}

pub(crate) fn key_record(key_id: &str, purpose: KeyPurpose, created_at: Timestamp) -> KeyRecord {
    let key_id = KeyId::parse(key_id).unwrap();
    KeyRecord {
        key_id,
        purpose,
        algorithm: "HS256".to_owned(),
        sealed: vec![0, 1, 255],
        created_at,
        retires_at: None,
        signs_from: None,
        announced: false,
    }
}

pub(crate) fn administration_event(kind: &'static str, at: Timestamp) -> AdministrationEvent {
    AdministrationEvent { kind, sys_id: None, user_id: None, event_id: event_id(at), at, trace: RequestTrace::default() }
}

pub(crate) fn system_record(sys_id: &str) -> SystemRecord {
    SystemRecord {
        sys_id: system(sys_id),
        name: format!("系统 {sys_id}"),
        settings: json!({"sessionLimit": 2}),
        disabled: false,
        updated_at: NOW,
    }
}

pub(crate) fn tenant_record(owner_id: &str) -> TenantRecord {
    TenantRecord {
        owner_id: owner(owner_id),
        name: format!("租户 {owner_id}"),
        default_sys_id: system("app"),
        settings: json!({"allowedOrigins": ["https://app.example"]}),
        disabled: false,
        updated_at: NOW,
        systems: vec![system_record("app"), system_record("web")],
        keys: vec![key_record("k1", KeyPurpose::Stamp, NOW), key_record("k2", KeyPurpose::Access, later(1))],
        revision: 0,
    }
}

pub(crate) fn user_record(user_id: &str) -> UserRecord {
    UserRecord {
        user_id: user(user_id),
        account: format!("{user_id}@example"),
        name: "王芳".to_owned(),
        mobile: None,
        push_name: Some("芳".to_owned()),
        area_codes: Vec::new(),
        disabled: false,
        updated_at: NOW,
    }
}

/// Replaces a tenant's own row; one that is disabled takes all of its sessions with it.
pub(crate) async fn change_tenant(db: &Db, tenant: &TenantRecord, at: Timestamp) -> Result<Revoked, Error> {
    let event = administration_event(if tenant.disabled { "tenant.disabled" } else { "tenant.changed" }, at);
    let marking = tenant.disabled.then(|| marking(&tenant.owner_id, Scope::Tenant, EndReason::TenantDisabled, at));
    db.administer(&tenant.owner_id, &Administration::ChangeTenant(tenant), None, at, Some(&event), marking.as_ref()).await
}

/// The same for a system.
pub(crate) async fn change_system(db: &Db, owner_id: &OwnerId, system: &SystemRecord, at: Timestamp) -> Result<Revoked, Error> {
    let event = administration_event(if system.disabled { "system.disabled" } else { "system.changed" }, at);
    let disabled = system.disabled.then(|| Scope::System(system.sys_id.clone()));
    let marking = disabled.map(|scope| marking(owner_id, scope, EndReason::SystemDisabled, at));
    db.administer(owner_id, &Administration::ChangeSystem(system), None, at, Some(&event), marking.as_ref()).await
}

/// The end of all sessions of a scope.
/// A session that is to move on at this instant, by nobody in particular; `ends` is when it runs idle, and its access token.
pub(crate) fn rotating(
    session_id: SessionId,
    from_generation: u32,
    refreshed_at: Timestamp,
    (idle_expires_at, access_expires_at): (Timestamp, Timestamp),
) -> Rotating<'static> {
    Rotating { session_id, from_generation, refreshed_at, idle_expires_at, access_expires_at, address: None, user_agent: None }
}

pub(crate) fn marking(owner_id: &OwnerId, scope: Scope, reason: EndReason, at: Timestamp) -> Marking {
    Marking { owner_id: owner_id.clone(), scope, reason, actor: Actor::Admin, at, before: None, trace: RequestTrace::default() }
}

/// A tenant `demo` with the systems `app` and `web` and the user `u1`.
#[derive(Clone)]
pub(crate) struct Demo {
    pub(crate) db: Db,
    pub(crate) owner_id: OwnerId,
}

impl Demo {
    pub(crate) async fn new(db: Db) -> Self {
        Self::named(db, "demo").await
    }

    pub(crate) async fn named(db: Db, owner_id: &str) -> Self {
        db.insert_tenant(&tenant_record(owner_id), NOW).await.unwrap();
        db.insert_user(&owner(owner_id), &user_record("u1"), HASH, NOW).await.unwrap();
        Self { db, owner_id: owner(owner_id) }
    }

    /// A session of `u1` in `app` that is opened at `at`, ready to be changed and opened.
    pub(crate) fn new_session(at: Timestamp) -> NewSession {
        NewSession {
            session: SessionRecord {
                session_id: session_id(at),
                sys_id: system("app"),
                user_id: user("u1"),
                generation: 0,
                created_at: at,
                refreshed_at: at,
                idle_expires_at: at.plus(Duration::from_hours(1)),
                expires_at: at.plus(Duration::from_hours(2)),
                first_share_user_id: Some(user("u2")),
                second_share_user_id: None,
                area_code: None,
                address: Some("192.0.2.1".to_owned()),
                user_agent: Some("浏览器/1.0".to_owned()),
                ended: None,
            },
            access_expires_at: at.plus(Duration::from_mins(10)),
            event_id: event_id(at),
            limit: None,
            password_hash: HASH.to_owned(),
        }
    }

    /// What is known of a session of `u1` in `app`.
    pub(crate) fn key(&self, session_id: SessionId) -> SessionKey<'_> {
        static APP: LazyLock<SystemId> = LazyLock::new(|| system("app"));
        static U1: LazyLock<UserId> = LazyLock::new(|| user("u1"));
        SessionKey { owner_id: &self.owner_id, session_id, sys_id: Some(&APP), user_id: Some(&U1) }
    }

    /// Opens a session of `u1` in `app`.
    pub(crate) async fn open(&self, at: Timestamp) -> SessionId {
        let new = Self::new_session(at);
        assert_eq!(self.db.open_session(&self.owner_id, &new).await.unwrap(), Some(Vec::new()));
        new.session.session_id
    }

    pub(crate) async fn open_many(&self, count: u64) -> Vec<SessionId> {
        let mut sessions = Vec::new();
        for second in 0..count {
            sessions.push(self.open(later(second)).await);
        }
        sessions
    }

    /// Disables or enables `u1`; answers the sessions that ended.
    pub(crate) async fn set_disabled(&self, disabled: bool, at: Timestamp, ending: Option<&UserEnding>) -> Vec<EndedSession> {
        let found = self.db.find_user(&self.owner_id, &user("u1")).await.unwrap().expect("the user is there");
        let event = administration_event(if disabled { "user.disabled" } else { "user.enabled" }, at);
        self.db.change_user(&self.owner_id, &UserRecord { disabled, ..found }, None, ending, &event).await.unwrap().sessions
    }

    pub(crate) async fn find(&self, session_id: SessionId) -> SessionRecord {
        self.db.find_session(&self.owner_id, session_id).await.unwrap().expect("the session is there")
    }

    pub(crate) fn ending(&self, session_id: SessionId, at: Timestamp) -> Ending {
        Ending {
            owner_id: self.owner_id.clone(),
            session_id,
            reason: EndReason::LoggedOut,
            actor: Actor::User,
            at,
            keep_until: at,
            event_id: event_id(at),
            trace: RequestTrace { address: Some("192.0.2.2".to_owned()), ..RequestTrace::default() },
        }
    }

    pub(crate) fn user_ending(&self, at: Timestamp) -> UserEnding {
        UserEnding {
            owner_id: self.owner_id.clone(),
            user_id: user("u1"),
            sys_id: None,
            before: None,
            except: None,
            while_live: None,
            reason: EndReason::Kicked,
            actor: Actor::Admin,
            at,
            keep_until: at,
            trace: RequestTrace::default(),
        }
    }

    /// The lines of the audit trail of one kind, the oldest first.
    pub(crate) async fn audited(&self, kind: &str) -> Vec<bo_auth_store::record::AuditRecord> {
        let filter = bo_auth_store::record::AuditFilter { kind: Some(kind.to_owned()), ..Default::default() };
        let mut events = self.db.list_audit_events(&self.owner_id, &filter, None, 100_000).await.unwrap();
        events.reverse();
        events
    }

    /// What the outbox holds, in the order of sessions.
    pub(crate) async fn pending(&self) -> Vec<EndedSession> {
        let mut pending = self.db.pending_events(100_000, Timestamp(i64::MAX)).await.unwrap();
        pending.sort_by_key(|session| session.session_id);
        pending
    }
}

pub(crate) fn ended(outcome: &EndOutcome) -> &EndedSession {
    match outcome {
        EndOutcome::Ended(session) => session,
        other => panic!("it was to be ended by this call: {other:?}"),
    }
}
