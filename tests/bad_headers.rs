//! Headers of contract 1.2 in every wrong form, on every route: always one envelope with the code that fits, and nothing
//! has changed.

use bo_auth_server::fault::FaultKind;

use crate::support::{Session, TestApp, TestRequest, every_route};

each_backend!(
    missing_and_empty_headers_are_named_where_they_are_needed,
    repeated_and_undecodable_headers_are_named,
    values_of_the_wrong_form_are_told_from_unknown_ones,
);

one_backend!(Local:
    what_http_forbids_in_a_header_is_a_bad_request,
    a_header_of_one_mebibyte_is_too_large,
    a_language_never_refuses,
    a_media_type_without_a_body_does_not_matter,
);

/// All headers that are read, as the contract spells them.
const HEADERS: [&str; 7] =
    ["XownerId", "XsysId", "XverifyApi", "XuserFromFirstShareId", "XuserFromSecondShareId", "XfilterAreaCode", "Authorization"];

const MEBIBYTE: usize = 1 << 20;

/// Sends, expects the refusal, and that the user's sessions are as they were.
async fn refused(session: &Session, request: &TestRequest, expected: (FaultKind, &str), what: &str) {
    let rows = session.user.rows().await;
    let answer = request.send_raw().await;
    let (kind, parameter) = expected;
    assert_eq!((answer.status, answer.error_code().as_str()), (kind.status, kind.error_code), "{what}");
    answer.assert_fault_about(kind, parameter);
    assert_eq!(session.user.rows().await, rows, "{what}");
}

async fn missing_and_empty_headers_are_named_where_they_are_needed(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    for value in [None, Some(""), Some(" \t ")] {
        for route in every_route(&session) {
            let with =
                |name: &str| value.map_or_else(|| route.request.clone().without(name), |value| route.request.clone().header(name, value));
            let what = |name: &str| format!("{name} {value:?} on {}", route.name);
            for name in ["XownerId", "XverifyApi"] {
                refused(&session, &with(name), (FaultKind::PARAMETER_MISSING, name), &what(name)).await;
            }
            if route.bearer {
                refused(&session, &with("Authorization"), (FaultKind::TOKEN_MISSING, ""), &what("Authorization")).await;
            }
        }
        // The others are as good as absent.
        for name in ["XsysId", "XuserFromFirstShareId", "XuserFromSecondShareId", "XfilterAreaCode"] {
            let request = session.current_user();
            let request = value.map_or_else(|| request.clone().without(name), |value| request.clone().header(name, value));
            assert_eq!(request.send_raw().await.status, 200, "{name} {value:?}");
        }
    }
    session.assert_live().await;
}

async fn repeated_and_undecodable_headers_are_named(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let undecodable: [&[u8]; 4] = [b"\xff\xfe", "退出".as_bytes(), b"\xc0\x80", b"a\x80b"];
    for route in every_route(&session) {
        for name in HEADERS {
            let expected = if name == "Authorization" { (FaultKind::TOKEN_INVALID, "") } else { (FaultKind::PARAMETER_INVALID, name) };
            let own = route.request.header_value(name).unwrap_or(b"x").to_vec();
            let twice = route.request.clone().header(name, &own).repeat(name, &own);
            refused(&session, &twice, expected, &format!("{name} twice on {}", route.name)).await;
            for value in undecodable {
                let request = route.request.clone().header(name, value);
                refused(&session, &request, expected, &format!("{name} {value:?} on {}", route.name)).await;
            }
        }
    }
    session.assert_live().await;
}

