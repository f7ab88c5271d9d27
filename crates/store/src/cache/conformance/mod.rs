//! What every engine of the cache must do: each test runs on Redis, on SQLite and in memory. Where time matters, the
//! clock of the last two is set, and Redis is waited for.

use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::identifier::{OwnerId, SystemId, UserId};
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::time::{SettableClock, Timestamp};
use futures_util::future::join_all;

use super::*;
use crate::Db;
use crate::test_redis::{new_owner, redis};
use crate::test_sqlite::TestDatabase;

const FETCHED: Timestamp = Timestamp(1_700_000_000_123);

/// Stays for long.
struct Profile;

impl Cached for Profile {
    const PURPOSE: &'static str = USER_PURPOSE;
    const LIFETIME: Duration = Duration::from_mins(10);
    type Id = str;
    type Value = String;
}

/// Is of another purpose.
struct Picture;

impl Cached for Picture {
    const PURPOSE: &'static str = "picture";
    const LIFETIME: Duration = Duration::from_mins(10);
    type Id = str;
    type Value = Vec<u32>;
}

/// Is soon gone.
struct Glimpse;

impl Cached for Glimpse {
    const PURPOSE: &'static str = "glimpse";
    const LIFETIME: Duration = Duration::from_millis(200);
    type Id = u64;
    type Value = String;
}

/// A cache to test, and a tenant of its own in it.
struct Stage {
    cache: Cache,
    owner: OwnerId,
    clock: Arc<SettableClock>,
    /// Keeps the file of SQLite.
    database: Option<TestDatabase>,
}

impl Stage {
    fn new(cache: Cache, clock: Arc<SettableClock>) -> Self {
        Self { cache, owner: new_owner(""), clock, database: None }
    }

    #[expect(clippy::unused_async, reason = "as the others")]
    async fn redis() -> Self {
        Self::new(Cache::redis(redis()), clock())
    }

    async fn sqlite() -> Self {
        let database = TestDatabase::new().await;
        let Db::Sqlite { read, write } = database.db.clone() else { panic!("a database of another engine") };
        let clock = clock();
        let mut stage = Self::new(Cache::sqlite(read, write, Arc::clone(&clock) as Arc<dyn Clock>), clock);
        stage.database = Some(database);
        stage
    }

