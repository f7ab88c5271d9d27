//! What is durable and could not be told to everyone (contract 1.5 and 1.6): it is no success, nothing says that nothing
//! was changed, it is told without being asked again, and asking again answers success once it is true.

use std::time::Duration;

use bo_auth_server::fault::FaultKind;
use bo_auth_server::legacy::errno::Errno;
use http::Method;
use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::admin::administrator::{Administrator, assert_problem};
use crate::legacy::fleet_of_test::{FleetOfTest, OutcomeAnswer, SESSION};
use crate::process::Place;
use crate::support::{NO_REDIS, Session, TestApp, TestRequest};

one_backend!(Redis:
    a_logout_that_nobody_could_be_told_of_is_no_success,
    every_way_to_end_a_session_says_so,
    what_ended_is_told_without_being_asked_again,
    an_administrator_hears_that_a_change_is_made,
    ends_that_every_node_knows_are_a_success_without_redis,
    a_command_says_that_its_change_is_made,
    the_first_contract_says_so_in_its_words,
);

/// A database in which what ends is written, and a note that others must hear of it is not.
pub(crate) struct Untellable(PgConnection);

impl Untellable {
    pub(crate) async fn make(app: &TestApp) -> Self {
        let mut connection = PgConnection::connect(app.database_url().unwrap()).await.unwrap();
        for statement in [
            "CREATE FUNCTION refuse_to_tell() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'out of order' USING ERRCODE = '57P03'; END $$",
            "CREATE TRIGGER untellable BEFORE UPDATE ON bo_outbox FOR EACH ROW \
             WHEN (NEW.kind <> OLD.kind) EXECUTE FUNCTION refuse_to_tell()",
            "CREATE TRIGGER untellable BEFORE UPDATE ON bo_not_before FOR EACH ROW \
             WHEN (NEW.untold <> OLD.untold) EXECUTE FUNCTION refuse_to_tell()",
        ] {
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
        Self(connection)
    }

    pub(crate) async fn end(mut self) {
        sqlx::query("DROP FUNCTION refuse_to_tell CASCADE").execute(&mut self.0).await.unwrap();
    }
}

#[track_caller]
fn assert_not_everywhere(answer: &crate::support::Answer) {
    answer.assert_fault(FaultKind::DONE_NOT_EVERYWHERE);
    assert_eq!(answer.header("retry-after"), Some("1"));
}

async fn a_logout_that_nobody_could_be_told_of_is_no_success(app: TestApp) {
    let cut_off = app.node_without_redis().await;
    let user = app.with_tenant("acme").await.with_user("li").await;
    let session = user.signed_in().await;
    assert_eq!(session.current_user().send().await.status, 200);
    let untellable = Untellable::make(&app).await;
    for _ in 0..2 {
        assert_not_everywhere(&session.logout().on(&cut_off).send().await);
        assert!(session.row().await.ended.is_some(), "it is durable");
    }
    untellable.end().await;
    assert_eq!(session.logout().on(&cut_off).send().await.status, 200);
    for node in [&app, &cut_off] {
        session.assert_ended_on(node, "SESSION_LOGGED_OUT").await;
    }
    assert_eq!(user.system.tenant.audited_ends(&user.id).await, 1);
}

/// What a session asks for that ends it or another one.
type Way = fn(&Session, &Session) -> TestRequest;

async fn every_way_to_end_a_session_says_so(app: TestApp) {
    let cut_off = app.node_without_redis().await;
    let tenant = app.with_tenant("acme").await;
    let ways: [(&str, Way); 4] = [
        ("all", |own, _| own.logout().query("scope", "all")),
        ("others", |own, _| own.logout().query("scope", "others")),
        ("another device", |own, other| own.end(other.id)),
        ("reuse", |_, other| other.refresh()),
    ];
    for (name, way) in ways {
        let user = tenant.with_user(&format!("user-{}", name.replace(' ', "-"))).await;
        let (own, other) = (user.signed_in().await, user.signed_in().await);
        let latest = other.refreshed().await.refreshed().await;
        let untellable = Untellable::make(&app).await;
        let answer = way(&own, &other).on(&cut_off).send().await;
        assert_eq!(answer.error_code(), "DONE_NOT_EVERYWHERE", "{name}: {}", answer.text());
        assert!(latest.row().await.ended.is_some(), "{name}: it is durable");
        untellable.end().await;
        let again = way(&own, &other).on(&cut_off).send().await.error_code();
        assert_eq!(again, if name == "reuse" { "SESSION_REUSE_DETECTED" } else { "" }, "{name}");
    }
    let user = tenant.with_user("guest").await;
    tenant.web().change(json!({"sessionLimit": 1})).await;
    let replaced = user.signed_in().await;
    let untellable = Untellable::make(&app).await;
    assert_not_everywhere(&user.login().on(&cut_off).send().await);
    untellable.end().await;
    assert!(replaced.row().await.ended.is_some());
    assert_eq!(user.login().on(&cut_off).send().await.status, 200);
}

async fn what_ended_is_told_without_being_asked_again(app: TestApp) {
    let cut_off = app.node_without_redis().await;
    let user = app.with_tenant("acme").await.with_user("li").await;
    let (session, all) = (user.signed_in().await, user.signed_in().await);
    let untellable = Untellable::make(&app).await;
    assert_not_everywhere(&session.logout().on(&cut_off).send().await);
    assert_not_everywhere(&all.logout().query("scope", "all").on(&cut_off).send().await);
    untellable.end().await;
    // Only the outbox tells of it from here on.
    app.advance(Duration::from_secs(6));
    let begun = std::time::Instant::now();
    for ended in [&session, &all] {
        while ended.current_user().send().await.status == 200 {
            assert!(begun.elapsed() < Duration::from_secs(20), "nobody has told of it");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        ended.assert_ended("SESSION_LOGGED_OUT").await;
    }
}

async fn an_administrator_hears_that_a_change_is_made(app: TestApp) {
    let cut_off = app.node_without_redis().await;
    let tenant = app.with_tenant("acme").await;
    let admin = Administrator::of_platform(&app).await;
    let user = tenant.with_user("li").await;
    let session = user.signed_in().await;
    let path = format!("/tenants/{}/users/{}", tenant.owner_id, user.id);
    let etag = async || admin.get(&path).await.header("etag").unwrap().to_owned();
    let change = async |name: &str| {
        let request = admin.request(Method::PATCH, &path).header("If-Match", etag().await).json(&json!({"name": name}));
        request.on(&cut_off).send().await
    };
    assert_eq!(session.current_user().send().await.status, 200);
    let answer = change("one").await;
    assert_problem(&answer, 503, "DONE_NOT_EVERYWHERE");
    assert_eq!((answer.json()["title"].as_str(), answer.header("retry-after")), (Some(FaultKind::DONE_NOT_EVERYWHERE.english), Some("1")));
    assert_eq!(admin.read(&path).await["name"], "one", "it is durable");
    // By way of a node that reaches everyone it is a success.
    let again = admin.patch(&path, &etag().await, &json!({"name": "one"})).await;
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!(session.current_user().send().await.json()["data"]["name"], "one");
    // Where nobody asks again it is told all the same.
    assert_problem(&change("two").await, 503, "DONE_NOT_EVERYWHERE");
    app.advance(Duration::from_secs(6));
    let begun = std::time::Instant::now();
    while session.current_user().send().await.json()["data"]["name"] != "two" {
        assert!(begun.elapsed() < Duration::from_secs(20), "the name stays as it was");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Of a tenant, a system and a session likewise, where the database does not take the note either.
    let system = format!("/tenants/{}/systems/web", tenant.owner_id);
    let etag = admin.get(&system).await.header("etag").unwrap().to_owned();
    let rename = admin.request(Method::PATCH, &system).header("If-Match", etag).json(&json!({"name": "three"}));
    let end = admin.request(Method::DELETE, &format!("/tenants/{}/sessions/{}", tenant.owner_id, session.id));
    let untellable = Untellable::make(&app).await;
    for request in [&rename, &end] {
        assert_problem(&request.clone().on(&cut_off).send().await, 503, "DONE_NOT_EVERYWHERE");
    }
    untellable.end().await;
    assert_eq!(admin.read(&system).await["name"], "three");
    assert_eq!(end.on(&cut_off).send().await.status, 204, "once it is true");
}

async fn ends_that_every_node_knows_are_a_success_without_redis(app: TestApp) {
    let cut_off = app.node_without_redis().await;
    let tenant = app.with_tenant("acme").await;
    let admin = Administrator::of_platform(&app).await;
    let user = tenant.with_user("li").await;
    let (one, others) = (user.signed_in().await, user.signed_in().await);
    let path = format!("/tenants/{}/sessions", tenant.owner_id);
    let answer = admin.request(Method::DELETE, &format!("{path}/{}", one.id)).on(&cut_off).send().await;
    assert_eq!(answer.status, 204, "{}", answer.text());
    let request = admin.request(Method::POST, &format!("{path}/end")).json(&json!({"userId": user.id}));
    let answer = request.on(&cut_off).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for node in [&app, &cut_off] {
        one.assert_ended_on(node, "SESSION_KICKED").await;
        others.assert_ended_on(node, "SESSION_KICKED").await;
    }
    // A logout that finds nothing left to end is one of them, though the cache cannot be told of the earlier ends.
    let again = others.logout().query("scope", "all").on(&cut_off).send().await;
    assert_eq!(again.status, 200, "{}", again.text());
}

async fn a_command_says_that_its_change_is_made(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let owner = tenant.owner_id.as_str();
    let place = Place::of(&app).await.with_variable("REDIS_URL", NO_REDIS);
    let of_user = ["--owner", owner, "--account", &user.account];
    let disabled = place.run(&[&["user", "disable"], &of_user[..]].concat()).await;
    assert_eq!((disabled.code, disabled.stdout.as_str()), (Some(3), ""), "{disabled:?}");
    let said = "error: the change is durable, but not every node has heard of it yet: ";
    assert!(disabled.stderr.starts_with(said) && disabled.stderr.contains("told without being asked again"), "{disabled:?}");
    assert_eq!(place.json(&["user", "list", "--owner", owner]).await[0]["disabled"], true, "it is durable");
    // A secret that stands is shown, since it is shown this once.
    let renewed = place.run(&[&["user", "set-password"], &of_user[..]].concat()).await;
    assert_eq!(renewed.code, Some(3), "{renewed:?}");
    let (_, password) = renewed.stderr.trim_end().split_once("\npassword (shown once): ").unwrap();
    assert_eq!(password.len(), 18);
    // What every node passes over by itself is done: nobody is sent away with a doubt.
    let changed = place.run(&["system", "set", "--owner", owner, "--sys", "web", "--name", "new"]).await;
    assert_eq!(changed.code, Some(0), "{changed:?}");
}

async fn the_first_contract_says_so_in_its_words(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let cut_off = fleet.app.node_without_redis().await;
    let browser = fleet.signed_in().await;
    let sign_out = browser.request(Method::DELETE, SESSION).on(&cut_off);
    let untellable = Untellable::make(&fleet.app).await;
    let answer = sign_out.send().await;
    answer.assert_outcome(Errno::NOT_EVERYWHERE);
    assert_eq!(answer.header("set-cookie"), None, "the cookie stays, so that the user can try again");
    let body = json!({"errno": "4001", "errmsg": "操作已生效，尚未通知所有服务器"});
    assert_eq!(answer.json(), body);
    untellable.end().await;
    sign_out.send().await.assert_outcome(Errno::OK);
}
