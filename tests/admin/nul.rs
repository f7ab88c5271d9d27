//! The character U+0000, which Postgres cannot hold, in every text that a route takes: refused, and
//! in the same way on each backend.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde_json::{Value, json};

use super::administrator::{Administrator, PREFIX, assert_problem};
use crate::support::TestApp;

each_backend!(u0000_is_refused_in_every_text_of_every_route);

async fn u0000_is_refused_in_every_text_of_every_route(app: TestApp) {
    let admin = Administrator::of_platform(&app).await;
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let document: Value = serde_json::from_str(include_str!("../../openapi/admin-v1.json")).unwrap();
    let mut sent = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let Ok(method) = Method::from_bytes(method.to_uppercase().as_bytes()) else { continue };
            let named = |place: &str| -> Vec<String> {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let texts = parameters.filter(|parameter| parameter["in"] == place);
                texts.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
            };
            let in_path = named("path");
            // What each parameter of the path is, save for the one that holds the character.
            let filled = |nul: Option<&str>| {
                in_path.iter().fold(path.strip_prefix(PREFIX).unwrap().to_owned(), |path, name| {
                    let value = match name.as_str() {
                        name if Some(name) == nul => "a%00b",
                        "ownerId" => tenant.owner_id.as_str(),
                        "userId" => user.id.as_str(),
                        "sysId" => "web",
                        "version" => "1",
                        _ => "x",
                    };
                    path.replace(&format!("{{{name}}}"), value)
                })
            };
            for name in &in_path {
                assert_problem(&admin.request(method.clone(), &filled(Some(name))).send().await, 400, "BAD_REQUEST");
                sent += 1;
            }
            for name in named("query") {
                for value in ["%00", "a%00b"] {
                    let answer = admin.request(method.clone(), &filled(None)).raw_query(&name, value).send().await;
                    assert_problem(&answer, 400, "BAD_REQUEST");
                }
                sent += 1;
            }
            for name in members(&document, &operation["requestBody"]["content"]["application/json"]["schema"]) {
                for value in [json!("a\0b"), json!(["\0"]), json!({"x": {"\0": 1}})] {
                    let body = json!({ name.as_str(): value });
                    let request = admin.request(method.clone(), &filled(None)).header("If-Match", "*").json(&body);
                    let answer = request.send().await;
                    // Some look for what the path names before they read the body.
                    if !(answer.status == 404 && path.contains("{name}")) {
                        assert_problem(&answer, 400, "BAD_REQUEST");
                    }
                }
                sent += 1;
            }
        }
    }
    assert!(sent > 90, "the document names {sent} texts");
    // A cursor holds a text in another writing.
    for list in ["tenants", "users", "areas", "systems", "keys"] {
        let path = if list == "tenants" { "/tenants".to_owned() } else { format!("/tenants/{}/{list}", tenant.owner_id) };
        let cursor = URL_SAFE_NO_PAD.encode(format!("{list}:a\0b"));
        let answer = admin.request(Method::GET, &path).query("cursor", &cursor).send().await;
        assert_problem(&answer, 400, "PARAMETER_INVALID");
    }
    // A backslash before it makes it six characters.
    let source = r#"fn process(response) { let text = "\\u0000"; response }"#;
    let answer = admin.post(&format!("/tenants/{}/plugins/check", tenant.owner_id), &json!({"source": source})).await;
    assert!(answer.status < 500 && answer.json()["code"] != "BAD_REQUEST", "{}", answer.text());
}

/// The members of a body, by the document.
fn members(document: &Value, schema: &Value) -> Vec<String> {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    let parts = schema["allOf"].as_array().into_iter().flatten().flat_map(|part| members(document, part));
    let own = schema["properties"].as_object().into_iter().flat_map(|members| members.keys().cloned());
    own.chain(parts).collect()
}
