//! Browsers (contract 1.2): preflights from the index of all systems, requests by their own system's list.

use bo_auth_core::identifier::SystemId;
use bo_auth_store::record::SystemRecord;
use http::Method;
use serde_json::json;

use crate::admin::administrator::{Administrator, assert_problem};
use crate::support::{Answer, Session, System, TestApp, TestRequest, route};

each_backend!(
    a_preflight_is_answered_from_the_index_of_all_systems,
    a_request_is_checked_against_its_own_system,
    an_early_refusal_can_be_read_by_any_listed_origin,
    a_system_allows_headers_of_its_own,
    an_origin_is_set_as_browsers_send_it,
);

one_backend!(Local: no_listed_page_reads_what_is_the_operators);

const HOME: &str = "https://app.example";
const OTHER: &str = "http://other.example:8443";
const STRANGER: &str = "https://stranger.example";

async fn systems(app: &TestApp) -> (System, System) {
    let tenant = app.with_tenant("acme").await;
    let home = tenant.with_system("home", json!({"allowedOrigins": [HOME]})).await;
    let other = app.with_tenant("elsewhere").await.with_system("other", json!({"allowedOrigins": [OTHER]})).await;
    (home, other)
}

fn preflight(app: &TestApp, path: &str, origin: &str) -> TestRequest {
    let request = app.bare_request(Method::OPTIONS, path).header("Origin", origin);
    request.header("Access-Control-Request-Method", "DELETE").header("Access-Control-Request-Headers", "xownerid,xverifyapi,authorization")
}

fn allowed(answer: &Answer) -> Option<&str> {
    let origin = answer.header("access-control-allow-origin");
    assert_eq!(answer.header("access-control-allow-credentials"), origin.map(|_| "true"));
    assert!(answer.headers.get_all("vary").iter().any(|value| value == "Origin"), "caches must know");
    origin
}

async fn a_preflight_is_answered_from_the_index_of_all_systems(app: TestApp) {
    systems(&app).await;
    for origin in [HOME, OTHER] {
        for path in [route::LOGOUT, route::LOGIN, route::SESSIONS] {
            let answer = preflight(&app, path, origin).send().await;
            assert_eq!((answer.status, allowed(&answer)), (204, Some(origin)));
            assert_eq!(answer.header("access-control-allow-methods"), Some("GET, POST, DELETE"));
            let headers = answer.header("access-control-allow-headers").unwrap().to_lowercase();
            for name in
                "XownerId XsysId XverifyApi XuserFromFirstShareId XuserFromSecondShareId XfilterAreaCode Authorization Content-Type \
                 Accept-Language Prefer X-Requested-With X-Request-Id traceparent tracestate baggage sentry-trace"
                    .split(' ')
            {
                assert!(headers.split(", ").any(|allowed| allowed == name.to_lowercase()), "{name}");
            }
        }
    }
    for origin in
        [STRANGER, "null", "*", "https://app.example.stranger.example", "http://app.example", "https://APP.example", "https://app.example/"]
    {
        let answer = preflight(&app, route::LOGOUT, origin).send().await;
        assert_eq!((allowed(&answer), answer.header("access-control-allow-methods")), (None, None), "{origin}");
    }
}

async fn a_request_is_checked_against_its_own_system(app: TestApp) {
    let (home, _) = systems(&app).await;
    let session = home.tenant.with_user("li").await.of(&home).signed_in().await;
    let from = async |session: &Session, origin: &str| session.current_user().header("Origin", origin).send().await;
    let answer = from(&session, HOME).await;
    assert_eq!((answer.status, allowed(&answer)), (200, Some(HOME)));
    assert_eq!(answer.header("access-control-expose-headers"), Some("X-Plugin-Error, X-Request-Id, Retry-After, Date, Preference-Applied"));
    // The server answers, and the browser keeps it from the page.
    for origin in [OTHER, STRANGER] {
        let answer = from(&session, origin).await;
        assert_eq!((answer.status, allowed(&answer)), (200, None), "{origin}");
        assert_eq!(answer.header("access-control-expose-headers"), None);
    }
    // A refusal is for the page to read as well.
    let refused = session.logout().query("refreshToken", "x").header("Origin", HOME).send().await;
    assert_eq!((refused.status, allowed(&refused)), (401, Some(HOME)));
    let by_delete = session.logout_by(Method::DELETE).header("Origin", HOME).send().await;
    assert_eq!((by_delete.status, allowed(&by_delete)), (200, Some(HOME)));
    assert_eq!(allowed(&home.tenant.web().request(Method::GET, route::SESSIONS).send().await), None);
}

