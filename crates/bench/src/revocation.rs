//! What a lease is worth, and what a logout costs with one node and with three: the store's own calls, in one process, on
//! Postgres and Redis. And how much memory ended sessions take.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bo_auth_core::identifier::{OwnerId, SystemId, UserId};
use bo_auth_core::random::SystemRandom;
use bo_auth_core::session::{EndReason, SessionId, time_ordered_id};
use bo_auth_core::time::{Clock, SystemClock};
use bo_auth_store::db::ending_queue::EndingQueue;
use bo_auth_store::record::{
    Actor, EndOutcome, EndedSession, Ending, NewSession, RequestTrace, SessionRecord, SystemRecord, TenantRecord, UserRecord,
};
use bo_auth_store::revocation::{MEMORY_BYTES, Revocations, SessionKey};
use bo_auth_store::{Db, RedisConnection};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::Failure;
use crate::latency::quantile;
use crate::options::Options;
use crate::report::{Ratios, Report, Target};

const OWNER: &str = "bench-nodes";
const SYSTEM: &str = "web";
const USER: &str = "u0";
const HASH: &str = "$argon2id$v=19$m=64,t=1,p=1$c2FsdA$aGFzaA";

/// Callers who look sessions up.
const CALLERS: usize = 64;

/// Connections to Postgres, as the server has.
const CONNECTIONS: u32 = 16;

/// Who ends sessions in a round of one side.
#[derive(Debug, Clone, Copy)]
struct Pace {
    callers: usize,
    /// How long a caller rests between two endings.
    rest: Duration,
    sessions: usize,
}

/// As many as the stores take.
const FLAT_OUT: Pace = Pace { callers: CALLERS, rest: Duration::ZERO, sessions: 4_000 };

/// Some 1,000 a second, which leaves all sides time to spare: how long an announcement is under way, not how long it waits.
const STEADY: Pace = Pace { callers: 8, rest: Duration::from_millis(6), sessions: 2_000 };

struct Tenant {
    db: Db,
    owner_id: OwnerId,
    sys_id: SystemId,
    user_id: UserId,
}

/// A node, until it is dropped.
struct Node {
    revocations: Revocations,
    running: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// Measures it.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let (Some(postgres), Some(redis)) = (options.postgres.as_deref(), options.redis.as_deref()) else {
        report.remark("leases were NOT measured: --postgres and --redis were not given".to_owned());
        return Ok(());
    };
    let tenant = Tenant::make(postgres).await?;
    let one = tenant.join(redis).await?;
    let without = tenant.join("unix:///nowhere/redis.sock").await?;
    wait_for_lease(&one).await;
    let live = tenant.open(1_000).await?;
    let mut worth = Vec::new();
    for round in 1..=options.rounds() {
        let with_lease = tenant.verify(&one, &live, options.round()).await?;
        let asked = tenant.verify(&without, &live, options.round()).await?;
        report.remark(format!("round {round}: sessions looked up a second, {with_lease:.0} with the lease and {asked:.0} without"));
        worth.push(with_lease / asked);
    }
    report.add("sessions looked up with the lease / without, a second", &Ratios::of(worth), "", Target::AtLeast(10.0));

    let (mut ratios, mut lags) = (Vec::new(), [const { Vec::new() }; 4]);
    for round in 1..=options.rounds() {
        let alone = tenant.end(&one, FLAT_OUT, &mut lags[0]).await?;
        tenant.end(&one, STEADY, &mut lags[1]).await?;
        let others = [tenant.join(redis).await?, tenant.join(redis).await?];
        for other in &others {
            wait_for_lease(other).await;
        }
        let among_three = tenant.end(&one, FLAT_OUT, &mut lags[2]).await?;
        tenant.end(&one, STEADY, &mut lags[3]).await?;
        for other in &others {
            other.revocations.leave().await;
        }
        report.remark(format!("round {round}: ends a second, {alone:.0} with one node and {among_three:.0} with three"));
        ratios.push(among_three / alone);
    }
    report.add("ends with three nodes / with one, a second", &Ratios::of(ratios), "", Target::None);
    let at_5_ms = Target::AtMost(5.0);
    let measured =
        [("one node, flat out", Target::None), ("one node", at_5_ms), ("three nodes, flat out", Target::None), ("three nodes", at_5_ms)];
    for (lag, (nodes, target)) in lags.iter_mut().zip(measured) {
        let millis = |duration: Duration| duration.as_secs_f64() * 1_000.0;
        let (median, tail) = (millis(quantile(lag, 0.5)), millis(quantile(lag, 0.99)));
        report.remark(format!(
            "from the commit to the refusal on {nodes}: p50 {median:.2} ms, p99 {tail:.2} ms of {} announcements",
            lag.len()
        ));
        report.add(&format!("p99 from commit to refusal, {nodes}"), &Ratios::of(vec![tail]), " ms", target);
    }
    tenant.measure_memory(report).await
}

