//! Bodies that say nothing, bodies with a byte order mark, in a content coding, or announced too large, on every contract.

use bo_auth_server::fault::FaultKind;
use bo_auth_server::legacy::errno::Errno;
use http::Method;
use serde_json::json;

use crate::admin::administrator::{Administrator, assert_problem};
use crate::legacy::fleet_of_test::{FleetOfTest, OK, OutcomeAnswer, SESSIONS};
use crate::support::{Answer, Session, TestApp, TestRequest};

each_backend!(a_logout_whose_body_says_nothing_signs_out, a_body_that_says_nothing_is_covered_by_a_stamp);

one_backend!(Local:
    a_body_that_says_nothing_is_no_body_anywhere,
    a_byte_order_mark_is_ignored,
    a_content_coding_is_refused,
    a_body_that_is_announced_too_large_is_refused_unread,
);

const SIGNED_OUT: &str = r#"{"code":0,"success":true,"message":"退出成功"}"#;

/// What generated clients and frontends send for a body that is not set.
const NOTHING: [&[u8]; 4] = [b"null", b" \r\n\t", b" null\n", b"\xef\xbb\xbfnull"];

/// One whole body, and the same behind a byte order mark.
fn marked(json: &serde_json::Value) -> Vec<u8> {
    [&b"\xef\xbb\xbf"[..], json.to_string().as_bytes()].concat()
}

async fn a_logout_whose_body_says_nothing_signs_out(app: TestApp) {
    let user = app.with_tenant("acme").await.with_user("li").await;
    for body in NOTHING {
        for content_type in ["application/json", "text/plain", ""] {
            let session = user.signed_in().await;
            let request = session.logout_by(Method::DELETE).body(content_type, body);
            request.send().await.assert_body(SIGNED_OUT);
            session.assert_ended("SESSION_LOGGED_OUT").await;
        }
    }
}

async fn a_body_that_says_nothing_is_covered_by_a_stamp(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let key = tenant.mac_key().await;
    let session = tenant.with_user("li").await.signed_in().await;
    let nothing = session.logout_by(Method::DELETE).body("application/json", "null");
    let signed = nothing.signed(&key, "0123456789abcdef01234567");
    let other = signed.clone().body("application/json", " ");
    other.send().await.assert_fault(FaultKind::VERIFY_API_INVALID);
    signed.send().await.assert_body(SIGNED_OUT);
}

/// The requests of the third version that read a body, each with one that serves.
fn with_bodies(session: &Session) -> [TestRequest; 3] {
    let token = json!({"refreshToken": session.refresh_token});
    let login = json!({"userName": session.user.account, "password": session.user.system.encrypt(&session.user.password())});
    let refresh = session.refresh().method(Method::POST).without_query("refreshToken");
    let logout = session.logout_by(Method::DELETE).without_query("refreshToken");
    let type_of_json = "application/json";
    [
        session.user.login().body(type_of_json, marked(&login)),
        refresh.body(type_of_json, marked(&token)),
        logout.body(type_of_json, marked(&token)),
    ]
}

