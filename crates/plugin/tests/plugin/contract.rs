//! The host functions of the plugin contract, each through a script.

use bo_auth_plugin::{FailureCode, Plugins};
use serde_json::{Value, json};

use super::{context, envelope, fail_body, run_body, run_source};

/// The envelope after one change.
fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut changed = envelope();
    change(&mut changed);
    changed
}

#[tokio::test]
async fn the_response_comes_back_as_it_is() {
    assert_eq!(run_body("response").await.to_string(), envelope().to_string());
    assert_eq!(run_body("return response;").await.to_string(), envelope().to_string());
}

#[tokio::test]
async fn camel_and_snake() {
    let mut expected = envelope();
    bo_auth_plugin::casing::snake(&mut expected);
    assert_eq!(run_body("response.snake()").await.to_string(), expected.to_string());
    assert_eq!(run_body("response.snake(); response").await.to_string(), expected.to_string());
    assert_eq!(run_body("response.snake().camel()").await["data"]["accessToken"], envelope()["data"]["accessToken"]);
}

#[tokio::test]
async fn camel_of_a_part_only() {
    let rows = json!([{"id": 1, "fullName": "Zhang San", "score": 1.0}, {"id": 2, "fullName": "Li Si", "score": 2.5}]);
    let expected = with(|value| value["data"]["rows"] = rows);
    for body in [
        "response[\"data\"][\"rows\"].camel(); response",
        "response.data.rows.camel(); response",
        "response.each(\"data.rows\", |row| row.camel())",
        "response.set(\"data.rows\", response.at(\"data.rows\").camel())",
        "let rows = response.data.rows; rows.camel(); response.data.rows = rows; response",
    ] {
        assert_eq!(run_body(body).await.to_string(), expected.to_string(), "{body}");
    }
}

#[tokio::test]
async fn rename_keeps_order_and_gives_no_name_twice() {
    let renamed = run_body("response.rename(#{message: \"text\", code: \"status\", missing: \"x\"})").await;
    assert_eq!(renamed.as_object().unwrap().keys().collect::<Vec<_>>(), ["status", "success", "text", "data"]);
    let taken = run_body("response.rename(#{message: \"data\"})").await;
    assert_eq!(taken.to_string(), envelope().to_string());
    let twice = run_body("response.data.rename(#{mobile: \"x\", rows: \"x\"}); response").await;
    assert_eq!(twice.to_string(), envelope().to_string());
    assert_eq!(fail_body("response.rename(#{message: 1})").await, FailureCode::Exception);
}

