//! Requests that are begun and never ended: they are answered in time, on HTTP/2 as on HTTP/1.1.

use std::time::Duration;

use bo_auth_server::fault::FaultKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{TestApp, exchange, route};

one_backend!(Local: an_http2_request_that_never_ends_is_answered_in_time, a_body_that_never_comes_is_answered_in_time);

const TIMEOUT: Duration = Duration::from_millis(300);

/// An HTTP/2 frame (RFC 9113 section 4.1) on stream 1, or on none.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[0, high, low, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// A POST whose headers are complete and whose stream stays open.
fn endless_post(path: &str) -> Vec<u8> {
    const HEADERS: u8 = 1;
    const SETTINGS: u8 = 4;
    const END_HEADERS: u8 = 4;
    // HPACK: `:method: POST`, `:scheme: http`, then `:path` as a literal.
    let mut block = vec![0x83, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend_from_slice(path.as_bytes());
    let content_type = ("content-type", "application/json");
    block.extend_from_slice(&[0, u8::try_from(content_type.0.len()).unwrap()]);
    block.extend_from_slice(content_type.0.as_bytes());
    block.push(u8::try_from(content_type.1.len()).unwrap());
    block.extend_from_slice(content_type.1.as_bytes());
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    [&preface[..], &frame(SETTINGS, 0, 0, &[]), &frame(HEADERS, END_HEADERS, 1, &block)].concat()
}

/// Reads frames up to the first data of stream 1.
async fn first_data(stream: &mut TcpStream) -> Vec<u8> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
        stream.read_exact(&mut payload).await.unwrap();
        if (head[3], head[8]) == (0, 1) {
            return payload;
        }
    }
}

async fn an_http2_request_that_never_ends_is_answered_in_time(app: TestApp) {
    app.restart_with(|configuration| configuration.request_timeout = TIMEOUT).await;
    for path in [route::LOGIN, "/admin/api/v1/sessions"] {
        let mut stream = TcpStream::connect(app.address()).await.unwrap();
        stream.write_all(&endless_post(path)).await.unwrap();
        let answer = tokio::time::timeout(TIMEOUT * 30, first_data(&mut stream)).await.expect("it is answered");
        let text = String::from_utf8(answer).unwrap();
        assert!(text.contains("REQUEST_TIMEOUT"), "{path}: {text}");
    }
}

async fn a_body_that_never_comes_is_answered_in_time(app: TestApp) {
    app.restart_with(|configuration| configuration.request_timeout = TIMEOUT).await;
    let head = format!("POST {} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{{", route::LOGIN);
    exchange(app.address(), head.as_bytes()).await.assert_fault(FaultKind::REQUEST_TIMEOUT);
}