    #[expect(clippy::unused_async, reason = "as the others")]
    async fn local() -> Self {
        let clock = clock();
        Self::new(Cache::local(64 << 20, Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    /// Lets time pass on the clock that decides.
    async fn wait(&self, duration: Duration) {
        match self.cache {
            Cache::Redis(_) => tokio::time::sleep(duration).await,
            Cache::Sqlite(_) | Cache::Local(_) => self.clock.advance(duration),
        }
    }

    async fn put(&self, owner_id: &OwnerId, id: &str, value: &str) {
        self.cache.put::<Profile>(owner_id, id, &value.to_owned(), FETCHED).await.unwrap();
    }

    async fn get(&self, owner_id: &OwnerId, id: &str) -> Option<String> {
        self.cache.get::<Profile>(owner_id, id).await.unwrap().map(|hit| Arc::unwrap_or_clone(hit.value))
    }

    async fn miss(&self, id: &str) -> Refill<Profile> {
        match self.cache.lookup::<Profile>(&self.owner, id).await.unwrap() {
            Lookup::Miss(refill) => refill,
            Lookup::Hit(hit) => panic!("{hit:?}"),
        }
    }

    async fn refill(&self, refill: Refill<Profile>, value: &str) -> bool {
        self.cache.refill(refill, &value.to_owned(), FETCHED).await.unwrap()
    }

    /// Puts bytes there that no version writes.
    async fn corrupt(&self, key: &str) {
        let stored: Result<(), Error> = on!(&self.cache, engine => engine.write(key, b"\xffnot ours", Duration::from_mins(1)));
        stored.unwrap();
    }

    async fn raw(&self, key: &str) -> Option<Vec<u8>> {
        let found: Result<Option<Vec<u8>>, Error> = on!(&self.cache, engine => engine.read(key));
        found.unwrap()
    }
}

fn clock() -> Arc<SettableClock> {
    Arc::new(SettableClock::new(FETCHED))
}

fn user(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

fn ended(owner_id: &OwnerId, user_id: &str) -> EndedSession {
    EndedSession {
        owner_id: owner_id.clone(),
        session_id: SessionId::from_number(1),
        sys_id: SystemId::parse("web").unwrap(),
        user_id: user(user_id),
        reason: EndReason::LoggedOut,
        ended_at: FETCHED,
        keep_until: FETCHED,
        event_id: 0,
    }
}

/// Makes a test of each function on each engine.
macro_rules! on_every_engine {
    ($($test:ident)*) => {
        on_every_engine!(@redis $($test)*);
        on_every_engine!(@sqlite $($test)*);
        on_every_engine!(@local $($test)*);
    };
    (@$engine:ident $($test:ident)*) => {
        mod $engine {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $test() {
                    super::$test(super::Stage::$engine().await).await;
                }
            )*
        }
    };
}

mod away;
mod refilling;

on_every_engine! {
    values_come_back_with_their_date
    expired_values_are_never_served
    tenants_purposes_and_ids_are_apart
    removed_values_are_gone
    one_of_fifty_takers_gets_the_value
    counters_count_every_increase_and_expire
    a_login_flag_is_set_by_an_ended_session_and_taken_once
    many_ended_sessions_are_one_call
    big_values_fit
    an_unreadable_value_is_a_miss_and_removed
    forgetting_what_expired_leaves_the_rest
}

async fn values_come_back_with_their_date(stage: Stage) {
    assert_eq!(stage.get(&stage.owner, "a").await, None);
    stage.put(&stage.owner, "a", "一").await;
    let hit = stage.cache.get::<Profile>(&stage.owner, "a").await.unwrap();
    assert_eq!(hit, Some(Hit { value: Arc::new("一".to_owned()), fetched_at: FETCHED }));
    stage.put(&stage.owner, "a", "二").await;
    assert_eq!(stage.get(&stage.owner, "a").await.as_deref(), Some("二"));
    assert!(matches!(stage.cache.lookup::<Profile>(&stage.owner, "a").await.unwrap(), Lookup::Hit(hit) if *hit.value == "二"));
}

async fn expired_values_are_never_served(stage: Stage) {
    let (cache, owner) = (&stage.cache, &stage.owner);
    for id in 0..3 {
        cache.put::<Glimpse>(owner, &id, &"old".to_owned(), FETCHED).await.unwrap();
    }
    assert!(cache.get::<Glimpse>(owner, &0).await.unwrap().is_some());
    stage.wait(Duration::from_millis(201)).await;
    assert!(cache.get::<Glimpse>(owner, &0).await.unwrap().is_none());
    assert!(cache.take::<Glimpse>(owner, &1).await.unwrap().is_none());
    let Lookup::Miss(refill) = cache.lookup::<Glimpse>(owner, &2).await.unwrap() else { panic!("an expired value was served") };
    assert!(cache.refill(refill, &"new".to_owned(), FETCHED).await.unwrap());
    assert_eq!(cache.get::<Glimpse>(owner, &2).await.unwrap().unwrap().value.as_ref(), "new");
    // A value that is put again lives its whole life again.
    cache.put::<Glimpse>(owner, &3, &"a".to_owned(), FETCHED).await.unwrap();
    stage.wait(Duration::from_millis(120)).await;
    cache.put::<Glimpse>(owner, &3, &"b".to_owned(), FETCHED).await.unwrap();
    stage.wait(Duration::from_millis(120)).await;
    assert_eq!(cache.get::<Glimpse>(owner, &3).await.unwrap().unwrap().value.as_ref(), "b");
}

async fn tenants_purposes_and_ids_are_apart(stage: Stage) {
    let base = stage.owner.as_str();
    let owners: Vec<OwnerId> =
        ["", ":b", ":1", ".b", ":b:4", "-"].iter().map(|end| OwnerId::parse(&format!("{base}{end}")).unwrap()).collect();
    let ids = ["a", "a:b", "b", "", "b:a", "}4:user:a", "{a}", "A", "a ", "%", "a\0b", "用户", "' OR 1=1 --"];
    for owner in &owners {
        for id in ids {
            stage.put(owner, id, &format!("{owner}/{id}")).await;
        }
    }
    for owner in &owners {
        for id in ids {
            assert_eq!(stage.get(owner, id).await, Some(format!("{owner}/{id}")));
            assert!(stage.cache.get::<Picture>(owner, id).await.unwrap().is_none());
            assert_eq!(stage.cache.counter(owner, id).await.unwrap(), 0);
        }
    }
    stage.cache.remove::<Profile>(&owners[0], "a").await.unwrap();
    assert_eq!(stage.get(&owners[0], "a").await, None);
    assert!(stage.get(&owners[1], "a").await.is_some());
    stage.cache.sessions_ended(&[ended(&owners[1], "a")]).await.unwrap();
    assert_eq!(stage.get(&owners[1], "a").await, None);
    assert!(stage.get(&owners[2], "a").await.is_some());
    assert!(stage.get(&owners[1], "a:b").await.is_some());
    assert!(!stage.cache.take_login_flag(&owners[2], &user("a")).await.unwrap());
}

async fn removed_values_are_gone(stage: Stage) {
    stage.put(&stage.owner, "a", "1").await;
    for _ in 0..2 {
        stage.cache.remove::<Profile>(&stage.owner, "a").await.unwrap();
        assert_eq!(stage.get(&stage.owner, "a").await, None);
    }
}

async fn one_of_fifty_takers_gets_the_value(stage: Stage) {
    for round in 0..10 {
        let id = round.to_string();
        stage.put(&stage.owner, &id, "once").await;
        let takers = (0..50).map(|_| {
            let (cache, owner, id) = (stage.cache.clone(), stage.owner.clone(), id.clone());
            tokio::spawn(async move { cache.take::<Profile>(&owner, &id).await.unwrap() })
        });
        let taken: Vec<_> = join_all(takers).await.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(taken, [Hit { value: Arc::new("once".to_owned()), fetched_at: FETCHED }]);
    }
    // A lease is nothing that can be taken.
    let refill = stage.miss("leased").await;
    assert!(stage.cache.take::<Profile>(&stage.owner, "leased").await.unwrap().is_none());
    drop(refill);
}

async fn counters_count_every_increase_and_expire(stage: Stage) {
    let (cache, owner) = (&stage.cache, &stage.owner);
    let increases = (0..50).map(|_| {
        let (cache, owner) = (cache.clone(), owner.clone());
        tokio::spawn(async move { cache.increase(&owner, "racers", Duration::from_mins(1)).await.unwrap() })
    });
    let mut counts: Vec<u64> = join_all(increases).await.into_iter().map(Result::unwrap).collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=50).collect::<Vec<u64>>());
    assert_eq!(cache.counter(owner, "racers").await.unwrap(), 50);
    cache.reset(owner, "racers").await.unwrap();
    assert_eq!(cache.counter(owner, "racers").await.unwrap(), 0);
    assert_eq!(cache.increase(owner, "racers", Duration::from_mins(1)).await.unwrap(), 1);

    // The lifetime runs from the first increase.
    let lifetime = Duration::from_millis(300);
    assert_eq!(cache.increase(owner, "short", lifetime).await.unwrap(), 1);
    stage.wait(Duration::from_millis(200)).await;
    assert_eq!(cache.increase(owner, "short", lifetime).await.unwrap(), 2);
    stage.wait(Duration::from_millis(101)).await;
    assert_eq!(cache.counter(owner, "short").await.unwrap(), 0);
    assert_eq!(cache.increase(owner, "short", lifetime).await.unwrap(), 1);
}

async fn a_login_flag_is_set_by_an_ended_session_and_taken_once(stage: Stage) {
    let (cache, owner) = (&stage.cache, &stage.owner);
    assert!(!cache.take_login_flag(owner, &user("u1")).await.unwrap());
    stage.put(owner, "u1", "old").await;
    cache.sessions_ended(&[ended(owner, "u1"), ended(owner, "u1")]).await.unwrap();
    cache.sessions_ended(&[ended(owner, "u1")]).await.unwrap();
    assert_eq!(stage.get(owner, "u1").await, None);
    let logins = (0..50).map(|_| {
        let (cache, owner) = (cache.clone(), owner.clone());
        tokio::spawn(async move { cache.take_login_flag(&owner, &user("u1")).await.unwrap() })
    });
    assert_eq!(join_all(logins).await.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), 1);
    assert!(!cache.take_login_flag(owner, &user("u1")).await.unwrap());
    cache.sessions_ended(&[]).await.unwrap();
}

