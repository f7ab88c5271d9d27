//! Ends that every node refuses when the announcement returns: on a real Postgres, with a Redis of the test's own that can
//! be flushed and killed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bo_auth_core::random::SystemRandom;
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::time::{SettableClock, Timestamp};
use bo_auth_store::record::{EndOutcome, EndedSession, Marking, Scope};
use bo_auth_store::revocation::{Revocations, read_cluster_status};
use bo_auth_store::{Db, RedisConnection};
use futures_util::FutureExt;
use tokio::task::JoinHandle;

use crate::backend::{Directory, Schema};
use crate::fixture::{Demo, NOW, later, marking, system, user};
use crate::private_redis::PrivateRedis;

/// How long a lease is, with what an answer may take beyond it.
const LEASE_AND_SOME: Duration = Duration::from_millis(1_400);

/// Two nodes, their database, and their Redis.
pub(crate) struct Cluster {
    pub(crate) demo: Demo,
    schema: Schema,
    pub(crate) redis: PrivateRedis,
    pub(crate) one: RunningNode,
    pub(crate) other: RunningNode,
}

/// A node, until it is dropped.
pub(crate) struct RunningNode {
    pub(crate) revocations: Revocations,
    running: JoinHandle<()>,
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl RunningNode {
    /// Lets it stand still: it neither hears nor renews its lease.
    pub(crate) fn stand_still(&mut self) {
        self.running.abort();
    }

    /// Lets it go on where it stood.
    pub(crate) fn go_on(&mut self) {
        let kept_up = self.revocations.clone();
        self.running = tokio::spawn(async move { kept_up.keep_up().await });
    }
}

/// Looks again and again until the condition holds; fails where it never does.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "not within 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn join(db: &Db, redis: RedisConnection, listening: RedisConnection) -> RunningNode {
    join_with(db, redis, listening, 1 << 20).await
}

