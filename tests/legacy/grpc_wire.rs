//! gRPC frame by frame, for what standard clients do not send: go-micro's metadata, both content types, any prefix.

use bo_auth_server::configuration::{LegacyConfiguration, OldServersConfiguration, Secret, UserIdForm};
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::fleet_of_test::FleetOfTest;
use crate::support::TestApp;

each_backend!(a_session_is_signed_out);
one_backend!(Local: the_last_part_of_the_name_decides, metadata_is_honoured, what_is_too_large_is_refused, a_deadline_ends_the_wait, gateways_show_their_token, beside_http_and_alone);

const PATH: &str = "/go.micro.srv.DeleteSession.Example/DeleteSession";
const OLD_PATH: &str = "/example.Example/DeleteSession";

/// What came back: gRPC's status, and the message's two members where there is a message.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    status: u32,
    content_type: String,
    message: Option<(String, String)>,
}

impl Outcome {
    fn ok(errno: &str, errmsg: &str) -> Self {
        Self { status: 0, content_type: "application/grpc".to_owned(), message: Some((errno.to_owned(), errmsg.to_owned())) }
    }
}

/// A message of length-prefixed protobuf text fields, numbered from 1.
fn framed(fields: &[&str]) -> Vec<u8> {
    let mut message = Vec::new();
    for (position, field) in fields.iter().enumerate() {
        message.push(u8::try_from((position + 1) << 3 | 2).unwrap());
        let mut length = field.len();
        while length > 0x7f {
            message.push(u8::try_from(length & 0x7f | 0x80).unwrap());
            length >>= 7;
        }
        message.push(u8::try_from(length).unwrap());
        message.extend_from_slice(field.as_bytes());
    }
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&message);
    frame
}

fn fields(frame: &[u8]) -> Option<(String, String)> {
    let mut rest = frame.get(5..)?;
    let mut texts = Vec::new();
    while let [_, length, tail @ ..] = rest {
        let (text, tail) = tail.split_at(usize::from(*length));
        texts.push(String::from_utf8(text.to_vec()).unwrap());
        rest = tail;
    }
    let [errno, errmsg] = <[String; 2]>::try_from(texts).ok()?;
    Some((errno, errmsg))
}

async fn call_at(address: std::net::SocketAddr, path: &str, headers: &[(&str, &str)], session_id: &str) -> Outcome {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let mut request = Request::post(format!("http://{address}{path}")).header("te", "trailers");
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/grpc");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = Full::new(Bytes::from(framed(&[session_id])));
    let response = client.request(request.body(body).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    let (parts, body) = response.into_parts();
    let collected = body.collect().await.unwrap();
    let trailers: HeaderMap = collected.trailers().cloned().unwrap_or_default();
    let status = trailers.get("grpc-status").or_else(|| parts.headers.get("grpc-status")).expect("a status");
    Outcome {
        status: status.to_str().unwrap().parse().unwrap(),
        content_type: parts.headers["content-type"].to_str().unwrap().to_owned(),
        message: fields(&collected.to_bytes()),
    }
}

async fn call(app: &TestApp, path: &str, headers: &[(&str, &str)], session_id: &str) -> Outcome {
    call_at(app.address(), path, headers, session_id).await
}

async fn a_session_is_signed_out(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    for path in [PATH, OLD_PATH] {
        let mut browser = fleet.signed_in().await;
        assert_eq!(call(&fleet.app, path, &[], browser.cookie()).await, Outcome::ok("0", "OK"));
        assert!(browser.who().await.text().contains("4101"));
        assert_eq!(call(&fleet.app, path, &[], browser.cookie()).await, Outcome::ok("0", "OK"));
    }
    assert_eq!(call(&fleet.app, PATH, &[], "nobody's").await, Outcome::ok("0", "OK"));
    assert_eq!(call(&fleet.app, PATH, &[], "").await, Outcome::ok("4101", "用户未登录"));
    assert_eq!(fleet.tenant.audited_ends(&fleet.user.id).await, 2);
}

async fn the_last_part_of_the_name_decides(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    for path in ["/sss.DeleteSession.proto.example.Example/DeleteSession", "/Example/DeleteSession", "/a/b.Example/DeleteSession"] {
        assert_eq!(call(&fleet.app, path, &[], "x").await, Outcome::ok("0", "OK"), "{path}");
    }
    for path in ["/example.Example/Call", "/example.Other/DeleteSession", "/Example", "/example.Examples/DeleteSession", "/"] {
        assert_eq!(call(&fleet.app, path, &[], "x").await.status, 12, "{path}");
    }
}

async fn metadata_is_honoured(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    for headers in [
        &[("content-type", "application/grpc+proto")][..],
        &[("x-content-type", "application/grpc+proto"), ("timeout", "5000000000"), ("micro-from-service", "go.micro.api.web")],
        &[("x-content-type", "application/protobuf"), ("grpc-timeout", "5S"), ("timeout", "0")],
        // A user's own token, passed on by the gateway.
        &[("authorization", "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9")],
    ] {
        assert_eq!(call(&fleet.app, PATH, headers, "x").await, Outcome::ok("0", "OK"), "{headers:?}");
    }
    for (headers, status) in [
        (&[("content-type", "application/grpc+json")][..], 12),
        (&[("x-content-type", "application/json")], 12),
        (&[("grpc-timeout", "5")], 13),
        (&[("timeout", "soon")], 13),
        (&[("grpc-encoding", "br")], 12),
    ] {
        assert_eq!(call(&fleet.app, PATH, headers, "x").await.status, status, "{headers:?}");
    }
}

async fn a_deadline_ends_the_wait(app: TestApp) {
    // A Redis that takes calls and never answers, which is given a second.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let fleet = FleetOfTest::start_with(app, |fleet| {
        fleet.old_servers = Some(OldServersConfiguration {
            redis: Secret::new(format!("redis://{address}")),
            app: "ihome".to_owned(),
            user_id: UserIdForm::Decimal,
            shown_for: None,
        });
    })
    .await;
    for header in [("timeout", "100000000"), ("grpc-timeout", "100m")] {
        assert_eq!(call(&fleet.app, PATH, &[header], "x").await.status, 4, "{header:?}");
    }
    assert_eq!(call(&fleet.app, PATH, &[], "x").await, Outcome::ok("4001", "数据库查询错误"));
    drop(silent);
}

