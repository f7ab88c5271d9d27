//! Refresh (contract 1.4): rotation, what is lost on the way, reuse, and lifetimes.

use std::time::Duration;

use bo_auth_core::session::EndReason;
use bo_auth_server::fault::FaultKind;
use bo_auth_server::proxy::TrustedProxies;
use bo_auth_service::operator::key::Replacement;
use bo_auth_service::operator::system::SystemChange;
use bo_auth_store::record::{Actor, AuditFilter, AuditRecord};
use http::Method;
use serde_json::json;

use crate::support::{Session, Tenant, TestApp, claims, route};

each_backend!(
    both_methods_answer_the_next_pair,
    a_lost_response_is_replayed_identically_however_late,
    reuse_ends_this_session_and_no_other,
    an_idle_session_expires,
    a_session_ends_in_the_end_however_busy,
    a_refresh_token_is_of_its_own_system,
    what_is_no_refresh_token_moves_nothing,
    its_key_may_be_replaced,
    a_replay_from_elsewhere_is_noticed,
    a_replay_from_elsewhere_may_end_the_session,
);

async fn both_methods_answer_the_next_pair(app: TestApp) {
    let first = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let by_body = |session: &Session| {
        let request = session.user.system.request(Method::POST, route::REFRESH);
        request.json(&json!({"refreshToken": session.refresh_token}))
    };
    app.advance(Duration::from_secs(10));
    let answer = first.refresh().send().await;
    let second = Session::from_answer(first.user.clone(), &answer);
    let expected = format!(
        r#"{{"code":0,"success":true,"message":"刷新成功","data":{{"token":{{"accessToken":"{}","refreshToken":"{}","tokenType":"Bearer","expiresIn":7200}}}}}}"#,
        second.access_token, second.refresh_token
    );
    answer.assert_body(&expected);
    let answer = by_body(&second).send().await;
    let third = Session::from_answer(first.user.clone(), &answer);
    for (earlier, later) in [(&first, &second), (&second, &third)] {
        assert_eq!(earlier.id, later.id);
        assert_ne!(earlier.refresh_token, later.refresh_token);
        assert_ne!(claims(&earlier.access_token)["jti"], claims(&later.access_token)["jti"]);
    }
    let row = third.row().await;
    assert_eq!((row.generation, row.refreshed_at), (2, app.now()));
    // The access tokens of one session stand beside one another until they expire.
    for session in [&first, &second, &third] {
        session.assert_live().await;
    }
}

async fn a_lost_response_is_replayed_identically_however_late(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let next = session.refreshed().await;
    for wait in [Duration::ZERO, Duration::from_secs(1), Duration::from_hours(1), Duration::from_hours(20 * 24)] {
        app.advance(wait);
        let replayed = session.refreshed().await;
        assert_eq!(replayed.refresh_token, next.refresh_token);
        replayed.assert_live().await;
    }
    assert_eq!(session.row().await.generation, 1);
    // The next one, once used, ends it.
    next.refreshed().await;
    assert_eq!(session.refresh().send().await.error_code(), "SESSION_REUSE_DETECTED");
}

async fn reuse_ends_this_session_and_no_other(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let (stolen, other) = (user.signed_in().await, user.signed_in().await);
    let second = stolen.refreshed().await;
    let third = second.refreshed().await;
    app.advance(Duration::from_millis(1));
    stolen.refresh().send().await.assert_fault(FaultKind::SESSION_REUSE_DETECTED);
    for session in [&stolen, &second, &third] {
        session.assert_ended("SESSION_REUSE_DETECTED").await;
    }
    other.assert_live().await;
    assert_eq!(third.row().await.ended, Some((app.now(), EndReason::ReuseDetected)));
    let trail = tenant.audit(&AuditFilter { session_id: Some(stolen.id), ..AuditFilter::default() }).await;
    assert_eq!((trail.len(), trail[0].reason, trail[0].actor), (2, Some(EndReason::ReuseDetected), Actor::Service));
    // Leaving is always possible.
    assert_eq!(third.logout().send().await.status, 200);
    assert_eq!(third.row().await.ended.unwrap().1, EndReason::ReuseDetected);
}