async fn many_ended_sessions_are_one_call(stage: Stage) {
    let others: Vec<OwnerId> = (0..5).map(|number| new_owner(&format!(".{number}"))).collect();
    let mut sessions = Vec::new();
    for owner in &others {
        for number in 0..200 {
            let id = format!("u:{number}");
            stage.put(owner, &id, "old").await;
            sessions.push(ended(owner, &id));
        }
        stage.put(owner, "stays", "old").await;
    }
    // In whatever order they come.
    sessions.sort_by(|one, other| one.user_id.cmp(&other.user_id));
    stage.cache.sessions_ended(&sessions).await.unwrap();
    for owner in &others {
        for number in 0..200 {
            let id = format!("u:{number}");
            assert_eq!(stage.get(owner, &id).await, None);
            assert!(stage.cache.take_login_flag(owner, &user(&id)).await.unwrap());
        }
        assert!(stage.get(owner, "stays").await.is_some());
    }
}

async fn big_values_fit(stage: Stage) {
    let big: Vec<u32> = (0..200_000).collect();
    stage.cache.put::<Picture>(&stage.owner, "big", &big, FETCHED).await.unwrap();
    assert_eq!(stage.cache.get::<Picture>(&stage.owner, "big").await.unwrap().unwrap().value.as_ref(), &big);
}