/// The same with so much memory.
pub(crate) async fn join_with(db: &Db, redis: RedisConnection, listening: RedisConnection, bytes: usize) -> RunningNode {
    let (clock, random) = (Arc::new(SettableClock::new(later(1))), Arc::new(SystemRandom::default()));
    let revocations = Revocations::among_many(db.clone(), redis, listening, clock, random, bytes).await.unwrap();
    let kept_up = revocations.clone();
    RunningNode { revocations, running: tokio::spawn(async move { kept_up.keep_up().await }) }
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::start_on(PrivateRedis::start().await).await
    }

    pub(crate) async fn start_on(redis: PrivateRedis) -> Self {
        let schema = Schema::new().await;
        let db = schema.open().await;
        let one = join(&db, redis.connect(), redis.connect()).await;
        let other = join(&db, redis.connect(), redis.connect()).await;
        let cluster = Self { demo: Demo::new(db).await, schema, redis, one, other };
        cluster.all_hold_leases().await;
        // Waits until the epoch is older than a lease: from here on only acknowledgements hold an announcement up.
        let first = cluster.end_one().await;
        cluster.one.revocations.announce(&[first]).await.unwrap();
        cluster
    }

    pub(crate) async fn all_hold_leases(&self) {
        until("both nodes hold a lease", async || {
            self.one.revocations.answers_from_memory() && self.other.revocations.answers_from_memory()
        })
        .await;
    }

    /// Ends a session in the database; nobody has been told.
    pub(crate) async fn end_one(&self) -> EndedSession {
        let session_id = self.demo.open(NOW).await;
        let mut outcomes = self.demo.db.end_sessions(&[self.demo.ending(session_id, later(1))]).await.unwrap();
        let Some(EndOutcome::Ended(ended)) = outcomes.pop() else { panic!("the session was live") };
        ended
    }

    pub(crate) fn marking(&self, scope: Scope, at: Timestamp) -> Marking {
        marking(&self.demo.owner_id, scope, EndReason::Kicked, at)
    }

    async fn refused_by(&self, node: &RunningNode, session_id: SessionId) -> bool {
        node.revocations.end_reason(&self.demo.key(session_id), later(2)).await.unwrap() == Some(EndReason::LoggedOut)
    }

    pub(crate) async fn stop(self) {
        drop((self.one, self.other));
        self.demo.db.close().await;
        self.schema.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_refuses_when_the_announcement_returns() {
    every_node_refuses_at_once(PrivateRedis::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_refuses_when_the_announcement_returns_of_a_redis_cluster() {
    every_node_refuses_at_once(PrivateRedis::start_cluster().await).await;
}

async fn every_node_refuses_at_once(redis: PrivateRedis) {
    let cluster = Cluster::start_on(redis).await;
    let live = cluster.demo.open(NOW).await;
    let mut slowest = Duration::ZERO;
    for _ in 0..200 {
        let ended = cluster.end_one().await;
        let begun = Instant::now();
        cluster.one.revocations.announce(std::slice::from_ref(&ended)).await.unwrap();
        slowest = slowest.max(begun.elapsed());
        // Answered at once, so from memory: nothing was asked of anybody.
        let answer = cluster.other.revocations.end_reason(&cluster.demo.key(ended.session_id), later(2)).now_or_never();
        assert_eq!(answer.expect("the other node asked somebody").unwrap(), Some(EndReason::LoggedOut));
    }
    cluster.all_hold_leases().await;
    let answer = cluster.other.revocations.end_reason(&cluster.demo.key(live), later(2)).now_or_never();
    assert_eq!(answer.expect("the other node asked somebody").unwrap(), None, "a live session is live");
    assert!(slowest < LEASE_AND_SOME, "{slowest:?}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stands_still_is_waited_out() {
    let cluster = Cluster::start().await;
    cluster.other.running.abort();
    let ended = cluster.end_one().await;
    let begun = Instant::now();
    cluster.one.revocations.announce(std::slice::from_ref(&ended)).await.unwrap();
    assert!(begun.elapsed() < LEASE_AND_SOME, "{:?}", begun.elapsed());
    assert!(!cluster.other.revocations.answers_from_memory(), "its lease outlived the announcement");
    assert!(cluster.refused_by(&cluster.other, ended.session_id).await);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_forgets_everything_lets_nothing_through() {
    forgetting_lets_nothing_through(PrivateRedis::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_forgets_everything_lets_nothing_through_of_a_redis_cluster() {
    forgetting_lets_nothing_through(PrivateRedis::start_cluster().await).await;
}

async fn forgetting_lets_nothing_through(redis: PrivateRedis) {
    let cluster = Cluster::start_on(redis).await;
    for _ in 0..3 {
        let ended = cluster.end_one().await;
        cluster.redis.flush().await;
        let begun = Instant::now();
        cluster.one.revocations.announce(std::slice::from_ref(&ended)).await.unwrap();
        assert!(begun.elapsed() < LEASE_AND_SOME, "{:?}", begun.elapsed());
        assert!(cluster.refused_by(&cluster.other, ended.session_id).await);
        cluster.all_hold_leases().await;
        assert!(cluster.refused_by(&cluster.other, ended.session_id).await);
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_the_answer_comes_after_every_lease_has_run_out() {
    leases_are_waited_out(PrivateRedis::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_the_answer_comes_after_every_lease_has_run_out_of_a_redis_cluster() {
    leases_are_waited_out(PrivateRedis::start_cluster().await).await;
}

async fn leases_are_waited_out(redis: PrivateRedis) {
    let mut cluster = Cluster::start_on(redis).await;
    let ended = cluster.end_one().await;
    cluster.redis.kill();
    let begun = Instant::now();
    cluster.one.revocations.announce(std::slice::from_ref(&ended)).await.unwrap();
    assert!(begun.elapsed() < LEASE_AND_SOME, "{:?}", begun.elapsed());
    assert!(!cluster.other.revocations.answers_from_memory());
    assert!(cluster.refused_by(&cluster.other, ended.session_id).await);
    cluster.redis.start_again().await;
    cluster.all_hold_leases().await;
    assert!(cluster.refused_by(&cluster.other, ended.session_id).await, "forgotten when Redis came back");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_cut_from_redis_tells_the_others_by_the_database() {
    let cluster = Cluster::start().await;
    let nowhere = || RedisConnection::open("unix:///nowhere/redis.sock").unwrap();
    let cut = join(&cluster.demo.db, nowhere(), nowhere()).await;
    let ended = cluster.end_one().await;
    cut.revocations.announce(std::slice::from_ref(&ended)).await.unwrap();
    assert!(cluster.other.revocations.answers_from_memory(), "the others go on");
    assert!(cluster.refused_by(&cluster.other, ended.session_id).await);
    assert!(!cut.revocations.answers_from_memory(), "without Redis there is no lease");
    drop(cut);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_later_knows_what_ended_before() {
    let cluster = Cluster::start().await;
    let ended = cluster.end_one().await;
    cluster.one.revocations.announce(std::slice::from_ref(&ended)).await.unwrap();
    let late = join(&cluster.demo.db, cluster.redis.connect(), cluster.redis.connect()).await;
    assert!(!late.revocations.answers_from_memory());
    assert!(cluster.refused_by(&late, ended.session_id).await, "before it has a lease");
    until("the late node holds a lease", async || late.revocations.answers_from_memory()).await;
    assert!(cluster.refused_by(&late, ended.session_id).await, "with a lease");
    drop(late);
    cluster.stop().await;
}

/// What a node says without asking anybody; `None` where it would ask.
#[expect(clippy::option_option, reason = "not answered, answered `alive`, answered with a reason")]
pub(crate) fn from_memory(node: &RunningNode, demo: &Demo, session_id: SessionId) -> Option<Option<EndReason>> {
    node.revocations.end_reason(&demo.key(session_id), later(2)).now_or_never().map(Result::unwrap)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_is_refused_by_every_node_when_its_announcement_returns() {
    let cluster = Cluster::start().await;
    let stranger = Demo::named(cluster.demo.db.clone(), "stranger").await;
    let theirs = stranger.open(NOW).await;
    for (number, scope) in [Scope::User(user("u1")), Scope::System(system("app")), Scope::Tenant].into_iter().enumerate() {
        let second = 10 * (number as u64 + 1);
        let before = [cluster.demo.open(later(second)).await, cluster.demo.open(later(second + 1)).await];
        cluster.all_hold_leases().await;
        assert_eq!(from_memory(&cluster.other, &cluster.demo, before[0]), Some(None));
        let revoked = cluster.demo.db.end_all(&cluster.marking(scope, later(second))).await.unwrap();
        cluster.one.revocations.announce_all(&[], &revoked.marks).await.unwrap();
        for session_id in before {
            assert_eq!(from_memory(&cluster.other, &cluster.demo, session_id), Some(Some(EndReason::Kicked)));
            assert_eq!(from_memory(&cluster.one, &cluster.demo, session_id), Some(Some(EndReason::Kicked)));
        }
        let revision = cluster.other.revocations.tenant_revision(&cluster.demo.owner_id).now_or_never();
        assert_eq!(
            revision.expect("the other node asked somebody").unwrap(),
            i64::try_from(number).unwrap(),
            "a user's mark is no change of the tenant"
        );
        // Who signs in after that has a session, and nobody else's is touched.
        let since = cluster.demo.open(revoked.marks[0].not_before).await;
        cluster.all_hold_leases().await;
        assert_eq!(from_memory(&cluster.other, &cluster.demo, since), Some(None));
        assert_eq!(from_memory(&cluster.other, &stranger, theirs), Some(None));
    }
    let late = join(&cluster.demo.db, cluster.redis.connect(), cluster.redis.connect()).await;
    until("the late node holds a lease", async || late.revocations.answers_from_memory()).await;
    assert_eq!(from_memory(&late, &stranger, theirs), Some(None));
    assert!(late.revocations.memory_usage().users == 1 && late.revocations.memory_usage().tenants == 1);
    drop(late);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_reaches_every_node_without_redis_too() {
    let mut cluster = Cluster::start().await;
    let nowhere = || RedisConnection::open("unix:///nowhere/redis.sock").unwrap();
    let cut = join(&cluster.demo.db, nowhere(), nowhere()).await;
    let session_id = cluster.demo.open(NOW).await;
    let revoked = cluster.demo.db.end_all(&cluster.marking(Scope::System(system("app")), later(1))).await.unwrap();
    cut.revocations.announce_all(&[], &revoked.marks).await.unwrap();
    cluster.all_hold_leases().await;
    assert_eq!(from_memory(&cluster.other, &cluster.demo, session_id), Some(Some(EndReason::Kicked)), "read before a renewal");
    drop(cut);

    let session_id = cluster.demo.open(later(5)).await;
    let revoked = cluster.demo.db.end_all(&cluster.marking(Scope::Tenant, later(5))).await.unwrap();
    cluster.redis.kill();
    let begun = Instant::now();
    cluster.one.revocations.announce_all(&[], &revoked.marks).await.unwrap();
    assert!(begun.elapsed() < LEASE_AND_SOME, "{:?}", begun.elapsed());
    assert!(!cluster.other.revocations.answers_from_memory());
    let reason = cluster.other.revocations.end_reason(&cluster.demo.key(session_id), later(2)).await.unwrap();
    assert_eq!(reason, Some(EndReason::Kicked), "the slow way knows marks too");
    assert_eq!(cluster.other.revocations.tenant_revision(&cluster.demo.owner_id).await.unwrap(), revoked.marks[0].revision);
    cluster.stop().await;
}

#[tokio::test]
async fn a_node_whose_memory_is_full_asks_the_database() {
    let directory = Directory::new();
    let db = directory.open().await;
    let demo = Demo::new(db.clone()).await;
    // Too little for anything but a few sessions in each part.
    let revocations = Revocations::alone(db.clone(), 1);
    let sessions = demo.open_many(1_500).await;
    let endings: Vec<_> = sessions[..1_400].iter().map(|session_id| demo.ending(*session_id, later(1_500))).collect();
    let outcomes = db.end_sessions(&endings).await.unwrap();
    let ended: Vec<_> = outcomes.iter().map(|outcome| crate::fixture::ended(outcome).clone()).collect();
    revocations.announce(&ended).await.unwrap();
    let usage = revocations.memory_usage();
    assert!(usage.sessions < 1_400 && usage.overflown_parts > 0, "{usage:?}");
    for (number, session_id) in sessions.iter().enumerate() {
        let expected = (number < 1_400).then_some(EndReason::LoggedOut);
        assert_eq!(revocations.end_reason(&demo.key(*session_id), later(2)).await.unwrap(), expected, "session {number}");
    }
    assert!(revocations.asked() > 0);
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_looks_at_the_nodes_changes_nothing() {
    let schema = Schema::new().await;
    let db = schema.open().await;
    let redis = PrivateRedis::start().await;
    assert_eq!(read_cluster_status(&db, &redis.connect()).await.unwrap(), None, "no node has started, and none is made up");
    let node = join(&db, redis.connect(), redis.connect()).await;
    until("the node holds a lease", async || node.revocations.answers_from_memory()).await;
    let status = read_cluster_status(&db, &redis.connect()).await.unwrap().unwrap();
    assert_eq!(status.nodes.len(), 1);
    assert!(status.nodes[0].lease_millis > 0);
    drop(node);
    db.close().await;
    schema.remove().await;
}

#[tokio::test]
async fn a_single_node_answers_from_memory_alone() {
    let directory = Directory::new();
    let db = directory.open().await;
    let demo = Demo::new(db.clone()).await;
    let session_id = demo.open(NOW).await;
    let revocations = Revocations::alone(db.clone(), 1 << 20);
    assert_eq!(revocations.end_reason(&demo.key(session_id), later(2)).await.unwrap(), None);
    db.end_sessions(&[demo.ending(session_id, later(1))]).await.unwrap();
    // Another process, the command line, has ended it.
    revocations.hear_pending(later(2)).await.unwrap();
    assert_eq!(revocations.end_reason(&demo.key(session_id), later(2)).await.unwrap(), Some(EndReason::LoggedOut));
    assert_eq!(revocations.memory_usage().sessions, 1);
    revocations.forget_expired(later(600)).await.unwrap();
    assert_eq!(revocations.memory_usage().sessions, 1, "an access token of it may still live");
    revocations.forget_expired(later(700)).await.unwrap();
    assert_eq!(revocations.memory_usage().sessions, 0);
    // The clock was ahead, and is set right: the access token lives again, and its session has ended all the same.
    assert_eq!(revocations.end_reason(&demo.key(session_id), later(2)).await.unwrap(), Some(EndReason::LoggedOut));
    revocations.forget_expired(later(3)).await.unwrap();
    assert_eq!(revocations.memory_usage().sessions, 1, "what was forgotten too early is there again");
    assert_eq!(revocations.end_reason(&demo.key(session_id), later(2)).await.unwrap(), Some(EndReason::LoggedOut));
    db.close().await;
}