async fn what_is_too_large_is_refused(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    assert_eq!(call(&fleet.app, PATH, &[], &"x".repeat(17 << 10)).await.status, 8);
    assert_eq!(call(&fleet.app, PATH, &[("x-large", &"x".repeat(9 << 10))], "x").await.status, 8);
    assert_eq!(call(&fleet.app, PATH, &[], &"x".repeat(1 << 10)).await, Outcome::ok("0", "OK"));
}

async fn gateways_show_their_token(app: TestApp) {
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    let fleet = FleetOfTest::start_with(app, |fleet| {
        fleet.service_token = Some(Secret::new(TOKEN.to_owned()));
    })
    .await;
    let mut browser = fleet.signed_in().await;
    for headers in [&[][..], &[("authorization", "Bearer wrong")], &[("authorization", TOKEN)]] {
        assert_eq!(call(&fleet.app, PATH, headers, browser.cookie()).await.status, 16, "{headers:?}");
    }
    assert!(browser.who().await.text().contains("name of li"));
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(call(&fleet.app, PATH, &[("authorization", &bearer)], browser.cookie()).await, Outcome::ok("0", "OK"));
    assert!(browser.who().await.text().contains("4101"));
    // Without a token, what comes through a proxy is not of this machine.
    fleet.app.restart_with(|configuration| configuration.legacy.fleets[0].service_token = None).await;
    assert_eq!(call(&fleet.app, PATH, &[("x-forwarded-for", "203.0.113.9")], "x").await.status, 7);
    assert_eq!(call(&fleet.app, PATH, &[], "x").await.status, 0);
}

async fn beside_http_and_alone(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fleet.app.restart_with(|configuration| configuration.legacy.grpc_listen = Some(free)).await;
    assert_eq!(call_at(free, PATH, &[], "x").await, Outcome::ok("0", "OK"));
    assert_eq!(call(&fleet.app, PATH, &[], "x").await, Outcome::ok("0", "OK"));
    // No HTTP on gRPC's own port, and no gRPC where no fleet is served.
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let response = client.get(format!("http://{free}/api/v1.0/session").parse().unwrap()).await.unwrap();
    assert_eq!(response.status(), 415);
    fleet.app.restart_with(|configuration| configuration.legacy = LegacyConfiguration::default()).await;
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let request = Request::post(format!("http://{}{PATH}", fleet.app.address())).header("content-type", "application/grpc");
    let response = client.request(request.body(Full::default()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 404);
}
