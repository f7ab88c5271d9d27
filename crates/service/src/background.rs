//! What goes on beside the requests: writing out what was counted, making good what a crash interrupted, and forgetting
//! what has become useless, always in small portions.

use std::sync::Arc;
use std::time::Duration;

use bo_auth_store::admission::SETTLE_EVERY;
use metrics::{counter, gauge};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::{Error, Service};

/// An event still in the outbox after this long was left there by a crash or an outage.
const OUTBOX_AGE: Duration = Duration::from_secs(5);

/// A mark's sessions are ended one by one when it is as old as this: by then it has been told, or was left there.
const MARK_AGE: Duration = Duration::from_secs(1);

/// How many rows one clean-up statement removes, so that no logout waits for it.
const CLEAN_UP_ROWS: i64 = 1_000;

/// How long an ended session's row is kept.
const ENDED_SESSION_RETENTION: Duration = Duration::from_hours(30 * 24);

/// How long the audit trail is kept.
const AUDIT_RETENTION: Duration = Duration::from_hours(400 * 24);

/// How long a node may stand still and then read on where it was in the feed of the database,
/// instead of all anew.
const DATABASE_FEED_RETENTION: Duration = Duration::from_hours(1);

/// The running tasks.
pub struct Background {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    service: Arc<Service>,
}

/// Spawns a task that does the work again and again, and logs where it fails.
macro_rules! repeat {
    ($tasks:ident, $turns:expr, $what:literal, |$service:ident| $work:expr) => {{
        let mut turns = $turns;
        $tasks.spawn(async move {
            while turns.next().await {
                let $service = &*turns.service;
                let result: Result<(), Error> = $work;
                if let Err(error) = result {
                    tracing::warn!(%error, what = $what, "a background task failed; it will be tried again");
                }
            }
        });
    }};
}

impl Background {
    /// Starts every task.
    pub fn start(service: &Arc<Service>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let every = |millis| Turns::new(Duration::from_millis(millis), stopped.clone(), Arc::clone(service));
        let settlements = Turns::new(SETTLE_EVERY, stopped.clone(), Arc::clone(service));
        repeat!(tasks, settlements, "settling rates", |service| settle_rates(service).await);
        repeat!(tasks, every(200), "saving nonces", |service| flush_nonces(service).await);
        repeat!(tasks, every(1_000), "sweeping the outbox", |service| service
            .announce_pending(service.clock.now().minus(OUTBOX_AGE))
            .await
            .map(|_| ()));
        repeat!(tasks, every(1_000), "ending what marks refuse", |service| service
            .finish_marks(service.clock.now().minus(MARK_AGE))
            .await
            .map(|_| ()));
        repeat!(tasks, every(5_000), "saving stamp uses", |service| save_stamp_uses(service).await);
        repeat!(tasks, every(1_000), "reading plugins", |service| service.refresh_plugins().await);
        repeat!(tasks, every(200), "switching plugins off and on", |service| service.switch_plugins().await);
        repeat!(tasks, every(5_000), "saving what plugins did", |service| service.save_plugin_activity().await);
        repeat!(tasks, every(5_000), "reading settings", |service| service.tenants.reload_settings(&service.db).await);
        repeat!(tasks, every(5_000), "exchanging announced keys", |service| exchange_keys(service).await);
        repeat!(tasks, every(5_000), "measuring", |service| measure(service).await);
        repeat!(tasks, every(60_000), "forgetting", |service| forget_expired(service).await);
        repeat!(tasks, every(60_000), "cleaning up", |service| clean_up(service).await);
        let (following, mut told) = (Arc::clone(service), stopped);
        tasks.spawn(async move {
            tokio::select! {
                () = following.revocations.keep_up() => {}
                _ = told.changed() => {}
            }
        });
        Self { stop, tasks, service: Arc::clone(service) }
    }

    /// Stops the tasks and writes out what they hold.
    pub async fn stop(mut self) {
        // The receivers are gone only if every task has ended by itself.
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
        let service = &self.service;
        service.endings.drain().await;
        service.revocations.leave().await;
        for (what, result) in [
            ("rates", settle_rates(service).await),
            ("nonces", flush_nonces(service).await),
            ("stamp uses", save_stamp_uses(service).await),
            ("what plugins did", service.save_plugin_activity().await),
            ("outbox", service.remove_announced().await),
        ] {
            if let Err(error) = result {
                tracing::warn!(%error, what, "could not be written out on shutdown");
            }
        }
    }
}

/// The turns of one task, until it is told to stop.
struct Turns {
    ticks: tokio::time::Interval,
    stopped: watch::Receiver<bool>,
    service: Arc<Service>,
}

impl Turns {
    fn new(period: Duration, stopped: watch::Receiver<bool>, service: Arc<Service>) -> Self {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Self { ticks, stopped, service }
    }

