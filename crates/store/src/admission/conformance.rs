//! What admission must do on one node and on many, and what becomes of it while Redis is away.

use std::time::Duration;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::time::Timestamp;
use futures_util::future::join_all;

use super::*;
use crate::test_redis::{Relay, Weather, new_owner, patient, redis};
use crate::test_sqlite::TestDatabase;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const WINDOW: Duration = Duration::from_mins(10);

fn local() -> Admission {
    Admission::local()
}

fn shared() -> Admission {
    Admission::shared(redis())
}

fn rate<'a>(name: &'static str, key: &'a str, per_minute: u32, burst: u32) -> Rate<'a> {
    Rate::per_minute(name, key, per_minute, burst)
}

async fn admit(admission: &Admission, owner_id: &OwnerId, nonce: Option<u8>, rates: &[Rate<'_>]) -> Admitted {
    let request = AdmissionRequest { nonce: nonce.map(|byte| ([byte; 16], WINDOW)), rates };
    admission.admit(owner_id, &request, NOW).await.unwrap()
}

macro_rules! on_one_node_and_on_many {
    ($($test:ident)*) => {
        mod on_one_node {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)] async fn $test() { super::$test(super::local()).await; })*
        }
        mod on_many {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)] async fn $test() { super::$test(super::shared()).await; })*
        }
    };
}

on_one_node_and_on_many! {
    a_nonce_counts_once_for_each_tenant
    one_of_fifty_racers_is_accepted
    a_burst_is_admitted_and_then_the_pace
    names_keys_and_tenants_are_counted_apart
    a_limited_request_uses_nothing
    a_replay_counts_against_the_rates
    racers_get_what_the_burst_allows
    a_rate_of_zero_admits_nobody
    a_long_burst_is_exact
}

async fn a_nonce_counts_once_for_each_tenant(admission: Admission) {
    let owner = new_owner("");
    let beside = OwnerId::parse(&format!("{owner}:a")).unwrap();
    assert_eq!(admit(&admission, &owner, Some(1), &[]).await, Admitted::Accepted);
    assert_eq!(admit(&admission, &owner, Some(1), &[]).await, Admitted::Replayed);
    assert_eq!(admit(&admission, &owner, Some(2), &[]).await, Admitted::Accepted);
    assert_eq!(admit(&admission, &beside, Some(1), &[]).await, Admitted::Accepted);
    assert_eq!(admit(&admission, &owner, None, &[]).await, Admitted::Accepted);
}

async fn one_of_fifty_racers_is_accepted(admission: Admission) {
    let owner = new_owner("");
    for nonce in 0..10 {
        let racers = (0..50).map(|_| {
            let (admission, owner) = (admission.clone(), owner.clone());
            tokio::spawn(async move { admit(&admission, &owner, Some(nonce), &[rate("tenant", "", 100_000, 10_000)]).await })
        });
        let accepted = join_all(racers).await.into_iter().filter(|admitted| *admitted.as_ref().unwrap() == Admitted::Accepted).count();
        assert_eq!(accepted, 1);
    }
}

async fn a_burst_is_admitted_and_then_the_pace(admission: Admission) {
    let (owner, rates) = (new_owner(""), [rate("address", "::1", 6, 3)]);
    for _ in 0..3 {
        assert_eq!(admit(&admission, &owner, None, &rates).await, Admitted::Accepted);
    }
    let Admitted::Limited { retry_after } = admit(&admission, &owner, None, &rates).await else { panic!("more than the burst") };
    assert!((Duration::from_secs(9)..=Duration::from_secs(10)).contains(&retry_after), "{retry_after:?}");
}

async fn names_keys_and_tenants_are_counted_apart(admission: Admission) {
    let owner = new_owner("");
    let beside = OwnerId::parse(&format!("{owner}:a")).unwrap();
    for (owner, name, key) in [(&owner, "address", "a"), (&owner, "account", "a"), (&owner, "address", "b:a"), (&beside, "address", "a")] {
        let rates = [rate(name, key, 1, 1)];
        assert_eq!(admit(&admission, owner, None, &rates).await, Admitted::Accepted);
        assert!(matches!(admit(&admission, owner, None, &rates).await, Admitted::Limited { .. }));
    }
}

