//! A value that was read before an invalidation does not come back after it, on any engine.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

on_every_engine! {
    a_refill_fills_once
    a_refill_that_was_overtaken_is_refused
    a_refill_after_its_lease_is_refused
    readers_that_miss_together_share_a_lease
    begin_refill_drops_what_was_cached
    no_old_value_is_revived_under_load
}

async fn a_refill_fills_once(stage: Stage) {
    let refill = stage.miss("a").await;
    assert_eq!(stage.get(&stage.owner, "a").await, None);
    assert!(stage.refill(refill, "1").await);
    let hit = stage.cache.get::<Profile>(&stage.owner, "a").await.unwrap();
    assert_eq!(hit, Some(Hit { value: Arc::new("1".to_owned()), fetched_at: FETCHED }));
}

async fn a_refill_that_was_overtaken_is_refused(stage: Stage) {
    let (cache, owner) = (&stage.cache, &stage.owner);
    let refill = stage.miss("a").await;
    cache.remove::<Profile>(owner, "a").await.unwrap();
    assert!(!stage.refill(refill, "stale").await);
    assert_eq!(stage.get(owner, "a").await, None);

    let refill = stage.miss("a").await;
    cache.sessions_ended(&[ended(owner, "a")]).await.unwrap();
    assert!(!stage.refill(refill, "stale").await);
    assert_eq!(stage.get(owner, "a").await, None);

    let refill = stage.miss("a").await;
    stage.put(owner, "a", "newer").await;
    assert!(!stage.refill(refill, "stale").await);
    assert_eq!(stage.get(owner, "a").await.as_deref(), Some("newer"));

    // Even where another reader has come in between and waits to fill.
    cache.remove::<Profile>(owner, "a").await.unwrap();
    let early = stage.miss("a").await;
    cache.sessions_ended(&[ended(owner, "a")]).await.unwrap();
    let late = stage.miss("a").await;
    assert!(!stage.refill(early, "stale").await);
    assert!(stage.refill(late, "fresh").await);
    assert_eq!(stage.get(owner, "a").await.as_deref(), Some("fresh"));
}

async fn a_refill_after_its_lease_is_refused(stage: Stage) {
    let refill = stage.miss("a").await;
    match stage.cache {
        // Nobody waits half a minute; what matters is that a lost lease refuses, as after FLUSHALL.
        Cache::Redis(_) => stage.cache.remove::<Profile>(&stage.owner, "a").await.unwrap(),
        Cache::Sqlite(_) | Cache::Local(_) => stage.clock.advance(refill::LEASE_LIFETIME),
    }
    assert!(!stage.refill(refill, "late").await);
    assert_eq!(stage.get(&stage.owner, "a").await, None);
}

async fn readers_that_miss_together_share_a_lease(stage: Stage) {
    let (one, other) = (stage.miss("a").await, stage.miss("a").await);
    assert!(stage.refill(other, "first").await);
    assert!(!stage.refill(one, "second").await);
    assert_eq!(stage.get(&stage.owner, "a").await.as_deref(), Some("first"));
}

async fn begin_refill_drops_what_was_cached(stage: Stage) {
    stage.put(&stage.owner, "a", "old").await;
    let overtaken = stage.cache.begin_refill::<Profile>(&stage.owner, "a").await.unwrap();
    assert_eq!(stage.get(&stage.owner, "a").await, None);
    let refill = stage.cache.begin_refill::<Profile>(&stage.owner, "a").await.unwrap();
    assert!(!stage.refill(overtaken, "older").await);
    assert!(stage.refill(refill, "new").await);
    assert_eq!(stage.get(&stage.owner, "a").await.as_deref(), Some("new"));
}

/// Readers pause between the database and the cache while sessions end: what a reader sees once an end has been
/// answered is never older than that end.
async fn no_old_value_is_revived_under_load(stage: Stage) {
    let truth = Arc::new(AtomicU64::new(0));
    let answered = Arc::new(AtomicU64::new(0));
    let readers = (0..8_u64).map(|reader| {
        let (cache, owner, truth, answered) = (stage.cache.clone(), stage.owner.clone(), Arc::clone(&truth), Arc::clone(&answered));
        tokio::spawn(async move {
            for turn in 0..200_u64 {
                let before = answered.load(Ordering::SeqCst);
                let seen = match cache.lookup::<Profile>(&owner, "u1").await.unwrap() {
                    Lookup::Hit(hit) => hit.value.parse().unwrap(),
                    Lookup::Miss(refill) => {
                        let read = truth.load(Ordering::SeqCst);
                        if (reader + turn) % 3 == 0 {
                            tokio::time::sleep(Duration::from_micros(turn * 10)).await;
                        }
                        cache.refill(refill, &read.to_string(), FETCHED).await.unwrap();
                        read
                    }
                };
                assert!(seen >= before, "{seen} was read after {before} had ended");
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    for end in 1..=200 {
        truth.store(end, Ordering::SeqCst);
        stage.cache.sessions_ended(&[ended(&stage.owner, "u1")]).await.unwrap();
        answered.store(end, Ordering::SeqCst);
        tokio::task::yield_now().await;
    }
    for reader in readers {
        reader.await.unwrap();
    }
    let left = stage.get(&stage.owner, "u1").await;
    assert!(left.is_none() || left.as_deref() == Some("200"), "{left:?}");
}
