//! The faults, one file each.

mod delayed;
mod none;
mod redis_cut;
mod redis_flushed;
mod redis_full;
mod redis_killed;
mod redis_stalled;

use crate::scenario::Scenario;

/// All of them, in the order in which they run.
pub(crate) const ALL: &[Scenario] = &[
    none::SCENARIO,
    delayed::SCENARIO,
    redis_killed::KILLED,
    redis_killed::RESTARTED,
    redis_stalled::SCENARIO,
    redis_flushed::SCENARIO,
    redis_cut::BOTH_WAYS,
    redis_cut::TO_STORE,
    redis_cut::FROM_STORE,
    redis_full::SCENARIO,
];