async fn a_body_that_says_nothing_is_no_body_anywhere(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let app = &fleet.app;
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let admin = Administrator::of_platform(app).await;
    for body in NOTHING {
        for (request, missing) in with_bodies(&session).into_iter().zip(["userName", "refreshToken", "refreshToken"]) {
            let answer = request.body("application/json", body).send().await;
            answer.assert_fault_about(FaultKind::PARAMETER_MISSING, missing);
        }
        let other = session.user.signed_in().await;
        let end = session.end(other.id).body("application/json", body).send().await;
        assert_eq!(end.status, 200, "{}", end.text());
        let mut browser = fleet.signed_in().await;
        let request = browser.request(Method::DELETE, "/api/v1.0/session").body("application/json", body);
        assert_eq!(browser.send(&request).await.text(), OK);
        let sign_in = app.bare_request(Method::POST, SESSIONS).body("application/json", body);
        sign_in.send().await.assert_outcome(Errno::PARAMETER);
        let tenant = admin.request(Method::POST, "/tenants").body("application/json", body);
        assert_problem(&tenant.send().await, 422, "BODY_INVALID");
        let leave = admin.signed_in().await.request(Method::DELETE, "/sessions/current");
        assert_eq!(leave.body("application/json", body).send().await.status, 204);
    }
    session.assert_live().await;
    // Which version answered before is known without being told.
    let tenant = &session.user.system.tenant;
    let first = tenant.publish("greeting", "fn process(response, ctx) { response }").await;
    tenant.publish("greeting", "fn process(response, ctx) { response.x = 1; response }").await;
    let plugin = format!("/tenants/{}/plugins/greeting", tenant.owner_id);
    let back = admin.request(Method::POST, &format!("{plugin}/rollback")).header("If-Match", "*");
    let answer = back.body("application/json", "null").send().await;
    assert_eq!((answer.status, &answer.json()["activeVersion"]), (200, &json!(first)), "{}", answer.text());
}

async fn a_byte_order_mark_is_ignored(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let app = &fleet.app;
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    for request in with_bodies(&session) {
        let answer = request.send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    session.assert_ended("SESSION_LOGGED_OUT").await;
    let sign_in = app.bare_request(Method::POST, SESSIONS);
    let sign_in = sign_in.body("application/json", marked(&fleet.credentials()));
    assert_eq!(sign_in.send().await.text(), OK);
    let admin = Administrator::of_platform(app).await;
    let body = json!({"account": admin.account(), "password": admin.password()});
    let sign_in = admin.bare(Method::POST, "/sessions").body("application/json", marked(&body));
    assert_eq!(sign_in.send().await.status, 201);
}

async fn a_content_coding_is_refused(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let app = &fleet.app;
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let admin = Administrator::of_platform(app).await;
    let areas = format!("/tenants/{}/areas", session.user.system.tenant.owner_id);
    for coding in ["gzip", "br", "identity, gzip", "张"] {
        for request in with_bodies(&session) {
            let answer = request.header("Content-Encoding", coding).send().await;
            answer.assert_fault(FaultKind::MEDIA_TYPE_UNSUPPORTED);
        }
        let sign_in = app.bare_request(Method::POST, SESSIONS).json(&fleet.credentials());
        sign_in.header("Content-Encoding", coding).send().await.assert_refusal(415, Errno::PARAMETER);
        for request in [
            admin.request(Method::POST, "/tenants").json(&json!({"ownerId": "coded"})),
            admin.request(Method::POST, &areas).body("text/csv", "440000,,x"),
        ] {
            let answer = request.header("Content-Encoding", coding).send().await;
            assert_problem(&answer, 415, "MEDIA_TYPE_UNSUPPORTED");
        }
    }
    session.assert_live().await;
    let plain = session.logout_by(Method::DELETE).body("application/json", "{}");
    plain.header("Content-Encoding", "Identity").send().await.assert_body(SIGNED_OUT);
}

/// What a request answers whose body is announced and never sent: a server that waits for it answers 408.
async fn announced(request: TestRequest) -> Answer {
    let request = request.header("Content-Type", "application/json");
    request.header("Content-Length", "999999999").send_raw().await
}

async fn a_body_that_is_announced_too_large_is_refused_unread(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let app = &fleet.app;
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let admin = Administrator::of_platform(app).await;
    for request in with_bodies(&session) {
        announced(request.body("", "")).await.assert_fault(FaultKind::PAYLOAD_TOO_LARGE);
    }
    let sign_in = app.bare_request(Method::POST, SESSIONS);
    announced(sign_in).await.assert_refusal(413, Errno::PARAMETER);
    let areas = format!("/tenants/{}/areas", session.user.system.tenant.owner_id);
    for path in ["/tenants", areas.as_str()] {
        let answer = announced(admin.request(Method::POST, path)).await;
        assert_problem(&answer, 413, "PAYLOAD_TOO_LARGE");
    }
    session.assert_live().await;
}
