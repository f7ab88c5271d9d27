//! What a proxy sends a second time (contract 1.3): a logout whose session has ended gets the success that the first attempt
//! has earned, and everything else is refused.

use std::time::Duration;

use bo_auth_core::session::EndReason;
use bo_auth_server::fault::FaultKind;
use http::Method;
use serde_json::json;

use crate::support::{TestApp, every_route};

each_backend!(
    a_repeated_logout_gets_the_success_of_the_first,
    a_used_stamp_ends_nothing,
    a_used_stamp_is_refused_everywhere_else,
    the_earliest_mistake_is_answered,
    a_repeat_waits_for_the_first_attempt,
    a_nonce_of_the_second_version_serves_likewise,
);
one_backend!(Redis: another_node_answers_the_repeat);

const SIGNED_OUT: &str = r#"{"code":0,"success":true,"message":"退出成功"}"#;

async fn a_repeated_logout_gets_the_success_of_the_first(app: TestApp) {
    let user = app.with_tenant("acme").await.with_user("li").await;
    for method in [Method::GET, Method::DELETE] {
        for scope in ["local", "all"] {
            let session = user.signed_in().await;
            let request = session.logout_by(method.clone()).query("scope", scope);
            for _ in 0..3 {
                request.send().await.assert_body(SIGNED_OUT);
            }
            // The receipt says what holds: nothing more has ended.
            let receipt = request.header("Prefer", "return=representation").send().await.json();
            assert_eq!((&receipt["data"]["sessions"], &receipt["data"]["alreadyEnded"]), (&json!(0), &json!(true)));
            session.assert_ended("SESSION_LOGGED_OUT").await;
        }
    }
    assert_eq!(user.system.tenant.audited_ends(&user.id).await, 4, "each has one end");
    // A session that somebody else has ended is as gone.
    let session = user.signed_in().await;
    let earlier = session.current_user();
    assert_eq!(earlier.send().await.status, 200);
    let operator = app.node.operator();
    let ended = operator.end_session(&user.system.tenant.owner_id, session.id, EndReason::Kicked).await.unwrap();
    app.node.apply(ended.0).await;
    let stamp = earlier.header_value("XverifyApi").unwrap().to_vec();
    session.logout().header("XverifyApi", stamp).send().await.assert_body(SIGNED_OUT);
}

async fn a_used_stamp_ends_nothing(app: TestApp) {
    let user = app.with_tenant("acme").await.with_user("li").await;
    let (session, other) = (user.signed_in().await, user.signed_in().await);
    let earlier = session.current_user();
    assert_eq!(earlier.send().await.status, 200);
    let stamp = earlier.header_value("XverifyApi").unwrap().to_vec();
    for scope in ["local", "others", "all"] {
        let request = session.logout().query("scope", scope).header("XverifyApi", &stamp);
        request.send().await.assert_fault(FaultKind::VERIFY_API_REPLAYED);
    }
    for session in [&session, &other] {
        session.assert_live().await;
    }
    // `others` leaves its own session alive, so that its repeat could end what has begun since.
    let others = session.logout().query("scope", "others");
    others.send().await.assert_body(SIGNED_OUT);
    let since = user.signed_in().await;
    others.send().await.assert_fault(FaultKind::VERIFY_API_REPLAYED);
    since.assert_live().await;
    // A session that has run out was not ended by the first attempt.
    app.advance(Duration::from_hours(24 * 30));
    let earlier = since.user.login();
    assert_eq!(earlier.send().await.status, 200);
    let stamp = earlier.header_value("XverifyApi").unwrap().to_vec();
    since.logout().header("XverifyApi", stamp).send().await.assert_fault(FaultKind::VERIFY_API_REPLAYED);
    assert_eq!(since.row().await.ended, None);
}

async fn a_used_stamp_is_refused_everywhere_else(app: TestApp) {
    let user = app.with_tenant("acme").await.with_user("li").await;
    let session = user.signed_in().await;
    for route in every_route(&session) {
        if route.name.starts_with("logout") || route.name == "end a session" {
            continue;
        }
        assert_eq!(route.request.send().await.status, 200, "{}", route.name);
        route.request.send().await.assert_fault(FaultKind::VERIFY_API_REPLAYED);
    }
    let end = session.end(session.id);
    assert_eq!(end.send().await.status, 200);
    end.send().await.assert_fault(FaultKind::VERIFY_API_REPLAYED);
}

async fn the_earliest_mistake_is_answered(app: TestApp) {
    let user = app.with_tenant("acme").await.with_user("li").await;
    let session = user.signed_in().await;
    let request = session.logout();
    request.send().await.assert_body(SIGNED_OUT);
    for wrong in [
        request.clone().header("Authorization", "Bearer x"),
        request.clone().without("Authorization"),
        request.clone().query("refreshToken", &user.signed_in().await.refresh_token),
        request.clone().query("scope", "everything"),
        request.clone().query("_nodejs", "no-such"),
        request.clone().without_query("_nodejs"),
        request.clone().header("XfilterAreaCode", "990000"),
    ] {
        wrong.send().await.assert_fault(FaultKind::VERIFY_API_REPLAYED);
    }
    request.send().await.assert_body(SIGNED_OUT);
}

async fn a_repeat_waits_for_the_first_attempt(app: TestApp) {
    let user = app.with_tenant("acme").await.with_user("li").await;
    for _ in 0..5 {
        let session = user.signed_in().await;
        let request = session.logout();
        let answers = futures_util::future::join_all((0..8).map(|_| request.send())).await;
        for answer in answers {
            answer.assert_body(SIGNED_OUT);
        }
    }
    assert_eq!(user.system.tenant.audited_ends(&user.id).await, 5);
}

async fn a_nonce_of_the_second_version_serves_likewise(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    // Its nonces count once whatever the system says of GUIDs.
    tenant.web().change(json!({"replay": "off"})).await;
    let key = tenant.mac_key().await;
    let session = tenant.with_user("li").await.signed_in().await;
    let current = session.current_user().signed(&key, "nonce-number-one");
    assert_eq!(current.send().await.status, 200);
    current.send().await.assert_fault(FaultKind::VERIFY_API_REPLAYED);
    let logout = session.logout().signed(&key, "nonce-number-two");
    for _ in 0..2 {
        logout.send().await.assert_body(SIGNED_OUT);
    }
    logout.query("scope", "all").send().await.assert_fault(FaultKind::VERIFY_API_INVALID);
}

async fn another_node_answers_the_repeat(app: TestApp) {
    let second = app.second_node().await;
    let user = app.with_tenant("acme").await.with_user("li").await;
    for _ in 0..5 {
        let session = user.signed_in().await;
        let first = session.logout();
        let (one, other) = tokio::join!(first.send(), async { first.clone().on(&second).send().await });
        one.assert_body(SIGNED_OUT);
        other.assert_body(SIGNED_OUT);
        session.assert_ended_on(&second, "SESSION_LOGGED_OUT").await;
    }
}
