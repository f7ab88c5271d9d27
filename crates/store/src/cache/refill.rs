//! Leave to fill a key. A reader that misses leaves a lease under the key; every write and removal takes it away, and
//! only who still finds it may put the value. What was read before a logout cannot come back after it, however long
//! the reader slept, and whatever the engine forgot in between: a lost lease refuses.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::{Cached, Hit};

/// How long a lease stands: a reader that needs longer does not fill the cache.
pub(super) const LEASE_LIFETIME: Duration = Duration::from_secs(30);

/// What [`Cache::lookup`](super::Cache::lookup) found.
pub enum Lookup<V: Cached> {
    /// The value.
    Hit(Hit<V::Value>),
    /// No value; read the database now and give what was read to [`Cache::refill`](super::Cache::refill).
    Miss(Refill<V>),
}

/// Leave to put one value under one key, once. Readers that miss at the same time share a lease: the first to return
/// fills, the others are refused and lose nothing.
pub struct Refill<V> {
    key: String,
    lease: Vec<u8>,
    kind: PhantomData<fn() -> V>,
}

impl<V> Refill<V> {
    pub(super) const fn new(key: String, lease: Vec<u8>) -> Self {
        Self { key, lease, kind: PhantomData }
    }

    pub(super) fn into_parts(self) -> (String, Vec<u8>) {
        (self.key, self.lease)
    }
}

impl<V> fmt::Debug for Refill<V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Refill").field("key", &self.key).finish_non_exhaustive()
    }
}
