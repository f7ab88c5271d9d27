//! What is admitted at once, and settled later: on one node, on several, and while Redis is away.

use std::time::Duration;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::time::{Clock, SystemClock};

use super::*;
use crate::test_redis::{Relay, Weather, new_owner, patient, redis};

fn node() -> Admission {
    Admission::shared(redis())
}

fn rate(per_minute: u32, burst: u32) -> [Rate<'static>; 1] {
    [Rate::per_minute("address", "a", per_minute, burst)]
}

async fn at_once(node: &Admission, owner: &OwnerId, rates: &[Rate<'_>]) -> bool {
    match node.admit_at_once(owner, rates, SystemClock.now()).await.unwrap() {
        Admitted::Accepted => true,
        Admitted::Limited { .. } => false,
        Admitted::Replayed => panic!("there was no nonce"),
    }
}

async fn together(node: &Admission, owner: &OwnerId, rates: &[Rate<'_>]) -> bool {
    let request = AdmissionRequest { nonce: None, rates };
    node.admit(owner, &request, SystemClock.now()).await.unwrap() == Admitted::Accepted
}

async fn admitted_of(count: usize, node: &Admission, owner: &OwnerId, rates: &[Rate<'_>]) -> usize {
    let mut admitted = 0;
    for _ in 0..count {
        admitted += usize::from(at_once(node, owner, rates).await);
    }
    admitted
}

#[tokio::test]
async fn a_single_node_counts_both_ways_alike() {
    let (node, owner, rates) = (Admission::local(), new_owner("single"), rate(6, 5));
    assert_eq!(admitted_of(3, &node, &owner, &rates).await, 3);
    assert!(together(&node, &owner, &rates).await);
    assert_eq!(admitted_of(10, &node, &owner, &rates).await, 1);
}

#[tokio::test]
async fn what_is_settled_counts_on_the_other_nodes_and_for_those_who_ask_redis() {
    let (one, other, owner, rates) = (node(), node(), new_owner("settled"), rate(6, 5));
    assert_eq!(admitted_of(10, &one, &owner, &rates).await, 5, "a burst, by itself");
    assert!(together(&other, &owner, &rates).await, "nobody has heard of it");
    one.settle(&SystemClock).await;
    assert!(!together(&other, &owner, &rates).await, "the one who asks Redis hears of it");
    assert!(at_once(&other, &owner, &rates).await, "the one who does not ask has not heard");
    other.settle(&SystemClock).await;
    assert_eq!(admitted_of(10, &other, &owner, &rates).await, 0, "and now has");
    assert_eq!(admitted_of(10, &one, &owner, &rates).await, 0);
}

#[tokio::test]
async fn nodes_are_held_to_one_rate_and_pay_off_what_was_too_much() {
    let (nodes, owner, rates) = ([node(), node(), node()], new_owner("together"), rate(6_000, 10));
    let begun = tokio::time::Instant::now();
    let mut admitted = 0;
    while begun.elapsed() < Duration::from_millis(1_500) {
        for node in &nodes {
            admitted += admitted_of(20, node, &owner, &rates).await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        for node in &nodes {
            node.settle(&SystemClock).await;
        }
    }
    // A hundred a second and the burst. Beyond it each of the other two may have had a burst once, and the three together what
    // the last interval let through.
    let elapsed = begun.elapsed();
    let allowed = usize::try_from(elapsed.as_millis() / 10).unwrap();
    assert!(admitted <= allowed + 3 * 10 + 6, "{admitted} in {elapsed:?}");
    assert!(admitted + 10 >= allowed, "{admitted} in {elapsed:?}: the rate is not used");
}

#[tokio::test]
async fn a_debt_is_paid_off_before_anybody_goes_on() {
    let (one, other, owner, rates) = (node(), node(), new_owner("debt"), rate(600, 10));
    // Two bursts within one interval: a second is owed.
    assert_eq!(admitted_of(10, &one, &owner, &rates).await + admitted_of(10, &other, &owner, &rates).await, 20);
    one.settle(&SystemClock).await;
    other.settle(&SystemClock).await;
    let Admitted::Limited { retry_after } = other.admit_at_once(&owner, &rates, SystemClock.now()).await.unwrap() else {
        panic!("more than the burst")
    };
    assert!((Duration::from_millis(500)..=Duration::from_millis(1_100)).contains(&retry_after), "{retry_after:?}");
    assert!(!together(&node(), &owner, &rates).await, "nor does Redis let anybody in");
    tokio::time::sleep(retry_after + Duration::from_millis(20)).await;
    assert!(at_once(&other, &owner, &rates).await, "waiting as told is enough");
}

#[tokio::test]
async fn nobody_waits_for_a_redis_that_stands_still_and_nobody_is_unlimited() {
    let relay = Relay::start().await;
    let (node, owner, rates) = (Admission::shared(patient(&relay.url)), new_owner("still"), rate(6, 5));
    relay.becomes(Weather::Silent);
    let begun = tokio::time::Instant::now();
    assert_eq!(admitted_of(1_000, &node, &owner, &rates).await, 5);
    assert!(begun.elapsed() < Duration::from_millis(900), "somebody waited: {:?}", begun.elapsed());
    node.settle(&SystemClock).await;
    assert_eq!(admitted_of(10, &node, &owner, &rates).await, 0, "it goes on by itself");
}

#[tokio::test]
async fn a_request_waits_a_tenth_of_a_second_for_a_redis_that_stands_still_and_the_next_not_at_all() {
    let relay = Relay::start().await;
    let (node, owner, rates) = (Admission::shared(RedisConnection::open(&relay.url).unwrap()), new_owner("hurry"), rate(600, 50));
    relay.becomes(Weather::Silent);
    let begun = tokio::time::Instant::now();
    assert!(together(&node, &owner, &rates).await);
    let first = begun.elapsed();
    assert!(first < Duration::from_millis(600), "{first:?}");
    let begun = tokio::time::Instant::now();
    for _ in 0..5 {
        assert!(together(&node, &owner, &rates).await);
    }
    assert!(begun.elapsed() < Duration::from_millis(90), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn rates_of_many_tenants_and_addresses_are_settled_together() {
    let (one, other) = (node(), node());
    let owners: Vec<OwnerId> = (0..3).map(|number| new_owner(&format!("many{number}"))).collect();
    let addresses: Vec<String> = (0..700).map(|number| format!("10.0.{}.{}", number / 256, number % 256)).collect();
    let everywhere = async |node: &Admission| {
        let mut admitted = 0;
        for owner in &owners {
            for address in &addresses {
                let rates = [Rate::per_minute("address", address, 1, 1)];
                admitted += usize::from(at_once(node, owner, &rates).await);
            }
        }
        admitted
    };
    assert_eq!(everywhere(&one).await, 2_100);
    one.settle(&SystemClock).await;
    assert_eq!(everywhere(&other).await, 2_100, "not heard of yet");
    other.settle(&SystemClock).await;
    assert_eq!((everywhere(&one).await, everywhere(&other).await), (0, 0));
}
