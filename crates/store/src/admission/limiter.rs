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

/// How many keys are counted at most, in all: some 70 MB when full.
const CAPACITY: usize = 1 << 20;

/// A shard that is full is not searched for expired keys again before so many microseconds have passed.
const SWEEP_PAUSE: i64 = 1_000_000;

/// Scope, name and key of a rate as two keyed hashes: entries have one size, and nobody can make two keys collide.
pub(super) type Counted = (u64, u64);

/// What is kept of a key.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    /// When its allowance is whole again.
    whole_at: i64,
    /// How much of that is debt: what nodes together have admitted beyond it.
    debt: i64,
}

/// Counts rates in memory.
#[derive(Debug)]
pub(super) struct RateLimiter {
    shards: Vec<Mutex<Shard>>,
    hashes: [RandomState; 2],
    shard_capacity: usize,
}

#[derive(Debug, Default)]
struct Shard {
    kept: HashMap<Counted, Kept>,
    /// For the keys that found no room.
    shared: Kept,
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
        let kept = lock(self.shard(counted)).kept.get(&counted).copied()?;
        match pace.step_in_debt(kept.whole_at, kept.debt, micros(now)) {
            Step::Refused(wait) => Some(duration(wait)),
            Step::Allowed(_) => None,
        }
    }

    /// Undoes a step. Steps commute, so that it does not matter what came in between.
    fn give_back(&self, scope: &str, rate: &Rate<'_>) {
        let Some(pace) = rate.pace() else { return };
        let counted = self.counted(scope, rate);
        if let Some(kept) = lock(self.shard(counted)).kept.get_mut(&counted) {
            kept.whole_at -= pace.interval;
        }
    }

    /// Takes over what all nodes together have counted: the allowance is whole again `ahead` microseconds after `now`. What
    /// this node has counted by itself is never forgotten for it.
    pub(super) fn agree(&self, counted: Counted, pace: Pace, ahead: i64, now: Timestamp) {
        let now = micros(now);
        let whole_at = now.saturating_add(ahead);
        let mut shard = lock(self.shard(counted));
        let is_full = shard.kept.len() >= self.shard_capacity;
        let kept = match shard.kept.entry(counted) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if is_full => return,
            Entry::Vacant(entry) => entry.insert(Kept::default()),
        };
        if whole_at > kept.whole_at {
            *kept = Kept { whole_at, debt: (ahead - pace.reach()).max(0) };
        }
    }

    /// The name under which a rate is counted here.
    pub(super) fn counted(&self, scope: &str, rate: &Rate<'_>) -> Counted {
        let parts = (scope, rate.name, rate.key);
        (hash(&self.hashes[0], parts), hash(&self.hashes[1], parts))
    }

    fn shard(&self, counted: Counted) -> &Mutex<Shard> {
        &self.shards[usize::try_from(counted.0 % SHARDS as u64).unwrap_or(0)]
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).kept.len()).sum()
    }
}

impl Shard {
    fn step(&mut self, counted: Counted, pace: Pace, now: i64, capacity: usize) -> Result<(), Duration> {
        if self.kept.len() >= capacity && self.sweep_after <= now {
            self.sweep(now);
            self.sweep_after = now.saturating_add(SWEEP_PAUSE);
        }
        let is_full = self.kept.len() >= capacity;
        let kept = match self.kept.entry(counted) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if is_full => &mut self.shared,
            Entry::Vacant(entry) => entry.insert(Kept::default()),
        };
        match pace.step_in_debt(kept.whole_at, kept.debt, now) {
            Step::Allowed(next) => {
                *kept = Kept { whole_at: next, debt: 0 };
                Ok(())
            }
            Step::Refused(wait) => Err(duration(wait)),
        }
    }

    fn sweep(&mut self, now: i64) {
        self.kept.retain(|_, kept| kept.whole_at > now);
        if self.kept.capacity() > 64 && self.kept.len() < self.kept.capacity() / 8 {
            self.kept.shrink_to_fit();
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
        Rate::per_minute(name, key, 60, burst)
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
        let slow = Rate::per_minute("tenant", "", 6, 1);
        assert_eq!(limiter.admit("a", &[rate("address", "b", 3), slow], NOW), Ok(()));
        for _ in 0..10 {
            assert_eq!(limiter.admit("a", &[rate("address", "b", 3), slow], NOW), Err(Duration::from_secs(10)));
        }
        assert_eq!(limiter.admit("a", &[rate("address", "b", 3)], NOW), Ok(()));
        assert_eq!(limiter.admit("a", &[rate("address", "b", 3)], NOW), Ok(()));
        assert_eq!(limiter.admit("a", &[rate("address", "b", 3), slow], NOW), Err(Duration::from_secs(10)));
    }

    #[test]
    fn what_all_nodes_have_counted_holds_here_and_a_debt_is_paid_off() {
        let limiter = RateLimiter::new();
        let rate = rate("address", "b", 3);
        let (counted, pace) = (limiter.counted("a", &rate), rate.pace().unwrap());
        let second = Duration::from_secs(1);
        // Others have used the whole burst.
        limiter.agree(counted, pace, 3_000_000, NOW);
        assert_eq!(limiter.admit("a", &[rate], NOW), Err(second));
        assert_eq!(limiter.admit("a", &[rate], NOW.plus(second)), Ok(()));
        // Less than what is known here changes nothing.
        limiter.agree(counted, pace, 1, NOW.plus(second));
        assert_eq!(limiter.admit("a", &[rate], NOW.plus(second)), Err(second));
        // Two more than there were.
        limiter.agree(counted, pace, 5_000_000, NOW.plus(second));
        assert_eq!(limiter.admit("a", &[rate], NOW.plus(second)), Err(3 * second));
        assert_eq!(limiter.admit("a", &[rate], NOW.plus(3 * second)), Err(second));
        assert_eq!(limiter.admit("a", &[rate], NOW.plus(4 * second)), Ok(()));
        assert_eq!(limiter.admit("a", &[rate], NOW.plus(4 * second)), Err(second));
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
