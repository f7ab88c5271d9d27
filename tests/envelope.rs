//! The envelope around everything (contract 1.6): what the framework would refuse by itself, languages, and headers.

use std::collections::HashSet;
use std::time::Duration;

use bo_auth_server::fault::FaultKind;
use http::Method;
use serde_json::json;

use crate::support::{TestApp, captcha_picture, envelope, every_route, exchange, route};

each_backend!(legacy_systems_answer_200_always, limits_are_answered_with_when_to_come_again);

one_backend!(Local:
    unknown_routes_are_answered_in_the_envelope,
    a_method_that_is_not_allowed_is_told_which_are,
    head_and_options_do_nothing,
    legacy_systems_answer_200_to_what_no_operation_has_seen,
    health_is_told_whatever_the_rate,
    an_address_is_limited_before_anything_else,
    the_rate_recovers_with_time,
    texts_follow_the_language_and_codes_do_not,
    every_answer_has_an_id_of_its_own,
    what_is_no_http_is_answered_in_the_envelope,
    names_of_headers_have_no_case,
);

async fn unknown_routes_are_answered_in_the_envelope(app: TestApp) {
    for path in [
        "/bo/api",
        "/bo/api/",
        "/bo/api/v3",
        "/bo/api/v2/auth/token/logout",
        "/bo/api/v3/auth/token/logout/",
        "/bo/api/v3/auth/token/logout/x",
        "/bo/api/v3//auth/token/logout",
        "/bo/api/v3/AUTH/token/logout",
        "/bo/api/v3/auth/session/a/b",
        "/bo/api/v3/verify/code/",
        "/bo/api/v3/%00",
        "/bo/api/v3/../v3/auth/login",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::PUT] {
            app.bare_request(method, path).send().await.assert_fault(FaultKind::ROUTE_UNKNOWN);
        }
    }
    app.bare_request(Method::GET, "/bo/api/v3/%ff").send().await.assert_fault(FaultKind::BAD_REQUEST);
}

/// Each route with the methods it has.
const ROUTES: [(&str, &[Method]); 7] = [
    (route::LOGIN, &[Method::POST]),
    (route::REFRESH, &[Method::GET, Method::POST]),
    (route::LOGOUT, &[Method::GET, Method::DELETE]),
    (route::CURRENT_USER, &[Method::GET]),
    (route::SESSIONS, &[Method::GET]),
    ("/bo/api/v3/auth/session/0123456789abcdef", &[Method::DELETE]),
    ("/bo/api/v3/verify/code/guid", &[Method::GET]),
];

async fn a_method_that_is_not_allowed_is_told_which_are(app: TestApp) {
    for (path, allowed) in ROUTES {
        for method in
            [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::TRACE, Method::from_bytes(b"BREW").unwrap()]
        {
            let answer = app.bare_request(method.clone(), path).send().await;
            if allowed.contains(&method) {
                assert_ne!(answer.status, 405, "{method} {path}");
                continue;
            }
            answer.assert_fault(FaultKind::METHOD_NOT_ALLOWED);
            let told: HashSet<&str> = answer.header("allow").unwrap().split(", ").collect();
            assert_eq!(told, allowed.iter().map(Method::as_str).collect(), "{method} {path}");
        }
    }
}

async fn head_and_options_do_nothing(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let row = session.row().await;
    for route in every_route(&session) {
        let head = route.request.clone().method(Method::HEAD).body("", "").send().await;
        assert_eq!((head.status, head.body.len()), (405, 0), "{}", route.name);
        let options = route.request.clone().method(Method::OPTIONS).send().await;
        options.assert_fault(FaultKind::METHOD_NOT_ALLOWED);
    }
    assert_eq!(session.row().await, row);
    session.assert_live().await;
}

async fn legacy_systems_answer_200_always(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let legacy = tenant.with_system("legacy", json!({"legacyStatus200": true})).await;
    let user = tenant.with_user("li").await.of(&legacy);
    let session = user.log_in().await;
    for (request, kind) in [
        (session.logout().query("refreshToken", "x"), FaultKind::REFRESH_TOKEN_INVALID),
        (session.current_user().without("Authorization"), FaultKind::TOKEN_MISSING),
        (session.current_user().header("XverifyApi", "***"), FaultKind::VERIFY_API_INVALID),
        (session.current_user().header("XfilterAreaCode", "990000"), FaultKind::AREA_UNKNOWN),
        (user.login_with("wrong"), FaultKind::LOGIN_FAILED),
        (session.logout().query("_nodejs", "no-such"), FaultKind::PLUGIN_UNKNOWN),
    ] {
        let answer = request.send().await;
        assert_eq!((answer.status, answer.text()), (200, envelope(kind, "").as_str()));
        assert_eq!(answer.header("www-authenticate"), None);
    }
    // As long as the system is not known, it cannot ask for that.
    session.current_user().header("XownerId", "nobody").send().await.assert_fault(FaultKind::TENANT_UNKNOWN);
    assert_eq!(session.logout().send().await.status, 200);
}

