//! Calls of the use cases without a wire, for races of which many thousands are run.

use std::collections::HashMap;
use std::sync::Arc;

use bo_auth_core::random::{Random, SystemRandom};
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::stamp::{SignedRequest, new_stamp_plaintext};
use bo_auth_core::time::{Clock, SystemClock, Timestamp};
use bo_auth_service::logout::Receipt;
use bo_auth_service::tenant::Tenant as PreparedTenant;
use bo_auth_service::{Call, Error, RequestFacts, Service, Shaping, TokenPair};
use bo_auth_store::record::{AuditFilter, RequestTrace};
use futures_util::future::join_all;

use crate::support::{Session, System, Tenant, User};

/// Calls the use cases of one node for one system, in which a stamp counts more than once.
#[derive(Clone)]
pub(super) struct Caller {
    service: Arc<Service>,
    system: System,
    stamp: String,
}

impl Caller {
    pub(super) fn new(system: &System) -> Self {
        Self {
            service: system.tenant.node.service(),
            system: system.clone(),
            stamp: system.encrypt(&new_stamp_plaintext(&SystemRandom::default(), None)),
        }
    }

    pub(super) async fn logout(&self, access_token: &str, refresh_token: &str) -> Result<Receipt, Error> {
        let authorization = format!("Bearer {access_token}");
        self.service.logout(&self.facts(Some(&authorization)), Some(refresh_token), None, &mut Shaping::default()).await
    }

    pub(super) async fn refresh(&self, refresh_token: &str) -> Result<TokenPair, Error> {
        self.service.refresh(&self.facts(None), Some(refresh_token), &mut Shaping::default()).await
    }

    pub(super) async fn verify(&self, access_token: &str) -> Result<(), Error> {
        let authorization = format!("Bearer {access_token}");
        self.service.current_user(&self.facts(Some(&authorization)), &mut Shaping::default()).await.map(|_| ())
    }

    /// Asserts that neither token is accepted any more.
    pub(super) async fn assert_signed_out(&self, access_token: &str, refresh_token: &str) {
        for refused in [self.verify(access_token).await, self.refresh(refresh_token).await.map(|_| ())] {
            assert!(matches!(refused, Err(Error::SessionEnded(EndReason::LoggedOut))), "{refused:?}");
        }
    }

    fn facts<'a>(&'a self, authorization: Option<&'a str>) -> RequestFacts<'a> {
        RequestFacts {
            owner_id: Some(self.system.tenant.owner_id.as_str()),
            sys_id: Some(self.system.sys_id.as_str()),
            stamp: Some(&self.stamp),
            first_share_user_id: None,
            second_share_user_id: None,
            area_code: None,
            authorization,
            plugin: Some("common-data"),
            origin: None,
            address: "127.0.0.1",
            user_agent: None,
            signed: SignedRequest { method: "GET", path: "", query: "", body: b"", headers: &[] },
        }
    }
}

/// Opens sessions of one user, a portion at a time, with what they need looked up once.
pub(super) async fn open(user: &User, count: usize) -> Vec<Session> {
    let tenant = &user.system.tenant;
    let (service, owner_id) = (tenant.node.service(), &tenant.owner_id);
    let record = service.db.find_tenant(owner_id).await.unwrap().expect("the tenant is there");
    let prepared = Arc::new(PreparedTenant::assemble(record, &tenant.node.parsed_master_key()).unwrap());
    let system = prepared.system(Some(&user.system.sys_id)).unwrap();
    let credentials = service.db.find_credentials(owner_id, &user.account).await.unwrap().expect("the user is there");
    let caller = Caller::new(&user.system);
    let facts = caller.facts(None);
    let new_call = || Call {
        service: &service,
        facts: &facts,
        tenant: Arc::clone(&prepared),
        system: Arc::clone(system),
        now: tenant.node.clock.now(),
    };
    let open_one = async || {
        let (session, tokens) =
            new_call().open_session(&credentials.user, &credentials.password_hash, RequestTrace::default()).await.unwrap();
        Session { user: user.clone(), id: session.session_id, access_token: tokens.access_token, refresh_token: tokens.refresh_token }
    };
    join_all((0..count).map(|_| open_one())).await
}

/// The sessions whose end the audit trail tells of, sorted, as often as it does.
pub(super) async fn audited_ends(tenant: &Tenant) -> Vec<SessionId> {
    let filter = AuditFilter { kind: Some("session.ended".to_owned()), ..AuditFilter::default() };
    let events = tenant.node.service().db.list_audit_events(&tenant.owner_id, &filter, None, i64::MAX).await.unwrap();
    let mut ends: Vec<_> = events.iter().filter_map(|event| event.session_id).collect();
    ends.sort_unstable();
    ends
}

/// Asserts that the audit trail tells of the end of each of these sessions once, and of no other.
pub(super) async fn assert_ended_once(tenant: &Tenant, sessions: &[Session]) {
    let mut ids: Vec<_> = sessions.iter().map(|session| session.id).collect();
    ids.sort_unstable();
    assert_eq!(audited_ends(tenant).await, ids);
    // What is in the outbox may have been told already; what is told twice has one id.
    let mut pending: Vec<_> = tenant.node.service().db.pending_events(i64::MAX, SystemClock.now()).await.unwrap();
    pending.retain(|event| event.owner_id == tenant.owner_id);
    let events = pending.len();
    pending.sort_unstable_by_key(|event| event.session_id);
    pending.dedup_by_key(|event| event.session_id);
    assert_eq!(pending.len(), events, "no session has two events in the outbox");
}

/// Until when each ended session of a tenant is remembered.
pub(super) async fn remembered(tenant: &Tenant) -> HashMap<SessionId, Timestamp> {
    let db = tenant.node.service().db.clone();
    let ended = db.list_ended_sessions(Timestamp(0), None, i64::MAX).await.unwrap();
    ended
        .into_iter()
        .filter(|session| session.owner_id == tenant.owner_id)
        .map(|session| (session.session_id, session.keep_until))
        .collect()
}

/// A number below `bound`.
pub(super) fn random_below(bound: u8) -> u8 {
    let mut bytes = [0; 1];
    SystemRandom::default().fill(&mut bytes);
    bytes[0] % bound
}
