//! The listener over real sockets. Nothing here waits for time to pass but for what has been asked for: an answer, or
//! the end of a connection.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use poem::http::StatusCode;
use poem::{Endpoint, Request, Response, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

mod pressure;

use super::*;

const GET: &[u8] = b"GET /quick HTTP/1.1\r\nHost: test\r\n\r\n";
const GET_SLOWLY: &[u8] = b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\n";
const SHORT: Duration = Duration::from_millis(120);
/// Longer than any test takes.
const LONG: Duration = Duration::from_mins(1);

/// More than all buffers between server and client hold.
const BIG_BYTES: usize = 8 << 20;

/// Answers with the peer's port; on `/slow` once it is told to, on `/body` with the body's length.
#[derive(Clone, Default)]
struct Answering {
    entered: Arc<Notify>,
    go_on: Arc<Notify>,
}

impl Endpoint for Answering {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        match request.uri().path() {
            "/slow" => {
                self.entered.notify_one();
                self.go_on.notified().await;
            }
            "/body" => {
                let body = request.take_body().into_bytes().await?;
                return Ok(Response::from(body.len().to_string()));
            }
            "/big" => return Ok(Response::builder().header("x-request-id", "1").body(vec![b'x'; BIG_BYTES])),
            "/quiet" => {
                let first = futures_util::stream::once(async { Ok::<_, io::Error>(Bytes::from_static(b"first")) });
                let chunks = futures_util::StreamExt::chain(first, futures_util::stream::pending());
                return Ok(Response::builder().header("x-request-id", "1").body(poem::Body::from_bytes_stream(chunks)));
            }
            "/unread" => return Ok(Response::builder().status(StatusCode::PAYLOAD_TOO_LARGE).body("too large")),
            _ => {}
        }
        let peer = request.remote_addr().as_socket_addr().map_or(0, SocketAddr::port);
        Ok(Response::builder().header("x-request-id", "1").body(format!("peer {peer}")))
    }
}

struct Server {
    address: SocketAddr,
    endpoint: Answering,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<DrainReport>,
}

impl Server {
    fn start(limits: Limits) -> Self {
        Self::start_behind(limits, TrustedProxies::default())
    }

    fn start_behind(limits: Limits, proxies: TrustedProxies) -> Self {
        let endpoint = Answering::default();
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), limits)
            .unwrap()
            .except_proxies(proxies)
            .answer_refusals(|refusal| Answer { status: refusal.status(), body: Bytes::from_static(refusal.label().as_bytes()) });
        let address = listener.local_address();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(listener.serve(endpoint.clone(), async { drop(stopped.await) }));
        Self { address, endpoint, stop, serving }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(self) -> DrainReport {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap()
    }
}

fn unhurried() -> Limits {
    Limits { first_request_timeout: LONG, header_timeout: LONG, idle_timeout: LONG, shutdown_deadline: LONG, ..Limits::default() }
}

/// Reads one answer of known length.
async fn read_answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut bytes = [0; 4096];
    loop {
        let count = stream.read(&mut bytes).await.unwrap();
        assert_ne!(count, 0, "the connection was closed after {text:?}");
        text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() >= length.parse().unwrap() {
                return text;
            }
        }
    }
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn a_handler_sees_the_peer_and_the_connection_is_kept() {
    let server = Server::start(unhurried());
    let mut stream = server.connect().await;
    let peer = format!("peer {}", stream.local_addr().unwrap().port());
    for _ in 0..3 {
        stream.write_all(GET).await.unwrap();
        assert!(read_answer(&mut stream).await.ends_with(&peer));
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(unhurried());
    let mut stream = server.connect().await;
    stream.write_all(&[GET, GET, b"broken\r\n\r\n"].concat()).await.unwrap();
    let text = read_to_end(&mut stream).await;
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2);
    assert!(text.ends_with("request_line"), "{text}");
}

