//! Rates of one node, in memory: sharded, bounded, and never unlimited. Where a shard is full, keys that are new to it
//! share one allowance until others have expired.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bo_auth_core::time::Timestamp;

use super::rate::{NOTHING_ALLOWED, Pace, Rate, Step, micros};

const SHARDS: usize = 256;

/// How many keys are counted at most, in all: some 50 MB when full.
const CAPACITY: usize = 1 << 20;

/// A shard that is full is not searched for expired keys again before so many microseconds have passed.
const SWEEP_PAUSE: i64 = 1_000_000;

/// Scope, name and key of a rate as two keyed hashes: entries have one size, and nobody can make two keys collide.
type Counted = (u64, u64);

/// Counts rates in memory.
#[derive(Debug)]
pub(super) struct RateLimiter {
    shards: Vec<Mutex<Shard>>,
    hashes: [RandomState; 2],
    shard_capacity: usize,
}

#[derive(Debug, Default)]
struct Shard {
    /// When each key's allowance is whole again.
    whole_at: HashMap<Counted, i64>,
    /// The same for the keys that found no room.
    shared_whole_at: i64,
    sweep_after: i64,
}

impl RateLimiter {
    pub(super) fn new() -> Self {
        Self::with_capacity(CAPACITY)
    }

    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self {
            shards: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
            hashes: [RandomState::new(), RandomState::new()],
            shard_capacity: (capacity / SHARDS).max(1),
        }
    }

    /// Counts one request against all rates, or against none where one of them refuses.
    pub(super) fn admit(&self, scope: &str, rates: &[Rate<'_>], now: Timestamp) -> Result<(), Duration> {
        for (position, rate) in rates.iter().enumerate() {
            if let Err(wait) = self.admit_one(scope, rate, now) {
                let wait = rates[position + 1..].iter().filter_map(|rate| self.wait_for(scope, rate, now)).fold(wait, Duration::max);
                for counted in &rates[..position] {
                    self.give_back(scope, counted);
                }
                return Err(wait);
            }
        }
        Ok(())
    }

    /// Forgets keys whose allowance is whole: they count as if they had never been seen.
    pub(super) fn forget_expired(&self, now: Timestamp) {
        for shard in &self.shards {
            lock(shard).sweep(micros(now));
        }
    }

    fn admit_one(&self, scope: &str, rate: &Rate<'_>, now: Timestamp) -> Result<(), Duration> {
        let (pace, now) = (rate.pace().ok_or(NOTHING_ALLOWED)?, micros(now));
        let counted = self.counted(scope, rate);
        lock(self.shard(counted)).step(counted, pace, now, self.shard_capacity)
    }

    /// How long a rate would refuse, without counting.
    fn wait_for(&self, scope: &str, rate: &Rate<'_>, now: Timestamp) -> Option<Duration> {
        let Some(pace) = rate.pace() else { return Some(NOTHING_ALLOWED) };
        let counted = self.counted(scope, rate);
        let whole_at = lock(self.shard(counted)).whole_at.get(&counted).copied()?;
        match pace.step(whole_at, micros(now)) {
            Step::Refused(wait) => Some(duration(wait)),
            Step::Allowed(_) => None,
        }
    }

    /// Undoes a step. Steps commute, so that it does not matter what came in between.
    fn give_back(&self, scope: &str, rate: &Rate<'_>) {
        let Some(pace) = rate.pace() else { return };
        let counted = self.counted(scope, rate);
        if let Some(whole_at) = lock(self.shard(counted)).whole_at.get_mut(&counted) {
            *whole_at -= pace.interval;
        }
    }

    fn counted(&self, scope: &str, rate: &Rate<'_>) -> Counted {
        let parts = (scope, rate.name, rate.key);
        (hash(&self.hashes[0], parts), hash(&self.hashes[1], parts))
    }

    fn shard(&self, counted: Counted) -> &Mutex<Shard> {
        &self.shards[usize::try_from(counted.0 % SHARDS as u64).unwrap_or(0)]
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).whole_at.len()).sum()
    }
}

