//! Requests that hyper refuses before there is a request, and what we answer in the place of its empty 4xx.
//!
//! On HTTP/1 every refusal is answered in full. On HTTP/2 the protocol's own means are all there is: a header list over
//! the limit gets a bare 431 on its stream, forbidden bytes or pseudo headers a stream reset.

use std::fmt::Write;

use bo_auth_core::time::Timestamp;
use bytes::Bytes;
use http::StatusCode;

use crate::telemetry::RequestId;

/// Why there is no request to handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The request line is not one.
    RequestLine,
    /// A header's name or value holds a forbidden byte, or its framing (`Content-Length`, `Transfer-Encoding`) is broken.
    Header,
    /// Too many headers, or too many bytes of them.
    HeaderTooLarge,
    /// The request target alone is longer than hyper takes (65534 bytes); seen only where the limit of headers is higher.
    TargetTooLong,
    /// The headers were begun and not ended in time.
    HeaderTimeout,
}

impl Refusal {
    const ALL: [Self; 5] = [Self::RequestLine, Self::Header, Self::HeaderTooLarge, Self::TargetTooLong, Self::HeaderTimeout];

    /// The reason as a metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::RequestLine => "request_line",
            Self::Header => "header",
            Self::HeaderTooLarge => "header_too_large",
            Self::TargetTooLong => "target_too_long",
            Self::HeaderTimeout => "header_timeout",
        }
    }

    /// The HTTP status that fits where nobody has said better.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::RequestLine | Self::Header => StatusCode::BAD_REQUEST,
            Self::HeaderTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::HeaderTimeout => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// What hyper refused, by its error and the bare answer it would have given.
    pub(super) fn of(error: &hyper::Error, bare_answer: &[u8]) -> Option<Self> {
        if !error.is_parse() {
            return None;
        }
        if error.is_parse_too_large() {
            return Some(if bare_answer.get(9..12) == Some(b"414") { Self::TargetTooLong } else { Self::HeaderTooLarge });
        }
        // Hyper tells the parts of a request apart in its text only; a test holds it to that.
        let text = error.to_string();
        let is_request_line = ["method", "version", "URI"].iter().any(|part| text.contains(part));
        Some(if is_request_line { Self::RequestLine } else { Self::Header })
    }
}

/// The answer to a refusal: a status and a JSON body.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// The whole body, `application/json`.
    pub body: Bytes,
}

/// The answers to all refusals, made once.
#[derive(Debug, Clone)]
pub(super) struct Answers([Answer; 5]);

impl Default for Answers {
    fn default() -> Self {
        Self::of(|refusal| Answer { status: refusal.status(), body: Bytes::new() })
    }
}

impl Answers {
    pub(super) fn of(answer: impl Fn(Refusal) -> Answer) -> Self {
        Self(Refusal::ALL.map(answer))
    }

    pub(super) fn to(&self, refusal: Refusal) -> &Answer {
        &self.0[refusal as usize]
    }
}

impl Answer {
    /// The answer as it goes over the wire.
    pub(super) fn to_bytes(&self, request_id: RequestId, now: Timestamp) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {}\r\ncontent-type: application/json; charset=utf-8\r\n", self.status);
        // Writing to a string cannot fail.
        let _ = write!(
            head,
            "content-length: {}\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\nx-request-id: {request_id}\r\ndate: {}\r\n\r\n",
            self.body.len(),
            http_date(now)
        );
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// An instant as RFC 9110 section 5.6.7 writes it: `Sat, 21 Nov 2026 08:56:00 GMT`.
fn http_date(now: Timestamp) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = now.to_string();
    let weekday = usize::try_from(now.seconds().div_euclid(86_400).rem_euclid(7)).unwrap_or_default();
    let month = text[5..7].parse::<usize>().unwrap_or(1).clamp(1, 12) - 1;
    format!("{}, {} {} {} {} GMT", WEEKDAYS[weekday], &text[8..10], MONTHS[month], &text[..4], &text[11..19])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_http_has_them() {
        assert_eq!(http_date(Timestamp(784_111_777_000)), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(Timestamp(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
    }

    #[test]
    fn each_refusal_has_its_own_answer() {
        let answers = Answers::of(|refusal| Answer { status: refusal.status(), body: refusal.label().into() });
        for refusal in Refusal::ALL {
            assert_eq!(answers.to(refusal).body, refusal.label().as_bytes());
        }
    }
}