async fn an_unreadable_value_is_a_miss_and_removed(stage: Stage) {
    let (cache, owner) = (&stage.cache, &stage.owner);
    let key = key::value(owner, Profile::PURPOSE, "a");
    stage.corrupt(&key).await;
    assert_eq!(stage.get(owner, "a").await, None);
    assert_eq!(stage.raw(&key).await, None);

    stage.corrupt(&key).await;
    let refill = stage.miss("a").await;
    assert!(stage.refill(refill, "good").await);
    assert_eq!(stage.get(owner, "a").await.as_deref(), Some("good"));

    stage.corrupt(&key).await;
    assert!(cache.take::<Profile>(owner, "a").await.unwrap().is_none());
    assert_eq!(stage.raw(&key).await, None);

    // The value of another type is as unreadable, and so is a counter that is no number.
    let key = key::value(owner, Picture::PURPOSE, "a");
    let bytes = stored::encode(&"text", FETCHED).unwrap();
    let stored: Result<(), Error> = on!(cache, engine => engine.write(&key, &bytes, Duration::from_mins(1)));
    stored.unwrap();
    assert!(cache.get::<Picture>(owner, "a").await.unwrap().is_none());
    let key = key::counter(owner, "a");
    stage.corrupt(&key).await;
    assert_eq!(cache.counter(owner, "a").await.unwrap(), 0);
    assert_eq!(cache.increase(owner, "a", Duration::from_mins(1)).await.unwrap(), 1);
    assert_eq!(cache.increase(owner, "a", Duration::from_mins(1)).await.unwrap(), 2);
}

async fn forgetting_what_expired_leaves_the_rest(stage: Stage) {
    let (cache, owner) = (&stage.cache, &stage.owner);
    cache.put::<Glimpse>(owner, &1, &"short".to_owned(), FETCHED).await.unwrap();
    stage.put(owner, "a", "long").await;
    stage.wait(Duration::from_millis(201)).await;
    cache.forget_expired().await.unwrap();
    assert!(cache.get::<Glimpse>(owner, &1).await.unwrap().is_none());
    assert_eq!(stage.get(owner, "a").await.as_deref(), Some("long"));
    if let Cache::Sqlite(_) = cache {
        let key = key::value(owner, Glimpse::PURPOSE, &1);
        assert_eq!(stage.raw(&key).await, None);
    }
}

#[tokio::test]
async fn memory_stays_within_its_bound() {
    let cache = Cache::local(1 << 20, clock());
    let owner = new_owner("");
    let value = "x".repeat(1000);
    for number in 0..20_000 {
        cache.put::<Profile>(&owner, &number.to_string(), &value, FETCHED).await.unwrap();
    }
    cache.forget_expired().await.unwrap();
    let Cache::Local(engine) = &cache else { panic!("another engine") };
    assert!(engine.len() < 1000, "{}", engine.len());
    assert!(cache.get::<Profile>(&owner, "19999").await.unwrap().is_some());
}
