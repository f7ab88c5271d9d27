//! What the cache says when its engine is away, and how it comes back.

use super::*;
use crate::test_redis::{Relay, Weather};

/// Every operation of an engine that is away says so, and none takes longer than its time.
async fn every_operation_says_that_the_cache_is_away(cache: &Cache) {
    let owner = new_owner("");
    let begun = tokio::time::Instant::now();
    let outcomes = [
        cache.get::<Profile>(&owner, "a").await.map(drop),
        cache.lookup::<Profile>(&owner, "a").await.map(drop),
        cache.begin_refill::<Profile>(&owner, "a").await.map(drop),
        cache.put::<Profile>(&owner, "a", &String::new(), FETCHED).await,
        cache.remove::<Profile>(&owner, "a").await,
        cache.take::<Profile>(&owner, "a").await.map(drop),
        cache.increase(&owner, "a", Duration::from_secs(1)).await.map(drop),
        cache.counter(&owner, "a").await.map(drop),
        cache.reset(&owner, "a").await,
        cache.sessions_ended(&[ended(&owner, "a")]).await,
        cache.take_login_flag(&owner, &user("a")).await.map(drop),
    ];
    for outcome in outcomes {
        assert!(matches!(outcome, Err(Error::CacheUnavailable(_))), "{outcome:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn redis_that_is_down_or_silent() {
    let relay = Relay::start().await;
    let cache = Cache::redis(RedisConnection::open(&relay.url).unwrap());
    let owner = new_owner("");
    cache.put::<Profile>(&owner, "a", &"kept".to_owned(), FETCHED).await.unwrap();
    for weather in [Weather::Down, Weather::Silent] {
        relay.becomes(weather);
        every_operation_says_that_the_cache_is_away(&cache).await;
        relay.becomes(Weather::Fine);
        let begun = tokio::time::Instant::now();
        while cache.get::<Profile>(&owner, "a").await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(3), "the connection did not come back");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(cache.get::<Profile>(&owner, "a").await.unwrap().unwrap().value.as_ref(), "kept");
    }
}

#[tokio::test]
async fn sqlite_that_is_closed() {
    let stage = Stage::sqlite().await;
    if let Cache::Sqlite(engine) = &stage.cache {
        engine.close().await;
    }
    every_operation_says_that_the_cache_is_away(&stage.cache).await;
}
