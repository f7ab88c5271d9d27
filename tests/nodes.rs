//! Two nodes on one Postgres and Redis: what one has answered holds on the other, at once.

use std::time::Duration;

use bo_auth_core::session::EndReason;
use bo_auth_core::signing_key::Algorithm;
use bo_auth_server::fault::FaultKind;
use bo_auth_service::operator::Author;
use bo_auth_service::operator::key::{ListedKey, Replacement, RotationOptions};
use bo_auth_service::operator::session::Target;
use bo_auth_service::operator::user::UserChange;
use bo_auth_store::cache::{Cached, Looked, USER_PURPOSE};
use bo_auth_store::record::{KeyPurpose, KeyState, UserRecord, Withdrawal};
use serde_json::json;

use crate::support::{Session, TestApp};

one_backend!(Redis:
    a_logout_on_one_node_is_refused_on_the_other,
    a_session_may_be_used_on_both_nodes_in_turn,
    failures_are_counted_together,
    a_key_that_is_withdrawn_on_one_node_is_refused_on_the_other,
    what_an_operator_ends_or_changes_is_so_on_every_node,
    a_changed_profile_shows_on_every_node_at_once,
    a_logout_on_one_node_makes_the_other_read_the_profile_anew,
);

/// A user's profile as nodes remember it.
struct Profile;

impl Cached for Profile {
    const PURPOSE: &'static str = USER_PURPOSE;
    const LIFETIME: Duration = Duration::from_mins(10);
    type Id = str;
    type Value = UserRecord;
}

/// Shows the session to a node until it remembers the user.
async fn until_remembered(session: &Session, node: &TestApp) {
    let begun = std::time::Instant::now();
    let (owner_id, user_id) = (&session.user.system.tenant.owner_id, &session.user.id);
    let remembers = || matches!(node.service().revocations.recall::<Profile>(owner_id, user_id, node.now()), Some(Looked::Found(_)));
    while !remembers() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the node does not remember the user");
        assert_eq!(session.current_user().on(node).send().await.status, 200);
    }
}

async fn a_changed_profile_shows_on_every_node_at_once(app: TestApp) {
    let second = app.second_node().await;
    let user = app.with_tenant("acme").await.with_user("li").await;
    let (tenant, session) = (&user.system.tenant, user.signed_in().await);
    let (within, beside) = (app.service().operator(Author::default()), tenant.node.operator());
    for (operator, name) in [(&within, "one"), (&beside, "two"), (&within, "three")] {
        for node in [&app, &second] {
            until_remembered(&session, node).await;
        }
        let row = app.service().db.find_user(&tenant.owner_id, &user.id).await.unwrap().unwrap();
        let change = UserChange { name: Some(name.to_owned()), ..UserChange::default() };
        operator.change_user(&tenant.owner_id, row, change, None).await.unwrap();
        for node in [&app, &second] {
            let answer = session.current_user().on(node).send().await.json();
            assert_eq!((&answer["data"]["name"], &answer["cacheType"]), (&json!(name), &json!("redis")));
        }
    }
}

async fn a_logout_on_one_node_makes_the_other_read_the_profile_anew(app: TestApp) {
    let second = app.second_node().await;
    let user = app.with_tenant("acme").await.with_user("li").await;
    let (session, leaving) = (user.signed_in().await, user.signed_in().await);
    let first = app.now();
    until_remembered(&session, &second).await;
    app.advance(Duration::from_secs(5));
    assert_eq!(session.current_user().on(&second).send().await.json()["cacheDate"], first.to_string());
    assert_eq!(leaving.logout().send().await.status, 200);
    assert_eq!(session.current_user().on(&second).send().await.json()["cacheDate"], app.now().to_string());
}

