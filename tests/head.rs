//! HEAD (RFC 9110 section 9.3.2): wherever there is a GET, but not where a GET can sign a user out.

use http::Method;

use crate::admin::administrator::Administrator;
use crate::legacy::fleet_of_test::FleetOfTest;
use crate::support::{Answer, TestApp, TestRequest, every_route};

one_backend!(Local: head_is_answered_as_get_without_its_content, head_signs_nobody_out);

#[track_caller]
fn assert_same(head: &Answer, get: &Answer, what: &str) {
    assert_eq!((head.status, head.body.len()), (get.status, 0), "{what}");
    let length = head.header("content-length").map(|length| length.parse().unwrap());
    // The page of figures is another each time.
    if what != "/metrics" {
        assert_eq!(length, (!get.body.is_empty()).then_some(get.body.len()), "{what}");
    }
    assert_eq!(head.header("content-type"), get.header("content-type"), "{what}");
}

async fn head_is_answered_as_get_without_its_content(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let app = &fleet.app;
    let browser = fleet.signed_in().await;
    let admin = Administrator::of_platform(app).await;
    let bare = |path: &str| app.bare_request(Method::GET, path);
    let keys = bare("/.well-known/jwks.json").query("ownerId", fleet.tenant.owner_id.as_str());
    let mut requests: Vec<(&str, TestRequest)> = vec![
        ("keys", keys),
        ("v1", browser.request(Method::GET, "/api/v1.0/session")),
        ("v1 of nobody", bare("/api/v1.0/session")),
        ("admin", admin.request(Method::GET, "/tenants")),
        ("admin of nobody", bare("/admin/api/v1/tenants")),
    ];
    for path in
        ["/healthz", "/readyz", "/metrics", "/docs", "/docs/admin", "/console", "/openapi/bo-v3.json", "/openapi/bo-v3.yaml", "/nowhere"]
    {
        requests.push((path, bare(path)));
    }
    for (what, request) in requests {
        let get = request.send().await;
        let head = request.clone().method(Method::HEAD);
        assert_same(&head.send().await, &get, what);
        assert_same(&head.send_by_http2().await, &get, what);
    }
    let post_only = app.bare_request(Method::HEAD, "/api/v1.0/sessions").send().await;
    assert_eq!((post_only.status, post_only.header("allow")), (405, Some("POST")));
    let told = app.bare_request(Method::PUT, "/api/v1.0/session").send().await;
    assert_eq!(told.header("allow"), Some("DELETE, GET, HEAD"));
}

async fn head_signs_nobody_out(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    for route in every_route(&session) {
        let head = route.request.clone().method(Method::HEAD).body("", "");
        for answer in [head.send().await, head.send_by_http2().await] {
            assert_eq!((answer.status, answer.body.len()), (405, 0), "{}", route.name);
            assert!(!answer.header("allow").unwrap().contains("HEAD"));
        }
    }
    session.assert_live().await;
}
