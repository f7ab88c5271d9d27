//! The system of a request without `XsysId` (contract 1.2): the one that its access token names, else the default one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bo_auth_server::fault::FaultKind;
use bo_auth_service::operator::system::SystemChange;
use http::Method;
use serde_json::json;

use crate::support::{Session, TestApp, TestRequest, claims, route};

each_backend!(a_token_names_its_system, what_a_token_names_is_bound_by_its_verification, a_disabled_system_says_so);

/// The routes that ask for an access token, and refresh, which may carry one.
fn requests(session: &Session) -> [TestRequest; 5] {
    let bearer = format!("Bearer {}", session.access_token);
    let refresh = session.refresh().header("Authorization", bearer);
    [session.current_user(), session.list(), refresh, session.end(session.id), session.logout()]
}

async fn a_token_names_its_system(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    // Its stamps are written in another way than those of the default system.
    let system = tenant.with_system("app", json!({"cipher": "des-cbc-pkcs7", "output": "hex"})).await;
    let user = tenant.with_user("li").await;
    let session = user.of(&system).signed_in().await;
    for request in requests(&session) {
        let answer = request.clone().without("XsysId").send().await;
        assert_eq!(answer.status, 200, "{}: {}", request.target(), answer.text());
    }
    session.assert_ended("SESSION_LOGGED_OUT").await;
    // Without a token it is the default one, and so it is where a login carries the token of before.
    let session = user.of(&system).signed_in().await;
    let refused = user.system.request(Method::GET, route::REFRESH).query("refreshToken", &session.refresh_token);
    refused.without("XsysId").send().await.assert_fault(FaultKind::REFRESH_TOKEN_MISMATCH);
    let login = user.login().without("XsysId").header("Authorization", format!("Bearer {}", session.access_token));
    let answer = login.send().await;
    assert_eq!(Session::from_answer(user.clone(), &answer).row().await.sys_id, user.system.sys_id);
    // What the header says goes before what the token says.
    let named = session.current_user().header("XsysId", "web").header("XverifyApi", user.system.new_stamp());
    named.send().await.assert_fault(FaultKind::TOKEN_INVALID);
}

async fn what_a_token_names_is_bound_by_its_verification(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let system = tenant.with_system("app", json!({})).await;
    let user = tenant.with_user("li").await;
    let (session, own) = (user.of(&system).signed_in().await, user.signed_in().await);
    let [header, payload, signature] = session.access_token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let payload_of = |sys_id: &str| {
        let mut claims = claims(&session.access_token);
        claims["sys_id"] = sys_id.into();
        URL_SAFE_NO_PAD.encode(claims.to_string())
    };
    let forged = [
        format!("{header}.{}.{signature}", payload_of("web")),
        format!("{header}.{}.{signature}", payload_of("nowhere")),
        format!("{header}.{}.{signature}", payload_of("a b")),
        format!("{header}.{payload}."),
        format!("{header}.{payload}.{}", own.access_token.rsplit('.').next().unwrap()),
        "x".to_owned(),
        "a.b.c".to_owned(),
    ];
    for token in forged {
        let request = own.current_user().without("XsysId").header("Authorization", format!("Bearer {token}"));
        request.send().await.assert_fault(FaultKind::TOKEN_INVALID);
    }
    // Another tenant's token names a system of the same name there.
    let foreign = app.with_tenant("other").await.with_user("li").await.signed_in().await;
    let request = own.current_user().without("XsysId").header("Authorization", format!("Bearer {}", foreign.access_token));
    request.send().await.assert_fault(FaultKind::TOKEN_INVALID);
    own.assert_live().await;
}

async fn a_disabled_system_says_so(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let system = tenant.with_system("app", json!({})).await;
    let session = tenant.with_user("li").await.of(&system).signed_in().await;
    system.alter(SystemChange { disabled: Some(true), ..SystemChange::default() }).await;
    session.current_user().without("XsysId").send().await.assert_fault(FaultKind::SYSTEM_DISABLED);
    system.alter(SystemChange { disabled: Some(false), ..SystemChange::default() }).await;
    session.current_user().without("XsysId").send().await.assert_fault(FaultKind::SESSION_KICKED);
}
