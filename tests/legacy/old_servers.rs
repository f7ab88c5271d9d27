//! Beside old servers: their sessions in their Redis, filled and read as they do it (contract 2.2).

use std::time::Duration;

use bo_auth_core::random::{SystemRandom, alphanumeric};
use bo_auth_core::session::EndReason;
use bo_auth_server::configuration::{Configuration, OldServersConfiguration, Secret, UserIdForm};
use bo_auth_server::legacy::errno::Errno;
use http::Method;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use super::fleet_of_test::{FleetOfTest, OutcomeAnswer, SESSION};
use crate::support::TestApp;

each_backend!(a_session_of_an_old_server_is_shown_and_removed, old_servers_see_a_new_session_until_it_ends);
one_backend!(Redis: numbers_are_read_as_configured, our_users_name_counts_where_both_agree, another_apps_sessions_are_left_alone,
    without_their_redis_the_cookie_is_kept, a_v3_logout_does_not_wait_for_their_redis, a_copy_of_our_cookie_is_no_session, nothing_is_written_where_it_is_not_wanted);

/// What an old server makes of a mobile number and a password.
const OLD_ID: &str = "5f4dcc3b5aa765d61d8327deb882cf99";

/// The shared Redis of a fleet, under an app name of its own.
struct OldFleet {
    fleet: FleetOfTest,
    redis: MultiplexedConnection,
    app: String,
}

fn redis_url() -> String {
    std::env::var("REDIS_URL").expect("REDIS_URL must name a Redis that tests may write to; scripts/test starts one and sets it")
}

fn old_servers(app: &str, user_id: UserIdForm) -> OldServersConfiguration {
    OldServersConfiguration { redis: Secret::new(redis_url()), app: app.to_owned(), user_id, shown_for: Some(Duration::from_hours(1)) }
}

impl OldFleet {
    async fn start(app: TestApp, change: impl FnOnce(&mut OldServersConfiguration)) -> Self {
        let name = format!("ihome-{}", alphanumeric(&SystemRandom::default(), 12));
        let mut configured = old_servers(&name, UserIdForm::Decimal);
        change(&mut configured);
        let fleet = FleetOfTest::start_with(app, |fleet| fleet.old_servers = Some(configured)).await;
        let redis = redis::Client::open(redis_url()).unwrap().get_multiplexed_async_connection().await.unwrap();
        Self { fleet, redis, app: name }
    }

    /// `SETEX`, three times, as the old sign-in does it.
    async fn old_sign_in(&self, session_id: &str, name: &str, user_id: &str, mobile: &str) {
        for (part, value) in [("name", name), ("user_id", user_id), ("mobile", mobile)] {
            let () = self.redis.clone().set_ex(self.key(session_id, part), value, 3600).await.unwrap();
        }
    }

    fn key(&self, session_id: &str, part: &str) -> String {
        format!("{}:{session_id}{part}", self.app)
    }

    /// What an old server would find.
    async fn old_session(&self, session_id: &str) -> [Option<String>; 3] {
        let mut found = [None, None, None];
        for (slot, part) in found.iter_mut().zip(["name", "user_id", "mobile"]) {
            *slot = self.redis.clone().get(self.key(session_id, part)).await.unwrap();
        }
        found
    }

    async fn with_cookie(&self, method: Method, value: &str) -> crate::support::Answer {
        self.fleet.app.bare_request(method, SESSION).header("Cookie", format!("userlogin={value}")).send().await
    }
}

