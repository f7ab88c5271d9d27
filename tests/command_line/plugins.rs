//! `bo-auth plugin`: a script as a file, tested without a store, published to a running server, rolled back.

use serde_json::json;

use crate::process::Place;

const SAMPLE: &str = r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"userId":"u1","mobile":"13800008000"},"token":{"accessToken":"a.b.c"}}}"#;
const OWN: &str = "fn process(response, ctx) {\n  response.set(\"message\", \"own\")\n}\n";

#[tokio::test]
async fn a_script_is_begun_and_tested_without_a_store() {
    let place = Place::embedded();
    let script = place.scratch().join("fn-mine.rhai");
    let script = script.to_str().unwrap();
    let run = async |arguments: &[&str]| crate::process::finish(place.binary(arguments)).await;
    let begun = run(&["plugin", "new", script, "--example", "mask-mobile"]).await;
    assert!(begun.text().contains("bo-auth plugin test"), "{begun:?}");
    assert!(run(&["plugin", "new", script]).await.failure().contains("exists"), "what is there is not touched");

    let sample = place.file("sample.json", SAMPLE);
    let expected = place.file("expected.json", format!("\u{feff}{SAMPLE}").replace("13800008000", "138****8000"));
    let tested = run(&["plugin", "test", script, "--sample", &sample, "--expect", &expected, "--json"]).await.json();
    assert_eq!((&tested["name"], &tested["asExpected"]), (&json!("mine"), &json!(true)));
    let result = &tested["results"][0];
    assert_eq!((&result["after"]["data"]["user"]["mobile"], &result["failure"]), (&json!("138****8000"), &json!(null)));
    assert!(result["operations"].as_i64().unwrap() > 0);
    let members: Vec<&str> = result.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["before", "after", "failure", "microseconds", "operations", "log", "schemaProblems"]);
    let other = run(&["plugin", "test", script, "--sample", &sample, "--expect", &sample]).await;
    assert_eq!(other.code, Some(1), "{other:?}");
    // Without a sample: every answer of the published document.
    let all = run(&["plugin", "test", script, "--schema", "camel", "--json"]).await.json();
    assert!(all["results"].as_array().unwrap().len() > 6);

    let broken = place.file("fn-broken.rhai", "fn process(response, ctx) {\n  response.\n}\n");
    let failed = run(&["plugin", "test", &broken]).await;
    assert!(failed.failure().contains("the source does not compile") && failed.failure().contains("line 3"), "{failed:?}");
    let throwing = place.file("fn-throwing.rhai", "fn process(response, ctx) {\n  throw \"no rows\";\n}\n");
    let failed = run(&["plugin", "test", &throwing, "--sample", &sample]).await;
    assert_eq!(failed.code, Some(1));
    assert!(failed.stdout.contains("exception: line 2: no rows"), "{failed:?}");
    let snake = place.file("fn-snake.rhai", "fn process(response, ctx) { response.snake() }");
    let breaking = run(&["plugin", "test", &snake, "--schema", "camel"]).await;
    assert!(breaking.stdout.contains("schema: $.data.token.accessToken is required, and missing"), "{breaking:?}");
    assert!(!place.data().exists(), "nothing was opened");
}

#[tokio::test]
async fn a_script_is_published_to_a_running_server_and_rolled_back() {
    let place = Place::embedded();
    let frontend = place.with_tenant("acme").await;
    let server = place.serve(&[]).await;
    let pair = server.sign_in(&frontend).await;
    let message = async || {
        let request = frontend.request("GET", "/auth/user/current?_nodejs=mine").header("Authorization", format!("Bearer {}", pair.access));
        server.call(&request).await.json()["message"].clone()
    };
    let script = place.file("fn-mine.rhai", OWN);
    let published = place.json(&["plugin", "publish", &script, "--owner", "acme", "--author", "wang", "--note", "first"]).await;
    assert_eq!((&published["name"], &published["activeVersion"]), (&json!("mine"), &json!(1)));
    assert_eq!(message().await, "own", "in effect when the command returns");
    let again = place.json(&["plugin", "publish", &script, "--owner", "acme"]).await;
    assert_eq!(again["lastVersion"], 1, "the same script is the same version");

    place.file("fn-mine.rhai", OWN.replace("own", "newer"));
    let diff = place.run(&["plugin", "diff", &script, "--owner", "acme"]).await;
    assert!(diff.text().contains("-   response.set(\"message\", \"own\")\n+   response.set(\"message\", \"newer\")"), "{diff:?}");
    place.json(&["plugin", "publish", &script, "--owner", "acme", "--draft"]).await;
    assert_eq!(message().await, "own");
    place.json(&["plugin", "publish", "mine", "--number", "2", "--owner", "acme"]).await;
    assert_eq!(message().await, "newer");
    let rolled = place.run(&["plugin", "rollback", "mine", "--owner", "acme"]).await;
    assert_eq!((rolled.text(), rolled.stderr.as_str()), ("version 1 of plugin mine answers\n", ""));
    assert_eq!(message().await, "own");

    let shown = place.json(&["plugin", "show", "mine", "--owner", "acme"]).await;
    let states: Vec<_> = shown["versions"].as_array().unwrap().iter().map(|version| version["state"].clone()).collect();
    assert_eq!(states, [json!("retired"), json!("active")]);
    assert_eq!((&shown["versions"][1]["author"], &shown["versions"][1]["note"]), (&json!("wang"), &json!("first")));
    assert_eq!(place.run(&["plugin", "show", "mine", "--number", "1", "--owner", "acme"]).await.text().trim_end(), OWN.trim_end());

    let snake = place.file("fn-snake.rhai", "fn process(response, ctx) { response.snake() }");
    let refused = place.run(&["plugin", "publish", &snake, "--owner", "acme"]).await;
    assert!(refused.failure().contains("$.data.token.accessToken is required, and missing"), "{refused:?}");
    place.json(&["plugin", "publish", &snake, "--owner", "acme", "--accept-schema-problems"]).await;
    let login_only = place.file("fn-login.rhai", "\u{feff}fn process(response, ctx) { response.set(\"hello\", response.data.user.name) }");
    let warned = place.run(&["plugin", "publish", &login_only, "--owner", "acme"]).await;
    assert_eq!(warned.code, Some(0), "{warned:?}");
    assert!(warned.stderr.contains("warning: version 1 fails on these answers") && warned.stderr.contains("/auth/session"), "{warned:?}");
    let broken = place.file("fn-broken.rhai", "fn process(");
    assert!(place.run(&["plugin", "publish", &broken, "--owner", "acme"]).await.failure().contains("does not compile"));

    place.json(&["plugin", "withdraw", "mine", "--owner", "acme"]).await;
    assert_eq!(message().await, "插件不存在");
    let table = place.run(&["plugin", "list", "--owner", "acme"]).await;
    assert!(table.text().starts_with("NAME") && table.text().contains("common-data-under"), "{table:?}");
    assert_eq!(place.json(&["plugin", "log", "mine", "--owner", "acme"]).await, json!([]));
    assert!(place.run(&["plugin", "show", "nothing", "--owner", "acme"]).await.failure().contains("there is no plugin `nothing`"));
    assert!(place.run(&["plugin", "list", "--owner", "nobody"]).await.failure().contains("there is no tenant `nobody`"));
    server.stop().await;
}