async fn an_idle_session_expires(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let brief = tenant.with_system("brief", json!({"accessTokenSeconds": 60, "sessionIdleSeconds": 100})).await;
    let mut session = tenant.with_user("li").await.of(&brief).signed_in().await;
    for _ in 0..5 {
        app.advance(Duration::from_millis(99_999));
        session = session.refreshed().await;
    }
    let opened = session.row().await;
    assert_eq!(opened.idle_expires_at, app.now().plus(Duration::from_secs(100)));
    app.advance(Duration::from_secs(100));
    session.refresh().send().await.assert_fault(FaultKind::SESSION_EXPIRED);
    assert_eq!(session.row().await.ended, Some((app.now(), EndReason::Expired)));
    app.advance(Duration::from_secs(1));
    session.refresh().send().await.assert_fault(FaultKind::SESSION_EXPIRED);
    assert_eq!(tenant.audited_ends(&session.user.id).await, 1);
}

async fn a_session_ends_in_the_end_however_busy(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let settings = json!({"accessTokenSeconds": 60, "sessionIdleSeconds": 100, "sessionSeconds": 250});
    let mut session = tenant.with_user("li").await.of(&tenant.with_system("brief", settings).await).signed_in().await;
    let end = app.now().plus(Duration::from_secs(250));
    for _ in 0..4 {
        app.advance(Duration::from_mins(1));
        session = session.refreshed().await;
    }
    // Ten seconds are left, and no access token outlives its session.
    assert_eq!(claims(&session.access_token)["exp"], end.seconds());
    assert_eq!(session.row().await.idle_expires_at, end);
    app.advance(Duration::from_secs(10));
    session.refresh().send().await.assert_fault(FaultKind::SESSION_EXPIRED);
    assert_ne!(session.current_user().send().await.status, 200);
}

async fn a_refresh_token_is_of_its_own_system(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let system = tenant.with_system("app", json!({})).await;
    let session = tenant.with_user("li").await.signed_in().await;
    let row = session.row().await;
    let elsewhere = system.request(Method::GET, route::REFRESH).query("refreshToken", &session.refresh_token);
    elsewhere.send().await.assert_fault(FaultKind::REFRESH_TOKEN_MISMATCH);
    let foreign = app.with_tenant("other").await.request(Method::GET, route::REFRESH).query("refreshToken", &session.refresh_token);
    foreign.send().await.assert_fault(FaultKind::REFRESH_TOKEN_INVALID);
    assert_eq!(session.row().await, row);
}

async fn what_is_no_refresh_token_moves_nothing(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let row = session.row().await;
    let token = &session.refresh_token;
    let mut forged: Vec<String> = Vec::new();
    for position in 0..token.len() {
        let other = if &token[position..=position] == "0" { "1" } else { "0" };
        forged.push(format!("{}{other}{}", &token[..position], &token[position + 1..]));
    }
    for text in forged.iter().map(String::as_str).chain([&token[1..], "x", &format!("{token} "), &session.access_token]) {
        let answer = session.refresh().query("refreshToken", text).send().await;
        answer.assert_fault(FaultKind::REFRESH_TOKEN_INVALID);
    }
    session.refresh().without_query("refreshToken").send().await.assert_fault_about(FaultKind::PARAMETER_MISSING, "refreshToken");
    assert_eq!(session.row().await, row);
}

async fn its_key_may_be_replaced(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let (session, late) = (user.signed_in().await, user.signed_in().await);
    tenant.rotate(Replacement::Refresh, Duration::from_hours(1)).await;
    let next = session.refreshed().await;
    // A replayed answer is the same again, though made with the new key.
    assert_eq!(session.refreshed().await.refresh_token, next.refresh_token);
    app.advance(Duration::from_hours(1));
    late.refresh().send().await.assert_fault(FaultKind::REFRESH_TOKEN_INVALID);
    next.refreshed().await.assert_live().await;
}

