//! `Host` (RFC 9112 section 3.2): HTTP/1.1 has one, and no version has two.

use bo_auth_server::fault::FaultKind;

use crate::support::{TestApp, exchange, route};

one_backend!(Local: a_request_without_one_host_is_refused);

async fn a_request_without_one_host_is_refused(app: TestApp) {
    let ask = async |path: &str, head: &str| {
        let request = format!("GET {path} {head}\r\nConnection: close\r\n\r\n");
        exchange(app.address(), request.as_bytes()).await
    };
    for path in [route::LOGOUT, "/healthz", "/console", "/docs", "/nowhere", "/api/v1.0/session"] {
        for head in [
            "HTTP/1.1",
            "HTTP/1.1\r\nHost: a.example\r\nHost: a.example",
            "HTTP/1.1\r\nHost: a.example\r\nHost: b.example",
            "HTTP/1.1\r\nHost: a.example, b.example",
            "HTTP/1.1\r\nHost: 例子.example",
            "HTTP/1.0\r\nHost: a.example\r\nHost: b.example",
        ] {
            let answer = ask(path, head).await;
            answer.assert_fault(FaultKind::BAD_REQUEST);
            assert!(answer.header("x-request-id").is_some(), "{head}");
        }
        for head in ["HTTP/1.1\r\nHost: a.example:8480", "HTTP/1.1\r\nHost: [::1]", "HTTP/1.0"] {
            let answer = ask(path, head).await;
            let is_bad_request = answer.text().contains(r#""errorCode":"BAD_REQUEST""#);
            assert!(!is_bad_request, "{path} {head}: {}", answer.text());
        }
    }
}
