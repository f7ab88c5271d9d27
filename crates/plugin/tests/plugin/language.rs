//! The strings, arrays and maps of a script: the names and meanings of the language's own book.

use serde_json::{Value, json};

use super::run_body;

/// What `docs/plugins.md` says under "What may surprise".
#[tokio::test]
async fn what_may_surprise_is_as_the_documentation_says() {
    for (expression, value) in [
        ("let rows = response.data.rows; rows[0].id = 9; response.data.rows[0].id", json!(1)),
        ("let rows = response.data.rows; rows[0].id = 9; response.data.rows = rows; response.data.rows[0].id", json!(9)),
        ("response.set(\"data.more\", 1); response.data.more", json!(1)),
        ("let a = [1]; a += [2, 3]; a", json!([1, 2, 3])),
        ("let a = [1]; a += 2; a", json!([1, 2])),
        ("let a = [1]; a.push([2, 3]); a", json!([1, [2, 3]])),
        (
            "let ids = []; for row in response.data.rows.values() { row.id = 9; ids.push(row.id); } [ids, response.data.rows[0].id]",
            json!([[9, 9], 1]),
        ),
        (
            "[1, 1.5, \"\", true, [], #{}, (), response.data].map(|value| type_of(value))",
            json!(["i64", "f64", "string", "bool", "array", "map", "()", "Json"]),
        ),
        ("let text = \"\"; for c in \"ab\" { text += c + \"-\"; } text", json!("a-b-")),
    ] {
        assert_eq!(value_of(expression).await, value, "{expression}");
    }
    assert_eq!(value_of("#{b: 1, a: 2}").await.to_string(), r#"{"a":2,"b":1}"#);
    for body in [
        "for row in response.data.rows { }",
        "for name in response { }",
        "let now = 1; response.each(\"data.rows\", |row| { row.id = now; row })",
        "helper()",
    ] {
        let source = format!("fn helper() {{ response.data }} {}", super::process(body));
        let outcome = super::run_source(&source, super::envelope()).await;
        assert_eq!(outcome.failure.unwrap().code, bo_auth_plugin::FailureCode::Exception, "{body}");
    }
}

#[tokio::test]
async fn a_number_keeps_its_value_and_not_its_text() {
    for (text, written) in [
        ("0", "0"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "1.8446744073709552e+19"),
        ("1e5", "100000.0"),
        ("1.10", "1.1"),
        ("1.0", "1.0"),
        ("0.1", "0.1"),
        ("123456789012345678901234567890", "1.2345678901234568e+29"),
    ] {
        let envelope: Value = serde_json::from_str(&format!(r#"{{"code":0,"success":true,"data":{{"n":{text}}}}}"#)).unwrap();
        for body in ["response", "response.camel()", "let n = response.data.n; response.data.n = n; response"] {
            let outcome = super::run_source(&super::process(body), envelope.clone()).await;
            assert_eq!(outcome.failure, None, "{body}");
            assert_eq!(outcome.response.to_string(), format!(r#"{{"code":0,"success":true,"data":{{"n":{written}}}}}"#), "{body}");
        }
    }
}

async fn value_of(expression: &str) -> Value {
    run_body(&format!("let result = {{ {expression} }}; response.set(\"result\", result)")).await["result"].clone()
}

#[tokio::test]
async fn texts() {
    for (expression, value) in [
        ("\"退出\".len()", json!(2)),
        ("\"退出\".len", json!(2)),
        ("\"\".is_empty()", json!(true)),
        ("\"退出成功\".contains(\"成\")", json!(true)),
        ("\"ab\" in \"cabd\"", json!(true)),
        ("\"abc\".starts_with(\"ab\") && \"abc\".ends_with(\"bc\")", json!(true)),
        ("\"退出成功\".index_of(\"成\")", json!(2)),
        ("\"abc\".index_of(\"x\")", json!(-1)),
        ("\"abcdef\".sub_string(2)", json!("cdef")),
        ("\"abcdef\".sub_string(2, 2)", json!("cd")),
        ("\"abcdef\".sub_string(-2)", json!("ef")),
        ("\"aBc\".to_upper() + \"aBc\".to_lower()", json!("ABCabc")),
        ("let s = \"  a \"; s.trim(); s", json!("a")),
        ("let s = \"abc\"; s.truncate(2); s", json!("ab")),
        ("let s = \"a-b-c\"; s.replace(\"-\", \"--\"); s", json!("a--b--c")),
        ("let s = \"abc\"; s.replace(\"\", \"x\"); s", json!("abc")),
        ("let s = \"7\"; s.pad(3, '0'); s", json!("700")),
        ("let s = \"7\"; s.pad(4, \"ab\"); s", json!("7aba")),
        ("let s = \"7\"; s.pad(4, \"\"); s", json!("7")),
        ("\"a,b,,c\".split(\",\")", json!(["a", "b", "", "c"])),
        ("\"abc\".split(\"\")", json!(["abc"])),
        ("\"n=\" + 1 + 2.5 + true + 'x' + () + [1]", json!("n=12.5truex[1]")),
        ("1 + \"n\"", json!("1n")),
        ("`n=${1 + 1} ${\"text\"} ${[1, \"a\"]}`", json!("n=2 text [1, \"a\"]")),
        ("(1.0).to_string()", json!("1.0")),
        ("\"abc\"[1]", json!("b")),
        ("parse_int(\"42\") + 1", json!(43)),
    ] {
        assert_eq!(value_of(expression).await, value, "{expression}");
    }
}

#[tokio::test]
async fn arrays() {
    for (expression, value) in [
        ("[1, 2].len() + [3].len", json!(3)),
        ("let a = [1]; a.push(2); a += [3]; a += 4; a", json!([1, 2, 3, 4])),
        ("let a = [1, 2, 3]; [a.pop(), a.shift(), a, [].pop()]", json!([3, 1, [2], null])),
        ("let a = [1, 3]; a.insert(1, 2); a.insert(-9, 0); a.insert(99, 4); a", json!([0, 1, 2, 3, 4])),
        ("let a = [1, 2, 3]; a.remove(1); a.reverse(); a", json!([3, 1])),
        ("[1, 2, 3, 4].extract(1, 2) + [9]", json!([2, 3, 9])),
        ("[[1, #{a: 2}], [3]].contains([1, #{a: 2}])", json!(true)),
        ("2 in [1, 2]", json!(true)),
        ("[1, \"b\", 'c', ()].index_of(())", json!(3)),
        ("[1, 2, 3].map(|n| n * n)", json!([1, 4, 9])),
        ("[1, 2, 3].filter(|n| n % 2 == 1)", json!([1, 3])),
        ("[1, 2, 3].find(|n| n > 1)", json!(2)),
        ("[[1, 2].some(|n| n > 1), [1, 2].all(|n| n > 1)]", json!([true, false])),
        ("[1, 2, 3].reduce(|sum, n| sum + n, 10)", json!(16)),
        ("let a = [3, 1, 2]; a.sort(); a", json!([1, 2, 3])),
        ("let a = [\"b\", \"a\"]; a.sort(); a", json!(["a", "b"])),
        ("let a = [[1, 'a'], [0, 'b'], [1, 'c']]; a.sort(|x, y| y[0] - x[0]); a", json!([[1, "a"], [1, "c"], [0, "b"]])),
        ("[[1, 2] == [1, 2], [1] != [2], [1] == [1.0]]", json!([true, true, false])),
        ("let sum = 0; for n in [1, 2, 3] { sum += n; } for n in 0..3 { sum += n; } sum", json!(9)),
    ] {
        assert_eq!(value_of(expression).await, value, "{expression}");
    }
}

#[tokio::test]
async fn maps_and_json() {
    for (expression, value) in [
        (
            "let m = #{b: 1, a: 2}; [m.len(), m.keys(), m.values(), \"a\" in m, m.remove(\"a\"), m.is_empty()]",
            json!([2, ["a", "b"], [2, 1], true, 2, false]),
        ),
        ("#{a: 1} + #{b: 2, a: 3}", json!({"a": 3, "b": 2})),
        ("#{a: [1]} == #{a: [1]}", json!(true)),
        ("response.data.keys()", json!(["accessToken", "refreshToken", "expiresIn", "mobile", "rows"])),
        ("response.data.rows.values().map(|row| row.id)", json!([1, 2])),
        ("let ids = []; for row in response.data.rows.values() { ids.push(row.id); } ids", json!([1, 2])),
        (
            "[\"data\" in response, \"x\" in response, response.data.is_object(), response.data.rows.is_array(), response.is_empty()]",
            json!([true, false, true, true, false]),
        ),
        ("response.data.rows[0] == response.at(\"data.rows.0\")", json!(true)),
        ("switch response.code { 0 => \"good\", _ => \"bad\" }", json!("good")),
        ("type_of(response)", json!("Json")),
    ] {
        assert_eq!(value_of(expression).await, value, "{expression}");
    }
}
