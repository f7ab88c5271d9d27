//! Query parameters, path parameters and bodies in every wrong form, on every route that reads them: always one envelope
//! with the code that fits, and nothing has changed.

use bo_auth_server::fault::FaultKind;
use http::Method;
use serde_json::{Value, json};

use crate::support::{Session, TestApp, TestRequest, captcha_picture, every_route, route};

each_backend!(
    query_parameters_that_are_repeated_or_not_utf_8_are_named,
    values_that_decode_are_judged_by_what_they_say,
    members_of_a_body_are_judged_one_by_one,
);

one_backend!(Local:
    a_query_of_one_mebibyte_is_too_large,
    what_http_forbids_in_a_target_is_a_bad_request,
    bodies_that_are_no_json_object_are_bad_requests,
    bodies_of_another_type_are_refused_before_they_are_read,
    bodies_that_are_too_large_are_refused,
    path_parameters_are_judged_by_what_they_say,
    the_tenant_of_a_picture_is_named_in_the_query,
);

/// Sends, expects the refusal, and that the user's sessions are as they were.
async fn refused(session: &Session, request: TestRequest, expected: (FaultKind, &str), what: &str) {
    let rows = session.user.rows().await;
    let request = match request.header_value("XverifyApi") {
        Some(_) => request.header("XverifyApi", session.user.system.new_stamp()),
        None => request,
    };
    let answer = request.send_raw().await;
    let (kind, parameter) = expected;
    assert_eq!((answer.status, answer.error_code().as_str()), (kind.status, kind.error_code), "{what}");
    answer.assert_fault_about(kind, parameter);
    assert_eq!(session.user.rows().await, rows, "{what}");
}

async fn query_parameters_that_are_repeated_or_not_utf_8_are_named(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    for route in every_route(&session) {
        for name in ["refreshToken", "_nodejs", "scope"] {
            for value in ["%ff", "%c0%80", "a%80", "%ed%a0%80"] {
                let request = route.request.clone().raw_query(name, value);
                let what = format!("{name}={value} on {}", route.name);
                refused(&session, request, (FaultKind::PARAMETER_INVALID, name), &what).await;
            }
            let twice = route.request.clone().query(name, "x").repeat_query(name, "x");
            refused(&session, twice, (FaultKind::PARAMETER_INVALID, name), &format!("{name} twice on {}", route.name)).await;
            let hidden = route.request.clone().query(name, "x").repeat_query(&name.replace('e', "%65"), "x");
            refused(&session, hidden, (FaultKind::PARAMETER_INVALID, name), &format!("{name} in disguise on {}", route.name)).await;
        }
    }
    // What nobody reads may be anything.
    let request = session.current_user().raw_query("other", "%ff").repeat_query("other", "x").repeat_query("%ff", "%ff");
    assert_eq!(request.send().await.status, 200);
    session.assert_live().await;
}

async fn values_that_decode_are_judged_by_what_they_say(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    for route in every_route(&session) {
        for (name, value, kind) in [
            ("_nodejs", "no-such", FaultKind::PLUGIN_UNKNOWN),
            ("_nodejs", "..%2F..%2Fetc%2Fpasswd", FaultKind::PLUGIN_UNKNOWN),
            ("_nodejs", "fn-common-data.rhai", FaultKind::PLUGIN_UNKNOWN),
            ("_nodejs", "%00", FaultKind::PLUGIN_UNKNOWN),
            ("_nodejs", "%0d%0aX-Evil:%201", FaultKind::PLUGIN_UNKNOWN),
            ("_nodejs", "%zz", FaultKind::PLUGIN_UNKNOWN),
            ("_nodejs", "%", FaultKind::PLUGIN_UNKNOWN),
            ("refreshToken", "%00", FaultKind::REFRESH_TOKEN_INVALID),
            ("refreshToken", "%zz", FaultKind::REFRESH_TOKEN_INVALID),
            ("refreshToken", "%", FaultKind::REFRESH_TOKEN_INVALID),
            ("refreshToken", "%E9%80%80%E5%87%BA", FaultKind::REFRESH_TOKEN_INVALID),
            ("refreshToken", "", FaultKind::PARAMETER_MISSING),
            ("_nodejs", "", FaultKind::PARAMETER_MISSING),
            ("scope", "%00", FaultKind::PARAMETER_INVALID),
            ("scope", "al%6C+", FaultKind::PARAMETER_INVALID),
        ] {
            let read = match name {
                "refreshToken" => route.refresh_token,
                "_nodejs" => route.plugin || !value.is_empty(),
                _ => route.plugin,
            };
            if read {
                let request = route.request.clone().raw_query(name, value);
                refused(&session, request, (kind, name), &format!("{name}={value} on {}", route.name)).await;
            }
        }
    }
    session.assert_live().await;
}

