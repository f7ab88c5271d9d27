//! How long a script has the thread that all tenants wait for. One that works for longer gives its place to another thread, steps
//! back behind everything else, and goes on: whoever comes next waits for no more than that.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::processor::{Stopwatch, step_back};
use super::{PATIENT, Shared};

/// How long a script works in its place. A dev build's scripts take many times as long.
const QUANTUM: Duration = Duration::from_micros(if cfg!(debug_assertions) { 10_000 } else { 1_000 });

thread_local! {
    static TURN: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

struct Turn {
    stopwatch: Stopwatch,
    /// Before this instant it cannot have worked for too long.
    look_at: Instant,
    shared: Arc<Shared>,
}

/// A job begins on this thread.
pub(super) fn begin(shared: &Arc<Shared>) {
    let stopwatch = Stopwatch::start();
    TURN.set(Some(Turn { stopwatch, look_at: Instant::now() + QUANTUM, shared: Arc::clone(shared) }));
}

/// It has ended; answers whether the thread still has its place.
pub(super) fn end() -> bool {
    TURN.take().is_some()
}

/// Gives the place away where the script on this thread has worked for long enough. Scripts pass here as they run.
pub(crate) fn give_way() {
    TURN.with_borrow_mut(|turn| {
        let Some(present) = turn else { return };
        let now = Instant::now();
        if now < present.look_at {
            return;
        }
        let worked = present.stopwatch.processor_time();
        if worked < QUANTUM {
            // Others kept it from working.
            present.look_at = now + QUANTUM.saturating_sub(worked);
        } else if present.shared.leave_place() {
            step_back(PATIENT);
            *turn = None;
        } else {
            present.look_at = now + QUANTUM;
        }
    });
}