    async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.ticks.tick() => true,
            _ = self.stopped.changed() => false,
        }
    }
}

/// What a dashboard shows of the promise: what is still to be told, for how long, and what is remembered.
async fn measure(service: &Service) -> Result<(), Error> {
    let usage = service.revocations.memory_usage();
    let count = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    gauge!("bo_auth_ended_sessions_in_memory").set(count(usage.sessions));
    gauge!("bo_auth_user_marks_in_memory").set(count(usage.users));
    gauge!("bo_auth_revocation_memory_bytes").set(count(usage.bytes));
    gauge!("bo_auth_revocation_memory_overflown_parts").set(count(usage.overflown_parts));
    let asked = service.revocations.asked();
    counter!("bo_auth_verifications_total", "answered_by" => "database").absolute(asked);
    counter!("bo_auth_verifications_total", "answered_by" => "memory").absolute(usage.answers.saturating_sub(asked));
    let backlog = service.db.outbox_backlog().await?;
    gauge!("bo_auth_outbox_events").set(f64::from(u32::try_from(backlog.events).unwrap_or(u32::MAX)));
    let age = backlog.oldest.map_or(Duration::ZERO, |oldest| oldest.until(service.clock.now()));
    gauge!("bo_auth_outbox_age_seconds").set(age.as_secs_f64());
    let marks = service.db.marks_backlog().await?;
    gauge!("bo_auth_marks_unfinished").set(f64::from(u32::try_from(marks.events).unwrap_or(u32::MAX)));
    let age = marks.oldest.map_or(Duration::ZERO, |oldest| oldest.until(service.clock.now()));
    gauge!("bo_auth_marks_unfinished_age_seconds").set(age.as_secs_f64());
    let state = service.database_state().await?;
    gauge!("bo_auth_database_writable").set(f64::from(u8::from(state.is_writable)));
    if !state.is_writable {
        tracing::warn!("the database takes no writes, it is a standby or read-only: this node is not ready until it is led to the primary");
    }
    if let Some(skew) = state.clock_skew {
        gauge!("bo_auth_clock_skew_seconds").set(skew.as_secs_f64());
        if !state.is_in_time() {
            tracing::warn!(
                milliseconds = skew.as_millis(),
                "this node's clock is not the database's: it is not ready until it is set right"
            );
        }
    }
    Ok(())
}

/// Lets servers of the version before sign with keys that were announced; this one's nodes do by their clocks.
async fn exchange_keys(service: &Service) -> Result<(), Error> {
    for (_, revoked) in service.db.exchange_announced_keys(service.clock.now()).await? {
        service.announcer.announce_revoked(&revoked).await?;
    }
    Ok(())
}

async fn settle_rates(service: &Service) -> Result<(), Error> {
    service.admission.settle(&*service.clock).await;
    Ok(())
}

async fn flush_nonces(service: &Service) -> Result<(), Error> {
    Ok(service.admission.flush(&service.db, service.clock.now()).await?)
}

async fn forget_expired(service: &Service) -> Result<(), Error> {
    let now = service.clock.now();
    service.revocations.forget_expired(now).await?;
    service.admission.forget_expired(now);
    Ok(service.cache.forget_expired().await?)
}

async fn save_stamp_uses(service: &Service) -> Result<(), Error> {
    let taken = service.stamp_counter.take();
    let rows = taken.rows();
    if rows.is_empty() {
        return Ok(());
    }
    if let Err(error) = service.db.add_stamp_uses(&rows).await {
        service.stamp_counter.put_back(taken);
        return Err(error.into());
    }
    Ok(())
}

async fn clean_up(service: &Service) -> Result<(), Error> {
    let now = service.clock.now();
    let (sessions_before, events_before) = (now.minus(ENDED_SESSION_RETENTION), now.minus(AUDIT_RETENTION));
    let db = &service.db;
    // A full portion says that there is more; others have their turn in between.
    while db.remove_ended_sessions(sessions_before, CLEAN_UP_ROWS).await? >= CLEAN_UP_ROWS.unsigned_abs() {
        tokio::task::yield_now().await;
    }
    while db.remove_expired_sessions(sessions_before, CLEAN_UP_ROWS).await? >= CLEAN_UP_ROWS.unsigned_abs() {
        tokio::task::yield_now().await;
    }
    while db.remove_audit_events(events_before, CLEAN_UP_ROWS).await? >= CLEAN_UP_ROWS.unsigned_abs() {
        tokio::task::yield_now().await;
    }
    while db.remove_database_feed(now.minus(DATABASE_FEED_RETENTION), CLEAN_UP_ROWS).await? >= CLEAN_UP_ROWS.unsigned_abs() {
        tokio::task::yield_now().await;
    }
    db.remove_nonces(now).await?;
    service.forget_plugin_activity(CLEAN_UP_ROWS).await
}