#[tokio::test]
async fn keep_remove_and_defaults() {
    let kept = run_body("response.each(\"data.rows\", |row| row.keep([\"score\", \"id\", \"nothing\"]))").await;
    assert_eq!(kept["data"]["rows"].to_string(), r#"[{"id":1,"score":1.0},{"id":2,"score":2.5}]"#);
    let removed = run_body("response.remove([\"message\", \"nothing\"])").await;
    assert_eq!(removed.as_object().unwrap().keys().collect::<Vec<_>>(), ["code", "success", "data"]);
    let defaulted = run_body("response.defaults(#{message: \"other\", version: 3, list: [1, ()]})").await;
    assert_eq!((&defaulted["message"], &defaulted["version"], &defaulted["list"]), (&json!("ok"), &json!(3), &json!([1, null])));
    assert_eq!(fail_body("response.at(\"data.rows\").keep([\"id\"])").await, FailureCode::Exception);
}

#[tokio::test]
async fn at_and_set() {
    let expected = with(|value| {
        value["data"]["first"] = json!("Zhang San");
        value["data"]["count"] = json!(2);
        value["a"] = json!({"b": {"c": [true]}});
    });
    let body = "response.set(\"data.first\", response.at(\"data.rows.0.full_name\"));
        response.set(\"data.count\", response.at(\"data.rows\").len());
        if response.at(\"data.nothing.here\") == () { response.set(\"a.b.c\", [true]) } else { response }";
    assert_eq!(run_body(body).await.to_string(), expected.to_string());
}

#[tokio::test]
async fn each_replaces_elements_and_passes_over_what_is_missing() {
    let scores = run_body("response.set(\"scores\", [1, 2, 3]); response.each(\"scores\", |n| n * 2)").await;
    assert_eq!(scores["scores"], json!([2, 4, 6]));
    assert_eq!(run_body("response.each(\"data.nothing\", |row| 1)").await.to_string(), envelope().to_string());
    assert_eq!(fail_body("response.each(\"data\", |row| 1)").await, FailureCode::Exception);
    assert_eq!(fail_body("response.each(\"data.rows\", |row| { })").await, FailureCode::Exception);
    let restored = "try { response.each(\"data.rows\", |row| throw \"no\") } catch { } response";
    assert_eq!(run_body(restored).await.to_string(), envelope().to_string());
}

#[tokio::test]
async fn mask() {
    let masked = run_body("response.mask(\"data.mobile\", 3, 4); response.mask(\"data.nothing\", 1, 1)").await;
    assert_eq!(masked["data"]["mobile"], "138****8000");
    assert_eq!(fail_body("response.mask(\"data.mobile\", -1, 0)").await, FailureCode::Exception);
    assert_eq!(fail_body("response.mask(\"data.accessToken\", 3, 3)").await, FailureCode::ReservedChanged);
}

#[tokio::test]
async fn times_numbers_and_texts() {
    let body = "response.set(\"time\", format_time(ctx.now_ms, \"%Y-%m-%d %H:%M:%S\", \"Asia/Shanghai\"));
        response.set(\"sum\", format_number(1234567.891, \"#,##0.00\"));
        response.set(\"whole\", format_number(1234567, \"#,##0\"));
        response.set(\"text\", text(40113, ctx.language) + text(\"40113\", ctx.language));
        response.set(\"none\", text(1, \"en\"))";
    let written = run_body(body).await;
    assert_eq!(written["time"], "2023-11-15 06:13:20");
    assert_eq!(written["sum"], "1,234,567.89");
    assert_eq!(written["whole"], "1,234,567");
    assert_eq!(written["text"], "令牌已过期令牌已过期");
    assert_eq!(written["none"], Value::Null);
}

#[tokio::test]
async fn the_context_can_be_read_and_not_written() {
    let body = "response.set(\"context\", [ctx.owner_id, ctx.sys_id, ctx.route, ctx.method, ctx.status, ctx.language, ctx.user_id,
        ctx.now_ms, ctx.params._mode, ctx.params.nothing])";
    let expected = json!(["demo", "web", "/bo/api/v3/logout", "POST", 200, "zh-CN", null, 1_700_000_000_000_i64, "short", null]);
    assert_eq!(run_body(body).await["context"], expected);
    for body in ["ctx.owner_id = \"other\"; response", "ctx.token", "ctx.headers", "ctx[\"owner_id\"]"] {
        assert_eq!(fail_body(body).await, FailureCode::Exception, "{body}");
    }
}

#[tokio::test]
async fn members_by_name_and_number() {
    let body = "response.data.rows[0].full_name = \"Wang Wu\"; response[\"data\"][\"rows\"][-1][\"id\"] += 40;
        response.big = 18446744073709551615.0; response";
    let written = run_body(body).await;
    assert_eq!(written["data"]["rows"][0]["full_name"], "Wang Wu");
    assert_eq!(written["data"]["rows"][1]["id"], 42);
    assert_eq!(fail_body("response.data.rows[2]").await, FailureCode::Exception);
    assert_eq!(fail_body("response.data.mobile.nothing").await, FailureCode::Exception);
}

#[tokio::test]
async fn numbers_the_script_cannot_hold_pass_through() {
    let mut envelope = envelope();
    envelope["data"]["big"] = json!(u64::MAX);
    let source =
        "fn process(response, ctx) { response.data.copy = response.data.big; response.data.one = response.data.rows[0].score; response }";
    let outcome = run_source(source, envelope).await;
    assert_eq!(outcome.failure, None);
    assert_eq!((&outcome.response["data"]["copy"], outcome.response["data"]["one"].to_string().as_str()), (&json!(u64::MAX), "1.0"));
}

#[tokio::test]
async fn a_result_that_is_no_envelope_is_refused() {
    for body in ["", "();", "42", "\"text\"", "#{code: 0}", "response.data.rows", "response.keys()", "|x| x"] {
        assert_eq!(fail_body(body).await, FailureCode::OutputType, "{body}");
    }
}

#[tokio::test]
async fn reserved_members_keep_their_values() {
    for body in [
        "response.code = 1; response",
        "response.success = false; response",
        "response.remove([\"code\"])",
        "response.keep([\"data\"])",
        "response.data",
        "response.data.accessToken = \"forged\"; response",
        "response.data.expiresIn += 1; response",
        "response.data.remove([\"refreshToken\"]); response",
        "response.set(\"data\", ())",
        "response.code = \"0\"; response",
    ] {
        assert_eq!(fail_body(body).await, FailureCode::ReservedChanged, "{body}");
    }
    run_body("response.data.rename(#{accessToken: \"access\", refreshToken: \"refresh\", expiresIn: \"seconds\"}); response").await;
}

#[tokio::test]
async fn nothing_passes_for_a_reserved_value_beside_its_new_name() {
    let renamed = "response.rename(#{success: \"s0\", code: \"c0\"});
        response.data.rename(#{accessToken: \"a0\", refreshToken: \"r0\", expiresIn: \"e0\"});";
    assert_eq!(run_body(&format!("{renamed} response")).await["data"]["a0"], envelope()["data"]["accessToken"]);
    for forged in [
        "response.success = [true]; response.code = [0]",
        "response.success = #{}",
        "response.Success = false",
        "response.code = [[0]]",
        "response._code_ = [0]",
        "response.data.accessToken = [\"forged\"]",
        "response.data.access_token = #{a: \"forged\"}",
        "response.set(\"more.access-token\", \"forged\")",
        "response.data.rows[0].refreshToken = []",
        "response.refreshToken = [response.data.r0]",
        "response.data.expires_in = [7200]",
        "response.data.rows = [#{success: true, code: 1}]",
        "response.set(\"data.rows.0.success\", [true])",
        "response.set(\"more\", [[#{code: [0]}]])",
        "response.code = response.success",
        "response.data.a0 = [response.data.a0]; response.more = #{a0: \"forged\"}",
    ] {
        let body = format!("{renamed} {forged}; response");
        assert_eq!(fail_body(&body).await, FailureCode::ReservedChanged, "{forged}");
    }
    // What goes by a new name may be anywhere, and beside it anything that is not reserved.
    run_body(&format!("{renamed} response.set(\"data.more.text\", [true, 0]); response")).await;
}

#[tokio::test]
async fn the_second_of_two_plugins_sees_no_token_under_the_name_that_the_first_gave_it() {
    let plugins = super::plugins();
    let first = "fn process(response, ctx) { response.data.rename(#{accessToken: \"first\"}); response }";
    let second = "fn process(response, ctx) { response.set(\"data.copy\", \"it is \" + response.data.first) }";
    let throwing = "fn process(response, ctx) { throw response.data.first }";
    for (name, source) in [("first", first), ("second", second), ("throwing", throwing)] {
        plugins.publish("demo", name, source).await.unwrap();
    }
    let shape = async |names: &str| plugins.shape(&plugins.find_chain(Some("demo"), names).unwrap(), envelope(), &context()).await;
    let shaped = shape("first,second").await;
    assert_eq!(shaped.failure.map(|(_, failure)| failure), None);
    assert_eq!(shaped.response["data"]["first"], envelope()["data"]["accessToken"]);
    assert!(!shaped.response["data"]["copy"].to_string().contains("signature"));
    let shaped = shape("first,throwing").await;
    assert_eq!(shaped.response, envelope());
    assert!(!shaped.failure.unwrap().1.detail.contains("signature"));
}

#[tokio::test]
async fn what_a_script_throws_is_told_to_the_admin_with_its_line() {
    let outcome = run_source("fn process(response, ctx) {\n  throw \"no rows\";\n}", envelope()).await;
    let failure = outcome.failure.unwrap();
    assert_eq!((failure.code, failure.detail.as_str()), (FailureCode::Exception, "line 2: no rows"));
    assert_eq!(fail_body("missing(response)").await, FailureCode::Exception);
}

#[tokio::test]
async fn no_message_names_a_type_as_the_language_below_does() {
    let bodies = [
        "missing(response, 1, 1.5, \"a\", 'c', [1], #{a: 1}, (), |x| x, 0..3)",
        "response.missing(ctx, 0..=3)",
        "ctx.nothing",
        "ctx[\"owner_id\"]",
        "ctx.owner_id = 1",
        "1 + ctx",
        "\"a\" - 1",
        "\"a\" * 2",
        "response + 1",
        "response > 1",
        "!response",
        "-\"a\"",
        "if response { 1 }",
        "if 1 { 1 }",
        "while \"a\" { }",
        "for x in 1 { }",
        "for x in response { }",
        "for x in ctx { }",
        "1.nothing",
        "\"a\".nothing",
        "[1].nothing",
        "1[0]",
        "[1][\"a\"]",
        "\"a\"[\"b\"]",
        "#{a: 1}[1]",
        "response[1.5]",
        "response[()] = 1",
        "response.data = |x| x",
        "response.set(\"x\", 0..3)",
        "response.set(1, 2)",
        "response.keep(1)",
        "response.keep([1])",
        "response.rename(#{code: 1})",
        "response.each(\"data.rows\", 1)",
        "response.each(\"data.rows\", |a, b, c| a)",
        "response.mask(\"message\", \"a\", 1)",
        "format_time(\"a\", 1, 2)",
        "format_time(1.5, \"%Y\", \"UTC\")",
        "format_number(\"a\", \"0\")",
        "text(1.5, \"en\")",
        "[3, 1].sort(|a, b| \"x\")",
        "[1].map(1)",
        "[1].filter(|x| 1)",
        "throw ctx",
        "throw |x| x",
        "throw 0..3",
        "throw response",
        "1",
        "1.5",
        "\"a\"",
        "'a'",
        "|x| x",
        "0..3",
        "ctx",
        "()",
        "let x = 1; x.y.z = 2",
        "let x = 1; x[0] = 2",
        "const X = 1; X = 2",
        "missing",
        "let f = |x| x; f.nothing()",
        "this.x",
        "parse_int(1)",
        "\"a\" in 5",
        "5 in 5",
        "switch response { 1 => missing(1) , _ => other(2.5) }",
        "response.data.rows[7]",
        "[1][7]",
        "1 / 0",
        "9223372036854775807 + 1",
    ];
    for body in bodies {
        let found = super::plugins().check("demo", &super::process(body)).await.unwrap();
        let detail = if let Some(error) = found {
            error.message
        } else {
            let outcome = run_source(&super::process(body), envelope()).await;
            outcome.failure.unwrap_or_else(|| panic!("nothing was wrong with {body}")).detail
        };
        for name in ["::", "i64", "f64", "&str", "String", "Dynamic", "FnPtr", "INT", "FLOAT", "usize", "rhai", "alloc", "core", "Facts"] {
            assert!(!detail.contains(name), "{body}: {detail}");
        }
        // The line is told once.
        assert!(detail.matches("line").count() <= 1, "{body}: {detail}");
    }
    assert_eq!(
        run_source("fn process(response, ctx) {\n  response.put(1, \"a\")\n}", envelope()).await.failure.unwrap().detail,
        "line 2: Function not found: put (Json, int, string)"
    );
    let printed =
        run_source("fn process(response, ctx) { print(ctx); print(|x| x); print(0..3); print([ctx]); response }", envelope()).await;
    assert!(!printed.log.contains("::"), "{}", printed.log);
}

#[tokio::test]
async fn a_panic_of_the_host_ends_in_the_run() {
    let plugins = Plugins::with_texts(|_, _| panic!("no texts today")).unwrap();
    plugins.publish("demo", "mine", "fn process(response, ctx) { text(1, \"en\") }").await.unwrap();
    let plugin = plugins.find(Some("demo"), "mine").unwrap();
    for _ in 0..5 {
        let outcome = plugins.run(&plugin, envelope(), &context()).await;
        assert_eq!((outcome.response, outcome.failure.unwrap().code), (envelope(), FailureCode::Panic));
    }
}

#[tokio::test]
async fn print_and_debug_go_to_the_log_which_is_bounded() {
    let source = "fn process(response, ctx) { print(\"one\"); debug([1, \"two\", #{a: ()}]); print(response.data.rows[0]); response }";
    let outcome = run_source(source, envelope()).await;
    assert_eq!(outcome.log, "one\n[1, \"two\", #{\"a\": ()}]\n{\"id\":1,\"full_name\":\"Zhang San\",\"score\":1.0}\n");
    let source = "fn process(response, ctx) { let s = \"退出\"; s.pad(3000, '出'); for n in 0..100 { print(s); } response }";
    let outcome = run_source(source, envelope()).await;
    assert_eq!(outcome.failure, None);
    assert!(outcome.log.len() <= 16 << 10 && outcome.log.len() > 15 << 10, "{}", outcome.log.len());
}

#[tokio::test]
async fn a_result_may_be_four_times_the_input_and_64_kib() {
    let grow = |length: usize| format!("let s = \"\"; s.pad({length}, 'x'); response.set(\"message\", s)");
    run_body(&grow(65_000)).await;
    assert_eq!(fail_body(&grow(70_000)).await, FailureCode::OutputTooLarge);
}
