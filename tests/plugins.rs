//! `_nodejs` (contract 1.7): which plugin shapes which answer, and that none can undo, fake or lose anything. Below: how
//! versions are published, and what happens to those that fail.

mod canary;
mod chain;
mod examples;
mod publishing;
mod recording;
mod second_node;
mod switching_off;

use bo_auth_server::fault::FaultKind;
use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Session, TestApp, TestRequest, route};

each_backend!(
    the_built_ins_shape_successes_and_refusals,
    a_tenants_own_plugin_shapes_its_answers_and_no_others,
    a_failing_plugin_loses_and_undoes_nothing,
    an_unknown_plugin_is_refused_before_anything_is_done,
);

one_backend!(Local:
    the_built_ins_shape_the_earliest_refusals,
    the_default_plugin_serves_where_none_is_named,
    the_default_plugin_shapes_every_refusal_of_its_system,
    a_tenants_own_plugin_shapes_every_refusal_that_names_the_tenant,
    what_refuses_a_flood_runs_no_script,
    a_plugin_cannot_fake_an_answer,
);

const UNDER: &str = "common-data-under";

/// A plugin whose answers say so.
fn saying(text: &str) -> String {
    format!(r#"fn process(response, ctx) {{ response.set("message", "{text}") }}"#)
}

async fn the_built_ins_shape_successes_and_refusals(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    for (plugin, names) in
        [("common-data", ["accessToken", "refreshToken", "userName"]), (UNDER, ["access_token", "refresh_token", "user_name"])]
    {
        let answer = user.login().query("_nodejs", plugin).send().await.json();
        for (name, part) in names.iter().zip(["token", "token", "user"]) {
            assert!(answer["data"][part][name].is_string(), "{name} by {plugin}: {answer}");
        }
    }
    let session = user.signed_in().await;
    let answer = session.current_user().query("_nodejs", UNDER).send().await;
    let members: Vec<String> = answer.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["code", "success", "message", "data", "cache_type", "cache_date"]);
    let refused = session.logout().query("_nodejs", UNDER).query("refreshToken", "x").send().await;
    let expected = concat!(
        r#"{"code":40131,"success":false,"message":"刷新令牌无效","#,
        r#""error":{"error_code":"REFRESH_TOKEN_INVALID","error_text":"刷新令牌无效"}}"#
    );
    assert_eq!((refused.status, refused.text()), (401, expected));
    let receipt = session.logout().query("_nodejs", UNDER).header("Prefer", "return=representation").send().await;
    let expected = format!(
        r#"{{"code":0,"success":true,"message":"退出成功","data":{{"scope":"local","sessions":1,"already_ended":false,"effective_at":"{}","reason":"LOGGED_OUT"}}}}"#,
        app.now()
    );
    receipt.assert_body(&expected);
    session.logout().query("_nodejs", UNDER).send().await.assert_body(r#"{"code":0,"success":true,"message":"退出成功"}"#);
}

async fn the_built_ins_shape_the_earliest_refusals(app: TestApp) {
    app.restart_with(|configuration| configuration.address_requests_per_minute = 20).await;
    let bare = |method: Method, path: &str| app.bare_request(method, path).query("_nodejs", UNDER);
    for (request, error_code) in [
        (bare(Method::GET, "/bo/api/v3/nothing"), "ROUTE_UNKNOWN"),
        (bare(Method::PUT, route::LOGOUT), "METHOD_NOT_ALLOWED"),
        (bare(Method::GET, route::LOGOUT), "PARAMETER_MISSING"),
        (bare(Method::GET, route::LOGOUT).header("XownerId", "nobody"), "TENANT_UNKNOWN"),
        (bare(Method::GET, route::LOGOUT).header("XownerId", "a b"), "PARAMETER_INVALID"),
        (bare(Method::POST, route::LOGIN).body("application/json", "{"), "BAD_REQUEST"),
        (bare(Method::POST, route::LOGIN).body("text/plain", "{"), "MEDIA_TYPE_UNSUPPORTED"),
        (bare(Method::POST, route::LOGIN).body("application/json", vec![b' '; 70_000]), "PAYLOAD_TOO_LARGE"),
        (bare(Method::GET, "/bo/api/v3/verify/code/guid"), "PARAMETER_MISSING"),
    ] {
        let answer = request.send().await.json();
        assert_eq!(answer["error"]["error_code"], error_code);
    }
    let limited = loop {
        let answer = bare(Method::GET, "/bo/api/v3/nothing").send().await;
        if answer.status == 429 {
            break answer;
        }
    };
    assert_eq!(limited.json()["error"]["error_code"], "RATE_LIMITED");
}

async fn the_default_plugin_serves_where_none_is_named(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let system = tenant.with_system("old", json!({"defaultPlugin": UNDER})).await;
    let session = tenant.with_user("li").await.of(&system).signed_in().await;
    assert!(session.current_user().send().await.json()["data"]["user_name"].is_string());
    assert!(session.current_user().query("_nodejs", "common-data").send().await.json()["data"]["userName"].is_string());
    let unnamed = session.logout().without_query("_nodejs").send().await;
    assert_eq!(unnamed.status, 400, "a logout has to name one");
    session.assert_live().await;
}

/// Requests to a system that are refused before anybody is known, each with the code it is refused with.
fn refused_early(request: impl Fn(Method, &str) -> TestRequest) -> Vec<(TestRequest, &'static str)> {
    let current = || request(Method::GET, route::CURRENT_USER);
    vec![
        (current().without("XverifyApi"), "PARAMETER_MISSING"),
        (current().header("XverifyApi", "nonsense"), "VERIFY_API_INVALID"),
        (current(), "TOKEN_MISSING"),
        (current().header("Authorization", "Bearer x"), "TOKEN_INVALID"),
        (current().repeat("XfilterAreaCode", "1").repeat("XfilterAreaCode", "2"), "PARAMETER_INVALID"),
        (request(Method::GET, route::LOGOUT).without_query("_nodejs"), "PARAMETER_MISSING"),
        (request(Method::POST, route::LOGIN).body("application/json", "{"), "BAD_REQUEST"),
        (request(Method::POST, route::LOGIN).body("application/json", "{}"), "PARAMETER_MISSING"),
        (request(Method::POST, route::LOGIN).body("text/plain", "{"), "MEDIA_TYPE_UNSUPPORTED"),
        (request(Method::POST, route::LOGIN).body("application/json", vec![b' '; 70_000]), "PAYLOAD_TOO_LARGE"),
        (request(Method::PUT, route::LOGOUT), "METHOD_NOT_ALLOWED"),
        (request(Method::GET, "/bo/api/v3/nothing"), "ROUTE_UNKNOWN"),
    ]
}

async fn the_default_plugin_shapes_every_refusal_of_its_system(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    tenant.publish("mine", r#"fn process(response, ctx) { response.set("message", ctx.owner_id + "/" + ctx.sys_id) }"#).await;
    let system = tenant.with_system("old", json!({"defaultPlugin": "mine"})).await;
    for (request, error_code) in refused_early(|method, path| system.request(method, path)) {
        let target = request.target();
        let answer = request.send().await;
        assert_eq!(
            (answer.error_code().as_str(), &answer.json()["message"]),
            (error_code, &json!(format!("{}/old", tenant.owner_id))),
            "{target}"
        );
        assert_eq!(answer.header("x-plugin-error"), None, "{target}");
    }
    // A plugin that is named goes before it, and a name that is unknown shapes nothing.
    let named = system.request(Method::GET, route::CURRENT_USER).query("_nodejs", UNDER).send().await;
    assert_eq!(named.json()["error"]["error_code"], "TOKEN_MISSING");
    let unknown = system.request(Method::GET, route::CURRENT_USER).query("_nodejs", "no-such").send().await;
    unknown.assert_fault(FaultKind::PLUGIN_UNKNOWN);
    // The rates of the system.
    let limited = tenant.with_system("narrow", json!({"defaultPlugin": "mine", "addressRequestsPerMinute": 1})).await;
    let answer = loop {
        let answer = limited.request(Method::GET, route::CURRENT_USER).send().await;
        if answer.status == 429 {
            break answer;
        }
    };
    assert_eq!(answer.json()["message"], json!(format!("{}/narrow", tenant.owner_id)));
}

async fn a_tenants_own_plugin_shapes_every_refusal_that_names_the_tenant(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    tenant.publish("mine", r#"fn process(response, ctx) { response.set("message", ctx.owner_id) }"#).await;
    let named = |method: Method, path: &str| tenant.web().request(method, path).query("_nodejs", "mine");
    for (request, error_code) in refused_early(named) {
        // A refusal for want of the name is not shaped by it.
        if request.target().contains("_nodejs") {
            let target = request.target();
            let answer = request.send().await;
            assert_eq!(
                (answer.error_code().as_str(), &answer.json()["message"]),
                (error_code, &json!(tenant.owner_id.as_str())),
                "{target}"
            );
        }
    }
    let picture = app.bare_request(Method::GET, "/bo/api/v3/verify/code/a%20b").query("ownerId", tenant.owner_id.as_str());
    let answer = picture.query("_nodejs", "mine").send().await;
    assert_eq!((answer.error_code().as_str(), &answer.json()["message"]), ("PARAMETER_INVALID", &json!(tenant.owner_id.as_str())));
    // Of another tenant it is unknown.
    let other = app.with_tenant("other").await;
    let foreign = other.web().request(Method::GET, "/bo/api/v3/nothing").query("_nodejs", "mine").send().await;
    foreign.assert_fault(FaultKind::ROUTE_UNKNOWN);
}

async fn what_refuses_a_flood_runs_no_script(app: TestApp) {
    app.restart_with(|configuration| configuration.address_requests_per_minute = 20).await;
    let tenant = app.with_tenant("acme").await;
    tenant.publish("mine", &saying("mine")).await;
    let system = tenant.with_system("old", json!({"defaultPlugin": UNDER})).await;
    let flood = async |names: Option<&str>| loop {
        let request = system.request(Method::GET, route::CURRENT_USER);
        let request = if let Some(names) = names { request.query("_nodejs", names) } else { request };
        let answer = request.send().await;
        if answer.status == 429 {
            break answer.json();
        }
    };
    assert_eq!(flood(Some("mine")).await["error"]["errorCode"], "RATE_LIMITED");
    assert_eq!(flood(None).await["error"]["error_code"], "RATE_LIMITED", "a built-in costs next to nothing");
}

async fn a_tenants_own_plugin_shapes_its_answers_and_no_others(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    let foreign = app.with_tenant("other").await.with_user("li").await.signed_in().await;
    tenant.publish("mine", r#"fn process(response, ctx) { response.set("message", "mine") }"#).await;
    assert_eq!(session.current_user().query("_nodejs", "mine").send().await.json()["message"], "mine");
    foreign.current_user().query("_nodejs", "mine").send().await.assert_fault(FaultKind::PLUGIN_UNKNOWN);
    // From the moment the tenant is known, refusals too.
    let refused = session.current_user().header("XsysId", "nowhere").query("_nodejs", "mine").send().await;
    assert_eq!((refused.status, refused.error_code().as_str(), &refused.json()["message"]), (404, "SYSTEM_UNKNOWN", &json!("mine")));
    // It goes before a built-in of its name.
    tenant.publish("common-data", r#"fn process(response, ctx) { response.set("message", "own") }"#).await;
    assert_eq!(session.current_user().query("_nodejs", "common-data").send().await.json()["message"], "own");
    assert_eq!(foreign.current_user().query("_nodejs", "common-data").send().await.json()["message"], "获取成功");
}

/// Plugins that fail, and the codes that say how; on a busy machine the time runs out before the steps do, or before it has run at all:
/// by then it stands back for everything else.
const FAILING: [(&str, &[&str]); 4] = [
    (r#"fn process(response, ctx) { throw "no" }"#, &["exception"]),
    ("fn process(response, ctx) { loop { } }", &["operations", "deadline", "starved"]),
    ("fn process(response, ctx) { 1 }", &["output_type"]),
    (r#"fn process(response, ctx) { response.set("code", 7) }"#, &["reserved_changed"]),
];

/// Asserts that the answer says which failure kept its plugin from shaping it.
fn assert_failed(answer: &Answer, codes: &[&str], source: &str) {
    let code = answer.header("x-plugin-error");
    assert!(code.is_some_and(|code| codes.contains(&code)), "{code:?} by {source}");
}

async fn a_failing_plugin_loses_and_undoes_nothing(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    for (source, codes) in FAILING {
        tenant.publish("failing", source).await;
        let answer = user.login().query("_nodejs", "failing").send().await;
        assert_failed(&answer, codes, source);
        let session = Session::from_answer(user.clone(), &answer);
        let answer = session.refresh().query("_nodejs", "failing").send().await;
        assert_failed(&answer, codes, source);
        let session = Session::from_answer(user.clone(), &answer);
        session.assert_live().await;
        let answer = session.logout().query("_nodejs", "failing").send().await;
        answer.assert_body(r#"{"code":0,"success":true,"message":"退出成功"}"#);
        assert_failed(&answer, codes, source);
        session.assert_ended("SESSION_LOGGED_OUT").await;
        let refused = session.current_user().query("_nodejs", "failing").send().await;
        refused.assert_fault(FaultKind::SESSION_LOGGED_OUT);
        assert_failed(&refused, codes, source);
    }
}

async fn a_plugin_cannot_fake_an_answer(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    for fake in [
        r#"#{"code": 0, "success": true, "message": "退出成功"}"#,
        r#"response.set("code", 0)"#,
        r#"response.remove("error")"#,
        r#"response.rename(#{success: "s0", code: "c0"}); response.success = [true]; response.code = [0]; response"#,
        r#"response.rename(#{success: "s0", code: "c0"}); response.success = #{}; response"#,
        r#"response.rename(#{success: "s0"}); response.Success = true; response"#,
        r#"response.rename(#{success: "s0"}); response.set("data", #{success: true})"#,
        r#"response.rename(#{success: "s0"}); response.set("__proto__.success", true)"#,
        r#"response.set("data", #{token: #{accessToken: ["forged"]}})"#,
    ] {
        tenant.publish("fake", &format!("fn process(response, ctx) {{ {fake} }}")).await;
        let answer = session.logout().query("_nodejs", "fake").query("refreshToken", "x").send().await;
        answer.assert_fault(FaultKind::REFRESH_TOKEN_INVALID);
        assert!(answer.header("x-plugin-error").is_some(), "{fake}");
    }
    session.assert_live().await;
}

async fn an_unknown_plugin_is_refused_before_anything_is_done(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let session = user.signed_in().await;
    let rows = user.rows().await;
    for request in [user.login(), session.refresh(), session.logout(), session.end(session.id), session.list(), session.current_user()] {
        request.query("_nodejs", "no-such").send().await.assert_fault(FaultKind::PLUGIN_UNKNOWN);
    }
    // A wrong password is not even looked at.
    for _ in 0..4 {
        user.login_with("wrong").query("_nodejs", "no-such").send().await.assert_fault(FaultKind::PLUGIN_UNKNOWN);
    }
    assert_eq!(user.rows().await, rows);
    let answer: Value = user.login().send().await.json();
    assert_eq!(answer["code"], 0);
}
