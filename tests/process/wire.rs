//! HTTP/1.1 over a socket, as little of it as the tests need: one request after another, answers with a length.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn new(method: &'static str, target: impl Into<String>) -> Self {
        Self { method, target: target.into(), headers: Vec::new(), body: String::new() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Gives a header that is there another value.
    pub(crate) fn replace_header(&mut self, name: &str, value: String) {
        self.headers.iter_mut().find(|(found, _)| *found == name).expect("it is there").1 = value;
    }

    pub(crate) fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string();
        self.header("Content-Type", "application/json; charset=utf-8")
    }

    /// The request's line and headers.
    pub(crate) fn head(&self) -> String {
        let mut text = format!("{} {} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n", self.method, self.target, self.body.len());
        for (name, value) in &self.headers {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        text + "\r\n"
    }
}

/// An answer that arrived whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The error code, or `OK`.
    pub(crate) fn code(&self) -> String {
        let json = self.json();
        match json["error"]["errorCode"].as_str() {
            Some(code) => code.to_owned(),
            None if self.status == 200 && json["success"] == true => "OK".to_owned(),
            None => panic!("neither success nor error: {self:?}"),
        }
    }
}

/// One connection, kept open from request to request.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn send(&mut self, request: &Request) -> io::Result<Answer> {
        self.write(&format!("{}{}", request.head(), request.body)).await?;
        self.answer().await
    }

    /// Sends part of a request.
    pub(crate) async fn write(&mut self, text: &str) -> io::Result<()> {
        self.0.get_mut().write_all(text.as_bytes()).await
    }

    /// Waits for the answer.
    pub(crate) async fn answer(&mut self) -> io::Result<Answer> {
        let status_line = self.line().await?;
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: String::new() };
        let length = answer.header("Content-Length").and_then(|length| length.parse().ok());
        // These answers have no body and need no length (RFC 9110 section 8.6).
        let mut body = vec![0; if matches!(status, 204 | 304) { 0 } else { length.ok_or(io::ErrorKind::InvalidData)? }];
        self.0.read_exact(&mut body).await?;
        answer.body = String::from_utf8(body).map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(answer)
    }

    /// Waits until the server closes the connection, without a further word.
    pub(crate) async fn closed(&mut self) {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        if line.ends_with('\n') { Ok(line.trim_end().to_owned()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// Sends one request on a connection of its own.
pub(crate) async fn call(address: SocketAddr, request: &Request) -> Answer {
    Connection::open(address).await.unwrap().send(request).await.unwrap()
}
