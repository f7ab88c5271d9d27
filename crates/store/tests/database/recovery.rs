//! Nodes that lost their lease get it back, however many sessions have ended, and know all that
//! ended meanwhile, whichever way it was told.

use std::time::{Duration, Instant};

use bo_auth_core::session::{EndReason, first_id_at};
use bo_auth_store::Db;
use bo_auth_store::RedisConnection;
use bo_auth_store::record::Scope;

use crate::backend::Schema;
use crate::fixture::{Demo, NOW, later, system};
use crate::private_redis::PrivateRedis;
use crate::revocation::{Cluster, RunningNode, from_memory, join, join_with, until};
use crate::slow_postgres;

/// What the memory is documented to hold.
const MANY: i64 = 1_800_000;

/// Room for them.
const BYTES: usize = 64 << 20;

/// Writes as many sessions that have ended within the last `seconds`, and whose access tokens may
/// still live.
async fn insert_ended(schema: &Schema, count: i64, seconds: i64) {
    schema
        .run(format!(
            "INSERT INTO bo_session (owner_id, session_id, sys_id, user_id, generation, created_at, refreshed_at, idle_expires_at, \
                 expires_at, access_expires_at, ended_at, end_reason, keep_until) \
             SELECT 'demo', {first} + n::bigint * 4194304 + (n::bigint * 7919) % 4194304, 'app', 'u' || n % 5000, 0, {now} - 7200000, {now} - 7200000, {now} + 7200000, \
                 {now} + 7200000, {now} + 7200000, {now} - n::bigint * {seconds} * 1000 / {count}, 1, {now} + 7200000 \
             FROM generate_series(1, {count}) AS n",
            first = first_id_at(NOW) - (1 << 48),
            now = NOW.0,
        ))
        .await;
}

