//! How much fits into the memory, and how much of it is in use.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::entry::{SESSION_BYTES, USER_BYTES};
use super::{Memory, SHARDS, Shard};

/// How many entries of each kind a shard takes.
#[derive(Clone, Copy)]
pub(super) struct Capacity {
    pub(super) sessions: usize,
    pub(super) users: usize,
}

impl Capacity {
    /// Four fifths of the bytes are for sessions. A table has a power of two of slots, each with a byte of its own, and is
    /// seven eighths full at most.
    pub(super) fn of(bytes: usize) -> Self {
        let shard = bytes / SHARDS;
        let within = |bytes: usize, entry: usize| {
            let slots = (bytes / (entry + 1)).max(16);
            (1usize << slots.ilog2()) / 8 * 7
        };
        Self { sessions: within(shard / 5 * 4, SESSION_BYTES), users: within(shard / 5, USER_BYTES) }
    }
}

/// What the memory of ended sessions holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryUsage {
    /// Ended sessions.
    pub sessions: usize,
    /// Marks of users.
    pub users: usize,
    /// Tenants with a mark or a revision.
    pub tenants: usize,
    /// Bytes of the tables of sessions and users, empty slots included.
    pub bytes: usize,
    /// Parts, of 64, in which something did not fit and the database is asked.
    pub overflown_parts: usize,
    /// Questions that were answered here.
    pub answers: u64,
}

impl Memory {
    /// What it holds, and what that takes.
    pub(in crate::revocation) fn usage(&self) -> MemoryUsage {
        let mut usage = MemoryUsage { tenants: self.tenants.len(), ..MemoryUsage::default() };
        for shard in &self.shards {
            usage.answers += shard.answers.load(Ordering::Relaxed);
            let kept = shard.kept.read().unwrap_or_else(PoisonError::into_inner);
            usage.sessions += kept.sessions.len();
            usage.users += kept.users.len();
            usage.bytes +=
                size_of::<Shard>() + table_bytes(kept.sessions.capacity(), SESSION_BYTES) + table_bytes(kept.users.capacity(), USER_BYTES);
            usage.overflown_parts += usize::from(kept.overflown_until != 0);
        }
        usage
    }
}

/// Bytes of a hash table of this capacity: a power of two of slots, each with a byte of its own.
fn table_bytes(capacity: usize, entry: usize) -> usize {
    if capacity == 0 { 0 } else { (capacity + capacity / 7).next_power_of_two() * (entry + 1) }
}