async fn a_session_of_an_old_server_is_shown_and_removed(app: TestApp) {
    let old = OldFleet::start(app, |_| {}).await;
    old.old_sign_in(OLD_ID, "韩梅梅", "7", "13900000007").await;
    let answer = old.with_cookie(Method::GET, OLD_ID).await;
    assert_eq!(answer.text(), r#"{"errno":"0","errmsg":"OK","data":{"name":"韩梅梅"}}"#);
    let answer = old.with_cookie(Method::DELETE, OLD_ID).await;
    answer.assert_outcome(Errno::OK);
    assert_eq!(answer.header("set-cookie"), Some("userlogin=; Path=/; Max-Age=0"));
    assert_eq!(old.old_session(OLD_ID).await, [None, None, None]);
    old.with_cookie(Method::GET, OLD_ID).await.assert_outcome(Errno::SESSION);
}

async fn old_servers_see_a_new_session_until_it_ends(app: TestApp) {
    let old = OldFleet::start(app, |_| {}).await;
    let seen = || [Some("name of li".to_owned()), Some("42".to_owned()), Some(old.fleet.mobile.to_owned())];
    // Ended by its own cookie.
    let mut browser = old.fleet.signed_in().await;
    let cookie = browser.cookie().to_owned();
    assert_eq!(old.old_session(&cookie).await, seen());
    let lifetime: i64 = old.redis.clone().ttl(old.key(&cookie, "name")).await.unwrap();
    assert!((3590..=3600).contains(&lifetime), "{lifetime}");
    browser.sign_out().await.assert_outcome(Errno::OK);
    assert_eq!(old.old_session(&cookie).await, [None, None, None]);

    // Ended through the third version, which knows nothing of cookies: gone when its answer leaves.
    let browser = old.fleet.signed_in().await;
    assert_eq!(old.old_session(browser.cookie()).await, seen());
    let session = old.fleet.user.log_in().await;
    let logout = session.logout().query("scope", "all").send().await;
    logout.assert_body(r#"{"code":0,"success":true,"message":"退出成功"}"#);
    assert_eq!(old.old_session(browser.cookie()).await, [None, None, None]);

    // Ended by the operator.
    let browser = old.fleet.signed_in().await;
    let node = &old.fleet.tenant.node;
    let (operator, owner_id) = (node.operator(), &old.fleet.tenant.owner_id);
    let target = operator.target_of(owner_id, "li", None).await.unwrap();
    let ended = operator.end_sessions(owner_id, &target, None, EndReason::Kicked).await.unwrap();
    assert_eq!(ended.sessions.map(|sessions| sessions.len()), Some(1));
    node.apply(ended.change).await;
    assert_eq!(old.old_session(browser.cookie()).await, [None, None, None]);
}

async fn numbers_are_read_as_configured(app: TestApp) {
    let old = OldFleet::start(app, |old| old.user_id = UserIdForm::CodePoint).await;
    old.old_sign_in(OLD_ID, "韩梅梅", "\u{7}", "13900000007").await;
    assert!(old.with_cookie(Method::GET, OLD_ID).await.text().contains("韩梅梅"));
    // A number in the other encoding is an error to be told, not a user to be guessed.
    old.old_sign_in(OLD_ID, "韩梅梅", "77", "13900000007").await;
    old.with_cookie(Method::GET, OLD_ID).await.assert_outcome(Errno::DATA_WRONG);
    let browser = old.fleet.signed_in().await;
    assert_eq!(old.old_session(browser.cookie()).await[1].as_deref(), Some("*"));
}

async fn our_users_name_counts_where_both_agree(app: TestApp) {
    let old = OldFleet::start(app, |_| {}).await;
    // Our 42 has another mobile number: the old server's 42 is somebody else.
    old.old_sign_in(OLD_ID, "somebody else", "42", "13900000007").await;
    assert!(old.with_cookie(Method::GET, OLD_ID).await.text().contains("somebody else"));
    old.old_sign_in(OLD_ID, "a former name", "42", old.fleet.mobile).await;
    assert!(old.with_cookie(Method::GET, OLD_ID).await.text().contains("name of li"));
    let node = &old.fleet.tenant.node;
    let (change, _) = node.operator().set_user_disabled(&old.fleet.tenant.owner_id, "li", true).await.unwrap();
    node.apply(change).await;
    old.with_cookie(Method::GET, OLD_ID).await.assert_outcome(Errno::USER);
}

async fn another_apps_sessions_are_left_alone(app: TestApp) {
    let old = OldFleet::start(app, |_| {}).await;
    let other = format!("other-{}:{OLD_ID}name", old.app);
    let () = old.redis.clone().set_ex(&other, "韩梅梅", 60).await.unwrap();
    old.with_cookie(Method::GET, OLD_ID).await.assert_outcome(Errno::SESSION);
    old.with_cookie(Method::DELETE, OLD_ID).await.assert_outcome(Errno::OK);
    let left: Option<String> = old.redis.clone().get(&other).await.unwrap();
    assert_eq!(left.as_deref(), Some("韩梅梅"));
}

async fn without_their_redis_the_cookie_is_kept(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let mut browser = fleet.signed_in().await;
    fleet
        .app
        .restart_with(|configuration| {
            let away = Secret::new("redis+unix:///nowhere/redis.sock".to_owned());
            let old = OldServersConfiguration { redis: away, ..old_servers("ihome", UserIdForm::Decimal) };
            configuration.legacy.fleets[0].old_servers = Some(old);
        })
        .await;
    // A session of ours is known without it.
    assert!(browser.who().await.text().contains("name of li"));
    let mut old_browser = fleet.browser();
    old_browser.cookies.insert("userlogin".to_owned(), OLD_ID.to_owned());
    old_browser.who().await.assert_outcome(Errno::DATABASE);
    // Ours has ended and the old servers may still show it; theirs was not reached at all.
    for (browser, errno) in [(&mut browser, Errno::NOT_EVERYWHERE), (&mut old_browser, Errno::DATABASE)] {
        let answer = browser.sign_out().await;
        answer.assert_outcome(errno);
        assert_eq!(answer.header("set-cookie"), None);
        browser.assert_cookie(true);
    }
    // What could be ended has ended, and half a sign-in is none.
    browser.who().await.assert_outcome(Errno::SESSION);
    fleet.browser().sign_in(&fleet.credentials()).await.assert_outcome(Errno::DATABASE);
    let service = fleet.app.service();
    let live = service.db.list_live_sessions(&fleet.tenant.owner_id, &fleet.user.id, fleet.app.now()).await.unwrap();
    assert!(live.is_empty());
}

async fn a_v3_logout_does_not_wait_for_their_redis(app: TestApp) {
    let old = OldFleet::start(app, |_| {}).await;
    let browser = old.fleet.signed_in().await;
    let session = old.fleet.user.log_in().await;
    let away = |redis: String| {
        move |configuration: &mut Configuration| {
            configuration.legacy.fleets[0].old_servers.as_mut().unwrap().redis = Secret::new(redis);
        }
    };
    old.fleet.app.restart_with(away("redis+unix:///nowhere/redis.sock".to_owned())).await;
    session.logout().query("scope", "all").send().await.assert_body(r#"{"code":0,"success":true,"message":"退出成功"}"#);
    assert!(old.old_session(browser.cookie()).await[0].is_some());
    // What was left is made good as soon as it is back.
    old.fleet.app.restart_with(away(redis_url())).await;
    old.fleet.app.advance(Duration::from_secs(10));
    for _ in 0..100 {
        if old.old_session(browser.cookie()).await == [None, None, None] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("old servers still see the session");
}

async fn a_copy_of_our_cookie_is_no_session(app: TestApp) {
    let old = OldFleet::start(app, |_| {}).await;
    let mut browser = old.fleet.signed_in().await;
    let cookie = browser.cookie().to_owned();
    browser.sign_out().await.assert_outcome(Errno::OK);
    // Somebody restores the old Redis from a backup.
    old.old_sign_in(&cookie, "name of li", "42", old.fleet.mobile).await;
    old.with_cookie(Method::GET, &cookie).await.assert_outcome(Errno::SESSION);
}

async fn nothing_is_written_where_it_is_not_wanted(app: TestApp) {
    let old = OldFleet::start(app, |old| old.shown_for = None).await;
    let browser = old.fleet.signed_in().await;
    assert_eq!(old.old_session(browser.cookie()).await, [None, None, None]);
}
