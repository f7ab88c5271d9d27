//! Which sessions have ended, so that a request can be refused without asking anyone: kept in memory until the last
//! access token of a session has expired, and never given up before. Alone, memory is the whole truth. Among many nodes
//! it is while this node holds a lease, without which the database is asked instead: slower, still right.

mod announcement;
mod lease;
mod memory;
mod node;
mod reading;
mod script;
mod status;
mod tenants;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bo_auth_core::identifier::{OwnerId, UserId};
use bo_auth_core::random::Random;
use bo_auth_core::session::EndReason;
use bo_auth_core::time::{Clock, Timestamp};
use metrics::counter;

use self::memory::{Found, Memory};
pub use self::memory::{MemoryUsage, SessionKey};
use self::node::Node;
pub use self::status::{ClusterStatus, NodeStatus};
pub use self::tenants::Heard;
use crate::cache::{Cached, Looked, Place};
use crate::record::{EndedSession, NotBefore};
use crate::{Db, Error, NotPublished, RedisConnection};

/// How many bytes ended sessions take at most, unless the operator says otherwise: room for 1.8 million.
pub const MEMORY_BYTES: usize = 64 << 20;

/// The nodes of a deployment, for somebody who is none of them: nothing is written. `None` before the first node has started.
///
/// # Errors
/// [`Error::DatabaseUnavailable`], [`Error::CacheUnavailable`].
pub async fn read_cluster_status(db: &Db, redis: &RedisConnection) -> Result<Option<ClusterStatus>, Error> {
    let Some(deployment) = db.find_deployment_id().await? else { return Ok(None) };
    status::read(&script::Scripts::new(&deployment).keys, redis).await.map(Some)
}

/// The ended sessions of all tenants, as this node knows them.
#[derive(Clone)]
pub struct Revocations {
    memory: Arc<Memory>,
    db: Db,
    /// How many questions the database had to answer.
    asked: Arc<AtomicU64>,
    /// Set where other nodes end sessions too.
    node: Option<Arc<Node>>,
}

impl Revocations {
    /// For a single node: what is not in memory has not ended. `memory_bytes` is how much that memory may take.
    pub fn alone(db: Db, memory_bytes: usize) -> Self {
        Self { memory: Arc::new(Memory::new(memory_bytes)), db, asked: Arc::default(), node: None }
    }

    /// Whether no other node ends sessions.
    pub const fn is_alone(&self) -> bool {
        self.node.is_none()
    }

    /// For one node of several, which hear of each other through Redis.
    ///
    /// `listening` is a connection of its own, since it waits for announcements most of the time.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`] where the database does not say which deployment it is of.
    pub async fn among_many(
        db: Db,
        redis: RedisConnection,
        listening: RedisConnection,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        memory_bytes: usize,
    ) -> Result<Self, Error> {
        let memory = Arc::new(Memory::new(memory_bytes));
        let node = Node::new(db.clone(), redis, listening, clock, random, Arc::clone(&memory)).await?;
        Ok(Self { memory, db, asked: Arc::default(), node: Some(Arc::new(node)) })
    }

