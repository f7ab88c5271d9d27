//! One node among many. Two things make an answer from memory safe: whoever ends a session waits for every node with a
//! live lease, and a node without one asks the database.
//!
//! Where Redis cannot be used to tell the others, the end is marked in the outbox, and the caller waits until every lease
//! that began before the mark has run out: each renewal reads the marks first, so no later lease misses it. They are numbered
//! and outlive the outbox (`Db::read_database_feed`), so a node whose lease ran out while they were made finds them too.
//!
//! Ended sessions are read from their table only when a node begins to follow an epoch: where it
//! starts, and where Redis lost its memory or is another process. That may take long, and a lease
//! never counts from before it. What ends meanwhile is not lost: see `Node::adopt`. A node that
//! only paused reads nothing again: what it has missed is in the two feeds.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bo_auth_core::random::{Random, alphanumeric};
use bo_auth_core::time::Clock;
use metrics::{counter, gauge, histogram};

use super::announcement::{Acknowledgements, Announcement, StreamReply};
use super::lease::{LEASE, Lease, RENEWAL};
use super::memory::Memory;
use super::reading::Readings;
use super::script::Scripts;
use super::status::{self, ClusterStatus};
use crate::failpoint::{self, Guard};
use crate::record::{EndedSession, NotBefore};
use crate::{Db, Error, RedisConnection};

/// How long one look into the streams waits for something new.
const BLOCK_MILLIS: u64 = 250;

/// How many entries are read at a time.
const ENTRIES: usize = 1_000;
const DATABASE_ENTRIES: i64 = 1_000;

/// How long until Redis, or a lagging feed, is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// How often a node asks whether it is its turn to read.
const TURN: Duration = Duration::from_millis(50);

/// Added to what is waited out: Redis counts in whole milliseconds.
const ROUNDING: Duration = Duration::from_millis(2);

/// A node.
pub(super) struct Node {
    db: Db,
    redis: RedisConnection,
    listening: RedisConnection,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    memory: Arc<Memory>,
    scripts: Scripts,
    name: String,
    lease: Lease,
    position: Mutex<Position>,
    /// How far this node has come in the feed of the database. It belongs to `position`.
    read_to: AtomicI64,
    /// Whether the ended sessions were read since this node last had a lease.
    has_read: AtomicBool,
    readings: Readings,
    acknowledgements: Acknowledgements,
}

/// How far this node has come: which announcement of which epoch it has applied, without a gap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Position {
    epoch: String,
    applied: u64,
}

/// What became of a renewal.
enum Renewal {
    Granted,
    Behind,
    OtherEpoch(Position),
}

impl Node {
    pub(super) async fn new(
        db: Db,
        redis: RedisConnection,
        listening: RedisConnection,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        memory: Arc<Memory>,
    ) -> Result<Self, Error> {
        let deployment = db.deployment_id(&alphanumeric(&*random, 16)).await?;
        Ok(Self {
            name: alphanumeric(&*random, 16),
            scripts: Scripts::new(&deployment),
            lease: Lease::none(),
            position: Mutex::default(),
            read_to: AtomicI64::new(0),
            has_read: AtomicBool::new(false),
            readings: Readings::default(),
            acknowledgements: Acknowledgements::default(),
            db,
            redis,
            listening,
            clock,
            random,
            memory,
        })
    }

    pub(super) const fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(super) const fn readings(&self) -> &Readings {
        &self.readings
    }

