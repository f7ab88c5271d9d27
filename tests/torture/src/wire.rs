//! HTTP/1.1 over a socket, as little of it as the load needs: one request after another, answers with a length.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// How long an answer may take: longer than the server's own limits.
const PATIENCE: Duration = Duration::from_secs(15);

/// An answer that arrived whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The value of the cookie that it sets.
    pub(crate) cookie: Option<String>,
    pub(crate) body: String,
}

impl Answer {
    /// The body, where it is JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The error code or number, or `OK`.
    pub(crate) fn code(&self) -> String {
        let json = self.json();
        match (json["error"]["errorCode"].as_str(), json["errno"].as_str()) {
            (Some(code), _) => code.to_owned(),
            (None, Some("0")) => "OK".to_owned(),
            (None, Some(number)) => number.to_owned(),
            (None, None) if self.status == 200 => "OK".to_owned(),
            (None, None) => self.status.to_string(),
        }
    }
}

/// One connection, kept open from request to request.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Opens it.
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn send(&mut self, request: &str) -> io::Result<Answer> {
        tokio::time::timeout(PATIENCE, async {
            self.0.get_mut().write_all(request.as_bytes()).await?;
            self.answer().await
        })
        .await?
    }

    async fn answer(&mut self) -> io::Result<Answer> {
        let status_line = self.line().await?;
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let (mut cookie, mut length) = (None, 0);
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
            } else if name.eq_ignore_ascii_case("set-cookie") {
                let pair = value.split(';').next().unwrap_or_default();
                cookie = pair.split_once('=').map(|(_, value)| value.to_owned()).filter(|value| !value.is_empty());
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        let body = String::from_utf8(body).map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(Answer { status, cookie, body })
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        if line.ends_with('\n') { Ok(line.trim_end().to_owned()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// Sends one request on a connection of its own.
pub(crate) async fn call(address: SocketAddr, request: &str) -> io::Result<Answer> {
    Connection::open(address).await?.send(request).await
}
