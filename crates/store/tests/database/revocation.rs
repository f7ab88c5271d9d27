//! Ends that every node refuses when the announcement returns: on a real Postgres, with a Redis of the test's own that can
//! be flushed and killed.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bo_auth_core::random::SystemRandom;
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::time::SettableClock;
use bo_auth_store::record::{EndOutcome, EndedSession};
use bo_auth_store::revocation::Revocations;
use bo_auth_store::{Db, RedisConnection};
use futures_util::FutureExt;
use tokio::task::JoinHandle;

use crate::backend::{Directory, Schema};
use crate::fixture::{Demo, NOW, later};

/// How long a lease is, with what an answer may take beyond it.
const LEASE_AND_SOME: Duration = Duration::from_millis(1_200);

/// Two nodes, their database, and their Redis.
struct Cluster {
    demo: Demo,
    schema: Schema,
    redis: PrivateRedis,
    one: RunningNode,
    other: RunningNode,
}

struct RunningNode {
    revocations: Revocations,
    running: JoinHandle<()>,
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// A Redis that may be flushed and killed.
struct PrivateRedis {
    directory: Directory,
    server: Child,
}

impl PrivateRedis {
    async fn start() -> Self {
        let directory = Directory::new();
        let redis = Self { server: Self::spawn(&directory), directory };
        redis.answers().await;
        redis
    }

    fn spawn(directory: &Directory) -> Child {
        Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(directory.path().join("redis.sock"))
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server must be installed; scripts/test installs it")
    }

    fn connect(&self) -> RedisConnection {
        RedisConnection::open(&format!("unix://{}", self.directory.path().join("redis.sock").display())).unwrap()
    }

    async fn answers(&self) {
        let connection = self.connect();
        until("Redis answers", || connection.ping().map(|pinged| pinged.is_ok())).await;
    }

    async fn flush(&self) {
        let _: () = redis::cmd("FLUSHALL").query_async(&mut self.connect()).await.unwrap();
    }

    fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    async fn start_again(&mut self) {
        self.server = Self::spawn(&self.directory);
        self.answers().await;
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        // Killed already, perhaps.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Looks again and again until the condition holds; fails where it never does.
async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "not within 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn join(db: &Db, redis: RedisConnection, listening: RedisConnection) -> RunningNode {
    let (clock, random) = (Arc::new(SettableClock::new(later(1))), Arc::new(SystemRandom::default()));
    let revocations = Revocations::among_many(db.clone(), redis, listening, clock, random, 1 << 20).await.unwrap();
    let kept_up = revocations.clone();
    RunningNode { revocations, running: tokio::spawn(async move { kept_up.keep_up().await }) }
}

impl Cluster {
    async fn start() -> Self {
        let schema = Schema::new().await;
        let db = schema.open().await;
        let redis = PrivateRedis::start().await;
        let one = join(&db, redis.connect(), redis.connect()).await;
        let other = join(&db, redis.connect(), redis.connect()).await;
        let cluster = Self { demo: Demo::new(db).await, schema, redis, one, other };
        cluster.all_hold_leases().await;
        // Waits until the epoch is older than a lease: from here on only acknowledgements hold an announcement up.
        let first = cluster.end_one().await;
        cluster.one.revocations.announce(&[first]).await.unwrap();
        cluster
    }

    async fn all_hold_leases(&self) {
        until("both nodes hold a lease", async || {
            self.one.revocations.answers_from_memory() && self.other.revocations.answers_from_memory()
        })
        .await;
    }

    /// Ends a session in the database; nobody has been told.
    async fn end_one(&self) -> EndedSession {
        let session_id = self.demo.open(NOW).await;
        let mut outcomes = self.demo.db.end_sessions(&[self.demo.ending(session_id, later(1))]).await.unwrap();
        let Some(EndOutcome::Ended(ended)) = outcomes.pop() else { panic!("the session was live") };
        ended
    }

    async fn refused_by(&self, node: &RunningNode, session_id: SessionId) -> bool {
        node.revocations.end_reason(&self.demo.key(session_id)).await.unwrap() == Some(EndReason::LoggedOut)
    }

    async fn stop(self) {
        drop((self.one, self.other));
        self.demo.db.close().await;
        self.schema.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_refuses_when_the_announcement_returns() {
    let cluster = Cluster::start().await;
    let live = cluster.demo.open(NOW).await;
    let mut slowest = Duration::ZERO;
    for _ in 0..200 {
        let ended = cluster.end_one().await;
        let begun = Instant::now();
        cluster.one.revocations.announce(std::slice::from_ref(&ended)).await.unwrap();
        slowest = slowest.max(begun.elapsed());
        // Answered at once, so from memory: nothing was asked of anybody.
        let answer = cluster.other.revocations.end_reason(&cluster.demo.key(ended.session_id)).now_or_never();
        assert_eq!(answer.expect("the other node asked somebody").unwrap(), Some(EndReason::LoggedOut));
    }
    cluster.all_hold_leases().await;
    let answer = cluster.other.revocations.end_reason(&cluster.demo.key(live)).now_or_never();
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
    let cluster = Cluster::start().await;
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
    let mut cluster = Cluster::start().await;
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

#[tokio::test]
async fn a_single_node_answers_from_memory_alone() {
    let directory = Directory::new();
    let db = directory.open().await;
    let demo = Demo::new(db.clone()).await;
    let session_id = demo.open(NOW).await;
    let revocations = Revocations::alone(db.clone(), 1 << 20);
    assert_eq!(revocations.end_reason(&demo.key(session_id)).await.unwrap(), None);
    db.end_sessions(&[demo.ending(session_id, later(1))]).await.unwrap();
    // Another process, the command line, has ended it.
    revocations.reload(&db, later(2)).await.unwrap();
    assert_eq!(revocations.end_reason(&demo.key(session_id)).await.unwrap(), Some(EndReason::LoggedOut));
    assert_eq!(revocations.memory_usage().sessions, 1);
    revocations.forget_expired(later(600));
    assert_eq!(revocations.memory_usage().sessions, 1, "an access token of it may still live");
    revocations.forget_expired(later(700));
    assert_eq!(revocations.memory_usage().sessions, 0);
    db.close().await;
}