async fn a_limited_request_uses_nothing(admission: Admission) {
    let owner = new_owner("");
    let (wide, narrow) = (rate("tenant", "", 1, 2), rate("address", "a", 1, 1));
    assert_eq!(admit(&admission, &owner, None, &[wide, narrow]).await, Admitted::Accepted);
    for rates in [[wide, narrow], [narrow, wide]] {
        assert!(matches!(admit(&admission, &owner, Some(1), &rates).await, Admitted::Limited { .. }));
    }
    assert_eq!(admit(&admission, &owner, Some(1), &[wide]).await, Admitted::Accepted);
}

async fn a_replay_counts_against_the_rates(admission: Admission) {
    let (owner, rates) = (new_owner(""), [rate("address", "a", 1, 3)]);
    assert_eq!(admit(&admission, &owner, Some(1), &rates).await, Admitted::Accepted);
    assert_eq!(admit(&admission, &owner, Some(1), &rates).await, Admitted::Replayed);
    assert_eq!(admit(&admission, &owner, Some(1), &rates).await, Admitted::Replayed);
    assert!(matches!(admit(&admission, &owner, Some(1), &rates).await, Admitted::Limited { .. }));
}

async fn racers_get_what_the_burst_allows(admission: Admission) {
    let owner = new_owner("");
    let racers = (0..100).map(|_| {
        let (admission, owner) = (admission.clone(), owner.clone());
        tokio::spawn(async move { admit(&admission, &owner, None, &[rate("address", "a", 1, 20), rate("tenant", "", 1, 30)]).await })
    });
    let accepted = join_all(racers).await.into_iter().filter(|admitted| *admitted.as_ref().unwrap() == Admitted::Accepted).count();
    assert_eq!(accepted, 20);
}

async fn a_rate_of_zero_admits_nobody(admission: Admission) {
    let owner = new_owner("");
    let limited = Admitted::Limited { retry_after: Duration::from_mins(1) };
    assert_eq!(admit(&admission, &owner, Some(1), &[rate("tenant", "", 9, 9), rate("address", "a", 0, 5)]).await, limited);
    assert_eq!(admit(&admission, &owner, Some(1), &[]).await, Admitted::Accepted);
}

async fn a_long_burst_is_exact(admission: Admission) {
    let (owner, rates) = (new_owner(""), [rate("tenant", "", 7, 2000)]);
    for _ in 0..2000 {
        assert_eq!(admit(&admission, &owner, None, &rates).await, Admitted::Accepted);
    }
    assert!(matches!(admit(&admission, &owner, None, &rates).await, Admitted::Limited { .. }));
}

#[tokio::test]
async fn nodes_with_different_clocks_share_rates_and_nonces() {
    let (owner, rates) = (new_owner(""), [rate("address", "a", 1, 2)]);
    let ahead = NOW.plus(Duration::from_hours(24));
    let request = AdmissionRequest { nonce: Some(([1; 16], WINDOW)), rates: &rates };
    assert_eq!(shared().admit(&owner, &request, NOW).await.unwrap(), Admitted::Accepted);
    assert_eq!(shared().admit(&owner, &request, ahead).await.unwrap(), Admitted::Replayed);
    assert!(matches!(shared().admit(&owner, &request, ahead).await.unwrap(), Admitted::Limited { .. }));
}

#[tokio::test]
async fn redis_keeps_every_digit_of_an_instant() {
    let owner = new_owner("");
    assert_eq!(admit(&shared(), &owner, None, &[rate("address", "a", 1, 1)]).await, Admitted::Accepted);
    let key = crate::cache::key::value(&owner, "rate", "address:a");
    let kept: String = ::redis::cmd("GET").arg(&key).query_async(&mut redis()).await.unwrap();
    assert!(kept.len() == 16 && kept.bytes().all(|byte| byte.is_ascii_digit()), "{kept}");
}

