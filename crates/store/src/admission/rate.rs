//! One rate, as arithmetic: the generic cell rate algorithm (ITU-T I.371). Of a key only one instant is kept, the one
//! at which its allowance is whole again.

use std::time::Duration;

use bo_auth_core::time::Timestamp;

/// A limit, and whom it limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate<'a> {
    /// What is counted: `address`, `account`, `tenant` and the like.
    pub name: &'static str,
    /// Who is counted.
    pub key: &'a str,
    /// How many in each period, in the long run; zero allows nothing.
    pub allowed: u32,
    /// The period.
    pub period: Duration,
    /// How many at once; zero counts as one.
    pub burst: u32,
}

/// A rate's two constants, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// One every so often.
    pub(super) interval: i64,
    /// How far ahead of an even spacing a burst may run.
    pub(super) tolerance: i64,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is allowed; keep this instant.
    Allowed(i64),
    /// It is not; there is room after so many microseconds. Keep what was kept.
    Refused(i64),
}

/// So much later (microseconds) than another a request may be judged that began after it: that is no clock set back.
pub(super) const REORDERED: i64 = 100_000;

impl<'a> Rate<'a> {
    /// So many a minute.
    pub const fn per_minute(name: &'static str, key: &'a str, allowed: u32, burst: u32) -> Self {
        Self { name, key, allowed, period: Duration::from_mins(1), burst }
    }

    /// One in each period.
    pub const fn every(name: &'static str, key: &'a str, period: Duration, burst: u32) -> Self {
        Self { name, key, allowed: 1, period, burst }
    }

    /// `None` for a rate that allows nothing.
    pub(super) fn pace(&self) -> Option<Pace> {
        let period = i64::try_from(self.period.as_micros()).unwrap_or(i64::MAX);
        let interval = period.checked_div(i64::from(self.allowed))?.max(1);
        Some(Pace { interval, tolerance: interval * (i64::from(self.burst.max(1)) - 1) })
    }
}

impl Pace {
    /// Takes one step at `now`, where `whole_at` is the instant kept, in microseconds.
    #[cfg(test)]
    pub(super) fn step(self, whole_at: i64, now: i64) -> Step {
        self.step_in_debt(whole_at, 0, now)
    }

    /// The same where nodes together have taken more steps than there were: the instant lies so much further ahead.
    pub(super) fn step_in_debt(self, whole_at: i64, debt: i64, now: i64) -> Step {
        // No step leads further than this ahead: where the kept instant lies beyond, the clock was set back, and
        // nobody is to wait until it has caught up. The burst counts as used.
        let used = now.saturating_add(self.tolerance);
        let furthest = used.saturating_add(self.interval).saturating_add(debt).saturating_add(REORDERED);
        let whole_at = if whole_at > furthest { used } else { whole_at.max(now) };
        let wait = whole_at - self.tolerance - now;
        if wait > 0 { Step::Refused(wait) } else { Step::Allowed(whole_at + self.interval) }
    }
}

impl Pace {
    /// How far ahead a step leads at most.
    pub(super) const fn reach(self) -> i64 {
        self.tolerance.saturating_add(self.interval)
    }
}

/// How long to wait after a rate that allows nothing.
pub(super) const NOTHING_ALLOWED: Duration = Duration::from_mins(1);

