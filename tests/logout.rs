//! Sign out, the headline operation (contract 1.5): what it answers, and what it ends.

use std::time::Duration;

use bo_auth_core::session::EndReason;
use bo_auth_store::record::{Actor, AuditFilter};
use http::Method;
use serde_json::json;

use crate::support::{Session, TestApp, TestRequest, claims};

each_backend!(
    both_methods_answer_to_the_byte,
    every_route_refuses_what_has_signed_out,
    a_receipt_is_added_where_it_is_asked_for,
    a_preference_is_read_as_rfc_7240_has_it,
    a_session_ends_once_however_often_it_signs_out,
    the_scopes_end_what_they_say_and_nothing_else,
    an_ended_session_ends_no_others,
    a_session_that_has_run_out_ends_no_others,
    a_session_that_has_run_out_unnoticed_was_over,
    no_access_token_outlives_its_session,
    an_expired_access_token_serves_for_leaving_and_nothing_else,
    any_generation_of_the_refresh_token_will_do,
    the_refresh_token_may_stand_in_the_body_of_a_delete,
    the_end_is_audited_with_its_request,
);

const SIGNED_OUT: &str = r#"{"code":0,"success":true,"message":"退出成功"}"#;

/// A receipt's text.
fn receipt(scope: &str, sessions: u32, already_ended: bool, effective_at: &str, reason: &str) -> String {
    format!(
        r#"{{"code":0,"success":true,"message":"退出成功","data":{{"scope":"{scope}","sessions":{sessions},"alreadyEnded":{already_ended},"effectiveAt":"{effective_at}","reason":"{reason}"}}}}"#
    )
}

fn with_receipt(request: TestRequest) -> TestRequest {
    request.header("Prefer", "return=representation")
}