#[tokio::test]
async fn windows_and_rates_pass_in_redis() {
    let owner = new_owner("");
    let nonce = Some(([1; 16], Duration::from_millis(100)));
    let rates = [rate("address", "a", 600, 1)];
    let request = AdmissionRequest { nonce, rates: &rates };
    assert_eq!(shared().admit(&owner, &request, NOW).await.unwrap(), Admitted::Accepted);
    let Admitted::Limited { retry_after } = shared().admit(&owner, &request, NOW).await.unwrap() else { panic!("more than the burst") };
    tokio::time::sleep(retry_after + Duration::from_millis(5)).await;
    assert_eq!(shared().admit(&owner, &request, NOW).await.unwrap(), Admitted::Accepted);
}

#[tokio::test]
async fn while_redis_is_away_this_node_judges_alone() {
    let relay = Relay::start().await;
    let node = Admission::shared(patient(&relay.url));
    let owner = new_owner("");
    let rates = [rate("address", "a", 1, 5)];
    assert_eq!(admit(&node, &owner, Some(1), &rates).await, Admitted::Accepted);

    for (weather, nonce) in [(Weather::Down, 2), (Weather::Silent, 3)] {
        relay.becomes(weather);
        // What it accepted itself, it still knows; what is new is accepted, once.
        assert_eq!(admit(&node, &owner, Some(1), &rates).await, Admitted::Replayed);
        assert_eq!(admit(&node, &owner, Some(nonce), &[]).await, Admitted::Accepted);
        let begun = tokio::time::Instant::now();
        assert_eq!(admit(&node, &owner, Some(nonce), &[]).await, Admitted::Replayed);
        assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
    }
    for _ in 0..3 {
        assert_eq!(admit(&node, &owner, None, &rates).await, Admitted::Accepted);
    }
    // Never unlimited.
    assert!(matches!(admit(&node, &owner, Some(4), &rates).await, Admitted::Limited { .. }));

    let database = TestDatabase::new().await;
    assert!(node.flush(&database.db, NOW).await.is_err());
    relay.becomes(Weather::Fine);
    let begun = tokio::time::Instant::now();
    while node.flush(&database.db, NOW).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(3), "the claims were not written");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Now the other nodes know.
    for nonce in [1, 2, 3] {
        assert_eq!(admit(&shared(), &owner, Some(nonce), &[]).await, Admitted::Replayed);
    }
    assert_eq!(admit(&shared(), &owner, Some(4), &[]).await, Admitted::Accepted);
}

#[tokio::test]
async fn a_claim_of_the_outage_counts_before_it_is_written() {
    let relay = Relay::start().await;
    let node = Admission::shared(patient(&relay.url));
    let owner = new_owner("");
    relay.becomes(Weather::Down);
    assert_eq!(admit(&node, &owner, Some(1), &[]).await, Admitted::Accepted);
    relay.becomes(Weather::Fine);
    tokio::time::sleep(Duration::from_millis(600)).await;
    for _ in 0..3 {
        assert_eq!(admit(&node, &owner, Some(1), &[]).await, Admitted::Replayed);
    }
}

#[tokio::test]
async fn a_restart_of_a_single_node_forgets_nothing_that_was_flushed() {
    let database = TestDatabase::new().await;
    let (owner, node) = (new_owner(""), local());
    assert_eq!(admit(&node, &owner, Some(1), &[]).await, Admitted::Accepted);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let clock = bo_auth_core::time::SettableClock::new(NOW);
    let stop_at_once = async {
        drop(stop);
    };
    let stopping = async {
        let _ = stopped.await;
    };
    tokio::join!(node.keep_flushed(&database.db, &clock, stopping), stop_at_once);

    let restarted = local();
    restarted.load(&database.db, NOW).await.unwrap();
    assert_eq!(admit(&restarted, &owner, Some(1), &[]).await, Admitted::Replayed);
    assert_eq!(admit(&restarted, &owner, Some(2), &[]).await, Admitted::Accepted);

    let later = local();
    let passed = NOW.plus(WINDOW).plus(Duration::from_secs(10));
    later.load(&database.db, passed).await.unwrap();
    let request = AdmissionRequest { nonce: Some(([1; 16], WINDOW)), rates: &[] };
    assert_eq!(later.admit(&owner, &request, passed).await.unwrap(), Admitted::Accepted);
}
