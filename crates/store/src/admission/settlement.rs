//! What this node has admitted by itself and Redis has not heard of yet: how many steps of which rates. Bounded; whoever
//! finds no room asks Redis at once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bo_auth_core::identifier::OwnerId;

use super::limiter::Counted;
use super::rate::{Pace, Rate};
use crate::cache::key;

const SHARDS: usize = 64;

/// How many rates wait at most to be settled: some 15 MB when full.
const CAPACITY: usize = 1 << 16;

/// The steps that wait, by rate.
#[derive(Debug)]
pub(super) struct Unsettled {
    shards: Vec<Mutex<HashMap<Counted, Steps>>>,
    shard_capacity: usize,
}

/// Steps of one rate.
#[derive(Debug)]
pub(super) struct Steps {
    pub(super) owner_id: OwnerId,
    /// The rate's key in Redis.
    pub(super) key: String,
    pub(super) pace: Pace,
    pub(super) count: u32,
}

impl Unsettled {
    pub(super) fn new() -> Self {
        Self::with_capacity(CAPACITY)
    }

    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { shards: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(), shard_capacity: (capacity / SHARDS).max(1) }
    }

    /// Whether a step of this rate would find room. Racers may go beyond it by as many as they are.
    pub(super) fn has_room(&self, counted: Counted) -> bool {
        let steps = self.shard(counted);
        steps.len() < self.shard_capacity || steps.contains_key(&counted)
    }

    /// Adds a step of a rate.
    pub(super) fn add(&self, counted: Counted, owner_id: &OwnerId, rate: &Rate<'_>, pace: Pace) {
        match self.shard(counted).entry(counted) {
            Entry::Occupied(mut steps) => {
                let steps = steps.get_mut();
                steps.count = steps.count.saturating_add(1);
                // The settings may have changed.
                steps.pace = pace;
            }
            Entry::Vacant(none) => {
                none.insert(Steps { owner_id: owner_id.clone(), key: redis_key(owner_id, rate), pace, count: 1 });
            }
        }
    }

    /// How many steps of a rate wait.
    pub(super) fn count(&self, counted: Counted) -> u32 {
        self.shard(counted).get(&counted).map_or(0, |steps| steps.count)
    }

    /// Takes all that wait, those of a tenant one after another.
    pub(super) fn drain(&self) -> Vec<(Counted, Steps)> {
        let mut drained: Vec<(Counted, Steps)> = self.shards.iter().flat_map(|shard| std::mem::take(&mut *lock(shard))).collect();
        drained.sort_unstable_by(|(_, one), (_, other)| one.owner_id.cmp(&other.owner_id));
        drained
    }

    fn shard(&self, counted: Counted) -> MutexGuard<'_, HashMap<Counted, Steps>> {
        lock(&self.shards[usize::try_from(counted.1 % SHARDS as u64).unwrap_or(0)])
    }
}

/// Where Redis keeps a rate.
pub(super) fn redis_key(owner_id: &OwnerId, rate: &Rate<'_>) -> String {
    key::value(owner_id, "rate", &format_args!("{}:{}", rate.name, rate.key))
}

fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_so_many_rates_and_any_number_of_steps() {
        let (unsettled, owner_id) = (Unsettled::with_capacity(SHARDS), OwnerId::parse("acme").unwrap());
        let rate = Rate::per_minute("address", "a", 60, 1);
        let pace = rate.pace().unwrap();
        let (one, other) = ((1, 7), (2, 7));
        for _ in 0..3 {
            assert!(unsettled.has_room(one));
            unsettled.add(one, &owner_id, &rate, pace);
        }
        assert!(!unsettled.has_room(other) && unsettled.has_room((2, 8)));
        assert_eq!((unsettled.count(one), unsettled.count(other)), (3, 0));
        let drained = unsettled.drain();
        assert_eq!(drained.len(), 1);
        assert_eq!((drained[0].0, drained[0].1.count), (one, 3));
        assert!(unsettled.has_room(other) && unsettled.drain().is_empty());
    }
}