#[tokio::test]
async fn half_a_header_is_answered_and_closed_in_time() {
    let server = Server::start(Limits { first_request_timeout: SHORT, ..unhurried() });
    let mut stream = server.connect().await;
    stream.write_all(b"GET /quick HTTP/1.1\r\nHost: te").await.unwrap();
    let text = read_to_end(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{text}");
    assert!(text.contains("x-request-id: ") && text.ends_with("header_timeout"), "{text}");
}

#[tokio::test]
async fn half_a_later_header_is_overdue_too() {
    let server = Server::start(Limits { header_timeout: SHORT, ..unhurried() });
    let mut stream = server.connect().await;
    stream.write_all(GET).await.unwrap();
    read_answer(&mut stream).await;
    stream.write_all(b"GET").await.unwrap();
    assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 408"));
}

#[tokio::test]
async fn a_header_that_trickles_in_does_not_gain_time() {
    let server = Server::start(Limits { first_request_timeout: SHORT, ..unhurried() });
    let (mut read, mut write) = server.connect().await.into_split();
    let trickle = async {
        write.write_all(b"GET /quick HTTP/1.1\r\n").await.unwrap();
        while write.write_all(b"x: y\r\n").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    let answer = async {
        let mut text = Vec::new();
        let _ = read.read_to_end(&mut text).await;
        assert!(text.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&text));
    };
    tokio::select! {
        () = trickle => panic!("the connection was closed without an answer"),
        () = answer => {}
    }
}

#[tokio::test]
async fn silence_is_closed_without_a_word() {
    let limits = Limits { first_request_timeout: SHORT, idle_timeout: SHORT, ..unhurried() };
    let server = Server::start(limits);
    assert_eq!(read_to_end(&mut server.connect().await).await, "");
    let mut stream = server.connect().await;
    stream.write_all(GET).await.unwrap();
    read_answer(&mut stream).await;
    assert_eq!(read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn a_request_in_flight_outlives_every_idle_limit() {
    let server = Server::start(Limits { first_request_timeout: SHORT, header_timeout: SHORT, idle_timeout: SHORT, ..unhurried() });
    let mut stream = server.connect().await;
    stream.write_all(GET_SLOWLY).await.unwrap();
    server.endpoint.entered.notified().await;
    // Another connection runs through all its limits meanwhile.
    assert_eq!(read_to_end(&mut server.connect().await).await, "");
    assert_eq!(read_to_end(&mut server.connect().await).await, "");
    server.endpoint.go_on.notify_one();
    assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_megabyte_of_header_is_answered_and_the_answer_arrives() {
    let server = Server::start(unhurried());
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
    stream.write_all(&vec![b'a'; 1 << 20]).await.unwrap();
    stream.write_all(b"\r\n\r\n").await.unwrap();
    let text = read_to_end(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json"), "{text}");
    assert!(text.ends_with("header_too_large"), "{text}");
}

#[tokio::test]
async fn requests_that_cannot_be_parsed_are_answered_by_kind() {
    let server = Server::start(Limits { header_bytes: 256 * 1024, ..unhurried() });
    let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(101));
    let long_target = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(65_535));
    for (request, expected) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..], "request_line"),
        (b"GET / HTTP/7.0\r\n\r\n", "request_line"),
        (b"GET /\x01 HTTP/1.1\r\n\r\n", "request_line"),
        (b"GET / HTTP/1.1\r\nx: \x00\r\n\r\n", "header"),
        (b"GET / HTTP/1.1\r\nx y: z\r\n\r\n", "header"),
        (b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", "header"),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n", "header"),
        (many_headers.as_bytes(), "header_too_large"),
        (long_target.as_bytes(), "target_too_long"),
    ] {
        let mut stream = server.connect().await;
        stream.write_all(request).await.unwrap();
        let text = read_to_end(&mut stream).await;
        assert!(text.ends_with(expected), "{:?}: {text}", String::from_utf8_lossy(&request[..request.len().min(40)]));
        assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
    }
}