async fn values_of_the_wrong_form_are_told_from_unknown_ones(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    tenant.with_areas().await;
    let session = tenant.with_user("li").await.signed_in().await;
    let long = "x".repeat(65);
    let stamp = tenant.web().new_stamp();
    for route in every_route(&session) {
        for (name, value, kind) in [
            ("XownerId", "nobody", FaultKind::TENANT_UNKNOWN),
            ("XownerId", &long, FaultKind::PARAMETER_INVALID),
            ("XownerId", "a b", FaultKind::PARAMETER_INVALID),
            ("XownerId", "%E9%80%80", FaultKind::PARAMETER_INVALID),
            ("XownerId", "a\tb", FaultKind::PARAMETER_INVALID),
            ("XownerId", "../acme", FaultKind::PARAMETER_INVALID),
            ("XsysId", "nowhere", FaultKind::SYSTEM_UNKNOWN),
            ("XsysId", &long, FaultKind::PARAMETER_INVALID),
            ("XsysId", "a,b", FaultKind::PARAMETER_INVALID),
            ("XverifyApi", "***", FaultKind::VERIFY_API_INVALID),
            ("XverifyApi", &stamp[1..], FaultKind::VERIFY_API_INVALID),
            ("XverifyApi", "v2....", FaultKind::VERIFY_API_INVALID),
            ("XfilterAreaCode", "990000", FaultKind::AREA_UNKNOWN),
            ("XfilterAreaCode", &long, FaultKind::PARAMETER_INVALID),
            ("XuserFromFirstShareId", "nobody", FaultKind::SHARE_USER_UNKNOWN),
            ("XuserFromFirstShareId", "' OR 1=1 --", FaultKind::PARAMETER_INVALID),
            ("XuserFromSecondShareId", "nobody", FaultKind::SHARE_USER_UNKNOWN),
            ("XuserFromSecondShareId", &long, FaultKind::PARAMETER_INVALID),
            ("Authorization", "Bearer x.y.z", FaultKind::TOKEN_INVALID),
            ("Authorization", "Bearer ", FaultKind::TOKEN_INVALID),
            ("Authorization", "x", FaultKind::TOKEN_INVALID),
        ] {
            if name == "Authorization" && !route.bearer {
                continue;
            }
            // A request whose stamp is not what is wrong needs one that is new.
            let fresh = route.request.clone().header("XverifyApi", tenant.web().new_stamp());
            let what = format!("{name} {value:?} on {}", route.name);
            refused(&session, &fresh.header(name, value), (kind, name), &what).await;
        }
    }
    session.assert_live().await;
}

async fn what_http_forbids_in_a_header_is_a_bad_request(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    for route in every_route(&session) {
        for name in HEADERS.into_iter().chain(["Content-Type", "Accept-Language"]) {
            for value in ["a\0b", "a\x01b", "a\x1bb", "a\x7fb", "a\rb"] {
                let request = route.request.clone().header(name, value);
                let what = format!("{name} {value:?} on {}", route.name);
                refused(&session, &request, (FaultKind::BAD_REQUEST, ""), &what).await;
            }
        }
        for name in ["Xowner\0Id", "Xowner Id", "退出", ""] {
            let request = route.request.clone().repeat(name, "x");
            refused(&session, &request, (FaultKind::BAD_REQUEST, ""), &format!("{name:?} on {}", route.name)).await;
        }
    }
    session.assert_live().await;
}

async fn a_header_of_one_mebibyte_is_too_large(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    for route in every_route(&session) {
        for name in HEADERS.into_iter().chain(["Content-Type", "Accept-Language"]) {
            let request = route.request.clone().header(name, "A".repeat(MEBIBYTE));
            refused(&session, &request, (FaultKind::PAYLOAD_TOO_LARGE, ""), &format!("{name} on {}", route.name)).await;
        }
    }
    session.assert_live().await;
}

async fn a_language_never_refuses(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let long = "a".repeat(30_000);
    for value in [&b""[..], b"\xff", "退出".as_bytes(), b"*", b"en;q=nonsense", b";;;,,,", b"x-klingon", long.as_bytes()] {
        let wrong = session.current_user().header("XverifyApi", "***").header("Accept-Language", value);
        wrong.send_raw().await.assert_fault(FaultKind::VERIFY_API_INVALID);
        assert_eq!(session.current_user().header("Accept-Language", value).send_raw().await.status, 200);
    }
    let twice = session.current_user().header("Accept-Language", "zh-CN").repeat("Accept-Language", "en");
    assert_eq!(twice.send_raw().await.status, 200);
}

async fn a_media_type_without_a_body_does_not_matter(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let long = "a".repeat(30_000);
    for value in [&b""[..], b"text/plain", b"application/json; charset=gbk", b"\xff", b";", long.as_bytes()] {
        let answer = session.current_user().header("Content-Type", value).send_raw().await;
        assert_eq!(answer.status, 200, "{value:?}");
    }
    session.logout().header("Content-Type", "nonsense").send().await.assert_body(r#"{"code":0,"success":true,"message":"退出成功"}"#);
}