async fn a_query_of_one_mebibyte_is_too_large(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    for route in every_route(&session) {
        for name in ["refreshToken", "_nodejs", "scope", "ownerId", "other"] {
            let request = route.request.clone().raw_query(name, &"A".repeat(1 << 20));
            refused(&session, request, (FaultKind::PAYLOAD_TOO_LARGE, ""), &format!("{name} on {}", route.name)).await;
        }
    }
    let request = captcha_picture(&session, &"A".repeat(1 << 20));
    refused(&session, request, (FaultKind::PAYLOAD_TOO_LARGE, ""), "a picture").await;
}

async fn what_http_forbids_in_a_target_is_a_bad_request(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    for value in ["a\0b", "a\x01b", "a b", "a\x7fb", "a\rb"] {
        for name in ["refreshToken", "_nodejs", "scope"] {
            let request = session.logout().raw_query(name, value);
            refused(&session, request, (FaultKind::BAD_REQUEST, ""), &format!("{name}={value:?}")).await;
        }
        let request = captcha_picture(&session, value);
        refused(&session, request, (FaultKind::BAD_REQUEST, ""), &format!("a picture of {value:?}")).await;
    }
    session.assert_live().await;
}

/// The routes that read a body, and the member they need first.
fn with_bodies(session: &Session) -> [(TestRequest, &'static str); 3] {
    let refresh = session.refresh().method(Method::POST).without_query("refreshToken");
    let logout = session.logout_by(Method::DELETE).without_query("refreshToken");
    [(session.user.login(), "userName"), (refresh, "refreshToken"), (logout, "refreshToken")]
}

async fn bodies_that_are_no_json_object_are_bad_requests(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let deep = format!("{{\"x\":{}}}", "[".repeat(5_000));
    for (request, _) in with_bodies(&session) {
        for body in [
            &b"{"[..],
            b"[]",
            b"\"x\"",
            b"1",
            b"{} {}",
            b"{\"refreshToken\":\"\xff\"}",
            b"{\"refreshToken\":\"\\ud800\"}",
            b"{\"refreshToken\":\"a\0b\"}",
            b"\xef\xbb\xbf{",
            b"\xff\xfe{\0}\0",
            b"refreshToken=x",
            b"\0",
            deep.as_bytes(),
        ] {
            let request = request.clone().body("application/json", body);
            refused(&session, request, (FaultKind::BAD_REQUEST, ""), &String::from_utf8_lossy(&body[..body.len().min(40)])).await;
        }
    }
    session.assert_live().await;
}

async fn bodies_of_another_type_are_refused_before_they_are_read(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    for (request, _) in with_bodies(&session) {
        for content_type in ["text/plain", "application/json; charset=gbk", "application/x-www-form-urlencoded", "multipart/form-data", ""]
        {
            let request = request.clone().body(content_type, "{}");
            refused(&session, request, (FaultKind::MEDIA_TYPE_UNSUPPORTED, ""), content_type).await;
        }
        let without = request.clone().body("", "{}").without("Content-Type");
        refused(&session, without, (FaultKind::MEDIA_TYPE_UNSUPPORTED, ""), "none").await;
        let undecodable = request.clone().body("", "{}").header("Content-Type", b"application/json; charset=\xff");
        refused(&session, undecodable, (FaultKind::MEDIA_TYPE_UNSUPPORTED, ""), "undecodable").await;
        let contradicting = request.clone().body("application/json", "{}").repeat("Content-Type", "text/plain");
        refused(&session, contradicting, (FaultKind::MEDIA_TYPE_UNSUPPORTED, ""), "two").await;
    }
}

async fn bodies_that_are_too_large_are_refused(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let with_filling = |bytes: usize| json!({"userName": "li", "password": "x", "filling": "x".repeat(bytes)}).to_string();
    for (request, _) in with_bodies(&session) {
        for bytes in [64 << 10, 1 << 20] {
            let request = request.clone().body("application/json", with_filling(bytes));
            refused(&session, request, (FaultKind::PAYLOAD_TOO_LARGE, ""), &bytes.to_string()).await;
        }
        // A chunked one does not say its size before.
        let chunked = request.clone().body("application/json", "").header("Transfer-Encoding", "chunked");
        let mut bytes = chunked.to_wire();
        let body = with_filling(1 << 20);
        bytes.extend_from_slice(format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).as_bytes());
        let answer = crate::support::exchange(app.address(), &bytes).await;
        answer.assert_fault(FaultKind::PAYLOAD_TOO_LARGE);
    }
}

