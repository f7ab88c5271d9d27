//! The socket as hyper sees it. It notes what moves, keeps back hyper's bare answers to what it could not parse (ours
//! follow in their place), and gives the socket back when hyper lets go of it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::activity::Activity;
use super::unsent::Unsent;

/// A socket and the notes on it.
pub(super) struct Wire {
    stream: Option<TcpStream>,
    bare_answer: Option<Vec<u8>>,
    unsent: Unsent,
    activity: Arc<Activity>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, activity: Arc<Activity>) -> Self {
        Self { stream: Some(stream), bare_answer: None, unsent: Unsent::default(), activity }
    }

    /// Keeps `bytes` back where they are a bare answer. Hyper gives one only with nothing else left to send, and
    /// closes after it.
    fn keep_back(&mut self, bytes: &[u8]) -> bool {
        let bare = is_bare_refusal(bytes);
        if bare {
            self.bare_answer = Some(bytes.to_vec());
        }
        bare
    }

    /// Notes how much of the slices the socket has taken.
    fn noted<'a>(&mut self, written: Poll<io::Result<usize>>, slices: impl IntoIterator<Item = &'a [u8]>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(mut count)) if count > 0 => {
                self.activity.moved();
                let now = self.activity.elapsed();
                for slice in slices {
                    let taken = count.min(slice.len());
                    self.unsent.sent(&slice[..taken], now);
                    count -= taken;
                    if count == 0 {
                        break;
                    }
                }
            }
            Poll::Pending => self.unsent.blocked(self.activity.elapsed()),
            Poll::Ready(_) => {}
        }
        self.activity.waiting(&self.unsent);
        written
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.activity.leave(self.stream.take(), self.bare_answer.take());
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some(stream) = this.stream.as_mut() else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        let before = buffer.filled().len();
        let read = Pin::new(stream).poll_read(context, buffer);
        if matches!(read, Poll::Ready(Ok(()))) {
            if buffer.filled().len() > before {
                this.unsent.received(&buffer.filled()[before..]);
                this.activity.waiting(&this.unsent);
                this.activity.heard();
            } else if buffer.remaining() > 0 {
                this.activity.peer_closed();
            }
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.keep_back(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let Some(stream) = self.stream.as_mut() else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        let written = Pin::new(stream).poll_write(context, bytes);
        self.noted(written, [bytes])
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if let [only] = slices
            && self.keep_back(only)
        {
            return Poll::Ready(Ok(only.len()));
        }
        let Some(stream) = self.stream.as_mut() else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        let written = Pin::new(stream).poll_write_vectored(context, slices);
        self.noted(written, slices.iter().map(|slice| &**slice))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A TCP socket has nothing of its own to flush.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Closing is done by who gets the socket back: there may be an answer to send before it.
        Poll::Ready(Ok(()))
    }
}

/// Whether these bytes are exactly an answer hyper gives by itself: a 4xx status with no other header than the three
/// hyper adds. An answer of the endpoint carries at least a request id. The first comparison settles nearly every call.
fn is_bare_refusal(bytes: &[u8]) -> bool {
    let is_candidate = bytes.get(8..10) == Some(b" 4") && bytes.starts_with(b"HTTP/1.") && bytes.ends_with(b"\r\n\r\n");
    is_candidate
        && bytes.split(|byte| *byte == b'\n').skip(1).all(|line| {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            line.is_empty()
                || line == b"\r"
                || line == b"content-length: 0\r"
                || name.eq_ignore_ascii_case(b"connection")
                || name.eq_ignore_ascii_case(b"date")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_answer_is_kept_back() {
        for (bytes, bare) in [
            ("HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: Sat, 21 Nov 2026 09:00:00 GMT\r\n\r\n", true),
            ("HTTP/1.0 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\r\n", true),
            ("HTTP/1.1 400 Bad Request\r\nx-request-id: 1\r\ncontent-length: 0\r\n\r\n", false),
            ("HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false),
            ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n", false),
            ("", false),
        ] {
            assert_eq!(is_bare_refusal(bytes.as_bytes()), bare, "{bytes:?}");
        }
    }
}
