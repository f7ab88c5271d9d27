//! The reading of all ended sessions, which takes seconds if there are many: nodes take turns, so
//! that the database does not serve all of them at once, and it is logged and shown. Turns are a
//! courtesy: no node waits long for one.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use metrics::{counter, gauge};

use super::script::Scripts;
use crate::{Error, RedisConnection};

/// For how long a turn is a node's, unless it takes it again: as long as the others wait for one
/// that was killed.
const TURN: Duration = Duration::from_secs(5);

/// How long a node waits for its turn at most.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a reading takes its turn again and shows its progress, and how often it logs it.
const PROGRESS: Duration = Duration::from_secs(1);
const LOGGED: u32 = 5;

/// The readings of one node.
#[derive(Default)]
pub(super) struct Readings {
    rows: AtomicU64,
    began: Mutex<Option<Instant>>,
    waiting: Mutex<Option<Instant>>,
    is_warned: AtomicBool,
}

impl Readings {
    /// Counts the rows of the reading under way.
    pub(super) const fn rows(&self) -> &AtomicU64 {
        &self.rows
    }

    /// How many rows the reading under way has read, and for how long it has.
    pub(super) fn under_way(&self) -> Option<(u64, Duration)> {
        let began = *self.began.lock().unwrap_or_else(PoisonError::into_inner);
        began.map(|began| (self.rows.load(Ordering::Relaxed), began.elapsed()))
    }

    /// Whether it is this node's turn: also if Redis does not say, or it has waited long enough.
    pub(super) async fn may_begin(&self, scripts: &Scripts, name: &str, redis: &RedisConnection) -> bool {
        let is_ours = take_turn(scripts, name, redis).await.unwrap_or(true);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *waiting.get_or_insert_with(|| {
            if !is_ours {
                tracing::info!("another node reads the ended sessions; this one waits for its turn, and asks for each request");
            }
            Instant::now()
        });
        let may_begin = is_ours || since.elapsed() > PATIENCE;
        if may_begin {
            *waiting = None;
        }
        may_begin
    }

    /// Carries a reading out, and gives the turn back.
    pub(super) async fn carry_out<T>(
        &self,
        scripts: &Scripts,
        name: &str,
        redis: &RedisConnection,
        reading: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let began = Instant::now();
        self.rows.store(0, Ordering::Relaxed);
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = Some(began);
        let under_way = UnderWay(self);
        tracing::info!("reading the ended sessions from the database; until then this node asks it for each request");
        self.show(began);
        let read = tokio::select! {
            read = reading => read,
            never = self.follow(began, scripts, name, redis) => match never {},
        };
        drop(under_way);
        let rows = self.show(began);
        counter!("bo_auth_ended_sessions_readings_total").increment(1);
        if read.is_ok() {
            tracing::info!(rows, milliseconds = began.elapsed().as_millis(), "the ended sessions are read");
        }
        let mut call = scripts.leave_turn.prepare_invoke();
        call.key(&scripts.keys.turn).arg(name);
        let left: Result<i64, _> = call.invoke_async(&mut redis.clone()).await;
        if let Err(error) = left {
            tracing::debug!(%error, "the turn was not given back; it runs out by itself");
        }
        read
    }

    /// Shows the progress of a reading, and keeps its turn.
    async fn follow(&self, began: Instant, scripts: &Scripts, name: &str, redis: &RedisConnection) -> Infallible {
        let mut ticks = 0_u32;
        loop {
            tokio::time::sleep(PROGRESS).await;
            ticks = ticks.wrapping_add(1);
            // If Redis does not answer, no other node waits for this one.
            let _ = take_turn(scripts, name, redis).await;
            let rows = self.show(began);
            if ticks.is_multiple_of(LOGGED) {
                tracing::info!(rows, seconds = began.elapsed().as_secs(), "still reading the ended sessions");
            }
        }
    }

    /// Says once that Redis hides which process it is.
    pub(super) fn warn_of_unknown_process(&self) {
        if !self.is_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "Redis refuses INFO to scripts, so that a promoted copy cannot be told from the process before it; \
                 each lost lease makes this node read the ended sessions again"
            );
        }
    }

    fn show(&self, began: Instant) -> u64 {
        let rows = self.rows.load(Ordering::Relaxed);
        gauge!("bo_auth_ended_sessions_read").set(f64::from(u32::try_from(rows).unwrap_or(u32::MAX)));
        gauge!("bo_auth_ended_sessions_reading_seconds").set(began.elapsed().as_secs_f64());
        gauge!("bo_auth_ended_sessions_reading").set(if self.under_way().is_some() { 1.0 } else { 0.0 });
        rows
    }
}

/// A reading, until it is over or given up.
struct UnderWay<'a>(&'a Readings);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        *self.0.began.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Takes the turn, or keeps it.
async fn take_turn(scripts: &Scripts, name: &str, redis: &RedisConnection) -> Result<bool, redis::RedisError> {
    let mut call = scripts.take_turn.prepare_invoke();
    call.key(&scripts.keys.turn).arg(name).arg(u64::try_from(TURN.as_millis()).unwrap_or(u64::MAX));
    let is_ours: i64 = call.invoke_async(&mut redis.clone()).await?;
    Ok(is_ours == 1)
}
