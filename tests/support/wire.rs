//! HTTP/1.1 byte by byte, for what no client would send.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Answer;

/// Sends bytes and reads one answer, to the end of the connection. The server may answer before it has taken everything.
pub(crate) async fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    let mut received = Vec::new();
    let write = async {
        // A refused request need not be taken to its end.
        let _ = writer.write_all(request).await;
    };
    let read = async {
        let mut portion = [0; 8192];
        loop {
            match reader.read(&mut portion).await {
                Ok(0) | Err(_) => break,
                Ok(count) => received.extend_from_slice(&portion[..count]),
            }
        }
    };
    tokio::join!(write, read);
    parse(&received)
}

/// Parses an answer whose connection has ended.
pub(crate) fn parse(bytes: &[u8]) -> Answer {
    let shown = || String::from_utf8_lossy(bytes);
    let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or_else(|| panic!("no answer but {:?}", shown()));
    let head = std::str::from_utf8(&bytes[..head_end]).unwrap();
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap();
    let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no status in {status_line:?}"));
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no header in {line:?}"));
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value.trim()).unwrap());
    }
    let body = &bytes[head_end + 4..];
    let length = headers.get("content-length").and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<usize>().ok());
    assert_eq!(length.unwrap_or(body.len()), body.len(), "one whole answer: {:?}", shown());
    Answer { status, headers, body: Bytes::copy_from_slice(body) }
}