impl Shard {
    fn step(&mut self, counted: Counted, pace: Pace, now: i64, capacity: usize) -> Result<(), Duration> {
        if self.whole_at.len() >= capacity && self.sweep_after <= now {
            self.sweep(now);
            self.sweep_after = now.saturating_add(SWEEP_PAUSE);
        }
        let is_full = self.whole_at.len() >= capacity;
        let whole_at = match self.whole_at.entry(counted) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if is_full => &mut self.shared_whole_at,
            Entry::Vacant(entry) => entry.insert(0),
        };
        match pace.step(*whole_at, now) {
            Step::Allowed(next) => {
                *whole_at = next;
                Ok(())
            }
            Step::Refused(wait) => Err(duration(wait)),
        }
    }

    fn sweep(&mut self, now: i64) {
        self.whole_at.retain(|_, whole_at| *whole_at > now);
        if self.whole_at.capacity() > 64 && self.whole_at.len() < self.whole_at.capacity() / 8 {
            self.whole_at.shrink_to_fit();
        }
    }
}

fn hash(keys: &RandomState, value: impl Hash) -> u64 {
    keys.hash_one(value)
}

fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // What a panicking thread may have left behind is one number, and any number is a valid one.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn rate<'a>(name: &'static str, key: &'a str, burst: u32) -> Rate<'a> {
        Rate { name, key, per_minute: 60, burst }
    }

    #[test]
    fn names_keys_and_scopes_are_counted_apart() {
        let limiter = RateLimiter::new();
        for (scope, name, key) in
            [("a", "address", "b"), ("a", "account", "b"), ("a", "address", "c"), ("ab", "address", ""), ("", "address", "ab")]
        {
            assert_eq!(limiter.admit(scope, &[rate(name, key, 1)], NOW), Ok(()));
            assert_eq!(limiter.admit(scope, &[rate(name, key, 1)], NOW), Err(Duration::from_secs(1)));
        }
    }

    #[test]
    fn a_refused_request_counts_against_no_rate_and_waits_for_the_slowest() {
        let limiter = RateLimiter::new();
        let slow = Rate { name: "tenant", key: "", per_minute: 6, burst: 1 };
        assert_eq!(limiter.admit("a", &[rate("address", "b", 3), slow], NOW), Ok(()));
        for _ in 0..10 {
            assert_eq!(limiter.admit("a", &[rate("address", "b", 3), slow], NOW), Err(Duration::from_secs(10)));
        }
        assert_eq!(limiter.admit("a", &[rate("address", "b", 3)], NOW), Ok(()));
        assert_eq!(limiter.admit("a", &[rate("address", "b", 3)], NOW), Ok(()));
        assert_eq!(limiter.admit("a", &[rate("address", "b", 3), slow], NOW), Err(Duration::from_secs(10)));
    }

    #[test]
    fn what_is_whole_again_is_forgotten() {
        let limiter = RateLimiter::new();
        for number in 0..1000 {
            assert_eq!(limiter.admit("a", &[rate("address", &number.to_string(), 1)], NOW), Ok(()));
        }
        limiter.forget_expired(NOW);
        assert_eq!(limiter.len(), 1000);
        limiter.forget_expired(NOW.plus(Duration::from_secs(1)));
        assert_eq!(limiter.len(), 0);
    }

    #[test]
    fn a_full_limiter_stays_bounded_limits_strangers_together_and_known_keys_as_before() {
        let limiter = RateLimiter::with_capacity(SHARDS);
        let known = rate("address", "known", 5);
        assert_eq!(limiter.admit("a", &[known], NOW), Ok(()));
        let admitted = (0..100_000).filter(|number| limiter.admit("a", &[rate("address", &number.to_string(), 1)], NOW).is_ok()).count();
        assert!(limiter.len() <= SHARDS, "{}", limiter.len());
        // One for each place in the map, and one for each shard's shared allowance.
        assert!((SHARDS..=2 * SHARDS).contains(&(admitted + 1)), "{admitted}");
        for _ in 0..4 {
            assert_eq!(limiter.admit("a", &[known], NOW), Ok(()));
        }
        assert!(limiter.admit("a", &[known], NOW).is_err());
        // When their time has come, strangers have room of their own again.
        assert_eq!(limiter.admit("a", &[rate("address", "late", 1)], NOW.plus(Duration::from_mins(1))), Ok(()));
    }

    #[test]
    fn racers_get_what_the_burst_allows() {
        let limiter = RateLimiter::new();
        let admitted: usize = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        (0..100).filter(|_| limiter.admit("a", &[rate("address", "b", 50), rate("tenant", "", 40)], NOW).is_ok()).count()
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).sum()
        });
        assert_eq!(admitted, 40);
    }
}
