//! What nodes remember of users: forgotten on every node when the row changes or a session of the user ends, before whoever
//! did that goes on. On a real Postgres and a Redis of the test's own.

use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::time::Timestamp;
use bo_auth_store::RedisConnection;
use bo_auth_store::cache::{Cached, Looked, Place, USER_PURPOSE};
use bo_auth_store::record::{Scope, UserRecord};
use bo_auth_store::revocation::Revocations;

use crate::backend::Directory;
use crate::fixture::{Demo, NOW, administration_event, later, user, user_record};
use crate::revocation::{Cluster, RunningNode, join, until};

struct Profile;

impl Cached for Profile {
    const PURPOSE: &'static str = USER_PURPOSE;
    const LIFETIME: Duration = Duration::from_mins(10);
    type Id = str;
    type Value = UserRecord;
}

/// `None` where the node would ask the shared cache.
fn recalled(node: &RunningNode, demo: &Demo) -> Option<UserRecord> {
    match node.revocations.recall::<Profile>(&demo.owner_id, &user("u1"), later(2)) {
        Some(Looked::Found(hit)) => Some(UserRecord::clone(&hit.value)),
        Some(Looked::Vacant(_)) | None => None,
    }
}

fn place(node: &RunningNode, demo: &Demo) -> Option<Place> {
    match node.revocations.recall::<Profile>(&demo.owner_id, &user("u1"), later(2)) {
        Some(Looked::Vacant(place)) => Some(place),
        Some(Looked::Found(_)) | None => None,
    }
}

fn remember(node: &RunningNode, demo: &Demo, place: Place, fetched_at: Timestamp) {
    node.revocations.remember::<Profile>(place, &demo.owner_id, &Arc::new(user_record("u1")), fetched_at);
}

/// Puts the profile until it stays: not while something was heard a moment ago.
async fn remembers(node: &RunningNode, demo: &Demo, fetched_at: Timestamp) {
    until("the node remembers", async || {
        if let Some(place) = place(node, demo) {
            remember(node, demo, place, fetched_at);
        }
        recalled(node, demo).is_some()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_makes_every_node_forget_before_it_is_answered() {
    let cluster = Cluster::start().await;
    for _ in 0..3 {
        for node in [&cluster.one, &cluster.other] {
            remembers(node, &cluster.demo, NOW).await;
        }
        let ended = cluster.end_one().await;
        cluster.one.revocations.announce(&[ended]).await.unwrap();
        assert_eq!((recalled(&cluster.one, &cluster.demo), recalled(&cluster.other, &cluster.demo)), (None, None));
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_row_and_a_mark_of_any_level_do_too() {
    let cluster = Cluster::start().await;
    let (demo, mut changed) = (&cluster.demo, user_record("u1"));
    changed.name = "another".to_owned();
    let event = administration_event("user.changed", later(1));
    remembers(&cluster.other, demo, NOW).await;
    let revoked = demo.db.change_user(&demo.owner_id, &changed, None, None, &event).await.unwrap();
    assert_eq!((revoked.sessions.len(), revoked.marks.len()), (0, 1));
    cluster.one.revocations.announce_all(&[], &revoked.marks).await.unwrap();
    assert_eq!(recalled(&cluster.other, demo), None);
    let session_id = demo.open(later(1)).await;
    cluster.all_hold_leases().await;
    let reason = cluster.other.revocations.end_reason(&demo.key(session_id), later(2)).await.unwrap();
    assert_eq!(reason, None, "it ends no session");

    for scope in [Scope::User(user("u1")), Scope::System(crate::fixture::system("app")), Scope::Tenant] {
        remembers(&cluster.other, demo, later(100)).await;
        let marks = demo.db.end_all(&cluster.marking(scope, later(3))).await.unwrap().marks;
        cluster.one.revocations.announce_all(&[], &marks).await.unwrap();
        assert_eq!(recalled(&cluster.other, demo), None);
    }
    // What is older than a mark of the tenant leaves the shared cache when its sessions' rows follow; here it never stays.
    let place = place(&cluster.other, demo).expect("the node holds a lease");
    remember(&cluster.other, demo, place, NOW);
    assert_eq!(recalled(&cluster.other, demo), None);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_being_read_meanwhile_is_not_remembered() {
    let cluster = Cluster::start().await;
    until("nothing was heard a moment ago", async || {
        let Some(reading) = place(&cluster.other, &cluster.demo) else { return false };
        remember(&cluster.other, &cluster.demo, reading, NOW);
        recalled(&cluster.other, &cluster.demo).is_some()
    })
    .await;
    let ended = cluster.end_one().await;
    cluster.one.revocations.announce(std::slice::from_ref(&ended)).await.unwrap();
    let reading = place(&cluster.other, &cluster.demo).expect("the node holds a lease");
    cluster.one.revocations.announce(&[ended]).await.unwrap();
    remember(&cluster.other, &cluster.demo, reading, NOW);
    assert_eq!(recalled(&cluster.other, &cluster.demo), None);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_lease_nothing_is_recalled_and_with_the_next_it_is_read_anew() {
    let mut cluster = Cluster::start().await;
    remembers(&cluster.other, &cluster.demo, NOW).await;
    let reading = place(&cluster.one, &cluster.demo);
    cluster.redis.kill();
    until("the leases have run out", async || !cluster.other.revocations.answers_from_memory()).await;
    assert!(cluster.other.revocations.recall::<Profile>(&cluster.demo.owner_id, &user("u1"), later(2)).is_none());
    cluster.redis.start_again().await;
    cluster.all_hold_leases().await;
    assert_eq!(recalled(&cluster.other, &cluster.demo), None, "it may have missed something");
    if let Some(reading) = reading {
        remember(&cluster.one, &cluster.demo, reading, NOW);
    }
    assert_eq!(recalled(&cluster.one, &cluster.demo), None);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_cut_from_redis_makes_the_others_forget_by_the_database() {
    let cluster = Cluster::start().await;
    let nowhere = || RedisConnection::open("unix:///nowhere/redis.sock").unwrap();
    let cut = join(&cluster.demo.db, nowhere(), nowhere()).await;
    let event = administration_event("user.changed", later(1));
    remembers(&cluster.other, &cluster.demo, NOW).await;
    let revoked = cluster.demo.db.change_user(&cluster.demo.owner_id, &user_record("u1"), None, None, &event).await.unwrap();
    cut.revocations.announce_all(&revoked.sessions, &revoked.marks).await.unwrap();
    assert_eq!(recalled(&cluster.other, &cluster.demo), None);
    drop(cut);
    cluster.stop().await;
}

#[tokio::test]
async fn a_single_node_has_its_cache_to_itself() {
    let directory = Directory::new();
    let db = directory.open().await;
    let revocations = Revocations::alone(db.clone(), 1 << 20);
    assert!(revocations.recall::<Profile>(&crate::fixture::owner("demo"), &user("u1"), NOW).is_none());
    db.close().await;
}
