//! The old frontend's own call, in a browser: jQuery's `type: "delete", dataType: "json"`, and a redirect on the text "0" only.
//! A gateway stands in front, as a go-micro web service does: it serves the page and passes the API on.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bo_auth_server::listener::{Limits, Listener};
use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use poem::{Endpoint, Response};
use tokio::process::Command;
use tokio::sync::mpsc;

use super::fleet_of_test::FleetOfTest;
use crate::support::TestApp;

one_backend!(Local: the_old_frontend_signs_out);

/// The page: it signs in, asks who is signed in, and signs out as the old frontend's `logout` did. What it sees it reports.
const PAGE: &str = r#"<!DOCTYPE html><meta charset="utf-8"><title>page</title>
<script src="/jquery.js"></script>
<script>
// A cookie of another script of the site, as browsers store and send it: raw UTF-8.
document.cookie = "nick=张三; path=/";
function report(text) { $.post("/report", text); }
function logout() {
  $.ajax({ url: "/api/v1.0/session", type: "delete", dataType: "json", success: function (resp) {
    if ("0" == resp.errno && resp.errno === "0") { location.href = "/gone.html"; } else { report("errno " + resp.errno); }
  }, error: function (request) { report("sign-out failed with " + request.status); } });
}
$.ajax({ url: "/api/v1.0/sessions", type: "post", contentType: "application/json", dataType: "json",
  data: JSON.stringify(CREDENTIALS), success: function (resp) {
    $.get("/api/v1.0/session", function (resp) {
      if (resp.data.name !== "name of li") { report("not signed in"); return; }
      if (document.cookie !== "nick=张三") { report("scripts can read the cookie"); return; }
      logout();
    }, "json");
  }, error: function (request) { report("sign-in failed with " + request.status); } });
</script>"#;

/// The page after it, which asks once more.
const GONE: &str = r#"<!DOCTYPE html><meta charset="utf-8"><title>gone</title>
<script src="/jquery.js"></script>
<script>$.get("/api/v1.0/session", function (resp) { $.post("/report", "signed out, errno " + resp.errno); }, "json");</script>"#;

/// The gateway.
struct Gateway {
    client: Client<HttpConnector, Full<Bytes>>,
    server: std::net::SocketAddr,
    page: String,
    jquery: Vec<u8>,
    reports: mpsc::UnboundedSender<String>,
}

impl Endpoint for Gateway {
    type Output = Response;

    async fn call(&self, request: poem::Request) -> poem::Result<Response> {
        let path = request.uri().path().to_owned();
        Ok(match path.as_str() {
            "/" => Response::builder().content_type("text/html").body(self.page.clone()),
            "/gone.html" => Response::builder().content_type("text/html").body(GONE),
            "/jquery.js" => Response::builder().content_type("text/javascript").body(self.jquery.clone()),
            "/report" => {
                self.reports.send(request.into_body().into_string().await.unwrap()).unwrap();
                Response::builder().finish()
            }
            path if path.starts_with("/api/") => self.pass_on(request).await,
            _ => Response::builder().status(StatusCode::NOT_FOUND).finish(),
        })
    }
}

impl Gateway {
    /// The request as it came, its `Host` too.
    async fn pass_on(&self, request: poem::Request) -> Response {
        let uri: Uri = format!("http://{}{}", self.server, request.uri().path()).parse().unwrap();
        let (parts, body) = request.into_parts();
        let mut onward = Request::new(Full::new(body.into_bytes().await.unwrap()));
        *onward.method_mut() = parts.method;
        *onward.uri_mut() = uri;
        *onward.headers_mut() = parts.headers;
        let answer = self.client.request(onward).await.unwrap();
        let (parts, body) = answer.into_parts();
        let mut response = Response::builder().status(parts.status).body(body.collect().await.unwrap().to_bytes());
        *response.headers_mut() = parts.headers;
        response
    }
}

async fn the_old_frontend_signs_out(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let jquery = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients/jquery/node_modules/jquery/dist/jquery.min.js");
    let (reports, mut reported) = mpsc::unbounded_channel();
    let gateway = Gateway {
        reports,
        client: Client::builder(TokioExecutor::new()).build_http(),
        server: fleet.app.address(),
        page: PAGE.replace("CREDENTIALS", &fleet.credentials().to_string()),
        jquery: std::fs::read(jquery).expect("jQuery is not installed; scripts/test installs it"),
    };
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), Limits::default()).unwrap();
    let address = listener.local_address();
    let stop = Arc::new(tokio::sync::Notify::new());
    let stopping = Arc::clone(&stop);
    let serving = tokio::spawn(async move { listener.serve(gateway, async move { stopping.notified().await }).await });

    let profile = tempfile::tempdir().unwrap();
    let mut browser = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        // Keeps it open until it is told to go.
        .args(["--remote-debugging-port=0"])
        .arg(format!("http://{address}/"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("chromium is installed");
    let report = tokio::time::timeout(Duration::from_secs(90), reported.recv()).await.expect("the page reports");
    assert_eq!(report.as_deref(), Some("signed out, errno 4101"));
    browser.kill().await.unwrap();
    assert_eq!(fleet.tenant.audited_ends(&fleet.user.id).await, 1);
    stop.notify_one();
    serving.await.unwrap();
}
