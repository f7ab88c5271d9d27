//! What must not be in the log, at any level: no value of a header, a query or a body, no token, no password, no key.

use bo_auth_core::random::{SystemRandom, alphanumeric};
use http::Method;
use serde_json::json;

use crate::support::{DES_KEY, TestApp, captcha_picture, every_route, log, route};

each_backend!(nothing_that_was_sent_is_logged, nothing_that_was_sent_is_logged_when_a_store_is_down);

/// What no line may hold, gathered while a test goes on.
struct Secrets(Vec<String>);

impl Secrets {
    /// A new text, which nothing else in the process holds.
    fn marker(&mut self) -> String {
        let text = alphanumeric(&SystemRandom::default(), 24);
        self.0.push(text.clone());
        text
    }

    fn keep(&mut self, text: &str) {
        self.0.push(text.to_owned());
    }

    fn assert_unlogged(&self, app: &TestApp) {
        let kept = log::kept();
        assert!(kept.contains("bo_auth::access"), "the log is kept");
        let master_key = app.master_key();
        for secret in self.0.iter().map(String::as_str).chain([DES_KEY, &master_key]) {
            let line = kept.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} is in the log");
        }
    }
}

async fn nothing_that_was_sent_is_logged(app: TestApp) {
    log::keep();
    let mut secrets = Secrets(Vec::new());
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    secrets.keep(&user.password());
    for position in 0..8 {
        let session = user.log_in().await;
        secrets.keep(&session.access_token);
        secrets.keep(&session.refresh_token);
        let session = session.refreshed().await;
        secrets.keep(&session.access_token);
        secrets.keep(&session.refresh_token);
        let route = || every_route(&session).into_iter().nth(position).unwrap().request;
        for name in [
            "XownerId",
            "XsysId",
            "XverifyApi",
            "XuserFromFirstShareId",
            "XuserFromSecondShareId",
            "XfilterAreaCode",
            "Authorization",
            "Content-Type",
            "Accept-Language",
            "Prefer",
            "User-Agent",
            "Origin",
            "X-Forwarded-For",
            "Cookie",
            "X-Request-Id",
        ] {
            let marker = secrets.marker();
            for value in [marker.clone().into_bytes(), [marker.as_bytes(), b"\xff"].concat(), [marker.as_bytes(), b"\0"].concat()] {
                route().header(name, value).send_raw().await;
            }
        }
        for name in ["refreshToken", "_nodejs", "scope", "other"] {
            let marker = secrets.marker();
            for value in [marker.clone(), format!("{marker}%ff"), format!("{marker}%00"), format!("{marker}\0")] {
                route().raw_query(name, &value).send_raw().await;
            }
        }
        let marker = secrets.marker();
        for body in
            [json!({"userName": marker, "password": marker, "verifyGuid": marker, "verifyCode": marker}), json!({"refreshToken": marker})]
        {
            route().json(&body).send().await;
        }
        route().body("application/json", format!("{{{marker}")).send().await;
        route().send().await;
    }
    let marker = secrets.marker();
    let session = user.signed_in().await;
    captcha_picture(&session, &marker).send().await;
    session.request(Method::DELETE, &format!("{}/{marker}", route::SESSIONS)).send().await;
    app.bare_request(Method::GET, &format!("/bo/api/v3/{marker}?x={marker}")).send().await;
    secrets.assert_unlogged(&app);
}

async fn nothing_that_was_sent_is_logged_when_a_store_is_down(app: TestApp) {
    log::keep();
    let mut secrets = Secrets(Vec::new());
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let session = user.log_in().await;
    secrets.keep(&user.password());
    secrets.keep(&session.access_token);
    secrets.keep(&session.refresh_token);
    app.service().db.close().await;
    for route in every_route(&session) {
        let (agent, plugin) = (secrets.marker(), secrets.marker());
        let answer = route.request.clone().header("User-Agent", agent).query("_other", &plugin).send().await;
        assert!(!answer.text().contains(&plugin) && (answer.status == 503 || answer.status == 200), "{}: {}", route.name, answer.text());
    }
    assert!(log::kept().contains("UNAVAILABLE"), "a failure is logged once");
    secrets.assert_unlogged(&app);
}
