//! Which sessions have ended, so that a request can be refused without asking anyone: kept in memory until the last
//! access token of a session has expired, and never given up before. Alone, memory is the whole truth. Among many nodes
//! it is while this node holds a lease, without which the database is asked instead: slower, still right.

mod announcement;
mod lease;
mod memory;
mod node;
mod script;
mod status;

use std::sync::Arc;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::random::Random;
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::time::{Clock, Timestamp};
use metrics::counter;

use self::memory::Memory;
use self::node::Node;
pub use self::status::{ClusterStatus, NodeStatus};
use crate::record::EndedSession;
use crate::{Db, Error, RedisConnection};

/// The ended sessions of all tenants, as this node knows them.
#[derive(Clone)]
pub struct Revocations {
    memory: Arc<Memory>,
    /// Set where other nodes end sessions too.
    node: Option<Arc<Node>>,
}

impl Revocations {
    /// For a single node: what is not in memory has not ended.
    pub fn alone() -> Self {
        Self { memory: Arc::new(Memory::new()), node: None }
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
    ) -> Result<Self, Error> {
        let memory = Arc::new(Memory::new());
        let node = Node::new(db, redis, listening, clock, random, Arc::clone(&memory)).await?;
        Ok(Self { memory, node: Some(Arc::new(node)) })
    }

    /// Why the session ended, if it has.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`] where the database must be asked and does not answer: unknown is not "alive".
    pub async fn end_reason(&self, owner_id: &OwnerId, session_id: SessionId) -> Result<Option<EndReason>, Error> {
        // The lease is looked at first: it vouches for what the memory holds at that moment or later.
        let asked = self.node.as_deref().filter(|node| !node.lease().is_alive());
        if let Some(reason) = self.memory.find(owner_id, session_id) {
            return Ok(Some(reason));
        }
        let Some(node) = asked else { return Ok(None) };
        counter!("bo_auth_verifications_without_lease_total").increment(1);
        match Box::pin(node.db().find_session(owner_id, session_id)).await? {
            Some(session) => Ok(session.ended.map(|(_, reason)| reason)),
            // A row is removed only long after its session's end.
            None => Ok(Some(EndReason::Expired)),
        }
    }

    /// Refuses these sessions from now on, on every node: when this returns, each has heard of them, or has lost the
    /// lease by which it could answer without asking. The caller has committed their end.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`] where neither Redis nor the database could be used to tell the others: the ends
    /// stand, but it is not known that every node refuses the sessions yet.
    pub async fn announce(&self, ended: &[EndedSession]) -> Result<(), Error> {
        for session in ended {
            self.memory.insert(session);
        }
        match &self.node {
            Some(node) if !ended.is_empty() => node.announce(ended).await,
            _ => Ok(()),
        }
    }

    /// Reads from the database which sessions have ended and could still have a live access token: all of them at
    /// first, then those since the last time.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn reload(&self, db: &Db, now: Timestamp) -> Result<(), Error> {
        self.memory.reload(db, now).await
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

    /// Whether this node may answer from its memory: always, where it is alone.
    pub fn answers_from_memory(&self) -> bool {
        self.node.as_deref().is_none_or(|node| node.lease().is_alive())
    }

    /// Forgets sessions whose access tokens have all expired.
    pub fn forget_expired(&self, now: Timestamp) {
        self.memory.forget_expired(now);
    }

    /// How many ended sessions are in memory.
    pub fn len(&self) -> usize {
        self.memory.len()
    }

    /// Whether no ended session is in memory.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
