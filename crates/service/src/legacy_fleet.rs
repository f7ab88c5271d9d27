//! A v1.0 fleet: which tenant and system its sessions are of, and the Redis that its old servers still read
//! (contract 2.2). What is written there for them is removed with the session, whoever ends it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_core::session::{SessionId, first_id_at};
use bo_auth_core::time::{Clock, Timestamp};
use bo_auth_store::old_sessions::OldSessions;
use bo_auth_store::record::EndedSession;

use crate::{Error, Service};

/// How far another node's clock may be behind, when the age of what was written is judged.
const CLOCK_ALLOWANCE: Duration = Duration::from_mins(1);

/// A fleet.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// The tenant.
    pub owner_id: OwnerId,
    /// The system.
    pub sys_id: SystemId,
    /// What its old servers read, while there are any.
    pub old: Option<OldServers>,
}

/// The old servers of a fleet.
#[derive(Debug, Clone)]
pub struct OldServers {
    /// Their sessions.
    pub sessions: OldSessions,
    /// For how long a new session is shown to them; `None` where it is not.
    pub shown_for: Option<Duration>,
}

impl Fleet {
    /// Whether old servers may still see a session of this id.
    fn shows(&self, session_id: SessionId, now: Timestamp) -> bool {
        let shown_for = self.old.as_ref().and_then(|old| old.shown_for);
        // Ids follow time: what was shown longer ago has expired by itself.
        shown_for.is_some_and(|lifetime| session_id.number() >= first_id_at(now.minus(lifetime + CLOCK_ALLOWANCE)))
    }
}

/// Which sessions old servers may still see. Clones are the same.
#[derive(Clone)]
pub(crate) struct Shown {
    fleets: Arc<[Arc<Fleet>]>,
    clock: Arc<dyn Clock>,
}

impl Shown {
    pub(crate) fn new(fleets: Vec<Arc<Fleet>>, clock: Arc<dyn Clock>) -> Self {
        Self { fleets: fleets.into(), clock }
    }

    /// Whether any fleet's old servers may see the session.
    pub(crate) fn shows(&self, session: &EndedSession) -> bool {
        self.to(session).next().is_some()
    }

    /// The old servers that may see it.
    fn to<'a>(&'a self, session: &'a EndedSession) -> impl Iterator<Item = &'a OldServers> {
        let is_shown = |fleet: &&Arc<Fleet>| {
            fleet.owner_id == session.owner_id && fleet.sys_id == session.sys_id && fleet.shows(session.session_id, self.clock.now())
        };
        self.fleets.iter().filter(is_shown).filter_map(|fleet| fleet.old.as_ref())
    }
}

impl Service {
    /// Removes ended sessions from what old servers read; answers those that are still there. Where their Redis is away they
    /// cannot read it either, and the outbox repeats this until it is back, or until what was written has expired.
    pub(crate) async fn hide_from_old_servers(&self, ended: &[EndedSession]) -> HashSet<SessionId> {
        let mut left = HashSet::new();
        let mut last_error = None;
        for session in ended.iter().filter(|session| self.shown.shows(session)) {
            if let Err(error) = self.hide(session).await {
                left.insert(session.session_id);
                last_error = Some(error);
            }
        }
        if let Some(error) = last_error {
            tracing::warn!(%error, sessions = left.len(), "old servers may still see ended sessions; it will be tried again");
        }
        left
    }

    async fn hide(&self, session: &EndedSession) -> Result<(), Error> {
        let found = self.tenant(&session.owner_id).await?;
        let Some(tenant) = found else { return Ok(()) };
        for old in self.shown.to(session) {
            // Under whichever key the cookie was made.
            for cookie in tenant.cookie_keys.all_of(session.session_id) {
                old.sessions.remove(&cookie).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bo_auth_store::RedisConnection;
    use bo_auth_store::old_sessions::UserIdEncoding;

    use super::*;

    #[tokio::test]
    async fn what_was_shown_long_ago_has_gone_by_itself() {
        let connection = RedisConnection::open("unix:///nowhere/redis.sock").unwrap();
        let old = OldServers {
            sessions: OldSessions::new(connection, "ihome".to_owned(), UserIdEncoding::Decimal),
            shown_for: Some(Duration::from_hours(1)),
        };
        let mut fleet = Fleet { owner_id: OwnerId::parse("demo").unwrap(), sys_id: SystemId::parse("web").unwrap(), old: Some(old) };
        let opened = Timestamp(1_700_000_000_000);
        let session_id = SessionId::from_number(first_id_at(opened));
        assert!(fleet.shows(session_id, opened.plus(Duration::from_hours(1))));
        assert!(!fleet.shows(session_id, opened.plus(Duration::from_mins(62))));
        fleet.old.as_mut().unwrap().shown_for = None;
        assert!(!fleet.shows(session_id, opened));
    }
}