#[tokio::test]
async fn header_values_beyond_ascii_reach_the_endpoint() {
    let server = Server::start(unhurried());
    let mut stream = server.connect().await;
    stream.write_all(b"GET /quick HTTP/1.1\r\nxownerid: \xe4\xb8\xad\xff\r\n\r\n").await.unwrap();
    assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_answer_given_before_the_body_was_read_arrives() {
    let server = Server::start(unhurried());
    let mut stream = server.connect().await;
    stream.write_all(b"POST /unread HTTP/1.1\r\ncontent-length: 3000000\r\n\r\n").await.unwrap();
    stream.write_all(&vec![b'a'; 3_000_000]).await.unwrap();
    assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn a_client_that_only_listens_any_more_gets_its_answer() {
    let server = Server::start(unhurried());
    let mut stream = server.connect().await;
    stream.write_all(GET_SLOWLY).await.unwrap();
    stream.shutdown().await.unwrap();
    server.endpoint.entered.notified().await;
    server.endpoint.go_on.notify_one();
    assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn half_a_body_ends_with_the_connection() {
    let server = Server::start(unhurried());
    let mut stream = server.connect().await;
    stream.write_all(b"POST /body HTTP/1.1\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn at_the_cap_the_next_connection_waits_for_a_place() {
    let server = Server::start(Limits { connections: 1, ..unhurried() });
    let mut first = server.connect().await;
    first.write_all(GET_SLOWLY).await.unwrap();
    server.endpoint.entered.notified().await;
    let mut second = server.connect().await;
    second.write_all(GET_SLOWLY).await.unwrap();
    // The first is answered and gone before the second's request is even read.
    server.endpoint.go_on.notify_one();
    read_answer(&mut first).await;
    drop(first);
    server.endpoint.entered.notified().await;
    server.endpoint.go_on.notify_one();
    assert!(read_answer(&mut second).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_shutdown_finishes_what_is_in_flight_and_closes_what_is_idle() {
    let server = Server::start(unhurried());
    let mut idle = server.connect().await;
    idle.write_all(GET).await.unwrap();
    read_answer(&mut idle).await;
    let mut busy = server.connect().await;
    busy.write_all(GET_SLOWLY).await.unwrap();
    server.endpoint.entered.notified().await;
    let (address, go_on) = (server.address, Arc::clone(&server.endpoint.go_on));
    let client = async {
        assert_eq!(read_to_end(&mut idle).await, "");
        assert!(TcpStream::connect(address).await.is_err(), "new work is refused");
        go_on.notify_one();
        let text = read_to_end(&mut busy).await;
        drop(busy);
        text
    };
    let (report, text) = tokio::join!(server.stop(), client);
    assert!(text.starts_with("HTTP/1.1 200") && text.contains("connection: close"), "{text}");
    assert_eq!((report.open, report.cut), (2, 0));
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_ever() {
    let server = Server::start(Limits { shutdown_deadline: SHORT, ..unhurried() });
    let mut stream = server.connect().await;
    stream.write_all(GET_SLOWLY).await.unwrap();
    server.endpoint.entered.notified().await;
    let report = server.stop().await;
    assert_eq!((report.open, report.cut), (1, 1));
    assert_eq!(read_to_end(&mut stream).await, "");
}

const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;
const END_STREAM_AND_HEADERS: u8 = 5;
/// `:method: GET`, `:path: /` and `:scheme: http` of HPACK's static table (RFC 7541 appendix A).
const GET_SLASH: [u8; 3] = [0x82, 0x84, 0x86];
/// `:status: 200` of the same.
const STATUS_200: u8 = 0x88;

/// An HTTP/2 frame (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[0, high, low, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// Reads frames up to the first of this kind on this stream, and gives its payload.
async fn read_frame(stream: &mut TcpStream, kind: u8, id: u8) -> Vec<u8> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let mut payload = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
        stream.read_exact(&mut payload).await.unwrap();
        if head[3] == kind && head[8] == id {
            return payload;
        }
    }
}

#[tokio::test]
async fn http2_is_spoken_and_told_to_go_away() {
    let server = Server::start(unhurried());
    let mut stream = server.connect().await;
    let request = frame(HEADERS, END_STREAM_AND_HEADERS, 1, &GET_SLASH);
    stream.write_all(&[HTTP2_PREFACE, &frame(SETTINGS, 0, 0, &[]), &request].concat()).await.unwrap();
    assert_eq!(read_frame(&mut stream, HEADERS, 1).await[0], STATUS_200);
    assert!(read_frame(&mut stream, DATA, 1).await.starts_with(b"peer "));
    let client = async {
        read_frame(&mut stream, GO_AWAY, 0).await;
        drop(stream);
    };
    let (report, ()) = tokio::join!(server.stop(), client);
    assert_eq!((report.open, report.cut), (1, 0));
}

#[tokio::test]
async fn an_http2_header_beyond_the_limit_costs_its_stream_and_not_the_connection() {
    let server = Server::start(Limits { header_bytes: 8 * 1024, ..unhurried() });
    let mut stream = server.connect().await;
    // A literal header `x` of 9000 bytes: 127 and 8873 more, seven bits at a time.
    let long_header = [&GET_SLASH[..], &[0, 1, b'x', 0x7f, 0xa9, 0x45], &[b'a'; 9_000]].concat();
    let refused = frame(HEADERS, END_STREAM_AND_HEADERS, 1, &long_header);
    let well_formed = frame(HEADERS, END_STREAM_AND_HEADERS, 3, &GET_SLASH);
    stream.write_all(&[HTTP2_PREFACE, &frame(SETTINGS, 0, 0, &[]), &refused, &well_formed].concat()).await.unwrap();
    assert_ne!(read_frame(&mut stream, HEADERS, 1).await[0], STATUS_200);
    assert_eq!(read_frame(&mut stream, HEADERS, 3).await[0], STATUS_200);
}