    /// Why the session ended, if it has: by itself, or because it began before a mark of its user, system or tenant. The
    /// latest mark decides. Where the system or user is not named, the caller looks at the session's row as well. `now` is the
    /// instant by which the access token was found to be fresh.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`] where the database must be asked and does not answer: unknown is not "alive".
    pub async fn end_reason(&self, session: &SessionKey<'_>, now: Timestamp) -> Result<Option<EndReason>, Error> {
        // The lease is looked at first: it vouches for what the memory holds at that moment or later.
        let has_lease = self.answers_from_memory();
        match self.memory.find(session) {
            Found::Ended(reason) => return Ok(Some(reason)),
            Found::Live if has_lease && self.memory.knows(now) => return Ok(None),
            Found::Live | Found::Unknown => {}
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        if !has_lease {
            counter!("bo_auth_verifications_without_lease_total").increment(1);
        }
        match Box::pin(self.db.find_session(session.owner_id, session.session_id)).await? {
            Some(session) => Ok(session.ended.map(|(_, reason)| reason)),
            // A row is removed only long after its session's end.
            None => Ok(Some(EndReason::Expired)),
        }
    }

    /// What the tenant's rows must be at to be answered from; 0 where no node has changed them.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`] where the database must be asked and does not answer.
    pub async fn tenant_revision(&self, owner_id: &OwnerId) -> Result<i64, Error> {
        if self.answers_from_memory() {
            return Ok(self.memory.tenants.revision(owner_id));
        }
        Box::pin(self.db.tenant_revision(owner_id)).await
    }

    /// What this node remembers of a user, in front of the cache that the nodes share; `None` where it must ask there: on a
    /// single node, whose cache is its own, and without a lease.
    ///
    /// Whoever changes a user's row, or ends a session of the user, first commits, then takes the value out of the shared
    /// cache, then announces a session or a mark of the user; when that returns, no node remembers what was there before.
    pub fn recall<V: Cached>(&self, owner_id: &OwnerId, user_id: &UserId, now: Timestamp) -> Option<Looked<V::Value>> {
        // The lease is looked at first: see above.
        (self.is_among_many() && self.answers_from_memory()).then(|| self.memory.front.look::<V>(owner_id, user_id, now))
    }

    /// Remembers what was read of a user after `place` was given; not where that may be outdated already.
    pub fn remember<V: Cached>(&self, place: Place, owner_id: &OwnerId, value: &Arc<V::Value>, fetched_at: Timestamp) {
        // The rows of sessions that a mark of the tenant ends follow it without a word, and only then is what is older taken
        // out of the shared cache.
        if self.memory.tenants.latest(owner_id).is_none_or(|marked| fetched_at > marked) {
            self.memory.front.put::<V>(place, value, fetched_at);
        }
    }

    /// What this node has heard of tenants' revisions up to now. Revisions of an owner that is no tenant, such as the one whose
    /// plugins are offered to all, are heard of likewise.
    pub fn heard(&self) -> Heard {
        self.memory.tenants.heard()
    }

    /// Whether nothing more can be known here: this node hears of every change, and has heard of none since.
    pub fn knows_no_more_than(&self, heard: &Heard) -> bool {
        self.answers_from_memory() && self.memory.tenants.is_all(heard)
    }

    /// Refuses these sessions from now on, on every node: when this returns, each has heard of them, or has lost the
    /// lease by which it could answer without asking. The caller has committed their end.
    ///
    /// # Errors
    /// [`NotPublished`] where neither Redis nor the database could be used to tell the others: the ends stand, but it is
    /// not known that every node refuses the sessions yet.
    pub async fn announce(&self, ended: &[EndedSession]) -> Result<(), NotPublished> {
        self.announce_all(ended, &[]).await
    }

    /// The same for sessions and marks together.
    ///
    /// # Errors
    /// As [`Revocations::announce`].
    pub async fn announce_all(&self, ended: &[EndedSession], marks: &[NotBefore]) -> Result<(), NotPublished> {
        self.memory.hear(ended, marks);
        match &self.node {
            Some(node) if !ended.is_empty() || !marks.is_empty() => node.announce(ended, marks).await.map_err(NotPublished::because),
            _ => Ok(()),
        }
    }

    /// Reads from the database which sessions have ended and could still have a live access token,
    /// where this node is alone. Among many it asks for each request until it has read them, beside
    /// the requests, and holds a lease.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn load(&self, now: Timestamp) -> Result<(), Error> {
        if self.is_alone() { self.memory.reload_all(&self.db, now, &AtomicU64::new(0)).await } else { Ok(()) }
    }

    /// Refuses what another process has ended and nobody has told yet, such as the command line
    /// beside a single node.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn hear_pending(&self, now: Timestamp) -> Result<(), Error> {
        self.memory.hear_pending(&self.db, now).await
    }

    /// How many ended sessions and marks this node has read so far, and for how long, where it
    /// reads them to take a lease.
    pub fn reading(&self) -> Option<(u64, Duration)> {
        self.node.as_ref().and_then(|node| node.readings().under_way())
    }

    /// Listens to the other nodes and keeps this one's lease, until dropped. Returns at once where there are none.
    pub async fn keep_up(&self) {
        if let Some(node) = &self.node {
            tokio::join!(node.keep_lease(), node.listen());
        }
    }

    /// Gives the lease back, so that nobody waits for this node any more. To be called when nothing is answered here
    /// any longer.
    pub async fn leave(&self) {
        if let Some(node) = &self.node {
            node.leave().await;
        }
    }

    /// The nodes of this deployment; `None` for a single node.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`].
    pub async fn cluster_status(&self) -> Result<Option<ClusterStatus>, Error> {
        match &self.node {
            Some(node) => node.status().await.map(Some),
            None => Ok(None),
        }
    }

    /// Whether there may be other nodes, so that this one needs a lease.
    pub const fn is_among_many(&self) -> bool {
        self.node.is_some()
    }

    /// Whether this node may answer from its memory: always, where it is alone.
    pub fn answers_from_memory(&self) -> bool {
        self.node.as_deref().is_none_or(|node| node.lease().is_alive())
    }

    /// Forgets sessions whose access tokens have all expired; where the clock was set back since the last time, reads again
    /// what was forgotten too early.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`]; until it answers, so that this succeeds, the database is asked for each request.
    pub async fn forget_expired(&self, now: Timestamp) -> Result<(), Error> {
        if !self.memory.knows(now) {
            tracing::warn!("this node's clock was set back; ended sessions are read again");
            self.memory.reload_all(&self.db, now, &AtomicU64::new(0)).await?;
        }
        self.memory.forget_expired(now);
        Ok(())
    }

    /// What is in memory.
    pub fn memory_usage(&self) -> MemoryUsage {
        self.memory.usage()
    }

    /// How many verifications had to ask the database.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}