async fn both_methods_answer_to_the_byte(app: TestApp) {
    let user = app.with_tenant("acme").await.with_user("li").await;
    for method in [Method::GET, Method::DELETE] {
        let session = user.log_in().await;
        session.logout_by(method).send().await.assert_body(SIGNED_OUT);
        let session = user.log_in().await;
        let answer = session.logout().header("Accept-Language", "en").send().await;
        answer.assert_body(r#"{"code":0,"success":true,"message":"Signed out"}"#);
    }
}

async fn every_route_refuses_what_has_signed_out(app: TestApp) {
    let user = app.with_tenant("acme").await.with_user("li").await;
    let first = user.signed_in().await;
    let session = first.refreshed().await;
    session.logout().send().await.assert_body(SIGNED_OUT);
    session.assert_ended("SESSION_LOGGED_OUT").await;
    first.assert_ended("SESSION_LOGGED_OUT").await;
    assert_eq!(session.row().await.ended.unwrap().0, app.now());
    // It goes on being refused for its reason until its access token expires by itself.
    session.outlive_access_token();
    assert_eq!(session.current_user().send().await.error_code(), "TOKEN_EXPIRED");
    assert_eq!(session.refresh().send().await.error_code(), "SESSION_LOGGED_OUT");
}

async fn a_receipt_is_added_where_it_is_asked_for(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let ended_at = app.now().to_string();
    with_receipt(session.logout()).send().await.assert_body(&receipt("local", 1, false, &ended_at, "LOGGED_OUT"));
    app.advance(Duration::from_secs(5));
    with_receipt(session.logout()).send().await.assert_body(&receipt("local", 0, true, &ended_at, "LOGGED_OUT"));
    // Other preferences stand beside it, and others alone ask for nothing (RFC 7240).
    let among_others = session.logout().header("Prefer", "respond-async, return=representation; wait=5");
    among_others.send().await.assert_body(&receipt("local", 0, true, &ended_at, "LOGGED_OUT"));
    session.logout().header("Prefer", "return=minimal").send().await.assert_body(SIGNED_OUT);
}

async fn a_preference_is_read_as_rfc_7240_has_it(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    for (lines, applied) in [
        (&["return=representation"][..], true),
        (&["return=\"representation\""], true),
        (&["return = representation"], true),
        (&["RETURN\t=\tRepresentation"], true),
        (&["respond-async, wait=10", "return=representation; depth=2"], true),
        (&["note=\"张三\"", "return=representation"], true),
        (&["return=minimal, return=representation"], false),
        (&["wait=10; return=representation"], false),
        (&["note=\"return=representation\""], false),
        (&[], false),
    ] {
        let request = lines.iter().fold(session.logout(), |request, line| request.repeat("Prefer", line));
        let answer = request.send().await;
        assert_eq!((answer.status, answer.json()["data"].is_object()), (200, applied), "{lines:?}");
        let said = answer.header("preference-applied");
        assert_eq!(said, applied.then_some("return=representation"), "{lines:?}");
    }
    let refused = with_receipt(session.logout().query("refreshToken", "x")).send().await;
    assert_eq!((refused.status, refused.header("preference-applied")), (401, None));
}

async fn a_session_ends_once_however_often_it_signs_out(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    session.logout().send().await.assert_body(SIGNED_OUT);
    let row = session.row().await;
    for method in [Method::GET, Method::DELETE, Method::GET] {
        app.advance(Duration::from_secs(1));
        session.logout_by(method).send().await.assert_body(SIGNED_OUT);
    }
    assert_eq!(session.row().await, row);
    assert_eq!(session.user.system.tenant.audited_ends(&session.user.id).await, 1);
}

/// A user's session, two others of the user (one in another system), another user's, and another tenant's.
async fn neighbours(app: &TestApp) -> [Session; 5] {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let elsewhere = user.of(&tenant.with_system("app", json!({})).await);
    let other = tenant.with_user("wang").await;
    let foreign = app.with_tenant("other").await.with_user("li").await;
    [user.signed_in().await, user.signed_in().await, elsewhere.signed_in().await, other.signed_in().await, foreign.signed_in().await]
}

async fn the_scopes_end_what_they_say_and_nothing_else(app: TestApp) {
    let now = app.now().to_string();
    for (scope, ended, sessions) in [
        (None, [true, false, false], 1),
        (Some(""), [true, false, false], 1),
        (Some("local"), [true, false, false], 1),
        (Some("others"), [false, true, true], 2),
        (Some("all"), [true, true, true], 3),
    ] {
        let all @ [own, ..] = &neighbours(&app).await;
        let request = scope.map_or_else(|| own.logout(), |scope| own.logout().query("scope", scope));
        let named = scope.filter(|scope| !scope.is_empty()).unwrap_or("local");
        with_receipt(request).send().await.assert_body(&receipt(named, sessions, false, &now, "LOGGED_OUT"));
        for (session, ended) in all.iter().zip(ended.into_iter().chain([false, false])) {
            if ended {
                session.assert_ended("SESSION_LOGGED_OUT").await;
            } else {
                session.assert_live().await;
            }
        }
        let audited = own.user.system.tenant.audited_ends(&own.user.id).await;
        assert_eq!(audited, ended.iter().filter(|ended| **ended).count());
    }
}

async fn an_ended_session_ends_no_others(app: TestApp) {
    let [own, others @ ..] = neighbours(&app).await;
    let ended_at = app.now().to_string();
    own.logout().send().await.assert_body(SIGNED_OUT);
    app.advance(Duration::from_secs(1));
    for scope in ["others", "all"] {
        let request = with_receipt(own.logout().query("scope", scope));
        request.send().await.assert_body(&receipt(scope, 0, true, &ended_at, "LOGGED_OUT"));
    }
    for other in &others {
        other.assert_live().await;
    }
}

async fn a_session_that_has_run_out_ends_no_others(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let brief = user.of(&tenant.with_system("brief", json!({"accessTokenSeconds": 10, "sessionIdleSeconds": 20})).await);
    let (own, other) = (brief.signed_in().await, user.signed_in().await);
    app.advance(Duration::from_secs(20));
    for scope in ["others", "all"] {
        let answer = own.logout().query("scope", scope).send().await;
        answer.assert_body(SIGNED_OUT);
        other.assert_live().await;
    }
}

async fn a_session_that_has_run_out_unnoticed_was_over(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let idle = json!({"accessTokenSeconds": 10, "sessionIdleSeconds": 20});
    let whole = json!({"accessTokenSeconds": 10, "sessionIdleSeconds": 20, "sessionSeconds": 20});
    for (name, settings) in [("idle", idle), ("whole", whole)] {
        let brief = user.of(&tenant.with_system(name, settings).await);
        for scope in ["local", "others", "all"] {
            let (own, beside, other) = (brief.signed_in().await, brief.signed_in().await, user.signed_in().await);
            app.advance(Duration::from_secs(20));
            let noticed = app.now().to_string();
            let expected = receipt(scope, 0, true, &noticed, "EXPIRED");
            with_receipt(own.logout().query("scope", scope)).send().await.assert_body(&expected);
            assert_eq!(own.row().await.ended, Some((app.now(), EndReason::Expired)));
            // No scope widens it, and the next receipt says the same.
            other.assert_live().await;
            assert_eq!(beside.row().await.ended, None);
            app.advance(Duration::from_secs(1));
            with_receipt(own.logout().query("scope", scope)).send().await.assert_body(&expected);
            // One's own that has run out, signed out as another device, has run out too.
            assert_eq!(other.end(beside.id).send().await.status, 200);
            assert_eq!(beside.row().await.ended, Some((app.now(), EndReason::Expired)));
        }
    }
}

async fn no_access_token_outlives_its_session(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let brief = tenant.with_system("brief", json!({"accessTokenSeconds": 60, "sessionIdleSeconds": 60})).await;
    let first = tenant.with_user("li").await.of(&brief).signed_in().await;
    let next = first.refreshed().await;
    let ends = next.row().await.idle_expires_at;
    app.advance(Duration::from_secs(30));
    // A replayed answer moves the idle end no further.
    let replayed = first.refreshed().await;
    assert_eq!(claims(&replayed.access_token)["exp"], ends.seconds());
}

async fn an_expired_access_token_serves_for_leaving_and_nothing_else(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let strict = user.of(&tenant.with_system("strict", json!({"logoutRequiresFreshToken": true})).await);
    let (session, refused, left_behind) = (user.signed_in().await, strict.signed_in().await, user.signed_in().await);
    // Its bearer has refreshed twice since: the refresh token is no live one.
    let latest = left_behind.refreshed().await.refreshed().await;
    let lost = user.signed_in().await;
    // Its last answer was lost: the refresh token before the current one is all that its bearer has.
    lost.refreshed().await;
    session.outlive_access_token();
    for request in [session.current_user(), session.list(), session.end(session.id)] {
        assert_eq!(request.send().await.error_code(), "TOKEN_EXPIRED");
    }
    assert_eq!(refused.logout().send().await.error_code(), "TOKEN_EXPIRED");
    assert_eq!(refused.row().await.ended, None);
    assert_eq!(left_behind.logout().send().await.error_code(), "TOKEN_EXPIRED");
    assert_eq!(latest.row().await.ended, None);
    for session in [&session, &lost, &latest] {
        session.logout().send().await.assert_body(SIGNED_OUT);
        assert!(session.row().await.ended.is_some());
        // And again, now that it has ended.
        session.logout().send().await.assert_body(SIGNED_OUT);
    }
    assert_eq!(tenant.audited_ends(&user.id).await, 3);
}

async fn any_generation_of_the_refresh_token_will_do(app: TestApp) {
    let user = app.with_tenant("acme").await.with_user("li").await;
    let first = user.signed_in().await;
    let latest = first.refreshed().await.refreshed().await.refreshed().await;
    let mixed = Session { refresh_token: first.refresh_token.clone(), ..latest.clone() };
    mixed.logout().send().await.assert_body(SIGNED_OUT);
    latest.assert_ended("SESSION_LOGGED_OUT").await;
}

async fn the_refresh_token_may_stand_in_the_body_of_a_delete(app: TestApp) {
    let user = app.with_tenant("acme").await.with_user("li").await;
    let [in_body, in_both, in_neither] = [user.signed_in().await, user.signed_in().await, user.signed_in().await];
    let by_delete = |session: &Session| session.logout_by(Method::DELETE).json(&json!({"refreshToken": session.refresh_token}));
    let contradiction = by_delete(&in_both).query("refreshToken", &in_body.refresh_token);
    assert_eq!(contradiction.send().await.text().matches("refreshToken").count(), 2, "the parameter is named");
    by_delete(&in_body).without_query("refreshToken").send().await.assert_body(SIGNED_OUT);
    by_delete(&in_both).send().await.assert_body(SIGNED_OUT);
    // A GET has no body to look into.
    let by_get = by_delete(&in_neither).method(Method::GET).without_query("refreshToken");
    assert_eq!(by_get.send().await.error_code(), "PARAMETER_MISSING");
    for (session, ended) in [(in_body, true), (in_both, true), (in_neither, false)] {
        assert_eq!(session.row().await.ended.is_some(), ended);
    }
}

async fn the_end_is_audited_with_its_request(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    tenant.with_areas().await;
    let (user, sharer) = (tenant.with_user("li").await, tenant.with_user("wang").await);
    let session = user.signed_in().await;
    app.advance(Duration::from_millis(1));
    let request = session.logout().header("XuserFromFirstShareId", sharer.id.as_str()).header("XfilterAreaCode", "440106");
    request.send().await.assert_body(SIGNED_OUT);
    let filter = AuditFilter { session_id: Some(session.id), ..AuditFilter::default() };
    let trail = tenant.audit(&filter).await;
    let kinds: Vec<&str> = trail.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["session.ended", "session.started"]);
    assert_eq!((trail[0].actor, trail[0].at, trail[0].user_id.as_ref()), (Actor::User, app.now(), Some(&user.id)));
    assert_eq!(trail[0].trace, json!({"address": "127.0.0.1", "first_share_user_id": "id-wang", "area_code": "440106"}));
    assert!(!serde_json::to_string(&trail).unwrap().contains(&session.refresh_token[1..]));
}
