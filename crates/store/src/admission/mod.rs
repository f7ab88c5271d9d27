//! Who is let in: rates per address, account and tenant, and stamps that count once. On one node both are kept in
//! memory (used stamps are written to the database in batches); on many, in Redis. See [`Admission`] for outages.

mod address_gate;
mod limiter;
mod rate;
mod replay;
mod settlement;
mod shared;

use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::time::{Clock, Timestamp};

pub use self::address_gate::AddressGate;
pub use self::rate::Rate;
pub use self::replay::{REPLAY_CAPACITY, ReplayGuard, UnsavedClaims};

use self::limiter::RateLimiter;
use self::settlement::Unsettled;
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

/// How often what nodes have admitted by themselves is settled with Redis, at least.
pub const SETTLE_EVERY: Duration = Duration::from_millis(100);

/// Counts requests and what they may use once.
///
/// # At once, and settled later
///
/// [`Admission::admit`] asks Redis and waits for its answer: rates are then exact over all nodes. That is for what uses a
/// nonce, which needs Redis anyway, and for all that has to do with accounts.
///
/// [`Admission::admit_at_once`] waits for nobody. This node judges by what it knows, and every 100 ms
/// ([`Admission::settle`], one call however many requests there were) adds what it has admitted to the count in Redis, and
/// takes over what all nodes have counted. Until then each node may let through what the rate had left when it last heard:
/// at most nodes × what one interval lets through, a burst where the rate was unused. What was admitted beyond the rate is
/// a debt that all of them pay off before they go on, up to three bursts. Rates that wait to be settled are 65,536 at
/// most; who finds no room waits for Redis.
///
/// # While Redis is away
///
/// Nobody must be kept from signing out, so requests wait a tenth of a second for it, and while it is away not at all; they
/// are still judged, by this node alone: its own rates, each as
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
    unsettled: Unsettled,
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
        let own = OwnAdmission { limiter: RateLimiter::new(), guard: ReplayGuard::new(nonces), unsettled: Unsettled::new() };
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

    /// Counts a request that uses no nonce against its rates, without waiting for Redis: see above.
    ///
    /// # Errors
    /// As [`Admission::admit`], which is asked where too many rates wait to be settled.
    pub async fn admit_at_once(&self, owner_id: &OwnerId, rates: &[Rate<'_>], now: Timestamp) -> Result<Admitted, Error> {
        let request = AdmissionRequest { nonce: None, rates };
        if self.shared.is_none() {
            return self.own.admit(owner_id, &request, now);
        }
        match self.own.admit_unsettled(owner_id, rates, now) {
            Some(admitted) => Ok(admitted),
            None => Box::pin(self.admit(owner_id, &request, now)).await,
        }
    }

    /// Adds what this node has admitted at once to what Redis counts, and takes over what all nodes have counted. To be
    /// called every [`SETTLE_EVERY`]; asks nobody where nothing was admitted. What cannot be settled because Redis is away is
    /// counted in `bo_auth_admission_degraded_total` and not told later: this node has held it to the rates by itself.
    pub async fn settle(&self, clock: &dyn Clock) {
        let Some(shared) = &self.shared else { return };
        let steps = self.own.unsettled.drain();
        if steps.is_empty() {
            return;
        }
        let ahead = shared.settle(&steps).await;
        let now = clock.now();
        for ((counted, steps), ahead) in steps.iter().zip(ahead) {
            let Some(ahead) = ahead else {
                metrics::counter!("bo_auth_admission_degraded_total").increment(u64::from(steps.count));
                continue;
            };
            // What was admitted in the meantime is on its way.
            let since = i64::from(self.own.unsettled.count(*counted)).saturating_mul(steps.pace.interval);
            self.own.limiter.agree(*counted, steps.pace, ahead.saturating_add(since), now);
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

    /// Counts against the rates, and notes that Redis has not heard of it; `None`, and nothing is counted, where there is
    /// no room to note that.
    fn admit_unsettled(&self, owner_id: &OwnerId, rates: &[Rate<'_>], now: Timestamp) -> Option<Admitted> {
        let scope = owner_id.as_str();
        if !rates.iter().all(|rate| self.unsettled.has_room(self.limiter.counted(scope, rate))) {
            return None;
        }
        if let Err(retry_after) = self.limiter.admit(scope, rates, now) {
            return Some(Admitted::Limited { retry_after });
        }
        for rate in rates {
            if let Some(pace) = rate.pace() {
                self.unsettled.add(self.limiter.counted(scope, rate), owner_id, rate, pace);
            }
        }
        Some(Admitted::Accepted)
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
#[cfg(test)]
mod settling;