async fn all_hold_leases(nodes: &[&RunningNode], patience: Duration) {
    let begun = Instant::now();
    let mut in_a_row = 0;
    while in_a_row < 10 {
        assert!(begun.elapsed() < patience, "the nodes have no lease after {patience:?}");
        let all = nodes.iter().all(|node| node.revocations.answers_from_memory());
        in_a_row = if all { in_a_row + 1 } else { 0 };
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_paused_gets_its_lease_back_beside_1_800_000_ended_sessions() {
    let (schema, redis) = (Schema::new().await, PrivateRedis::start().await);
    let db = schema.open().await;
    let demo = Demo::new(db.clone()).await;
    insert_ended(&schema, MANY, 3_600).await;
    let mut node = join_with(&db, redis.connect(), redis.connect(), BYTES).await;
    until("it reads", async || node.revocations.reading().is_some_and(|(rows, _)| rows > 0)).await;
    all_hold_leases(&[&node], Duration::from_mins(4)).await;
    assert_eq!(node.revocations.memory_usage().sessions, 1_800_000);
    assert_eq!(node.revocations.reading(), None);

    node.stand_still();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(!node.revocations.answers_from_memory());
    let session_id = demo.open(NOW).await;
    node.go_on();
    all_hold_leases(&[&node], Duration::from_secs(5)).await;
    assert_eq!(from_memory(&node, &demo, session_id), Some(None));
    drop(node);
    db.close().await;
    schema.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_hold_three_leases_after_300_000_ends_one_of_them_with_a_slow_database() {
    let (schema, redis) = (Schema::new().await, PrivateRedis::start().await);
    let db = schema.open().await;
    Demo::new(db.clone()).await;
    insert_ended(&schema, 300_000, 300).await;
    let slow = Db::connect_postgres(&slow_postgres::start(&schema.url(), Duration::from_millis(60)).await, 8).await.unwrap();
    let mut nodes = Vec::new();
    for db in [&db, &db, &slow] {
        nodes.push(join_with(db, redis.connect(), redis.connect(), BYTES).await);
    }
    all_hold_leases(&nodes.iter().collect::<Vec<_>>(), Duration::from_mins(2)).await;
    nodes.iter_mut().for_each(RunningNode::stand_still);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    nodes.iter_mut().for_each(RunningNode::go_on);
    all_hold_leases(&nodes.iter().collect::<Vec<_>>(), Duration::from_secs(10)).await;
    drop(nodes);
    slow.close().await;
    db.close().await;
    schema.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_by_the_database_and_struck_off_meanwhile_is_known_when_a_node_goes_on() {
    let mut cluster = Cluster::start().await;
    cluster.other.stand_still();
    until("its lease has run out", async || !cluster.other.revocations.answers_from_memory()).await;
    let nowhere = || RedisConnection::open("unix:///nowhere/redis.sock").unwrap();
    let cut = join(&cluster.demo.db, nowhere(), nowhere()).await;
    let ended = cluster.end_one().await;
    cut.revocations.announce(std::slice::from_ref(&ended)).await.unwrap();
    assert_eq!(cluster.demo.db.remove_events(&[ended.event_id]).await.unwrap(), 1);
    let marked = cluster.demo.open(NOW).await;
    let revoked = cluster.demo.db.end_all(&cluster.marking(Scope::System(system("app")), later(1))).await.unwrap();
    cut.revocations.announce_all(&[], &revoked.marks).await.unwrap();
    cluster.demo.db.remove_mark(&revoked.marks[0]).await.unwrap();
    drop(cut);
    cluster.other.go_on();
    cluster.all_hold_leases().await;
    assert_eq!(from_memory(&cluster.other, &cluster.demo, ended.session_id), Some(Some(EndReason::LoggedOut)));
    assert_eq!(from_memory(&cluster.other, &cluster.demo, marked), Some(Some(EndReason::Kicked)));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_retention_removed_of_it_is_read_from_the_table() {
    let mut cluster = Cluster::start().await;
    let nowhere = || RedisConnection::open("unix:///nowhere/redis.sock").unwrap();
    let cut = join(&cluster.demo.db, nowhere(), nowhere()).await;
    cluster.other.stand_still();
    let (first, second) = (cluster.end_one().await, cluster.end_one().await);
    cut.revocations.announce(&[first.clone(), second]).await.unwrap();
    let db = &cluster.demo.db;
    let feed = db.read_database_feed(0, 9).await.unwrap();
    assert_eq!((feed.sessions.len(), feed.read_to, feed.end, feed.has_gap), (2, 2, 2, false));
    assert!(!db.read_database_feed(0, 1).await.unwrap().has_gap && !db.read_database_feed(2, 9).await.unwrap().has_gap);
    // The database's own clock has dated them.
    assert_eq!(db.remove_database_feed(NOW.minus(Duration::from_hours(24 * 365)), 9).await.unwrap(), 0);
    assert_eq!(db.remove_database_feed(db.health().await.unwrap().now.plus(Duration::from_secs(9)), 9).await.unwrap(), 2);
    assert!(db.read_database_feed(0, 9).await.unwrap().has_gap, "two are missing");
    assert!(db.read_database_feed(3, 9).await.unwrap().has_gap, "the database is younger than that");
    assert!(!db.read_database_feed(2, 9).await.unwrap().has_gap);
    cluster.other.go_on();
    cluster.all_hold_leases().await;
    assert_eq!(from_memory(&cluster.other, &cluster.demo, first.session_id), Some(Some(EndReason::LoggedOut)));
    drop(cut);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_redis_that_lags_is_another_epoch() {
    let mut cluster = Cluster::start().await;
    cluster.other.stand_still();
    until("its lease has run out", async || !cluster.other.revocations.answers_from_memory()).await;
    cluster.redis.save().await;
    let ended = cluster.end_one().await;
    cluster.one.revocations.announce(std::slice::from_ref(&ended)).await.unwrap();
    // Nobody who knows better is left: what comes back has the same epoch, and the number at which
    // the node stood still.
    cluster.one.stand_still();
    cluster.redis.kill();
    cluster.redis.start_again().await;
    cluster.other.go_on();
    until("it holds a lease", async || cluster.other.revocations.answers_from_memory()).await;
    assert_eq!(from_memory(&cluster.other, &cluster.demo, ended.session_id), Some(Some(EndReason::LoggedOut)));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_hides_which_process_it_is_makes_a_node_read_again() {
    let mut cluster = Cluster::start().await;
    cluster.redis.forbid("info").await;
    cluster.redis.flush().await;
    // In a young epoch, so that both follow it when this returns.
    let first = cluster.end_one().await;
    cluster.one.revocations.announce(&[first]).await.unwrap();
    cluster.all_hold_leases().await;
    cluster.other.stand_still();
    until("its lease has run out", async || !cluster.other.revocations.answers_from_memory()).await;
    // Written past every road on which it could be told.
    let ended = cluster.end_one().await;
    cluster.other.go_on();
    until("it holds a lease", async || cluster.other.revocations.answers_from_memory()).await;
    assert_eq!(from_memory(&cluster.other, &cluster.demo, ended.session_id), Some(Some(EndReason::LoggedOut)));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_next_announcement_is_gone_from_the_feed_begins_anew() {
    let mut cluster = Cluster::start().await;
    cluster.other.stand_still();
    until("its lease has run out", async || !cluster.other.revocations.answers_from_memory()).await;
    let ended = cluster.end_one().await;
    cluster.one.revocations.announce(std::slice::from_ref(&ended)).await.unwrap();
    cluster.redis.lose_the_feed().await;
    cluster.other.go_on();
    until("it holds a lease", async || cluster.other.revocations.answers_from_memory()).await;
    assert_eq!(from_memory(&cluster.other, &cluster.demo, ended.session_id), Some(Some(EndReason::LoggedOut)));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_take_turns_and_none_waits_for_one_that_was_killed() {
    let cluster = Cluster::start().await;
    cluster.redis.take_the_turn("somebody", Duration::from_secs(2)).await;
    let status = cluster.one.revocations.cluster_status().await.unwrap().unwrap();
    assert_eq!(status.reading.as_deref(), Some("somebody"));
    let begun = Instant::now();
    let late = join(&cluster.demo.db, cluster.redis.connect(), cluster.redis.connect()).await;
    until("it holds a lease", async || late.revocations.answers_from_memory()).await;
    assert!(begun.elapsed() > Duration::from_millis(1_500), "it has waited for its turn: {:?}", begun.elapsed());
    assert_eq!(late.revocations.cluster_status().await.unwrap().unwrap().reading, None, "the turn is given back");
    drop(late);
    cluster.stop().await;
}
