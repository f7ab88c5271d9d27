//! Points at which a test build dies or waits, and guards that it can leave out, to show that the promise holds because of
//! them. Only with the cargo feature `failpoints`, which no shipped binary has: without it nothing here does anything,
//! and nothing reads the environment.

/// A guard of the promise. `tests/torture` has for each a fault under which its absence shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// An announcement waits for the other nodes' acknowledgements.
    Acknowledgements,
    /// A renewal reads first what could not be told by way of Redis.
    UntoldEnds,
    /// A node without a lease reads also what was told so while it had none, and is struck off
    /// since.
    UntoldSince,
    /// Another process of Redis has another epoch.
    RedisProcess,
    /// An announcement in a young epoch waits until the leases of the one before have run out.
    YoungEpoch,
    /// A logout is answered after its commit.
    Commit,
    /// A session is ended once.
    EndOnce,
    /// Only a live session rotates.
    RotateLive,
    /// A generation is left once.
    RotateOnce,
    /// Only a live session's access is extended.
    ExtendAccess,
    /// Only who still finds its lease fills the cache.
    RefillLease,
    /// What a node was reading of a user when it heard of that user is not remembered.
    FrontPlace,
}

#[cfg(feature = "failpoints")]
pub use enabled::{left_out, reach, statement};

#[cfg(not(feature = "failpoints"))]
pub use disabled::{left_out, reach, statement};

#[cfg(not(feature = "failpoints"))]
mod disabled {
    use super::Guard;

    /// Comes to a point; goes on at once.
    pub fn reach(_: &'static str) -> std::future::Ready<()> {
        std::future::ready(())
    }

    /// Whether a guard is left out: never.
    pub const fn left_out(_: Guard) -> bool {
        false
    }

    /// A statement as it stands.
    pub const fn statement(text: &'static str, _: &[(Guard, &str, &str)]) -> &'static str {
        text
    }
}

#[cfg(feature = "failpoints")]
mod enabled {
    use std::collections::HashMap;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Mutex, OnceLock, PoisonError};
    use std::time::Duration;

    use super::Guard;

    /// What happens at a point.
    enum Action {
        /// The process ends as by SIGKILL when it comes here for the time that is left.
        Die(AtomicUsize),
        /// Whoever comes here waits.
        Wait(Duration),
    }

    /// Comes to a point: dies or waits there where `BO_AUTH_FAILPOINTS` says so, as in
    /// `ending.committed=die:3;refill.read=wait:400`.
    pub async fn reach(point: &'static str) {
        static ACTIONS: OnceLock<HashMap<String, Action>> = OnceLock::new();
        match ACTIONS.get_or_init(read_actions).get(point) {
            None => {}
            Some(Action::Wait(time)) => tokio::time::sleep(*time).await,
            Some(Action::Die(left)) => {
                if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                    std::process::abort();
                }
            }
        }
    }

    /// Whether `BO_AUTH_WITHOUT` names the guard, as in `Acknowledgements,YoungEpoch`.
    pub fn left_out(guard: Guard) -> bool {
        static NAMES: OnceLock<Vec<String>> = OnceLock::new();
        let names = NAMES.get_or_init(|| variable("BO_AUTH_WITHOUT").split(',').map(str::to_owned).collect());
        names.iter().any(|name| *name == format!("{guard:?}"))
    }

    /// A statement, in which a guard's condition is replaced where the guard is left out.
    pub fn statement(text: &'static str, guards: &[(Guard, &str, &str)]) -> &'static str {
        static CHANGED: Mutex<Vec<(&'static str, &'static str)>> = Mutex::new(Vec::new());
        if !guards.iter().any(|(guard, ..)| left_out(*guard)) {
            return text;
        }
        let mut changed = CHANGED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = changed.iter().find(|(original, _)| *original == text) {
            return found;
        }
        let mut without = text.to_owned();
        for (_, condition, instead) in guards.iter().filter(|(guard, ..)| left_out(*guard)) {
            assert!(without.contains(condition), "the statement has no such condition: {condition}");
            without = without.replace(condition, instead);
        }
        let without: &'static str = without.leak();
        changed.push((text, without));
        without
    }

    fn read_actions() -> HashMap<String, Action> {
        let text = variable("BO_AUTH_FAILPOINTS");
        let actions = text.split(';').filter_map(|entry| {
            let (point, action) = entry.split_once('=')?;
            let (verb, number) = action.split_once(':')?;
            let number = number.parse().ok()?;
            let action = match verb {
                "die" => Action::Die(AtomicUsize::new(number)),
                "wait" => Action::Wait(Duration::from_millis(u64::try_from(number).ok()?)),
                _ => return None,
            };
            Some((point.to_owned(), action))
        });
        actions.collect()
    }

    fn variable(name: &str) -> String {
        std::env::var(name).unwrap_or_default()
    }
}