async fn legacy_systems_answer_200_to_what_no_operation_has_seen(app: TestApp) {
    app.restart_with(|configuration| configuration.address_requests_per_minute = 600).await;
    let tenant = app.with_tenant("acme").await;
    let legacy = tenant.with_system("legacy", json!({"legacyStatus200": true})).await;
    let session = tenant.with_user("li").await.of(&legacy).log_in().await;
    let login = || session.user.login();
    let logout = || session.logout_by(Method::DELETE);
    let json = "application/json";
    for (request, kind, parameter) in [
        (login().body(json, "{"), FaultKind::BAD_REQUEST, ""),
        (login().body(json, "x".repeat(65 << 10)), FaultKind::PAYLOAD_TOO_LARGE, ""),
        (login().body("text/plain", "x"), FaultKind::MEDIA_TYPE_UNSUPPORTED, ""),
        (login().body(json, "{}"), FaultKind::PARAMETER_MISSING, "userName"),
        (logout().repeat("XverifyApi", "x"), FaultKind::PARAMETER_INVALID, "XverifyApi"),
        (logout().repeat("Authorization", "x"), FaultKind::TOKEN_INVALID, ""),
        (logout().header("XfilterAreaCode", "张"), FaultKind::PARAMETER_INVALID, "XfilterAreaCode"),
        (logout().repeat_query("scope", "all").repeat_query("scope", "all"), FaultKind::PARAMETER_INVALID, "scope"),
        (logout().method(Method::PUT), FaultKind::METHOD_NOT_ALLOWED, ""),
        (logout().path("/bo/api/v3/nothing"), FaultKind::ROUTE_UNKNOWN, ""),
        (logout().path("/bo/api/v3/%ff"), FaultKind::BAD_REQUEST, ""),
    ] {
        let answer = request.send().await;
        assert_eq!((answer.status, answer.text()), (200, envelope(kind, parameter).as_str()));
    }
    // Headers that name no system, or another one, ask for nothing; nor does a path that is not the contract's.
    for (request, status) in [
        (logout().method(Method::PUT).repeat("XsysId", "legacy"), 405),
        (logout().method(Method::PUT).header("XsysId", "nowhere"), 405),
        (logout().method(Method::PUT).header("XownerId", "nobody"), 405),
        (logout().method(Method::PUT).without("XsysId"), 405),
        (logout().path("/nothing"), 404),
        (logout().header("XsysId", "nowhere"), 404),
        (login().body(json, "{").without("XownerId"), 400),
    ] {
        let answer = request.send().await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    session.assert_live().await;
    // The default system need not be named.
    let mut web = tenant.web();
    web.change(json!({"legacyStatus200": true})).await;
    let unnamed = logout().method(Method::PUT).without("XsysId").send().await;
    assert_eq!((unnamed.status, unnamed.error_code().as_str()), (200, "METHOD_NOT_ALLOWED"));
    let limited = loop {
        let answer = logout().method(Method::PUT).send().await;
        if answer.error_code() == "RATE_LIMITED" {
            break answer;
        }
    };
    assert_eq!(limited.status, 200);
    assert!(limited.header("retry-after").is_some());
}

async fn health_is_told_whatever_the_rate(app: TestApp) {
    app.restart_with(|configuration| configuration.address_requests_per_minute = 20).await;
    let nothing = || app.bare_request(Method::GET, "/bo/api/v3/nothing");
    while nothing().send().await.status != 429 {}
    for _ in 0..30 {
        for path in ["/healthz", "/readyz"] {
            for method in [Method::GET, Method::HEAD] {
                let answer = app.bare_request(method, path).send().await;
                assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            }
        }
    }
    // Asking for it takes nothing from the rate either, and only these two paths are so.
    assert_eq!(nothing().send().await.status, 429);
    assert_eq!(app.bare_request(Method::GET, "/healthz/x").send().await.status, 429);
}

async fn limits_are_answered_with_when_to_come_again(app: TestApp) {
    for setting in ["addressRequestsPerMinute", "tenantRequestsPerMinute"] {
        let tenant = app.with_tenant("acme").await;
        let system = tenant.with_system("slow", json!({setting: 1})).await;
        let session = tenant.with_user("li").await.of(&system).signed_in().await;
        let mut accepted = 0;
        let refused = loop {
            let answer = session.current_user().send().await;
            if answer.status != 200 {
                break answer;
            }
            accepted += 1;
        };
        // At least ten at once; the clock of Redis may let one more through.
        assert!((9..=11).contains(&accepted), "{accepted} by {setting}");
        refused.assert_fault(FaultKind::RATE_LIMITED);
        let seconds: u32 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        assert_eq!(session.logout().send().await.error_code(), "RATE_LIMITED");
        assert_eq!(session.row().await.ended, None);
    }
    // Sign-ins of one account from one address have their own.
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let system = tenant.with_system("by-account", json!({"accountLoginsPerMinute": 1})).await;
    let mut answers = Vec::new();
    for _ in 0..12 {
        answers.push(user.of(&system).login().send().await.error_code());
    }
    assert!(answers.iter().take(9).all(String::is_empty) && answers.last().is_some_and(|last| last == "RATE_LIMITED"), "{answers:?}");
    tenant.with_user("wang").await.of(&system).log_in().await;
}

async fn an_address_is_limited_before_anything_else(app: TestApp) {
    app.restart_with(|configuration| configuration.address_requests_per_minute = 20).await;
    for _ in 0..20 {
        app.bare_request(Method::GET, "/bo/api/v3/nothing").send().await.assert_fault(FaultKind::ROUTE_UNKNOWN);
    }
    let refused = app.bare_request(Method::GET, route::LOGOUT).send().await;
    refused.assert_fault(FaultKind::RATE_LIMITED);
    assert_eq!(refused.header("retry-after"), Some("3"));
    app.advance(Duration::from_secs(3));
    app.bare_request(Method::GET, route::LOGOUT).send().await.assert_fault_about(FaultKind::PARAMETER_MISSING, "XownerId");
}

async fn the_rate_recovers_with_time(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let system = tenant.with_system("slow", json!({"addressRequestsPerMinute": 6})).await;
    let session = tenant.with_user("li").await.of(&system).signed_in().await;
    for _ in 0..10 {
        assert_eq!(session.current_user().send().await.status, 200);
    }
    let refused = session.current_user().send().await;
    refused.assert_fault(FaultKind::RATE_LIMITED);
    assert_eq!(refused.header("retry-after"), Some("10"));
    app.advance(Duration::from_secs(10));
    assert_eq!(session.current_user().send().await.status, 200);
    assert_eq!(session.current_user().send().await.status, 429);
}

async fn texts_follow_the_language_and_codes_do_not(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let ask = async |language: &str| session.current_user().header("XverifyApi", "***").header("Accept-Language", language).send().await;
    for language in ["", "zh", "zh-CN,en;q=0.8", "fr", "de-DE, *;q=0.1", "en;q=0"] {
        ask(language).await.assert_fault(FaultKind::VERIFY_API_INVALID);
    }
    for language in ["中文, en", "en", "en-US,en;q=0.9", "EN-gb", "fr, en;q=0.2", "zh;q=0.1, en;q=0.2"] {
        let answer = ask(language).await;
        let expected = concat!(
            r#"{"code":40101,"success":false,"message":"XverifyApi is not valid","#,
            r#""error":{"errorCode":"VERIFY_API_INVALID","errorText":"XverifyApi is not valid"}}"#
        );
        assert_eq!((answer.status, answer.text()), (401, expected), "{language}");
    }
    let english = app.bare_request(Method::GET, "/bo/api/v3/nothing").header("Accept-Language", "en").send().await;
    assert_eq!(english.json()["message"], "there is no such route");
    let named = app.bare_request(Method::GET, route::LOGOUT).header("Accept-Language", "en").send().await;
    assert_eq!(named.json()["message"], "parameter XownerId is missing");
}

async fn every_answer_has_an_id_of_its_own(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let requests = [
        session.current_user(),
        session.current_user().header("XverifyApi", "***"),
        app.bare_request(Method::GET, "/bo/api/v3/nothing"),
        app.bare_request(Method::PUT, route::LOGOUT),
        captcha_picture(&session, "guid"),
        session.logout(),
    ];
    let mut ids = HashSet::new();
    for request in requests {
        let answer = request.header("X-Request-Id", "chosen-by-the-client").send().await;
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert_ne!(id, "chosen-by-the-client");
        assert!(ids.insert(id));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

async fn what_is_no_http_is_answered_in_the_envelope(app: TestApp) {
    for (bytes, kind) in [
        (&b"nonsense\r\n\r\n"[..], FaultKind::BAD_REQUEST),
        (b"GET  /bo HTTP/1.1\r\n\r\n", FaultKind::BAD_REQUEST),
        (b"GET /bo/api/v3/auth/token/logout HTTP/9.9\r\n\r\n", FaultKind::BAD_REQUEST),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", FaultKind::BAD_REQUEST),
        (b"GET /bo HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", FaultKind::BAD_REQUEST),
        (b"POST /bo HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", FaultKind::BAD_REQUEST),
    ] {
        exchange(app.address(), bytes).await.assert_fault(kind);
    }
}

async fn names_of_headers_have_no_case(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    for change in [str::to_uppercase as fn(&str) -> String, str::to_lowercase] {
        let mut request = session.current_user();
        for name in ["XownerId", "XverifyApi", "Authorization"] {
            let value = request.header_value(name).unwrap().to_vec();
            request = request.without(name).header(&change(name), value);
        }
        let request = request.header(&change("XverifyApi"), session.user.system.new_stamp());
        assert_eq!(request.send_raw().await.status, 200);
    }
}
