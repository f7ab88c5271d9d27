//! A v1.0 fleet: which tenant and system its sessions are of, and the Redis that its old servers still read
//! (contract 2.2). What is written there for them is removed with the session, whoever ends it.

use std::collections::HashSet;
use std::time::Duration;

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_core::session::{SessionId, first_id_at};
use bo_auth_core::time::Timestamp;
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

impl Service {
    /// Removes ended sessions from what old servers read; answers those that are still there. Where their Redis is away they
    /// cannot read it either, and the outbox repeats this until it is back, or until what was written has expired.
    pub(crate) async fn remove_from_old_servers(&self, ended: &[EndedSession]) -> HashSet<SessionId> {
        let mut left = HashSet::new();
        for fleet in &self.fleets {
            let Some(old) = &fleet.old else { continue };
            let now = self.clock.now();
            let is_shown = |session: &&EndedSession| {
                session.owner_id == fleet.owner_id && session.sys_id == fleet.sys_id && fleet.shows(session.session_id, now)
            };
            let shown: Vec<SessionId> = ended.iter().filter(is_shown).map(|session| session.session_id).collect();
            if shown.is_empty() {
                continue;
            }
            if let Err(error) = self.remove_shown(fleet, old, &shown).await {
                tracing::warn!(%error, sessions = shown.len(), "old servers may still see ended sessions; it will be tried again");
                left.extend(shown);
            }
        }
        left
    }

    async fn remove_shown(&self, fleet: &Fleet, old: &OldServers, shown: &[SessionId]) -> Result<(), Error> {
        let tenant = self.tenants.find(&fleet.owner_id, &self.db, &self.cache, &*self.clock).await?;
        let Some(tenant) = tenant else { return Ok(()) };
        for session_id in shown {
            // Under whichever key the cookie was made.
            for cookie in tenant.cookie_keys.all_of(*session_id) {
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
