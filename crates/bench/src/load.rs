//! The load generator: HTTP/1.1 over connections that stay open, one request at a time on each, from requests that were
//! written before the clock starts. Every answer is read and checked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Failure;

/// Requests, ready to be sent, each of them once.
#[derive(Default)]
pub(crate) struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    next: AtomicUsize,
}

impl Requests {
    /// Adds one.
    pub(crate) fn add(&mut self, request: &str) {
        self.bytes.extend_from_slice(request.as_bytes());
        self.ends.push(self.bytes.len());
    }

    /// The next one that nobody has taken.
    pub(crate) fn take(&self) -> Option<&[u8]> {
        let position = self.next.fetch_add(1, Ordering::Relaxed);
        let end = *self.ends.get(position)?;
        let start = position.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.bytes[start..end])
    }
}

/// What became of a load.
pub(crate) struct Load {
    /// How long it took.
    pub(crate) took: Duration,
    /// How long each answer took.
    pub(crate) latencies: Vec<Duration>,
}

impl Load {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        count(self.latencies.len()) / self.took.as_secs_f64()
    }
}

/// A number of things for a division.
pub(crate) fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Sends requests over so many connections until there are none left or the time is up.
///
/// # Errors
/// Where an answer is not a success.
pub(crate) async fn drive(address: SocketAddr, connections: usize, requests: Requests, time: Duration) -> Result<Load, Failure> {
    let requests = Arc::new(requests);
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(address).await?);
    }
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for mut connection in open {
        let requests = Arc::clone(&requests);
        tasks.spawn(async move {
            let mut latencies = Vec::with_capacity(8_192);
            let mut sent = Instant::now();
            while sent.duration_since(began) < time
                && let Some(request) = requests.take()
            {
                connection.exchange(request).await?;
                let answered = Instant::now();
                latencies.push(answered.duration_since(sent));
                sent = answered;
            }
            Ok::<_, Failure>(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(outcome) = tasks.join_next().await {
        latencies.extend(outcome??);
    }
    Ok(Load { took: began.elapsed(), latencies })
}

/// A connection that stays open.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 8 * 1024] })
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// Where it is not a success.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                return Err("the server closed a connection".into());
            }
            filled += read;
            if let Some((head, length)) = parse_head(&self.buffer[..filled])
                && filled >= head + length
            {
                let is_success = self.buffer.starts_with(b"HTTP/1.1 200 ") && self.buffer[head..].starts_with(br#"{"code":0,"#);
                return if is_success { Ok(()) } else { Err(String::from_utf8_lossy(&self.buffer[..filled]).into()) };
            }
        }
    }
}

/// Where the body begins, and how long it is; `None` before the headers are complete.
fn parse_head(bytes: &[u8]) -> Option<(usize, usize)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let mut lines = bytes[..head].split(|byte| *byte == b'\n');
    let length = lines.find_map(|line| line.strip_prefix(b"content-length: "))?;
    let digits = length.strip_suffix(b"\r")?;
    Some((head, std::str::from_utf8(digits).ok()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_found_in_what_was_read() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: a\r\ncontent-length: 5\r\n\r\nhello";
        assert_eq!(parse_head(answer), Some((answer.len() - 5, 5)));
        assert_eq!(parse_head(&answer[..30]), None);
    }

    #[test]
    fn each_request_is_taken_once() {
        let mut requests = Requests::default();
        requests.add("one");
        requests.add("two");
        assert_eq!([requests.take(), requests.take(), requests.take()], [Some(&b"one"[..]), Some(b"two"), None]);
    }
}