async fn a_logout_on_one_node_is_refused_on_the_other(app: TestApp) {
    let second = app.second_node().await;
    let user = app.with_tenant("acme").await.with_user("li").await;
    for (one, other) in [(&app, &second), (&second, &app)] {
        let (session, remaining) = (user.signed_in().await, user.signed_in().await);
        // Both have seen it alive.
        for node in [one, other] {
            assert_eq!(session.current_user().on(node).send().await.status, 200);
        }
        assert_eq!(session.logout().on(one).send().await.status, 200);
        session.assert_ended_on(other, "SESSION_LOGGED_OUT").await;
        session.assert_ended_on(one, "SESSION_LOGGED_OUT").await;
        assert_eq!(remaining.current_user().on(other).send().await.status, 200);
        // Signing out again is answered there too.
        session.logout().on(other).send().await.assert_body(r#"{"code":0,"success":true,"message":"退出成功"}"#);
        let all = user.signed_in().await;
        assert_eq!(all.logout().query("scope", "all").on(other).send().await.status, 200);
        for ended in [&all, &remaining] {
            ended.assert_ended_on(one, "SESSION_LOGGED_OUT").await;
        }
    }
}

async fn a_session_may_be_used_on_both_nodes_in_turn(app: TestApp) {
    let second = app.second_node().await;
    let user = app.with_tenant("acme").await.with_user("li").await;
    let first = user.log_in().await;
    let answer = first.refresh().on(&second).send().await;
    let next = crate::support::Session::from_answer(user, &answer);
    // The lost response is replayed identically, wherever it is asked for.
    assert_eq!(first.refreshed().await.refresh_token, next.refresh_token);
    assert_eq!(next.current_user().on(&second).send().await.json()["cacheType"], "redis");
    let latest = next.refreshed().await;
    first.refresh().on(&second).send().await.assert_fault(FaultKind::SESSION_REUSE_DETECTED);
    latest.assert_ended("SESSION_REUSE_DETECTED").await;
}

async fn failures_are_counted_together(app: TestApp) {
    let second = app.second_node().await;
    let user = app.with_tenant("acme").await.with_user("li").await;
    for node in [&app, &second, &app] {
        user.login_with("wrong").on(node).send().await.assert_fault(FaultKind::LOGIN_FAILED);
    }
    user.login().on(&second).send().await.assert_fault(FaultKind::CAPTCHA_REQUIRED);
}

async fn a_key_that_is_withdrawn_on_one_node_is_refused_on_the_other(app: TestApp) {
    let second = app.second_node().await;
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    assert_eq!(session.current_user().on(&second).send().await.status, 200);
    let rotated = tenant.rotate(Replacement::Stamp(Some("key two!")), Duration::ZERO).await;
    // A node that is told sees it at once; one that is not looks at the rows again within a second.
    second.service().apply(&[rotated.change]).await.unwrap();
    session.current_user().on(&second).send().await.assert_fault(FaultKind::VERIFY_API_INVALID);
    session.current_user().send().await.assert_fault(FaultKind::VERIFY_API_INVALID);
}

async fn what_an_operator_ends_or_changes_is_so_on_every_node(app: TestApp) {
    let second = app.second_node().await;
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let operator = tenant.node.operator();
    let owner_id = &tenant.owner_id;
    let seen = async || {
        let session = user.signed_in().await;
        assert_eq!(session.current_user().on(&second).send().await.status, 200);
        session
    };
    // Nobody tells the second node but the operator's call itself.
    let session = seen().await;
    let in_system = Target { sys_id: Some(user.system.sys_id.clone()), ..Target::default() };
    operator.end_sessions(owner_id, &in_system, None, EndReason::Kicked).await.unwrap();
    session.assert_ended_on(&second, "SESSION_KICKED").await;
    let session = seen().await;
    operator.end_sessions(owner_id, &Target::default(), None, EndReason::Kicked).await.unwrap();
    session.assert_ended_on(&second, "SESSION_KICKED").await;
    let session = seen().await;
    let at_once = RotationOptions { overlap: Some(Duration::ZERO), now: false };
    operator.rotate_key(owner_id, Replacement::Refresh, at_once).await.unwrap();
    session.current_user().on(&second).send().await.assert_fault(FaultKind::SESSION_KICKED);
    session.refresh().on(&second).send().await.assert_fault(FaultKind::REFRESH_TOKEN_INVALID);
    let session = seen().await;
    let emergency = RotationOptions { overlap: None, now: true };
    let replacement = Replacement::Access(Some(Algorithm::ES256));
    let rotated = operator.rotate_key(owner_id, replacement, emergency).await.unwrap();
    assert_eq!(session.current_user().on(&second).send().await.status, 200, "the earlier key is still accepted");
    let (keys, _) = operator.list_keys(owner_id).await.unwrap();
    let of_access = |listed: &&ListedKey| listed.key.purpose == KeyPurpose::Access;
    let mut keys = keys.iter().filter(of_access);
    let earlier = &keys.find(|listed| listed.standing.state == KeyState::Accepted).unwrap().key;
    let withdraw = async || operator.withdraw_key(owner_id, &earlier.key_id).await.unwrap().1;
    assert_eq!(withdraw().await, Withdrawal::Withdrawn);
    assert_eq!(withdraw().await, Withdrawal::Already, "it had been withdrawn before");
    assert!(operator.withdraw_key(owner_id, &rotated.key.key_id).await.is_err(), "the current key has no successor");
    for node in [&app, &second] {
        session.current_user().on(node).send().await.assert_fault(FaultKind::TOKEN_INVALID);
    }
    assert_eq!(session.refresh().on(&second).send().await.status, 200, "its next token is of another key");
    operator.set_tenant_disabled(owner_id, true).await.unwrap();
    session.current_user().on(&second).send().await.assert_fault(FaultKind::TENANT_DISABLED);
    user.login().on(&second).send().await.assert_fault(FaultKind::TENANT_DISABLED);
    operator.set_tenant_disabled(owner_id, false).await.unwrap();
    assert_eq!(user.login().on(&second).send().await.status, 200);
}