async fn members_of_a_body_are_judged_one_by_one(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let absent = [json!(null), json!("")];
    let ill_typed = [json!(1), json!(true), json!(["x"]), json!({"x": "x"})];
    for (request, member) in with_bodies(&session) {
        let whole = json!({"userName": "li", "password": session.user.system.encrypt("x"), "refreshToken": "x"});
        let names: &[&str] = if member == "userName" { &["userName", "password"] } else { &["refreshToken"] };
        for name in names {
            let with = |value: Option<&Value>| {
                let mut body = whole.clone();
                match value {
                    Some(value) => body[*name] = value.clone(),
                    None => drop(body.as_object_mut().unwrap().remove(*name)),
                }
                request.clone().json(&body)
            };
            for value in absent.iter().map(Some).chain([None]) {
                refused(&session, with(value), (FaultKind::PARAMETER_MISSING, name), &format!("{name}: {value:?}")).await;
            }
            for value in &ill_typed {
                refused(&session, with(Some(value)), (FaultKind::PARAMETER_INVALID, name), &format!("{name}: {value}")).await;
            }
        }
    }
    let login = |name: &str, value: Value| {
        let mut body = json!({"userName": "li", "password": session.user.system.encrypt(&session.user.password())});
        body[name] = value;
        session.user.login().json(&body)
    };
    for value in ["a\0b", "a\nb", "\u{85}", &"x".repeat(129), &"退".repeat(43)] {
        refused(&session, login("userName", json!(value)), (FaultKind::PARAMETER_INVALID, "userName"), value).await;
    }
    for value in ["plain", "***", "a\0b", "退出", &session.user.system.encrypt("a\0b"), &"A".repeat(60_000)] {
        let what = &value.chars().take(20).collect::<String>();
        refused(&session, login("password", json!(value)), (FaultKind::PARAMETER_INVALID, "password"), what).await;
    }
    for name in ["verifyGuid", "verifyCode"] {
        for value in &ill_typed {
            let mut body = json!({"userName": "li", "password": "x", "verifyGuid": "g", "verifyCode": "c"});
            body[name] = value.clone();
            refused(&session, session.user.login().json(&body), (FaultKind::PARAMETER_INVALID, name), &value.to_string()).await;
        }
    }
    session.assert_live().await;
}

async fn path_parameters_are_judged_by_what_they_say(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let id = session.id.to_string();
    let end = |text: &str| session.request(Method::DELETE, &format!("{}/{text}", route::SESSIONS));
    for text in
        ["x", "0", &id[1..], &format!("{id}0"), &"f".repeat(16), &"A".repeat(20_000), "%00", "..%2F..", "%E9%80%80", &format!("%20{id}")]
    {
        refused(&session, end(text), (FaultKind::PARAMETER_INVALID, "sessionId"), text).await;
    }
    for text in ["%ff", "%c0%80"] {
        refused(&session, end(text), (FaultKind::BAD_REQUEST, ""), text).await;
    }
    for text in ["%00", "a_b", "a%20b", "%E9%80%80", &"x".repeat(65)] {
        refused(&session, captcha_picture(&session, text), (FaultKind::PARAMETER_INVALID, "verifyGuid"), text).await;
    }
    refused(&session, captcha_picture(&session, "%ff"), (FaultKind::BAD_REQUEST, ""), "a picture").await;
    session.assert_live().await;
}

async fn the_tenant_of_a_picture_is_named_in_the_query(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let picture = || captcha_picture(&session, "guid");
    for (request, expected) in [
        (picture().without_query("ownerId"), (FaultKind::PARAMETER_MISSING, "ownerId")),
        (picture().query("ownerId", ""), (FaultKind::PARAMETER_MISSING, "ownerId")),
        (picture().repeat_query("ownerId", "x"), (FaultKind::PARAMETER_INVALID, "ownerId")),
        (picture().raw_query("ownerId", "%ff"), (FaultKind::PARAMETER_INVALID, "ownerId")),
        (picture().raw_query("ownerId", "%00"), (FaultKind::PARAMETER_INVALID, "ownerId")),
        (picture().query("ownerId", &"x".repeat(65)), (FaultKind::PARAMETER_INVALID, "ownerId")),
        (picture().query("ownerId", "nobody"), (FaultKind::TENANT_UNKNOWN, "")),
    ] {
        let target = request.target();
        refused(&session, request, expected, &target).await;
    }
}
