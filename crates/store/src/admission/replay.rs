//! What may be used once, in this node's memory: exact to the second, bounded, and never forgotten early. New claims
//! are handed to a writer in batches; a crash loses those of the last moment, and a restart restores the others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::time::Timestamp;

use crate::Error;

/// So many that forgetting the expired entries of one shard is a matter of microseconds.
const SHARDS: usize = 1024;

/// How many claims are remembered at most, in all: some 200 MB when full.
pub const REPLAY_CAPACITY: usize = 4_000_000;

/// Claims are written in batches that expire together: up to so many seconds later than each of them.
const BATCH_SECONDS: u32 = 10;

/// A full memory is not searched for expired claims again before so many seconds have passed.
const SWEEP_SECONDS: u32 = 1;

/// A digest made the tenant's own: combined with a secret hash of its owner id, so that one flat map serves all
/// tenants and no tenant's digests can be made to meet another's.
type Claimed = [u8; 16];

/// Claims that have not been written: the tenant, when they expire, and their digests one after another.
pub type UnsavedClaims = (OwnerId, Timestamp, Vec<u8>);

/// Remembers what has been used.
pub struct ReplayGuard {
    shards: Vec<Mutex<Shard>>,
    owners: [RandomState; 2],
    digests: RandomState,
    /// How many claims are remembered, in all shards.
    held: AtomicUsize,
    capacity: usize,
    /// When the last search of all shards began, in Unix seconds.
    swept: Mutex<u32>,
}

#[derive(Default)]
struct Shard {
    /// Until when, in Unix seconds, each digest is used.
    used_until: HashMap<Claimed, u32, RandomState>,
    unsaved: Vec<(OwnerId, u32, [u8; 16])>,
}

impl ReplayGuard {
    /// A guard that remembers at most so many claims.
    pub fn new(capacity: usize) -> Self {
        Self {
            shards: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
            owners: [RandomState::new(), RandomState::new()],
            digests: RandomState::new(),
            held: AtomicUsize::new(0),
            capacity,
            swept: Mutex::new(0),
        }
    }

    /// Claims a digest: true once for each tenant until `window` has passed.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`] where the memory is full: to accept what cannot be remembered would accept it again.
    pub fn claim(&self, owner_id: &OwnerId, digest: [u8; 16], window: Duration, now: Timestamp) -> Result<bool, Error> {
        self.insert(owner_id, digest, window, now, true)
    }

    /// Claims a digest that is kept safe elsewhere: it is not handed out to be written.
    ///
    /// # Errors
    /// As [`ReplayGuard::claim`].
    pub fn remember(&self, owner_id: &OwnerId, digest: [u8; 16], window: Duration, now: Timestamp) -> Result<bool, Error> {
        self.insert(owner_id, digest, window, now, false)
    }

    /// Takes the claims that have not been written yet, those that expire together in one batch.
    pub fn drain_unsaved(&self) -> Vec<UnsavedClaims> {
        let mut batches: HashMap<(OwnerId, u32), Vec<u8>> = HashMap::new();
        for shard in &self.shards {
            let unsaved = std::mem::take(&mut lock(shard).unsaved);
            for (owner_id, until, digest) in unsaved {
                let until = until.div_ceil(BATCH_SECONDS).saturating_mul(BATCH_SECONDS);
                batches.entry((owner_id, until)).or_default().extend_from_slice(&digest);
            }
        }
        let batches = batches.into_iter();
        batches.map(|((owner_id, until), digests)| (owner_id, Timestamp::from_seconds(i64::from(until)), digests)).collect()
    }

    /// Takes claims back that could not be written; those that have expired meanwhile are let go.
    pub fn return_unsaved(&self, claims: Vec<UnsavedClaims>, now: Timestamp) {
        for (owner_id, until, digests) in claims {
            if until <= now {
                continue;
            }
            for digest in digests.as_chunks().0 {
                let mut shard = lock(self.shard(&self.claimed(&owner_id, *digest)));
                shard.unsaved.push((owner_id.clone(), seconds_up(until), *digest));
            }
        }
    }

