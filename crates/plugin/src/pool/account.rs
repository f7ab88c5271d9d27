//! How much processor time each tenant's scripts have used lately, beyond what a script that shapes an answer needs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// So much of each run is free: an ordinary script needs less. A dev build's scripts take many times as long.
const FREE: Duration = Duration::from_micros(if cfg!(debug_assertions) { 4_000 } else { 200 });
/// What a tenant that has used nothing may use at once, in nanoseconds; it can owe as much.
const MOST: i64 = 250_000_000;
/// What is earned in a second, in nanoseconds: a twentieth of a core.
const EARNED: f64 = 50_000_000.0;
/// Accounts are looked through when there are so many; those that are full again need not be kept.
const MANY: usize = 1_024;

/// Accounts by tenant; none is a full one.
#[derive(Default)]
pub(super) struct Accounts(HashMap<Arc<str>, Account>);

struct Account {
    nanoseconds: i64,
    at: Instant,
}

impl Account {
    #[expect(clippy::cast_possible_truncation, reason = "a whole number of nanoseconds, bounded below")]
    fn present(&self, now: Instant) -> i64 {
        let earned = (now.saturating_duration_since(self.at).as_secs_f64() * EARNED) as i64;
        self.nanoseconds.saturating_add(earned).min(MOST)
    }
}

impl Accounts {
    /// Whether a tenant's scripts may run before those that have nothing left.
    pub(super) fn has_credit(&self, owner: &str, now: Instant) -> bool {
        self.0.get(owner).is_none_or(|account| account.present(now) > 0)
    }

    /// Takes the time of a run from a tenant's account.
    pub(super) fn charge(&mut self, owner: &Arc<str>, used: Duration, now: Instant) {
        let Some(charged) = used.checked_sub(FREE) else { return };
        let charged = i64::try_from(charged.as_nanos()).unwrap_or(i64::MAX);
        let present = self.0.get(owner).map_or(MOST, |account| account.present(now));
        self.0.insert(Arc::clone(owner), Account { nanoseconds: present.saturating_sub(charged).max(-MOST), at: now });
        if self.0.len() > MANY {
            self.0.retain(|_, account| account.present(now) < MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_up_comes_back_in_seconds() {
        let (mut accounts, owner, now) = (Accounts::default(), Arc::from("one"), Instant::now());
        for run in 0..20 {
            assert_eq!(accounts.has_credit(&owner, now), run < 5, "{run}");
            accounts.charge(&owner, Duration::from_millis(50) + FREE, now);
        }
        let after = |seconds: f64| now + Duration::from_secs_f64(seconds);
        assert!(accounts.has_credit("two", now) && !accounts.has_credit(&owner, after(4.9)) && accounts.has_credit(&owner, after(5.1)));
        accounts.charge(&owner, FREE + Duration::from_millis(30), after(5.1));
        assert!(!accounts.has_credit(&owner, after(5.2)));
    }

    #[test]
    fn ordinary_scripts_cost_nothing_and_full_accounts_are_not_kept() {
        let (mut accounts, now) = (Accounts::default(), Instant::now());
        for _ in 0..1_000_000 {
            accounts.charge(&Arc::from("one"), FREE, now);
        }
        assert!(accounts.has_credit("one", now));
        for number in 0..MANY {
            accounts.charge(&number.to_string().into(), FREE + Duration::from_millis(1), now);
        }
        accounts.charge(&Arc::from("late"), FREE + Duration::from_millis(1), now + Duration::from_mins(1));
        assert!(accounts.0.len() <= 2, "{}", accounts.0.len());
    }
}
