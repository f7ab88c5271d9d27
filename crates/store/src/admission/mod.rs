//! Who is let in: rates per address, account and tenant, and stamps that count once. On one node both are kept in
//! memory (used stamps are written to the database in batches); on many, in Redis. See [`Admission`] for outages.

mod address_gate;
mod limiter;
mod rate;
mod replay;
mod shared;

use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::time::{Clock, Timestamp};

pub use self::address_gate::AddressGate;
pub use self::rate::Rate;
pub use self::replay::{REPLAY_CAPACITY, ReplayGuard, UnsavedClaims};

use self::limiter::RateLimiter;
use self::shared::SharedAdmission;
use crate::{Db, Error, RedisConnection};

/// How often claims are written: what a crash can lose at most.
const WRITE_EVERY: Duration = Duration::from_millis(200);

/// How often what has expired is forgotten, counted in writes: every half minute.
const WRITES_BETWEEN_SWEEPS: u32 = 150;

/// What is asked of [`Admission::admit`].
#[derive(Debug, Clone, Copy)]
pub struct AdmissionRequest<'a> {
    /// What must not have been used before, and for how long it may not be used again.
    pub nonce: Option<([u8; 16], Duration)>,
    /// The rates that must have room; no two of one name and key.
    pub rates: &'a [Rate<'a>],
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// It may go on; it counts against its rates, and its nonce is used.
    Accepted,
    /// Its nonce had been used; it counts against its rates all the same.
    Replayed,
    /// A rate has no room; nothing was counted and the nonce was not used.
    Limited {
        /// When the slowest of its rates has room again.
        retry_after: Duration,
    },
}

/// Counts requests and what they may use once.
///
/// # While Redis is away
///
/// Nobody must be kept from signing out, so requests are still judged, by this node alone: its own rates, each as
/// strict as the shared one, and its own memory of used nonces. That memory also holds what this node has claimed in
/// Redis, so that an outage, or a Redis that lost its data, does not open it to what it has seen itself. What it claims
/// meanwhile is written to Redis as soon as Redis is back. What remains: in an outage a nonce can be used once on each
/// node. Requests judged alone are counted in `bo_auth_admission_degraded_total`.
///
/// Redis must not evict keys (`maxmemory-policy noeviction`), or a nonce can be forgotten early.
#[derive(Debug, Clone)]
pub struct Admission {
    shared: Option<SharedAdmission>,
    own: Arc<OwnAdmission>,
}

#[derive(Debug)]
struct OwnAdmission {
    limiter: RateLimiter,
    guard: ReplayGuard,
}

impl Admission {
    /// For a single node.
    pub fn local() -> Self {
        Self::with_capacity(None, REPLAY_CAPACITY)
    }

    /// For one node of several.
    pub fn shared(connection: RedisConnection) -> Self {
        Self::with_capacity(Some(connection), REPLAY_CAPACITY)
    }

    /// The same with a memory of so many nonces.
    pub fn with_capacity(connection: Option<RedisConnection>, nonces: usize) -> Self {
        let own = OwnAdmission { limiter: RateLimiter::new(), guard: ReplayGuard::new(nonces) };
        Self { shared: connection.map(SharedAdmission::new), own: Arc::new(own) }
    }

    /// Counts a request against its rates, then claims its nonce. `now` is this node's own instant; rates and nonces
    /// in Redis go by the clock there.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`] where the memory of used nonces is full; an outage of Redis is none.
    pub async fn admit(&self, owner_id: &OwnerId, request: &AdmissionRequest<'_>, now: Timestamp) -> Result<Admitted, Error> {
        let Some(shared) = &self.shared else { return self.own.admit(owner_id, request, now) };
        match Box::pin(shared.admit(owner_id, request)).await {
            Ok(Admitted::Accepted) => Ok(self.own.note(owner_id, request, now)),
            Ok(refusal) => Ok(refusal),
            Err(error) => {
                metrics::counter!("bo_auth_admission_degraded_total").increment(1);
                tracing::debug!(%error, "a request is admitted by this node alone");
                self.own.admit(owner_id, request, now)
            }
        }
    }

    /// Takes up the nonces that were used before this process began.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`], or [`Error::CacheUnavailable`] where they do not fit into memory.
    pub async fn load(&self, db: &Db, now: Timestamp) -> Result<(), Error> {
        match (&self.shared, db) {
            (None, Db::Sqlite { .. }) => self.own.guard.restore(db.load_nonces(now).await?, now),
            // Redis holds them; or it is a single node on Postgres, which keeps them in memory alone.
            (Some(_), _) | (None, Db::Postgres(_)) => Ok(()),
        }
    }

    /// Writes the nonces that have been used since the last time: to the SQLite database, or to the Redis that was
    /// away.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`] or [`Error::CacheUnavailable`]; what was not written is kept for the next time.
    pub async fn flush(&self, db: &Db, now: Timestamp) -> Result<(), Error> {
        let mut unsaved = self.own.guard.drain_unsaved();
        while let Some(claims) = unsaved.last() {
            let written = match (&self.shared, db) {
                (Some(shared), _) => shared.publish(claims, now).await,
                (None, Db::Sqlite { .. }) => db.insert_nonces(&claims.0, claims.1, &claims.2).await,
                (None, Db::Postgres(_)) => Ok(()),
            };
            if let Err(error) = written {
                self.own.guard.return_unsaved(unsaved, now);
                return Err(error);
            }
            unsaved.pop();
        }
        Ok(())
    }

    /// Flushes five times a second, and forgets what has expired, until `stop` completes; then flushes for the last
    /// time.
    pub async fn keep_flushed(&self, db: &Db, clock: &dyn Clock, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut writes = 0_u32;
        loop {
            let stopped = tokio::select! {
                () = &mut stop => true,
                () = tokio::time::sleep(WRITE_EVERY) => false,
            };
            if let Err(error) = self.flush(db, clock.now()).await {
                tracing::warn!(%error, "used nonces could not be written; it will be tried again");
            }
            if stopped {
                return;
            }
            writes = writes.wrapping_add(1);
            if writes.is_multiple_of(WRITES_BETWEEN_SWEEPS) {
                self.forget_expired(clock.now());
            }
        }
    }

    /// Gives back the memory of what has expired.
    pub fn forget_expired(&self, now: Timestamp) {
        self.own.limiter.forget_expired(now);
        self.own.guard.forget_expired(now);
    }
}

impl OwnAdmission {
    fn admit(&self, owner_id: &OwnerId, request: &AdmissionRequest<'_>, now: Timestamp) -> Result<Admitted, Error> {
        if let Err(retry_after) = self.limiter.admit(owner_id.as_str(), request.rates, now) {
            return Ok(Admitted::Limited { retry_after });
        }
        match request.nonce {
            Some((digest, window)) if !self.guard.claim(owner_id, digest, window, now)? => Ok(Admitted::Replayed),
            _ => Ok(Admitted::Accepted),
        }
    }

    /// Remembers a nonce that Redis took for new. It is not, where this node claimed it while Redis was away, or
    /// before Redis lost it.
    fn note(&self, owner_id: &OwnerId, request: &AdmissionRequest<'_>, now: Timestamp) -> Admitted {
        let Some((digest, window)) = request.nonce else { return Admitted::Accepted };
        // A full memory is no reason to refuse what Redis holds.
        match self.guard.remember(owner_id, digest, window, now) {
            Ok(false) => Admitted::Replayed,
            Ok(true) | Err(_) => Admitted::Accepted,
        }
    }
}

#[cfg(test)]
mod conformance;
