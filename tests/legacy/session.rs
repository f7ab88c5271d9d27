//! The three routes, to the byte (contract 2.1), and what is refused around them.

use std::time::Duration;

use bo_auth_core::session::EndReason;
use bo_auth_server::configuration::LegacyConfiguration;
use bo_auth_server::legacy::errno::Errno;
use http::Method;
use serde_json::json;

use super::fleet_of_test::{FleetOfTest, OK, OutcomeAnswer, SESSION, SESSIONS};
use crate::support::{TestApp, route};

each_backend!(
    u0000_in_a_body_is_no_internal_error,
    a_session_is_opened_shown_and_ended,
    a_session_is_over_when_its_time_is,
    failures_are_counted_by_the_number_that_was_typed
);
one_backend!(Local: what_is_not_signed_in_says_so, a_stale_cookie_is_replaced, wrong_input_has_its_codes, disabled_is_refused,
    whatever_is_refused_has_the_contracts_form, without_a_fleet_there_are_no_routes, under_tls_the_cookie_is_secure, a_used_session_does_not_run_idle);

async fn a_session_is_opened_shown_and_ended(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let mut browser = fleet.browser();
    let answer = browser.sign_in(&fleet.credentials()).await;
    assert_eq!((answer.status, answer.text()), (200, OK));
    let cookie = answer.header("set-cookie").unwrap();
    let expected = format!("userlogin={}; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax", browser.cookie());
    assert_eq!(cookie, expected);
    assert_eq!(browser.cookie().len(), 33);

    let answer = browser.who().await;
    assert_eq!((answer.status, answer.text()), (200, r#"{"errno":"0","errmsg":"OK","data":{"name":"name of li"}}"#));
    assert_eq!(answer.header("set-cookie"), None);

    let before = browser.clone();
    let answer = browser.sign_out().await;
    assert_eq!((answer.status, answer.text()), (200, OK));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("set-cookie"), Some("userlogin=; Path=/; Max-Age=0"));
    browser.assert_cookie(false);

    // Whoever has kept the cookie has nothing; signing out again is signed out.
    let mut thief = before.clone();
    thief.who().await.assert_outcome(Errno::SESSION);
    let again = before.clone().sign_out().await;
    assert_eq!((again.text(), again.header("set-cookie")), (OK, Some("userlogin=; Path=/; Max-Age=0")));
    assert_eq!(fleet.tenant.audited_ends(&fleet.user.id).await, 1);
    fleet.app.restart().await;
    thief.who().await.assert_outcome(Errno::SESSION);
}

async fn u0000_in_a_body_is_no_internal_error(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    for (name, errno) in [("mobile", Errno::PARAMETER), ("password", Errno::LOGIN)] {
        let mut body = fleet.credentials();
        body[name] = json!("a\0b");
        fleet.browser().sign_in(&body).await.assert_outcome(errno);
    }
}

async fn a_session_is_over_when_its_time_is(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let mut browser = fleet.signed_in().await;
    fleet.app.advance(Duration::from_hours(24 * 30));
    browser.who().await.assert_outcome(Errno::SESSION);
    browser.assert_cookie(true);
    browser.sign_out().await.assert_outcome(Errno::OK);
    browser.assert_cookie(false);
}

async fn a_used_session_does_not_run_idle(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let mut browser = fleet.signed_in().await;
    for _ in 0..4 {
        fleet.app.advance(Duration::from_hours(24 * 20));
        assert!(browser.who().await.text().contains("name of li"));
    }
    // Its whole life is ninety days all the same.
    fleet.app.advance(Duration::from_hours(24 * 20));
    browser.who().await.assert_outcome(Errno::SESSION);
}

async fn what_is_not_signed_in_says_so(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let forged = format!("1{}", "A".repeat(32));
    for cookie in [None, Some("userlogin="), Some("other=1"), Some("userlogin=\"\"")] {
        for method in [Method::GET, Method::DELETE] {
            let request = fleet.app.bare_request(method, SESSION);
            let request = cookie.map_or(request.clone(), |cookie| request.header("Cookie", cookie));
            let answer = request.send().await;
            answer.assert_outcome(Errno::SESSION);
            assert_eq!(answer.header("set-cookie"), None);
        }
    }
    // A value that nobody has made is a session that is gone.
    for value in [forged.as_str(), "d41d8cd98f00b204e9800998ecf8427e"] {
        let request = fleet.app.bare_request(Method::GET, SESSION).header("Cookie", format!("userlogin={value}"));
        request.send().await.assert_outcome(Errno::SESSION);
        let answer = request.method(Method::DELETE).send().await;
        answer.assert_outcome(Errno::OK);
        assert_eq!(answer.header("set-cookie"), Some("userlogin=; Path=/; Max-Age=0"));
    }
}

async fn a_stale_cookie_is_replaced(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let mut browser = fleet.browser();
    browser.cookies.insert("userlogin".to_owned(), "d41d8cd98f00b204e9800998ecf8427e".to_owned());
    browser.sign_in(&fleet.credentials()).await.assert_outcome(Errno::OK);
    assert!(browser.who().await.text().contains("name of li"));
    // A session that was open in this browser gives way to the new one.
    let mut before = browser.clone();
    browser.sign_in(&fleet.credentials()).await.assert_outcome(Errno::OK);
    assert_ne!(before.cookie(), browser.cookie());
    before.who().await.assert_outcome(Errno::SESSION);
    assert!(browser.who().await.text().contains("name of li"));
    // With both, as a page of another path may leave them, the live one serves.
    let request = fleet.app.bare_request(Method::GET, SESSION);
    let both = request.header("Cookie", format!("userlogin={}; userlogin={}", before.cookie(), browser.cookie()));
    assert!(both.send().await.text().contains("name of li"));
}

async fn wrong_input_has_its_codes(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let mut browser = fleet.browser();
    let password = fleet.user.password();
    for (body, errno) in [
        (json!({}), Errno::PARAMETER),
        (json!({"mobile": fleet.mobile}), Errno::PARAMETER),
        (json!({"mobile": "", "password": password}), Errno::PARAMETER),
        (json!({"mobile": 13_800_000_042_u64, "password": password}), Errno::PARAMETER),
        (json!({"mobile": "1".repeat(33), "password": password}), Errno::PARAMETER),
        (json!({"mobile": fleet.mobile, "password": "x".repeat(1025)}), Errno::PARAMETER),
        (json!({"mobile": fleet.mobile, "password": "wrong"}), Errno::LOGIN),
        (json!({"mobile": "13900000000", "password": password}), Errno::LOGIN),
        // The account is not the mobile number.
        (json!({"mobile": "li", "password": password}), Errno::LOGIN),
    ] {
        let answer = browser.sign_in(&body).await;
        assert!(answer.text().contains(errno.code), "{body}: {}", answer.text());
        answer.assert_outcome(errno);
        browser.assert_cookie(false);
    }
}

async fn failures_are_counted_by_the_number_that_was_typed(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let mut browser = fleet.browser();
    let wrong = json!({"mobile": fleet.mobile, "password": "wrong"});
    for _ in 0..2 {
        browser.sign_in(&wrong).await.assert_outcome(Errno::LOGIN);
    }
    let by_number = crate::support::User { account: fleet.mobile.to_owned(), ..fleet.user.clone() };
    assert_eq!(by_number.login_with("wrong").send().await.error_code(), "LOGIN_FAILED");
    // Three in all, whichever contract the number was typed into.
    browser.sign_in(&fleet.credentials()).await.assert_outcome(Errno::REQUEST);
    assert_eq!(by_number.login().send().await.error_code(), "CAPTCHA_REQUIRED");
    // Another name of the same user is none of it, or an answer would tell whose number it is.
    fleet.user.log_in().await;
}

async fn disabled_is_refused(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let mut browser = fleet.signed_in().await;
    fleet.tenant.set_disabled(true).await;
    browser.who().await.assert_outcome(Errno::REQUEST);
    browser.sign_out().await.assert_outcome(Errno::REQUEST);
    browser.assert_cookie(true);
    fleet.browser().sign_in(&fleet.credentials()).await.assert_outcome(Errno::REQUEST);
    fleet.tenant.set_disabled(false).await;
    browser.who().await.assert_outcome(Errno::SESSION);
    let mut browser = fleet.signed_in().await;
    assert!(browser.who().await.text().contains("name of li"));

    let operator = fleet.tenant.node.operator();
    let (change, ended) = operator.set_user_disabled(&fleet.tenant.owner_id, "li", true).await.unwrap();
    assert_eq!(ended[0].reason, EndReason::UserDisabled);
    fleet.tenant.node.apply(change).await;
    browser.who().await.assert_outcome(Errno::SESSION);
    fleet.browser().sign_in(&fleet.credentials()).await.assert_outcome(Errno::USER);
    let (change, _) = operator.set_user_disabled(&fleet.tenant.owner_id, "li", false).await.unwrap();
    fleet.tenant.node.apply(change).await;
    browser.who().await.assert_outcome(Errno::SESSION);
    fleet.browser().sign_in(&fleet.credentials()).await.assert_outcome(Errno::OK);
}

async fn whatever_is_refused_has_the_contracts_form(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let request = |method, path: &str| fleet.app.bare_request(method, path);
    request(Method::GET, "/api/v1.0/unknown").send().await.assert_refusal(404, Errno::REQUEST);
    request(Method::GET, "/api/v1.0").send().await.assert_refusal(404, Errno::REQUEST);
    for (method, path, allow) in
        [(Method::PUT, SESSION, "DELETE, GET, HEAD"), (Method::GET, SESSIONS, "POST"), (Method::HEAD, SESSIONS, "POST")]
    {
        let answer = request(method.clone(), path).send().await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {path}");
        if method != Method::HEAD {
            answer.assert_refusal(405, Errno::REQUEST);
        }
    }
    let post = || request(Method::POST, SESSIONS);
    post().body("application/json", "x".repeat(65 << 10)).send().await.assert_refusal(413, Errno::PARAMETER);
    post().body("application/x-www-form-urlencoded", "mobile=1&password=2").send().await.assert_refusal(415, Errno::PARAMETER);
    post().body("application/json", "{\"mobile\":").send().await.assert_refusal(400, Errno::PARAMETER);
    // Outside the prefix everything is as ever.
    let outside = request(Method::GET, "/api/v1.0x").send().await;
    assert_eq!(outside.error_code(), "ROUTE_UNKNOWN");
    assert_eq!(request(Method::GET, "/openapi/session-v1.json").send().await.json()["openapi"], "3.0.3");
    assert_eq!(request(Method::GET, route::SESSIONS).send().await.error_code(), "PARAMETER_MISSING");
}

async fn without_a_fleet_there_are_no_routes(app: TestApp) {
    app.restart_with(|configuration| configuration.legacy = LegacyConfiguration::default()).await;
    for path in [SESSION, "/openapi/session-v1.json"] {
        let answer = app.bare_request(Method::GET, path).send().await;
        assert_eq!(answer.error_code(), "ROUTE_UNKNOWN");
    }
}

async fn under_tls_the_cookie_is_secure(app: TestApp) {
    use bo_auth_server::proxy::TrustedProxies;

    let fleet = FleetOfTest::start(app).await;
    let sign_in = || fleet.app.bare_request(Method::POST, SESSIONS).header("X-Forwarded-Proto", "https").json(&fleet.credentials());
    assert!(!sign_in().send().await.header("set-cookie").unwrap().contains("Secure"));
    fleet.app.restart_with(|configuration| configuration.trusted_proxies = TrustedProxies::new(vec!["127.0.0.1".parse().unwrap()])).await;
    assert!(sign_in().send().await.header("set-cookie").unwrap().ends_with("; HttpOnly; SameSite=Lax; Secure"));
}