async fn wait_for_lease(node: &Node) {
    while !node.revocations.answers_from_memory() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl Tenant {
    async fn make(postgres: &str) -> Result<Self, Failure> {
        let db = Db::connect_postgres(postgres, CONNECTIONS).await?;
        db.migrate().await?;
        let (owner_id, sys_id, user_id) = (OwnerId::parse(OWNER)?, SystemId::parse(SYSTEM)?, UserId::parse(USER)?);
        let now = SystemClock.now();
        let system =
            SystemRecord { sys_id: sys_id.clone(), name: SYSTEM.to_owned(), settings: json!({}), disabled: false, updated_at: now };
        let tenant = TenantRecord {
            owner_id: owner_id.clone(),
            name: OWNER.to_owned(),
            default_sys_id: sys_id.clone(),
            settings: json!({}),
            disabled: false,
            systems: vec![system],
            keys: Vec::new(),
            revision: 0,
            updated_at: now,
        };
        db.insert_tenant(&tenant, now).await?;
        let user = UserRecord {
            user_id: user_id.clone(),
            account: USER.to_owned(),
            name: USER.to_owned(),
            mobile: None,
            push_name: None,
            area_codes: Vec::new(),
            disabled: false,
            updated_at: now,
        };
        db.insert_user(&owner_id, &user, HASH, now).await?;
        Ok(Self { db, owner_id, sys_id, user_id })
    }

    async fn join(&self, redis: &str) -> Result<Node, Failure> {
        let (told, listening) = (RedisConnection::open(redis)?, RedisConnection::open(redis)?);
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom::default()));
        let revocations = Revocations::among_many(self.db.clone(), told, listening, clock, random, MEMORY_BYTES).await?;
        let kept_up = revocations.clone();
        Ok(Node { revocations, running: tokio::spawn(async move { kept_up.keep_up().await }) })
    }

    async fn open(&self, count: usize) -> Result<Vec<SessionId>, Failure> {
        let random = SystemRandom::default();
        let mut sessions = Vec::with_capacity(count);
        for _ in 0..count {
            let now = SystemClock.now();
            let session = SessionRecord {
                session_id: SessionId::generate(now, &random),
                sys_id: self.sys_id.clone(),
                user_id: self.user_id.clone(),
                generation: 0,
                created_at: now,
                refreshed_at: now,
                idle_expires_at: now.plus(Duration::from_hours(1)),
                expires_at: now.plus(Duration::from_hours(1)),
                first_share_user_id: None,
                second_share_user_id: None,
                area_code: None,
                address: None,
                user_agent: None,
                ended: None,
            };
            sessions.push(session.session_id);
            let event_id = time_ordered_id(now, &random);
            let access_expires_at = now.plus(Duration::from_hours(1));
            let new = NewSession { session, access_expires_at, event_id, limit: None, password_hash: HASH.to_owned() };
            self.db.open_session(&self.owner_id, &new).await?.ok_or("the session was not opened")?;
        }
        Ok(sessions)
    }

    /// How many sessions are looked up in a second.
    async fn verify(&self, node: &Node, live: &[SessionId], time: Duration) -> Result<f64, Failure> {
        let (begun, now) = (Instant::now(), SystemClock.now());
        let answered = AtomicUsize::new(0);
        let caller = async |first: usize| {
            let mut position = first;
            while begun.elapsed() < time {
                // Looking at the clock must not be what is measured.
                for _ in 0..64 {
                    position += 1;
                    let session_id = live[position % live.len()];
                    let (sys_id, user_id) = (Some(&self.sys_id), Some(&self.user_id));
                    let key = SessionKey { owner_id: &self.owner_id, session_id, sys_id, user_id };
                    if node.revocations.end_reason(&key, now).await?.is_some() {
                        return Err("a live session was refused".into());
                    }
                }
                answered.fetch_add(64, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
            Ok::<(), Failure>(())
        };
        futures_util::future::try_join_all((0..CALLERS).map(caller)).await?;
        Ok(figure(answered.into_inner()) / begun.elapsed().as_secs_f64())
    }

    /// How many sessions end in a second, each answered when every node refuses it; adds how long announcements took.
    async fn end(&self, node: &Node, pace: Pace, lags: &mut Vec<Duration>) -> Result<f64, Failure> {
        let sessions = self.open(pace.sessions).await?;
        let measured: Arc<Mutex<Vec<Duration>>> = Arc::default();
        let (revocations, sink) = (node.revocations.clone(), Arc::clone(&measured));
        let queue = EndingQueue::start_telling(self.db.clone(), move |outcomes| {
            let (revocations, sink) = (revocations.clone(), Arc::clone(&sink));
            async move {
                let begun = Instant::now();
                let ended = |outcome: &EndOutcome| if let EndOutcome::Ended(session) = outcome { Some(session.clone()) } else { None };
                let sessions: Vec<EndedSession> = outcomes.iter().filter_map(ended).collect();
                revocations.announce(&sessions).await?;
                sink.lock().unwrap_or_else(PoisonError::into_inner).push(begun.elapsed());
                Ok(())
            }
        });
        let begun = Instant::now();
        let random = SystemRandom::default();
        let next = AtomicUsize::new(0);
        let caller = async |_| {
            while let Some(session_id) = sessions.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                let now = SystemClock.now();
                let ending = Ending {
                    owner_id: self.owner_id.clone(),
                    session_id,
                    reason: EndReason::LoggedOut,
                    actor: Actor::User,
                    at: now,
                    keep_until: now,
                    event_id: time_ordered_id(now, &random),
                    trace: RequestTrace::default(),
                };
                queue.end(ending).await?;
                if !pace.rest.is_zero() {
                    tokio::time::sleep(pace.rest).await;
                }
            }
            Ok::<(), Failure>(())
        };
        futures_util::future::try_join_all((0..pace.callers).map(caller)).await?;
        let rate = figure(sessions.len()) / begun.elapsed().as_secs_f64();
        queue.drain().await;
        lags.append(&mut measured.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(rate)
    }

    /// What a million ended sessions take, as the tables count it and as the system does.
    async fn measure_memory(&self, report: &mut Report) -> Result<(), Failure> {
        let before = resident_bytes()?;
        let revocations = Revocations::alone(self.db.clone(), MEMORY_BYTES);
        let now = SystemClock.now();
        let random = SystemRandom::default();
        for portion in 0..1_000 {
            // A thousand of each millisecond, so that hardly two have one id.
            let began = now.minus(Duration::from_millis(portion));
            let session = |_| EndedSession {
                owner_id: self.owner_id.clone(),
                session_id: SessionId::generate(began, &random),
                sys_id: self.sys_id.clone(),
                user_id: self.user_id.clone(),
                reason: EndReason::LoggedOut,
                ended_at: now,
                keep_until: now.plus(Duration::from_hours(2)),
                event_id: 0,
            };
            let portion: Vec<EndedSession> = (0..1_000).map(session).collect();
            revocations.announce(&portion).await?;
        }
        let usage = revocations.memory_usage();
        let resident = resident_bytes()?.saturating_sub(before);
        report.remark(format!("{} ended sessions: tables of {} bytes, resident memory grown by {resident}", usage.sessions, usage.bytes));
        report.add(
            "tables of a million ended sessions",
            &Ratios::of(vec![figure(usage.bytes) / f64::from(1 << 20)]),
            " MiB",
            Target::AtMost(64.0),
        );
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn figure(count: usize) -> f64 {
    count as f64
}

/// Resident memory of this process (proc(5)).
fn resident_bytes() -> Result<usize, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS in /proc/self/status")?;
    let kibibytes: usize = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}
