//! The two forms of every scenario: a short one for each change of the code, a long one for the record.

use std::time::Duration;

use crate::cluster::USERS;
use crate::load::Weight;

/// Short or long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Form {
    long: bool,
    /// How many rounds a race has, in the long form.
    rounds: usize,
}

impl Form {
    /// The short form.
    pub(crate) const SHORT: Self = Self { long: false, rounds: 0 };

    /// The long form.
    pub(crate) const fn long(rounds: usize) -> Self {
        Self { long: true, rounds }
    }

    /// Whether it is the long one.
    pub(crate) const fn is_long(self) -> bool {
        self.long
    }

    /// One of two values.
    pub(crate) fn pick<T>(self, short: T, long: T) -> T {
        if self.long { long } else { short }
    }

    /// How many rounds a race has.
    pub(crate) fn rounds(self, short: usize) -> usize {
        self.pick(short, self.rounds)
    }

    /// How long the load runs before a fault.
    pub(crate) fn before(self) -> Duration {
        self.pick(Duration::from_millis(600), Duration::from_secs(3))
    }

    /// How long a fault lasts.
    pub(crate) fn during(self) -> Duration {
        self.pick(Duration::from_millis(1_800), Duration::from_secs(15))
    }

    /// How long the load runs after the recovery.
    pub(crate) fn after(self) -> Duration {
        self.pick(Duration::from_millis(600), Duration::from_secs(5))
    }

    /// The load.
    pub(crate) fn weight(self) -> Weight {
        Weight {
            workers: self.pick(6, 12),
            replayers: self.pick(2, 4),
            verifies: 4,
            refreshes: 4,
            rest: Duration::from_millis(2),
            users: USERS,
        }
    }

    /// How many of a history's sessions are replayed.
    pub(crate) fn replayed(self) -> usize {
        self.pick(120, 1_000)
    }
}
