//! The second version of `XverifyApi` (contract 1.9): a MAC over the request, beside DES and after it.

use std::time::Duration;

use bo_auth_core::random::{SystemRandom, alphanumeric};
use bo_auth_core::stamp::StampMacKey;
use bo_auth_server::fault::FaultKind;
use bo_auth_service::operator::key::Replacement;
use http::Method;
use serde_json::json;

use crate::support::{TestApp, TestRequest, every_route, route};

each_backend!(
    it_is_accepted_on_every_route,
    it_fits_no_other_request,
    it_covers_a_body_wherever_there_is_one,
    it_counts_once_even_where_guids_do_not,
    its_time_has_two_sides,
    its_keys_overlap,
    des_is_refused_from_its_cut_off_on,
);

fn nonce() -> String {
    alphanumeric(&SystemRandom::default(), 24)
}

/// The request as it stands, signed.
fn signed(request: TestRequest, key: &StampMacKey) -> TestRequest {
    request.signed(key, &nonce())
}

async fn it_is_accepted_on_every_route(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let key = tenant.mac_key().await;
    let user = tenant.with_user("li").await;
    let system = tenant.with_system("app", json!({})).await;
    for user in [user.clone(), user.of(&system)] {
        for position in 0..8 {
            let session = user.signed_in().await;
            let route = every_route(&session).into_iter().nth(position).unwrap();
            let answer = signed(route.request, &key).send().await;
            assert_eq!(answer.status, 200, "{}: {}", route.name, answer.text());
        }
    }
}

async fn it_covers_a_body_wherever_there_is_one(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let key = tenant.mac_key().await;
    let user = tenant.with_user("li").await;
    // A login without its members is refused for that.
    for position in 1..8 {
        let session = user.signed_in().await;
        let route = every_route(&session).into_iter().nth(position).unwrap();
        let with_body = |body: &str| route.request.clone().body("application/json", body);
        let needs_members = route.name == "refresh by POST";
        // A body that came on the way, or changed there.
        let stamp = signed(route.request.clone(), &key).header_value("XverifyApi").unwrap().to_vec();
        let added = with_body(r#"{"added":true}"#).header("XverifyApi", &stamp);
        added.send().await.assert_fault(FaultKind::VERIFY_API_INVALID);
        let stamp = signed(with_body(r#"{"a":1}"#), &key).header_value("XverifyApi").unwrap().to_vec();
        for other in ["", r#"{"a":2}"#] {
            with_body(other).header("XverifyApi", &stamp).send().await.assert_fault(FaultKind::VERIFY_API_INVALID);
        }
        if !needs_members {
            let too_long = signed(with_body(&" ".repeat((64 << 10) + 1)), &key).send().await;
            too_long.assert_fault(FaultKind::PAYLOAD_TOO_LARGE);
            let answer = signed(with_body(r#"{"a":1}"#), &key).send().await;
            assert_eq!(answer.status, 200, "{}: {}", route.name, answer.text());
        }
    }
}

async fn it_fits_no_other_request(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    tenant.with_areas().await;
    tenant.with_user("wang").await;
    tenant.with_system("app", json!({})).await;
    let key = tenant.mac_key().await;
    let session = tenant.with_user("li").await.signed_in().await;
    let other = session.user.signed_in().await;
    let logout = || signed(session.logout_by(Method::DELETE).json(&json!({})), &key);
    let stamp = logout().header_value("XverifyApi").unwrap().to_vec();
    for changed in [
        logout().method(Method::GET),
        session.current_user().header("XverifyApi", &stamp),
        logout().query("scope", "all"),
        logout().query("refreshToken", &other.refresh_token),
        logout().without_query("_nodejs").raw_query("_nodejs", "common-data"),
        logout().json(&json!({"refreshToken": session.refresh_token})),
        logout().header("XfilterAreaCode", "440100"),
        logout().header("XuserFromFirstShareId", "id-wang"),
        logout().header("XsysId", "app"),
        logout().header("XownerId", app.with_tenant("other").await.owner_id.as_str()),
    ] {
        let answer = changed.send().await;
        answer.assert_fault(FaultKind::VERIFY_API_INVALID);
    }
    session.assert_live().await;
    other.assert_live().await;
    // A header that is not among the signed ones may be added on the way.
    assert_eq!(logout().header("X-Forwarded-For", "192.0.2.1").header("Accept-Language", "en").send().await.status, 200);
}

async fn it_counts_once_even_where_guids_do_not(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let key = tenant.mac_key().await;
    let lenient = tenant.with_system("lenient", json!({"replay": "off"})).await;
    let session = tenant.with_user("li").await.of(&lenient).signed_in().await;
    let request = signed(session.current_user(), &key);
    assert_eq!(request.send().await.status, 200);
    request.send().await.assert_fault(FaultKind::VERIFY_API_REPLAYED);
    // The nonce, not the text around it.
    let nonce = nonce();
    assert_eq!(session.current_user().signed(&key, &nonce).send().await.status, 200);
    app.advance(Duration::from_millis(1));
    session.current_user().signed(&key, &nonce).send().await.assert_fault(FaultKind::VERIFY_API_REPLAYED);
}

async fn its_time_has_two_sides(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let key = tenant.mac_key().await;
    let session = tenant.with_user("li").await.signed_in().await;
    let request = signed(session.current_user(), &key);
    app.advance(Duration::from_mins(5));
    assert_eq!(request.send().await.status, 200);
    let request = signed(session.current_user(), &key);
    app.advance(Duration::from_millis(300_001));
    request.send().await.assert_fault(FaultKind::VERIFY_API_EXPIRED);
}

async fn its_keys_overlap(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    let older = tenant.mac_key().await;
    tenant.rotate(Replacement::StampMac, Duration::from_hours(1)).await;
    let newer = tenant.mac_key().await;
    for key in [&older, &newer] {
        assert_eq!(signed(session.current_user(), key).send().await.status, 200);
    }
    app.advance(Duration::from_hours(1));
    signed(session.current_user(), &older).send().await.assert_fault(FaultKind::VERIFY_API_INVALID);
    assert_eq!(signed(session.current_user(), &newer).send().await.status, 200);
    let foreign = app.with_tenant("other").await.mac_key().await;
    signed(session.current_user(), &foreign).send().await.assert_fault(FaultKind::VERIFY_API_INVALID);
}

async fn des_is_refused_from_its_cut_off_on(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let key = tenant.mac_key().await;
    let cut_off = app.now().plus(Duration::from_mins(1));
    let modern = tenant.with_system("modern", json!({"desRefusedFrom": cut_off.millis(), "allowPlainPassword": true})).await;
    let user = tenant.with_user("li").await.of(&modern);
    let session = user.log_in().await;
    assert_eq!(session.current_user().send().await.status, 200);
    app.advance(Duration::from_mins(1));
    session.current_user().send().await.assert_fault(FaultKind::VERIFY_API_EXPIRED);
    session.logout().send().await.assert_fault(FaultKind::VERIFY_API_EXPIRED);
    session.assert_live_by(|request| signed(request, &key)).await;
    let login = modern.request(Method::POST, route::LOGIN).json(&json!({"userName": "li", "password": user.password()}));
    assert_eq!(signed(login, &key).send().await.status, 200);
    assert_eq!(signed(session.logout(), &key).send().await.status, 200);
    // Its neighbours go on as before.
    let neighbour = tenant.with_user("wang").await.log_in().await;
    neighbour.assert_live().await;
}
