//! My sessions and devices, and signing out one of them.

use std::time::Duration;

use bo_auth_core::session::EndReason;
use bo_auth_server::fault::FaultKind;
use bo_auth_store::record::{Actor, AuditFilter};
use http::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, route};

each_backend!(
    a_list_shows_every_live_session_of_mine_and_no_token,
    what_has_ended_or_run_out_is_not_listed,
    another_device_of_mine_is_signed_out,
    my_own_session_ends_as_by_a_logout,
    a_session_of_somebody_else_does_not_end,
);

const ENDED: &str = r#"{"code":0,"success":true,"message":"下线成功"}"#;

async fn a_list_shows_every_live_session_of_mine_and_no_token(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let first = user.log_in().await;
    let opened = app.now();
    app.advance(Duration::from_mins(1));
    let elsewhere = user.of(&tenant.with_system("app", json!({})).await);
    let answer = elsewhere.login().header("User-Agent", "a phone").send().await;
    let second = crate::support::Session::from_answer(elsewhere, &answer);
    tenant.with_user("wang").await.signed_in().await;
    let first = first.refreshed().await;
    let answer = first.list().send().await;
    let day = Duration::from_hours(24);
    let expected = format!(
        concat!(
            r#"{{"code":0,"success":true,"message":"获取成功","data":["#,
            r#"{{"sessionId":"{second}","sysId":"app","systemName":"name of app","current":false,"createdAt":"{now}","refreshedAt":"{now}","#,
            r#""expiresAt":"{end}","address":"127.0.0.1","userAgent":"a phone"}},"#,
            r#"{{"sessionId":"{first}","sysId":"web","systemName":"网站","current":true,"createdAt":"{opened}","refreshedAt":"{now}","#,
            r#""expiresAt":"{end}","address":"127.0.0.1"}}]}}"#
        ),
        first = first.id,
        second = second.id,
        now = app.now(),
        opened = opened,
        end = app.now().plus(30 * day),
    );
    answer.assert_body(&expected);
    for secret in [&first.refresh_token, &second.refresh_token, &first.access_token, &second.access_token] {
        assert!(!answer.text().contains(secret.as_str()));
    }
    // From the other side it is the other that is the caller's own.
    let mirrored = second.list().send().await.json();
    assert_eq!((&mirrored["data"][0]["current"], &mirrored["data"][1]["current"]), (&json!(true), &json!(false)));
}

async fn what_has_ended_or_run_out_is_not_listed(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let brief = user.of(&tenant.with_system("brief", json!({"accessTokenSeconds": 10, "sessionIdleSeconds": 20})).await);
    let (own, ended, run_out) = (user.signed_in().await, user.signed_in().await, brief.signed_in().await);
    assert_eq!(own.list().send().await.json()["data"].as_array().map(Vec::len), Some(3));
    assert_eq!(ended.logout().send().await.status, 200);
    app.advance(Duration::from_secs(20));
    let listed = own.list().send().await.json();
    let ids: Vec<&Value> = listed["data"].as_array().unwrap().iter().map(|session| &session["sessionId"]).collect();
    assert_eq!(ids, [&json!(own.id.to_string())]);
    assert_eq!(run_out.row().await.ended, None, "a list ends nothing");
}

async fn another_device_of_mine_is_signed_out(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let own = user.signed_in().await;
    let lost = user.of(&tenant.with_system("app", json!({})).await).signed_in().await;
    app.advance(Duration::from_millis(1));
    own.end(lost.id).send().await.assert_body(ENDED);
    lost.assert_ended("SESSION_KICKED").await;
    own.assert_live().await;
    own.end(lost.id).send().await.assert_body(ENDED);
    assert_eq!(lost.row().await.ended, Some((app.now(), EndReason::Kicked)));
    let trail = tenant.audit(&AuditFilter { session_id: Some(lost.id), ..AuditFilter::default() }).await;
    assert_eq!((trail.len(), trail[0].reason, trail[0].actor), (2, Some(EndReason::Kicked), Actor::User));
    let english = own.end(lost.id).header("Accept-Language", "en").send().await;
    english.assert_body(r#"{"code":0,"success":true,"message":"Session ended"}"#);
}

async fn my_own_session_ends_as_by_a_logout(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    session.end(session.id).send().await.assert_body(ENDED);
    session.assert_ended("SESSION_LOGGED_OUT").await;
}

async fn a_session_of_somebody_else_does_not_end(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let own = tenant.with_user("li").await.signed_in().await;
    // The same user id, in another tenant.
    let others = [tenant.with_user("wang").await.signed_in().await, app.with_tenant("other").await.with_user("li").await.signed_in().await];
    let mut answers = Vec::new();
    for other in &others {
        let answer = own.end(other.id).send().await;
        answer.assert_fault_about(FaultKind::PARAMETER_INVALID, "sessionId");
        answers.push(answer.body);
        other.assert_live().await;
    }
    // Whether there is such a session does not show.
    let unknown = own.request(Method::DELETE, &format!("{}/{}", route::SESSIONS, "0123456789abcdef")).send().await;
    answers.push(unknown.body);
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
}
