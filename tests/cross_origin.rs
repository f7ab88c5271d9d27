//! Browsers (contract 1.2): preflights from the index of all systems, requests by their own system's list.

use http::Method;
use serde_json::json;

use crate::support::{Answer, Session, System, TestApp, TestRequest, route};

each_backend!(
    a_preflight_is_answered_from_the_index_of_all_systems,
    a_request_is_checked_against_its_own_system,
    an_early_refusal_can_be_read_by_any_listed_origin,
);

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
                ["XownerId", "XsysId", "XverifyApi", "XuserFromFirstShareId", "XuserFromSecondShareId", "XfilterAreaCode", "Authorization"]
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
    assert_eq!(answer.header("access-control-expose-headers"), Some("X-Plugin-Error, X-Request-Id, Retry-After"));
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
