//! Pages of other sites can neither sign a user out nor in; those that the system lists can.

use bo_auth_server::legacy::errno::Errno;
use http::Method;
use serde_json::json;

use super::fleet_of_test::{FleetOfTest, OutcomeAnswer, SESSION, SESSIONS};
use crate::support::TestApp;

one_backend!(Local: another_sites_page_changes_nothing, a_listed_origin_may, a_page_reads_what_it_may);

const APP: &str = "https://app.acme.example";

async fn another_sites_page_changes_nothing(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let mut browser = fleet.signed_in().await;
    for headers in [
        &[("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example")][..],
        &[("Sec-Fetch-Site", "same-site"), ("Origin", "https://other.acme.example")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Origin", "https://evil.example")],
        &[("Origin", "null")],
    ] {
        let with_headers =
            |request| headers.iter().fold(request, |request: crate::support::TestRequest, (name, value)| request.header(name, value));
        let refused = with_headers(browser.request(Method::DELETE, SESSION)).send().await;
        refused.assert_refusal(403, Errno::REQUEST);
        assert_eq!(refused.header("set-cookie"), None);
        with_headers(browser.request(Method::POST, SESSIONS).json(&fleet.credentials())).send().await.assert_refusal(403, Errno::REQUEST);
    }
    assert!(browser.who().await.text().contains("name of li"), "the session stands");
    // Our own page, a browser's address line, and what is no browser.
    let own = format!("http://{}", fleet.app.address());
    for (name, value) in [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "none"), ("Origin", own.as_str()), ("X-Other", "1")] {
        let mut browser = fleet.signed_in().await;
        let request = browser.request(Method::DELETE, SESSION).header(name, value);
        browser.send(&request).await.assert_outcome(Errno::OK);
    }
}

async fn a_listed_origin_may(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    fleet.tenant.web().change(json!({"allowedOrigins": [APP]})).await;
    let mut browser = fleet.browser();
    let from_app = |request: crate::support::TestRequest| request.header("Origin", APP).header("Sec-Fetch-Site", "same-site");
    let sign_in = from_app(browser.request(Method::POST, SESSIONS).json(&fleet.credentials()));
    browser.send(&sign_in).await.assert_outcome(Errno::OK);
    let sign_out = from_app(browser.request(Method::DELETE, SESSION));
    let answer = browser.send(&sign_out).await;
    answer.assert_outcome(Errno::OK);
    assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
    browser.assert_cookie(false);
}

async fn a_page_reads_what_it_may(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    // Listed by another system of another tenant, which says nothing for this one.
    let other = fleet.app.with_tenant("other").await;
    other.web().change(json!({"allowedOrigins": [APP]})).await;
    let request = fleet.app.bare_request(Method::GET, SESSION).header("Origin", APP);
    assert_eq!(request.send().await.header("access-control-allow-origin"), None);
    fleet.tenant.web().change(json!({"allowedOrigins": [APP]})).await;
    assert_eq!(request.send().await.header("access-control-allow-origin"), Some(APP));
}