    fn position(&self) -> Position {
        self.position.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells every other node, and waits until each refuses these sessions or has no lease.
    pub(super) async fn announce(&self, ended: &[EndedSession], marks: &[NotBefore]) -> Result<(), Error> {
        let began = Instant::now();
        match self.announce_by_redis(ended, marks).await {
            Ok(waited_out) => {
                counter!("bo_auth_announcements_total", "way" => "redis").increment(1);
                counter!("bo_auth_acknowledgements_missed_total").increment(waited_out as u64);
            }
            Err(error) => {
                tracing::warn!(%error, sessions = ended.len(), marks = marks.len(), "other nodes could not be told by way of Redis; waiting until their leases have run out");
                counter!("bo_auth_announcements_total", "way" => "database").increment(1);
                if !marks.is_empty() {
                    self.db.mark_untold_marks(marks).await?;
                }
                let events: Vec<i64> = ended.iter().map(|session| session.event_id).collect();
                // Whoever ended a session before, and may have died before telling it, has left an event whose id is not
                // known here: then everything that is still to be told is marked.
                let known = events.iter().all(|id| *id != 0);
                if !ended.is_empty() {
                    self.db.mark_untold(known.then_some(events.as_slice())).await?;
                }
                tokio::time::sleep(LEASE + ROUNDING).await;
            }
        }
        histogram!("bo_auth_revoke_to_deny_seconds").record(began.elapsed().as_secs_f64());
        Ok(())
    }

    async fn announce_by_redis(&self, ended: &[EndedSession], marks: &[NotBefore]) -> Result<usize, Error> {
        let known = self.position();
        let marks = if marks.is_empty() { Ok(String::new()) } else { serde_json::to_string(marks) };
        let marks = marks.map_err(|_| Error::Corrupt("announcement"))?;
        let payload = serde_json::to_string(ended).map_err(|_| Error::Corrupt("announcement"))?;
        let keys = &self.scripts.keys;
        let mut call = self.scripts.announce.prepare_invoke();
        call.key(&keys.state).key(&keys.leases).key(&keys.feed);
        call.arg(&known.epoch)
            .arg(known.applied)
            .arg(alphanumeric(&*self.random, 16))
            .arg(&self.name)
            .arg(millis(LEASE))
            .arg(payload)
            .arg(marks);
        // After a short wait the database tells the others, and the caller still has its answer soon after a lease's time.
        let answer: Vec<String> = call.invoke_async(&mut self.redis.clone().hurried()).await?;
        let received = Instant::now();
        let ([epoch, number, young], live) = answer.split_first_chunk().ok_or(Error::Corrupt("answer of Redis"))?;
        let number = number.parse().map_err(|_| Error::Corrupt("answer of Redis"))?;
        failpoint::reach("announcement.sent").await;
        if failpoint::left_out(Guard::Acknowledgements) {
            return Ok(0);
        }
        // A node that does not apply this cannot renew beyond a lease's time from now: see the renewal.
        let waited_out = self.acknowledgements.wait(epoch, number, live.to_vec(), received + LEASE + ROUNDING).await;
        // Leases of the epoch before this one are known to nobody; they have run out when this one is as old as a lease.
        if young != "0" && !failpoint::left_out(Guard::YoungEpoch) {
            // Redis' clock may have been set back since: nobody holds a lease for longer than one.
            let left = Duration::from_millis(young.parse().unwrap_or_else(|_| millis(LEASE))).min(LEASE);
            tokio::time::sleep_until((received + left + ROUNDING).into()).await;
        }
        Ok(waited_out)
    }

    /// Renews the lease for ever.
    pub(super) async fn keep_lease(&self) {
        loop {
            let began = Instant::now();
            let pause = match self.renew().await {
                // From the beginning of one to the beginning of the next: a slow database must not
                // cost the lease.
                Ok(Renewal::Granted) => RENEWAL.saturating_sub(began.elapsed()),
                Ok(Renewal::Behind) => PAUSE,
                Ok(Renewal::OtherEpoch(position)) => self.adopt(position).await,
                Err(error) => {
                    tracing::debug!(%error, "the lease could not be renewed");
                    RENEWAL
                }
            };
            gauge!("bo_auth_lease_alive").set(if self.lease.is_alive() { 1.0 } else { 0.0 });
            gauge!("bo_auth_lease_age_seconds").set(self.lease.age().as_secs_f64());
            tokio::time::sleep(pause).await;
        }
    }

    async fn renew(&self) -> Result<Renewal, Error> {
        let had_lease = self.lease.is_alive();
        if !had_lease {
            // Nobody has waited for this node since.
            self.memory.front.clear();
        }
        // The lease counts from here: whoever marks an end later than this waits until it has run
        // out.
        let sent = Instant::now();
        self.read_untold(had_lease).await?;
        let known = self.position();
        let keys = &self.scripts.keys;
        let mut call = self.scripts.renew.prepare_invoke();
        call.key(&keys.state).key(&keys.leases).key(&keys.feed);
        call.arg(&known.epoch).arg(known.applied).arg(alphanumeric(&*self.random, 16)).arg(&self.name).arg(millis(LEASE));
        let answer: (String, String, u64, u64, String) = call.invoke_async(&mut self.redis.clone()).await?;
        let (verdict, epoch, number, left, run) = answer;
        let position = Position { epoch, applied: number };
        match verdict.as_str() {
            // A promoted copy that lags looks the same as before to a node that had no lease
            // meanwhile.
            "granted" if run.is_empty() && !had_lease && !self.has_read.load(Ordering::Relaxed) => {
                self.readings.warn_of_unknown_process();
                Ok(Renewal::OtherEpoch(position))
            }
            "granted" => {
                // However Redis' clock was set: whoever ends a session waits no longer than a lease.
                self.lease.extend(sent, Duration::from_millis(left).min(LEASE));
                if self.lease.is_alive() {
                    self.has_read.store(false, Ordering::Relaxed);
                }
                Ok(Renewal::Granted)
            }
            "behind" => Ok(Renewal::Behind),
            _ => Ok(Renewal::OtherEpoch(position)),
        }
    }

    /// Reads what could not be told by way of Redis, from where this node is: before the lease
    /// begins anew, see above. What was read once is not read again, however long it takes to come
    /// to the end.
    async fn read_untold(&self, had_lease: bool) -> Result<(), Error> {
        if self.position().epoch.is_empty() || failpoint::left_out(Guard::UntoldEnds) {
            return Ok(());
        }
        if !had_lease && failpoint::left_out(Guard::UntoldSince) {
            self.read_to.store(self.db.database_feed_end().await?, Ordering::Relaxed);
        }
        loop {
            let feed = self.db.read_database_feed(self.read_to.load(Ordering::Relaxed), DATABASE_ENTRIES).await?;
            self.memory.hear(&feed.sessions, &feed.marks);
            self.read_to.store(feed.read_to, Ordering::Relaxed);
            if feed.has_gap {
                counter!("bo_auth_announcement_gaps_total").increment(1);
                *self.position.lock().unwrap_or_else(PoisonError::into_inner) = Position::default();
                self.lease.drop_now();
                return Ok(());
            }
            if feed.read_to >= feed.end {
                return Ok(());
            }
        }
    }

    /// Begins anew in an epoch. Nothing is lost, however long the reading takes, because where the
    /// node is in both feeds was taken before: what was announced up to there had been committed,
    /// so the reading finds it; what is announced later is behind that number; what is told by way
    /// of the database meanwhile is behind that one.
    async fn adopt(&self, position: Position) -> Duration {
        self.lease.drop_now();
        self.memory.front.clear();
        if !self.readings.may_begin(&self.scripts, &self.name, &self.redis).await {
            return TURN;
        }
        let read = async {
            let read_to = self.db.database_feed_end().await?;
            self.memory.reload_all(&self.db, self.clock.now(), self.readings.rows()).await?;
            Ok::<_, Error>(read_to)
        };
        let read = self.readings.carry_out(&self.scripts, &self.name, &self.redis, read).await;
        match read {
            Ok(read_to) => self.read_to.store(read_to, Ordering::Relaxed),
            Err(error) => {
                tracing::warn!(%error, "ended sessions could not be read; this node asks for each request");
                return RENEWAL;
            }
        }
        self.has_read.store(true, Ordering::Relaxed);
        tracing::info!(announcements = position.applied, "following the announcements of Redis");
        *self.position.lock().unwrap_or_else(PoisonError::into_inner) = position.clone();
        // Somebody may still be waiting for what the database has just told.
        if let Err(error) = self.acknowledge(&position).await {
            tracing::debug!(%error, "an acknowledgement was not sent; who waits for it waits for the lease to run out");
        }
        Duration::ZERO
    }

    /// Applies what other nodes announce, for ever.
    pub(super) async fn listen(&self) {
        let mut heard = "0-0".to_owned();
        loop {
            if let Err(error) = self.listen_once(&mut heard).await {
                tracing::debug!(%error, "announcements could not be read");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn listen_once(&self, heard: &mut String) -> Result<(), Error> {
        let before = self.position();
        if before.epoch.is_empty() {
            tokio::time::sleep(PAUSE).await;
            return Ok(());
        }
        let keys = &self.scripts.keys;
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(ENTRIES).arg("BLOCK").arg(BLOCK_MILLIS).arg("STREAMS").arg(&keys.feed).arg(&keys.acknowledgements);
        command.arg(format!("{}-0", before.applied)).arg(heard.as_str());
        let reply: StreamReply = command.query_async(&mut self.listening.clone()).await?;
        let mut now_at = before.clone();
        for (stream, entries) in reply.into_iter().flatten() {
            for (id, fields) in entries {
                if stream == keys.acknowledgements {
                    self.acknowledgements.hear(&fields);
                    *heard = id;
                } else {
                    self.apply(Announcement::read(&id, &fields), &mut now_at);
                }
            }
        }
        self.acknowledgements.wake();
        if now_at == before || !self.move_on(&before, &now_at) {
            return Ok(());
        }
        self.acknowledge(&now_at).await
    }

    /// An ended session is refused whatever the entry's number; only the next one of the epoch counts as applied. A gap
    /// makes the position worthless: the next renewal finds this node in no epoch and begins anew.
    fn apply(&self, announcement: Option<Announcement>, position: &mut Position) {
        let Some(announcement) = announcement else {
            *position = Position::default();
            return;
        };
        self.memory.hear(&announcement.ended, &announcement.marks);
        if announcement.epoch == position.epoch && announcement.number == position.applied + 1 {
            position.applied = announcement.number;
        } else if announcement.epoch != position.epoch || announcement.number > position.applied {
            counter!("bo_auth_announcement_gaps_total").increment(1);
            *position = Position::default();
        }
    }

    /// Moves from where the reading began, unless another epoch has begun in the meantime.
    fn move_on(&self, before: &Position, after: &Position) -> bool {
        let mut position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        if *position != *before {
            return false;
        }
        *position = after.clone();
        if after.epoch.is_empty() {
            self.lease.drop_now();
        }
        !after.epoch.is_empty()
    }

    /// One acknowledgement for all that was applied together.
    async fn acknowledge(&self, position: &Position) -> Result<(), Error> {
        let mut command = redis::cmd("XADD");
        command.arg(&self.scripts.keys.acknowledgements).arg("MAXLEN").arg("~").arg(1_000).arg("*");
        command.arg("n").arg(&self.name).arg("e").arg(&position.epoch).arg("s").arg(position.applied);
        let _: String = command.query_async(&mut self.redis.clone()).await?;
        Ok(())
    }

    /// The nodes as Redis knows them.
    pub(super) async fn status(&self) -> Result<ClusterStatus, Error> {
        status::read(&self.scripts.keys, &self.redis).await
    }

    /// Gives the lease back.
    pub(super) async fn leave(&self) {
        self.lease.drop_now();
        let mut command = redis::cmd("ZREM");
        command.arg(&self.scripts.keys.leases).arg(&self.name);
        let left: Result<i64, _> = command.query_async(&mut self.redis.clone()).await;
        if let Err(error) = left {
            tracing::debug!(%error, "the lease was not given back; it runs out by itself");
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