    /// Takes up claims that were written before a restart.
    ///
    /// # Errors
    /// As [`ReplayGuard::claim`].
    pub fn restore(&self, claims: impl IntoIterator<Item = UnsavedClaims>, now: Timestamp) -> Result<(), Error> {
        for (owner_id, until, digests) in claims {
            for digest in digests.as_chunks().0 {
                self.remember(&owner_id, *digest, now.until(until), now)?;
            }
        }
        Ok(())
    }

    /// Forgets what may be used again.
    pub fn forget_expired(&self, now: Timestamp) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            let before = shard.used_until.len();
            shard.used_until.retain(|_, until| is_before(now, *until));
            let after = shard.used_until.len();
            if shard.used_until.capacity() > 64 && after < shard.used_until.capacity() / 8 {
                shard.used_until.shrink_to_fit();
            }
            self.held.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    /// How many claims are remembered.
    pub fn len(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn insert(&self, owner_id: &OwnerId, digest: [u8; 16], window: Duration, now: Timestamp, unsaved: bool) -> Result<bool, Error> {
        let until = seconds_up(now.plus(window));
        let claimed = self.claimed(owner_id, digest);
        if self.len() >= self.capacity {
            self.make_room(now);
        }
        let mut shard = lock(self.shard(&claimed));
        match shard.used_until.entry(claimed) {
            Entry::Occupied(entry) if is_before(now, *entry.get()) => return Ok(false),
            Entry::Occupied(mut entry) => {
                entry.insert(until);
            }
            Entry::Vacant(entry) => {
                if self.held.fetch_add(1, Ordering::Relaxed) >= self.capacity {
                    self.held.fetch_sub(1, Ordering::Relaxed);
                    return Err(full());
                }
                entry.insert(until);
            }
        }
        if unsaved {
            shard.unsaved.push((owner_id.clone(), until, digest));
        }
        Ok(true)
    }

    /// Searches for expired claims, but not again and again while there are none.
    fn make_room(&self, now: Timestamp) {
        let second = seconds_up(now);
        {
            let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
            if second < swept.saturating_add(SWEEP_SECONDS) {
                return;
            }
            *swept = second;
        }
        self.forget_expired(now);
    }

    fn claimed(&self, owner_id: &OwnerId, digest: [u8; 16]) -> Claimed {
        let [one, two] = &self.owners;
        let mask = u128::from(one.hash_one(owner_id.as_str())) << 64 | u128::from(two.hash_one(owner_id.as_str()));
        (u128::from_ne_bytes(digest) ^ mask).to_ne_bytes()
    }

    fn shard(&self, claimed: &Claimed) -> &Mutex<Shard> {
        &self.shards[usize::try_from(self.digests.hash_one(claimed) % SHARDS as u64).unwrap_or(0)]
    }
}

impl fmt::Debug for ReplayGuard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ReplayGuard").field("held", &self.len()).finish_non_exhaustive()
    }
}

fn full() -> Error {
    Error::CacheUnavailable(redis::RedisError::from(std::io::Error::new(
        std::io::ErrorKind::StorageFull,
        "the memory of used nonces is full",
    )))
}

/// Whole seconds, never early.
fn seconds_up(instant: Timestamp) -> u32 {
    u32::try_from(instant.millis().max(0).unsigned_abs().div_ceil(1000)).unwrap_or(u32::MAX)
}