/// How many replays from elsewhere this process has counted.
async fn counted(app: &TestApp) -> u64 {
    let page = app.bare_request(Method::GET, "/metrics").send().await;
    let line = page.text().lines().find(|line| line.starts_with("bo_auth_refresh_replays_from_elsewhere_total")).map(str::to_owned);
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

async fn replays(tenant: &Tenant, session: &Session) -> Vec<AuditRecord> {
    let kind = Some("session.refresh-replayed".to_owned());
    tenant.audit(&AuditFilter { kind, session_id: Some(session.id), ..AuditFilter::default() }).await
}

async fn a_replay_from_elsewhere_is_noticed(app: TestApp) {
    let proxies = vec!["127.0.0.0/8".parse().unwrap()];
    app.restart_with(|configuration| configuration.trusted_proxies = TrustedProxies::new(proxies)).await;
    let tenant = app.with_tenant("acme").await;
    let first = tenant.with_user("li").await.signed_in().await;
    let by =
        |session: &Session, address: &str, agent: &str| session.refresh().header("X-Forwarded-For", address).header("User-Agent", agent);
    let answer = by(&first, "2001:db8::1", "victim").send().await;
    let next = Session::from_answer(first.user.clone(), &answer);
    let before = counted(&app).await;
    // The same client, and another address of the same network.
    for address in ["2001:db8::1", "2001:db8::2"] {
        assert_eq!(by(&first, address, "victim").send().await.status, 200);
    }
    assert_eq!((counted(&app).await, replays(&tenant, &first).await.len()), (before, 0));
    for (address, agent) in [("2001:db8:0:1::1", "victim"), ("2001:db8::1", "thief"), ("192.0.2.1", "thief")] {
        let replayed = Session::from_answer(first.user.clone(), &by(&first, address, agent).send().await);
        assert_eq!(replayed.refresh_token, next.refresh_token, "it is answered all the same");
    }
    // Other tests of this process may count beside it.
    assert!(counted(&app).await >= before + 3);
    let noted = replays(&tenant, &first).await;
    assert_eq!(noted.len(), 1, "once for each generation, however often");
    let details = json!({"refreshedFrom": "2001:db8::1", "otherAddress": true, "otherUserAgent": false});
    assert_eq!(noted[0].trace, json!({"address": "2001:db8:0:1::1", "details": details}));
    assert_eq!((noted[0].actor, noted[0].user_id.as_ref()), (Actor::Service, Some(&first.user.id)));
    // A thief in step with the victim shows again with the next one, whoever wins it.
    let thief = Session::from_answer(first.user.clone(), &by(&next, "192.0.2.1", "thief").send().await);
    assert_eq!(by(&next, "2001:db8::1", "victim").send().await.status, 200);
    assert_eq!(replays(&tenant, &first).await.len(), 2);
    thief.assert_live().await;
}

async fn a_replay_from_elsewhere_may_end_the_session(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let strict = tenant.with_system("strict", json!({"refreshReplayFromElsewhere": "end"})).await;
    let user = tenant.with_user("li").await.of(&strict);
    let (first, other) = (user.signed_in().await, user.signed_in().await);
    let next = first.refreshed().await;
    assert_eq!(first.refreshed().await.refresh_token, next.refresh_token, "the same client is answered again");
    first.refresh().header("User-Agent", "thief").send().await.assert_fault(FaultKind::SESSION_REUSE_DETECTED);
    for session in [&first, &next] {
        session.assert_ended("SESSION_REUSE_DETECTED").await;
    }
    other.assert_live().await;
    assert_eq!(replays(&tenant, &first).await.len(), 1);
    let refused = user.system.tenant.node.operator();
    let change = SystemChange { settings: object(&json!({"refreshReplayFromElsewhere": "perhaps"})), ..SystemChange::default() };
    assert!(refused.change_system(&tenant.owner_id, &strict.sys_id, change).await.is_err());
}

fn object(value: &serde_json::Value) -> serde_json::Map<String, serde_json::Value> {
    value.as_object().unwrap().clone()
}
