//! What every answer tells a browser: its type is meant, and TLS stays where it was.

use bo_auth_server::proxy::TrustedProxies;
use http::Method;

use crate::legacy::fleet_of_test::FleetOfTest;
use crate::support::{Answer, TestApp, exchange, route};

one_backend!(Local: every_answer_says_that_its_type_is_meant, what_came_over_tls_is_to_stay_there);

/// One answer of each kind: of every contract, of the framework, and of what is no request.
async fn answers(app: &TestApp) -> Vec<(String, Answer)> {
    let mut answers = Vec::new();
    for (method, path) in [
        (Method::GET, route::LOGOUT),
        (Method::PUT, route::LOGOUT),
        (Method::HEAD, route::LOGOUT),
        (Method::OPTIONS, route::LOGOUT),
        (Method::GET, "/nowhere"),
        (Method::GET, "/api/v1.0/session"),
        (Method::GET, "/admin/api/v1/tenants"),
        (Method::GET, "/healthz"),
        (Method::GET, "/readyz"),
        (Method::GET, "/metrics"),
        (Method::GET, "/docs"),
        (Method::GET, "/openapi/bo-v3.json"),
        (Method::GET, "/console"),
        (Method::GET, "/.well-known/jwks.json"),
    ] {
        let request = app.bare_request(method.clone(), path).header("X-Forwarded-Proto", "https");
        let request = request.header("Origin", "https://app.example").header("Access-Control-Request-Method", "GET");
        answers.push((format!("{method} {path}"), request.send().await));
    }
    answers
}

async fn every_answer_says_that_its_type_is_meant(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    for (what, answer) in answers(&fleet.app).await {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
        // Anybody can write the header; nobody has listed a proxy.
        assert_eq!(answer.header("strict-transport-security"), None, "{what}");
    }
    for bytes in [&b"nonsense\r\n\r\n"[..], b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"] {
        let answer = exchange(fleet.app.address(), bytes).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

async fn what_came_over_tls_is_to_stay_there(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let proxies = TrustedProxies::new(vec!["127.0.0.1".parse().unwrap()]);
    fleet.app.restart_with(|configuration| configuration.trusted_proxies = proxies).await;
    for (what, answer) in answers(&fleet.app).await {
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"), "{what}");
    }
    let plain = fleet.app.bare_request(Method::GET, "/healthz").header("X-Forwarded-Proto", "http");
    assert_eq!(plain.send().await.header("strict-transport-security"), None);
}
