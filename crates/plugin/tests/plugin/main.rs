//! Plugins from the outside: the built-ins, the script's contract, what is refused, and a suite of hostile scripts.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends")]

mod built_ins;
mod contract;
mod document;
mod examples;
mod hostile;
mod language;
mod publishing;

use std::sync::Arc;

use bo_auth_plugin::{Context, FailureCode, Outcome, Plugins};
use serde_json::{Value, json};

/// An envelope with everything in it that scripts may and may not touch.
fn envelope() -> Value {
    json!({
        "code": 0,
        "success": true,
        "message": "ok",
        "data": {
            "accessToken": "header.claims.signature",
            "refreshToken": "1abcdefghijklmnopqrstuvwxyz012345",
            "expiresIn": 7200,
            "mobile": "13800008000",
            "rows": [{"id": 1, "full_name": "Zhang San", "score": 1.0}, {"id": 2, "full_name": "Li Si", "score": 2.5}],
        },
    })
}

fn context() -> Context {
    Context {
        owner_id: Some(Arc::from("demo")),
        sys_id: Some(Arc::from("web")),
        route: "/bo/api/v3/logout".into(),
        method: Arc::from("POST"),
        status: 200,
        language: "zh-CN".into(),
        user_id: None,
        now_ms: 1_700_000_000_000,
        params: vec![("_nodejs".to_owned(), "mine".to_owned()), ("_mode".to_owned(), "short".to_owned())],
    }
}

/// Plugins with a text to find.
fn plugins() -> Plugins {
    Plugins::with_texts(|code, language| (code == "40113" && language == "zh-CN").then(|| "令牌已过期".to_owned())).unwrap()
}

/// Publishes a source for the tenant `demo` and runs it once.
async fn run_once(source: &str, envelope: Value) -> Outcome {
    let plugins = plugins();
    plugins.publish("demo", "mine", source).await.unwrap();
    let plugin = plugins.find(Some("demo"), "mine").unwrap();
    plugins.run(&plugin, envelope, &context()).await
}

/// As [`run_once`], for sources that end by themselves: on a busy machine even those may meet the deadline, and get another
/// chance.
async fn run_source(source: &str, envelope: Value) -> Outcome {
    let mut outcome = run_once(source, envelope.clone()).await;
    for _ in 0..9 {
        if outcome.failure.as_ref().is_none_or(|failure| ![FailureCode::Deadline, FailureCode::Starved].contains(&failure.code)) {
            break;
        }
        outcome = run_once(source, envelope.clone()).await;
    }
    outcome
}

/// Runs the body of `process` and returns what goes out.
async fn run_body(body: &str) -> Value {
    let outcome = run_source(&process(body), envelope()).await;
    assert_eq!(outcome.failure, None, "{body}");
    outcome.response
}

/// Runs the body of `process`, which must fail, and returns why.
async fn fail_body(body: &str) -> FailureCode {
    code_of(run_source(&process(body), envelope()).await, body)
}

/// A plugin with this body.
fn process(body: &str) -> String {
    format!("fn process(response, ctx) {{ {body} }}")
}

/// Why a run failed. It must have, and must hand the untouched envelope back.
fn code_of(outcome: Outcome, source: &str) -> FailureCode {
    assert_eq!(outcome.response.to_string(), envelope().to_string(), "{source}");
    let failure = outcome.failure.unwrap_or_else(|| panic!("nothing stopped this script:\n{source}"));
    assert!(failure.detail.len() <= 500, "{source}");
    failure.code
}