async fn an_early_refusal_can_be_read_by_any_listed_origin(app: TestApp) {
    let (mut home, _) = systems(&app).await;
    let early = |origin: &str| home.request(Method::GET, route::SESSIONS).header("XownerId", "nobody").header("Origin", origin);
    for (origin, expected) in [(HOME, Some(HOME)), (OTHER, Some(OTHER)), (STRANGER, None)] {
        assert_eq!(allowed(&early(origin).send().await), expected);
    }
    let missing = app.bare_request(Method::GET, "/bo/api/v3/nothing").header("Origin", HOME).send().await;
    assert_eq!((missing.status, allowed(&missing)), (404, Some(HOME)));
    // What is taken from the list is gone from the index.
    home.change(json!({"allowedOrigins": []})).await;
    assert_eq!(allowed(&preflight(&app, route::LOGOUT, HOME).send().await), None);
}

/// The headers that a preflight from `HOME` is told.
async fn allowed_headers(app: &TestApp, origin: &str) -> Option<String> {
    let requested = "xverifyapi, x-app-version,elastic-apm-traceparent, x-other";
    let request = preflight(app, route::LOGOUT, origin).without("Access-Control-Request-Headers");
    let answer = request.header("Access-Control-Request-Headers", requested).send().await;
    answer.header("access-control-allow-headers").map(str::to_owned)
}

async fn a_system_allows_headers_of_its_own(app: TestApp) {
    let (mut home, _) = systems(&app).await;
    let usual = allowed_headers(&app, HOME).await.unwrap();
    home.change(json!({"allowedHeaders": ["X-App-Version", "elastic-apm-traceparent", "X-Not-Asked-For"]})).await;
    let own = allowed_headers(&app, HOME).await.unwrap();
    assert_eq!(own, format!("{usual}, x-app-version, elastic-apm-traceparent"));
    assert_eq!(allowed_headers(&app, OTHER).await.as_ref(), Some(&usual), "of another origin");
    assert_eq!(allowed_headers(&app, STRANGER).await, None);
    home.change(json!({"allowedHeaders": null})).await;
    assert_eq!(allowed_headers(&app, HOME).await, Some(usual));
}

async fn an_origin_is_set_as_browsers_send_it(app: TestApp) {
    let (home, _) = systems(&app).await;
    let admin = Administrator::of_tenant(&app, &home.tenant).await;
    let tenant = format!("/tenants/{}", home.tenant.owner_id);
    let system = format!("{tenant}/systems/home");
    for (written, right) in [
        ("https://New.Example", "https://new.example"),
        ("https://new.example:443", "https://new.example"),
        ("https://new.example/", "https://new.example"),
        ("https://例子.example", "https://xn--fsqu00a.example"),
    ] {
        let settings = json!({"settings": {"allowedOrigins": [HOME, written]}});
        for refused in [
            admin.patch(&system, "*", &settings).await,
            admin.patch(&tenant, "*", &settings).await,
            admin.post(&format!("{tenant}/systems"), &json!({"sysId": "new", "settings": settings["settings"]})).await,
        ] {
            assert_problem(&refused, 422, "REFUSED");
            let detail = refused.json()["detail"].to_string();
            assert!(detail.contains(&format!("`{right}`")), "{detail}");
        }
        let settings = json!({"settings": {"allowedOrigins": [HOME, right]}});
        assert_eq!(admin.patch(&system, "*", &settings).await.status, 200);
        let told = preflight(&app, route::LOGOUT, right).send().await;
        assert_eq!(allowed(&told), Some(right));
    }
    // What was stored before such spellings were refused means what it meant to mean, and hinders no other change.
    let stored = SystemRecord {
        sys_id: SystemId::parse("old").unwrap(),
        name: "old".to_owned(),
        settings: json!({"allowedOrigins": ["HTTPS://Old.Example:443"]}),
        disabled: false,
        updated_at: app.now(),
    };
    app.service().db.insert_system(&home.tenant.owner_id, &stored, app.now()).await.unwrap();
    let changed = admin.patch(&format!("{tenant}/systems/old"), "*", &json!({"name": "older"})).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let told = preflight(&app, route::LOGOUT, "https://old.example").send().await;
    assert_eq!(allowed(&told), Some("https://old.example"));
    let request = home.tenant.web().request(Method::GET, route::SESSIONS).header("XsysId", "old");
    let answer = request.header("Origin", "https://old.example").send().await;
    assert_eq!(allowed(&answer), Some("https://old.example"), "{}", answer.text());
}

async fn no_listed_page_reads_what_is_the_operators(app: TestApp) {
    systems(&app).await;
    for path in ["/metrics", "/console", "/console/main.js", "/admin/api/v1/tenants", "/docs", "/docs/admin", "/openapi/admin-v1.json"] {
        for request in [app.bare_request(Method::GET, path).header("Origin", HOME), preflight(&app, path, HOME)] {
            let answer = request.send().await;
            let names: Vec<_> = answer.headers.keys().filter(|name| name.as_str().starts_with("access-control")).collect();
            assert_eq!(names, [] as [&http::HeaderName; 0], "{path}");
        }
    }
}