fn is_before(now: Timestamp, until: u32) -> bool {
    now.millis() < i64::from(until).saturating_mul(1000)
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // A thread that panicked has at worst claimed and not noted the claim as unsaved.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const WINDOW: Duration = Duration::from_mins(10);

    fn owner(text: &str) -> OwnerId {
        OwnerId::parse(text).unwrap()
    }

    fn digest(number: u64) -> [u8; 16] {
        let mut digest = [7; 16];
        digest[..8].copy_from_slice(&number.to_le_bytes());
        digest
    }

    #[test]
    fn a_digest_counts_once_for_each_tenant_until_its_window_has_passed() {
        let guard = ReplayGuard::new(100);
        assert!(guard.claim(&owner("a"), digest(1), WINDOW, NOW).unwrap());
        assert!(!guard.claim(&owner("a"), digest(1), WINDOW, NOW).unwrap());
        assert!(guard.claim(&owner("b"), digest(1), WINDOW, NOW).unwrap());
        assert!(guard.claim(&owner("a"), digest(2), WINDOW, NOW).unwrap());
        let last = NOW.plus(Duration::from_millis(599_999));
        assert!(!guard.claim(&owner("a"), digest(1), Duration::from_secs(1), last).unwrap());
        assert!(guard.claim(&owner("a"), digest(1), WINDOW, NOW.plus(WINDOW)).unwrap());
    }

    #[test]
    fn one_of_many_racers_wins() {
        let guard = ReplayGuard::new(100_000);
        let wins: usize = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..1000).filter(|number| guard.claim(&owner("a"), digest(*number), WINDOW, NOW).unwrap()).count()))
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).sum()
        });
        assert_eq!((wins, guard.len()), (1000, 1000));
    }

    #[test]
    fn a_full_memory_refuses_what_is_new_and_forgets_nothing_early() {
        let guard = ReplayGuard::new(1000);
        for number in 0..1000 {
            assert!(guard.claim(&owner("a"), digest(number), WINDOW, NOW).unwrap());
        }
        let error = guard.claim(&owner("a"), digest(1000), WINDOW, NOW).unwrap_err();
        assert!(error.is_unavailable());
        assert!((0..1000).all(|number| !guard.claim(&owner("a"), digest(number), WINDOW, NOW).unwrap()));
        assert_eq!(guard.len(), 1000);
        assert!(guard.claim(&owner("a"), digest(1000), WINDOW, NOW.plus(WINDOW)).unwrap());
        assert_eq!(guard.len(), 1);
    }

    #[test]
    fn a_restart_restores_what_was_written() {
        let guard = ReplayGuard::new(100_000);
        for number in 0..5000 {
            assert!(guard.claim(&owner(if number % 2 == 0 { "a" } else { "b" }), digest(number), WINDOW, NOW).unwrap());
        }
        let written = guard.drain_unsaved();
        assert_eq!(written.len(), 2);
        assert!(written.iter().all(|(_, until, digests)| *until >= NOW.plus(WINDOW) && digests.len() == 2500 * 16));
        assert!(guard.drain_unsaved().is_empty());

        let restarted = ReplayGuard::new(100_000);
        let later = NOW.plus(Duration::from_mins(5));
        restarted.restore(written, later).unwrap();
        assert!(restarted.drain_unsaved().is_empty());
        assert!(
            (0..5000)
                .all(|number| !restarted.claim(&owner(if number % 2 == 0 { "a" } else { "b" }), digest(number), WINDOW, later).unwrap())
        );
        restarted.forget_expired(NOW.plus(WINDOW).plus(Duration::from_secs(u64::from(BATCH_SECONDS))));
        assert!(restarted.is_empty());
    }

    #[test]
    fn what_could_not_be_written_is_handed_out_again_unless_it_has_expired() {
        let guard = ReplayGuard::new(100);
        assert!(guard.claim(&owner("a"), digest(1), WINDOW, NOW).unwrap());
        let unsaved = guard.drain_unsaved();
        guard.return_unsaved(unsaved.clone(), NOW);
        assert_eq!(guard.drain_unsaved(), unsaved);
        guard.return_unsaved(unsaved, NOW.plus(WINDOW).plus(WINDOW));
        assert!(guard.drain_unsaved().is_empty());
    }
}