pub(super) fn micros(instant: Timestamp) -> i64 {
    instant.millis().saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(per_minute: u32, burst: u32) -> Rate<'static> {
        Rate::per_minute("address", "a", per_minute, burst)
    }

    /// How many steps at these instants are allowed.
    fn allowed(pace: Pace, instants: &[i64]) -> u32 {
        let mut whole_at = 0;
        let mut count = 0;
        for now in instants {
            if let Step::Allowed(next) = pace.step(whole_at, *now) {
                whole_at = next;
                count += 1;
            }
        }
        count
    }

    #[test]
    fn a_burst_then_an_even_pace() {
        let pace = rate(60, 3).pace().unwrap();
        let start = 1_700_000_000_000_000;
        assert_eq!(allowed(pace, &[start; 10]), 3);
        let mut whole_at = 0;
        for _ in 0..3 {
            let Step::Allowed(next) = pace.step(whole_at, start) else { panic!("within the burst") };
            whole_at = next;
        }
        assert_eq!(pace.step(whole_at, start), Step::Refused(1_000_000));
        assert_eq!(pace.step(whole_at, start + 400_000), Step::Refused(600_000));
        assert!(matches!(pace.step(whole_at, start + 1_000_000), Step::Allowed(_)));
    }

    #[test]
    fn a_clock_that_was_set_back_costs_the_burst_and_nothing_more() {
        let pace = rate(60, 3).pace().unwrap();
        let (ahead, now) = (1_700_000_300_000_000, 1_700_000_000_000_000);
        let Step::Allowed(next) = pace.step(ahead, now) else { panic!("the pace goes on") };
        assert_eq!(pace.step(next, now), Step::Refused(1_000_000));
        assert!(matches!(pace.step(next, now + 1_000_000), Step::Allowed(_)));
    }

    #[test]
    fn a_longer_period_allows_one_in_each_of_it() {
        let pace = Rate::every("address", "a", Duration::from_mins(4), 2).pace().unwrap();
        let start = 1_700_000_000_000_000;
        assert_eq!(allowed(pace, &[start; 10]), 2);
        let Step::Allowed(first) = pace.step(0, start) else { panic!("within the burst") };
        let Step::Allowed(second) = pace.step(first, start) else { panic!("within the burst") };
        assert_eq!(pace.step(second, start), Step::Refused(240_000_000));
        assert!(matches!(pace.step(second, start + 240_000_000), Step::Allowed(_)));
    }

    #[test]
    fn zero_allows_nothing() {
        assert_eq!(rate(0, 5).pace(), None);
        assert_eq!(rate(60, 0).pace(), rate(60, 1).pace());
    }

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_the_elapsed_time_allow(
            per_minute in 1u32..100_000, burst in 1u32..1000, gaps in prop::collection::vec(0i64..2_000_000, 1..200)
        ) {
            let pace = rate(per_minute, burst).pace().unwrap();
            let mut now = 1_700_000_000_000_000;
            let instants: Vec<i64> = gaps.iter().map(|gap| { now += gap; now }).collect();
            let elapsed = instants[instants.len() - 1] - instants[0];
            let bound = i64::from(burst) + elapsed / pace.interval;
            prop_assert!(i64::from(allowed(pace, &instants)) <= bound);
        }

        #[test]
        fn waiting_as_told_is_enough_and_waiting_less_is_not(
            per_minute in 1u32..100_000, burst in 1u32..1000, ahead in 0i64..100_000_000
        ) {
            let pace = rate(per_minute, burst).pace().unwrap();
            let now = 1_700_000_000_000_000;
            // An instant that steps at `now` or before can have led to.
            let whole_at = now + ahead % (pace.tolerance + pace.interval + 1);
            if let Step::Refused(wait) = pace.step(whole_at, now) {
                prop_assert!(wait <= pace.interval);
                prop_assert!(matches!(pace.step(whole_at, now + wait), Step::Allowed(_)));
                prop_assert!(matches!(pace.step(whole_at, now + wait - 1), Step::Refused(1)));
            }
        }

        #[test]
        fn who_keeps_the_pace_is_never_refused(per_minute in 1u32..100_000, burst in 1u32..1000, jitter in prop::collection::vec(0i64..1000, 1..100)) {
            let pace = rate(per_minute, burst).pace().unwrap();
            let mut now = 1_700_000_000_000_000;
            let instants: Vec<i64> = jitter.iter().map(|late| { now += pace.interval + late; now }).collect();
            prop_assert_eq!(allowed(pace, &instants) as usize, instants.len());
        }

        #[test]
        fn a_clock_set_back_makes_nobody_wait_much_longer_than_one_interval(per_minute in 1u32..100_000, burst in 1u32..1000, back in 0i64..10_000_000_000) {
            let pace = rate(per_minute, burst).pace().unwrap();
            let now = 1_700_000_000_000_000;
            if let Step::Refused(wait) = pace.step(now + back, now) {
                prop_assert!(wait <= pace.interval + REORDERED);
            }
        }
    }

    #[test]
    fn whoever_began_earlier_and_is_judged_later_gets_nothing_for_it() {
        let pace = rate(60, 3).pace().unwrap();
        let start = 1_700_000_000_000_000;
        let mut whole_at = 0;
        for _ in 0..3 {
            let Step::Allowed(next) = pace.step(whole_at, start) else { panic!("within the burst") };
            whole_at = next;
        }
        assert_eq!(pace.step(whole_at, start - 50_000), Step::Refused(1_050_000));
    }
}
