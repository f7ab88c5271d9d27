//! The faults, one file each.

mod clock;
mod delayed;
mod disk_full;
mod node_killed;
mod node_stopped;
mod none;
mod postgres_killed;
mod postgres_stalled;
mod race_login;
mod race_logout;
mod race_refresh;
mod redis_cut;
mod redis_flushed;
mod redis_full;
mod redis_killed;
mod redis_stalled;
mod refill;
mod versions;

use crate::scenario::Scenario;

pub(crate) use versions::NAME as VERSIONS;

/// All of them, in the order in which they run.
pub(crate) const ALL: &[Scenario] = &[
    none::SCENARIO,
    delayed::SCENARIO,
    redis_killed::KILLED,
    redis_killed::RESTARTED,
    redis_killed::RESTORED,
    redis_stalled::SCENARIO,
    redis_flushed::SCENARIO,
    redis_cut::BOTH_WAYS,
    redis_cut::TO_STORE,
    redis_cut::FROM_STORE,
    redis_full::SCENARIO,
    postgres_killed::KILLED,
    postgres_killed::RESTARTED,
    postgres_stalled::STOPPED,
    postgres_stalled::RESET,
    node_killed::AT_STEPS,
    node_killed::RANDOMLY,
    node_stopped::SCENARIO,
    node_stopped::WHILE_CUT,
    clock::AHEAD,
    clock::BEHIND,
    clock::FAST,
    clock::JUMPING,
    disk_full::SCENARIO,
    race_refresh::WITH_LOGOUT,
    race_refresh::WITH_ITSELF,
    race_logout::SCENARIO,
    race_login::SCENARIO,
    refill::SCENARIO,
    versions::SCENARIO,
];
