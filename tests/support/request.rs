//! A request as a frontend makes it, any part of which a test may drop, override or repeat.

use std::sync::Arc;

use bo_auth_core::stamp::{SignedRequest, StampMacKey, sign_stamp_v2};
use bo_auth_core::time::Clock;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::app::{HttpClient, Node};
use super::{Answer, TestApp, wire};

/// A request that has not been sent.
#[derive(Clone)]
pub(crate) struct TestRequest {
    node: Arc<Node>,
    method: Method,
    path: String,
    /// Names, and values as they travel.
    query: Vec<(String, String)>,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl TestRequest {
    /// A request without any header or parameter.
    pub(crate) fn new(node: &Arc<Node>, method: Method, path: &str) -> Self {
        Self { node: Arc::clone(node), method, path: path.to_owned(), query: Vec::new(), headers: Vec::new(), body: Vec::new() }
    }

    /// The same request to another node.
    pub(crate) fn on(mut self, app: &TestApp) -> Self {
        self.node = Arc::clone(&app.node);
        self
    }

    /// Another path.
    pub(crate) fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Another method.
    pub(crate) fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Sets a header, in the place of any of this name.
    pub(crate) fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.without(name).repeat(name, value)
    }

    /// Adds a header beside those of this name.
    pub(crate) fn repeat(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Leaves a header out.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    /// The value of a header.
    pub(crate) fn header_value(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }

    /// Sets a query parameter, in the place of any of this name.
    pub(crate) fn query(self, name: &str, value: &str) -> Self {
        self.raw_query(name, &encode(value))
    }

    /// The same, with the value as it is to travel.
    pub(crate) fn raw_query(self, name: &str, value: &str) -> Self {
        self.without_query(name).repeat_query(name, value)
    }

    /// Adds a query parameter, as it is to travel, beside those of this name.
    pub(crate) fn repeat_query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Leaves a query parameter out.
    pub(crate) fn without_query(mut self, name: &str) -> Self {
        self.query.retain(|(other, _)| other != name);
        self
    }

    /// A JSON body, with its type.
    pub(crate) fn json(self, value: &Value) -> Self {
        self.body("application/json; charset=utf-8", value.to_string())
    }

    /// Any body, with its type.
    pub(crate) fn body(mut self, content_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = bytes.into();
        self.header("Content-Type", content_type)
    }

    /// Stamps the request as it stands with a stamp of the second version.
    pub(crate) fn signed(self, key: &StampMacKey, nonce: &str) -> Self {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().filter_map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value).ok()?))).collect();
        let query = self.query_text();
        let signed = SignedRequest { method: self.method.as_str(), path: &self.path, query: &query, body: &self.body, headers: &headers };
        let stamp = sign_stamp_v2(key, &signed, self.node.clock.now(), nonce);
        self.header("XverifyApi", stamp)
    }

    /// Path and query.
    pub(crate) fn target(&self) -> String {
        let query = self.query_text();
        if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) }
    }

    fn query_text(&self) -> String {
        let pairs: Vec<String> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("&")
    }

    /// Sends it with the client.
    pub(crate) async fn send(&self) -> Answer {
        self.try_send().await.expect("the server answers")
    }

    /// Sends it over HTTP/2, on a connection of its own.
    pub(crate) async fn send_by_http2(&self) -> Answer {
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        self.send_through(&client).await.expect("the server answers")
    }

    /// Sends it with the client; none where the connection fails, as it does when the server stops.
    pub(crate) async fn try_send(&self) -> Option<Answer> {
        self.send_through(&self.node.client).await
    }

    async fn send_through(&self, client: &HttpClient) -> Option<Answer> {
        let uri = format!("http://{}{}", self.node.address(), self.target());
        let mut request = Request::builder().method(&self.method).uri(uri).body(Full::new(Bytes::from(self.body.clone()))).unwrap();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            let value = HeaderValue::from_bytes(value).expect("only send_raw sends such a header");
            request.headers_mut().append(name, value);
        }
        let (parts, body) = client.request(request).await.ok()?.into_parts();
        Some(Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.collect().await.ok()?.to_bytes() })
    }

    /// Sends it byte by byte over a connection of its own, with whatever stands in it.
    pub(crate) async fn send_raw(&self) -> Answer {
        wire::exchange(self.node.address(), &self.to_wire()).await
    }

    /// The request as bytes of HTTP/1.1.
    pub(crate) fn to_wire(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n", self.method, self.target()).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        if !self.body.is_empty() {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Percent-encodes everything but letters and digits.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
