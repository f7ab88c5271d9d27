//! Answers that the peer has not taken yet, as the bytes on the wire show them, and since when they do not move.
//!
//! Only what the peer takes of an answer counts: acknowledged pings do not, and neither do a few bytes now and then.

use std::collections::BTreeMap;

use super::frames::{Frames, Passed};

/// What must go out before an answer counts as moving.
const STEP_BYTES: usize = 1024;

/// What an HTTP/2 connection begins with (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The answers of one connection. Instants are microseconds since it was opened, and never 0.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    protocol: Protocol,
    /// When the socket took no more, if it does not.
    blocked_since: Option<u64>,
    /// Answers on HTTP/2 streams that have begun and not ended.
    streams: BTreeMap<u32, Moving>,
    /// Bytes of answers that have gone out on HTTP/2.
    sent_bytes: u64,
}

#[derive(Debug)]
enum Protocol {
    /// So many bytes of the preface have come, and nothing else.
    Unknown(usize),
    Http1,
    Http2 {
        sent: Frames,
        received: Frames,
    },
}

impl Default for Protocol {
    fn default() -> Self {
        Self::Unknown(0)
    }
}

#[derive(Debug, Clone, Copy)]
struct Moving {
    since: u64,
    bytes: usize,
}

impl Unsent {
    /// The peer has sent these bytes.
    pub(super) fn received(&mut self, mut bytes: &[u8]) {
        if let Protocol::Unknown(matched) = &mut self.protocol {
            let count = (PREFACE.len() - *matched).min(bytes.len());
            if PREFACE[*matched..*matched + count] != bytes[..count] {
                self.protocol = Protocol::Http1;
                return;
            }
            *matched += count;
            if *matched < PREFACE.len() {
                return;
            }
            bytes = &bytes[count..];
            self.protocol = Protocol::Http2 { sent: Frames::default(), received: Frames::default() };
        }
        if let Protocol::Http2 { received, .. } = &mut self.protocol {
            let streams = &mut self.streams;
            received.pass(bytes, |passed| {
                if let Passed::Reset(stream) = passed {
                    streams.remove(&stream);
                }
            });
        }
    }

    /// The socket has taken these bytes.
    pub(super) fn sent(&mut self, bytes: &[u8], now: u64) {
        self.blocked_since = None;
        let Protocol::Http2 { sent, .. } = &mut self.protocol else { return };
        let (streams, sent_bytes) = (&mut self.streams, &mut self.sent_bytes);
        sent.pass(bytes, |passed| match passed {
            Passed::Headers(stream) => {
                streams.insert(stream, Moving { since: now, bytes: 0 });
            }
            Passed::Data(stream, count) => {
                *sent_bytes += count as u64;
                if let Some(moving) = streams.get_mut(&stream) {
                    moving.bytes += count;
                    if moving.bytes >= STEP_BYTES {
                        *moving = Moving { since: now, bytes: 0 };
                    }
                }
            }
            Passed::End(stream) | Passed::Reset(stream) => {
                streams.remove(&stream);
            }
        });
    }

    /// The socket takes no more for now.
    pub(super) fn blocked(&mut self, now: u64) {
        self.blocked_since.get_or_insert(now);
    }

    /// Whether the socket takes nothing.
    pub(super) const fn is_blocked(&self) -> bool {
        self.blocked_since.is_some()
    }

    /// Bytes of answers that have gone out on HTTP/2.
    pub(super) const fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// Since when the answer has not moved that has moved least, or the socket takes nothing.
    pub(super) fn slowest_since(&self) -> Option<u64> {
        let slowest = self.streams.values().map(|moving| moving.since).min();
        self.blocked_since.into_iter().chain(slowest).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: u8 = 1;
    const END_STREAM: u8 = 1;

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [&[0, high, low, kind, flags, 0, 0, 0, stream], payload].concat()
    }

    fn http2() -> Unsent {
        let mut unsent = Unsent::default();
        unsent.received(&PREFACE[..10]);
        unsent.received(&PREFACE[10..]);
        unsent
    }

    #[test]
    fn an_answer_waits_until_its_last_byte_has_gone() {
        let mut unsent = http2();
        unsent.sent(&frame(HEADERS, 4, 1, b"x"), 10);
        assert_eq!(unsent.slowest_since(), Some(10));
        unsent.sent(&frame(0, 0, 1, b"few bytes"), 20);
        assert_eq!(unsent.slowest_since(), Some(10));
        unsent.sent(&frame(0, 0, 1, &[0; STEP_BYTES]), 30);
        assert_eq!(unsent.slowest_since(), Some(30));
        unsent.sent(&frame(0, END_STREAM, 1, b""), 40);
        assert_eq!(unsent.slowest_since(), None);
    }

    #[test]
    fn neither_pings_nor_other_answers_help() {
        let mut unsent = http2();
        unsent.sent(&frame(HEADERS, 4, 1, b"x"), 10);
        unsent.sent(&frame(6, 1, 0, &[0; 8]), 20);
        unsent.sent(&frame(HEADERS, 5, 3, b"x"), 30);
        assert_eq!(unsent.slowest_since(), Some(10));
    }

    #[test]
    fn an_answer_that_the_peer_gives_up_waits_no_more() {
        let mut unsent = http2();
        unsent.sent(&frame(HEADERS, 4, 1, b"x"), 10);
        unsent.received(&frame(3, 0, 1, &[0; 4]));
        assert_eq!(unsent.slowest_since(), None);
    }

    #[test]
    fn a_socket_that_takes_nothing_is_noticed_whatever_is_spoken() {
        let mut unsent = Unsent::default();
        unsent.received(b"GET / HTTP/1.1\r\n\r\n");
        unsent.blocked(10);
        unsent.blocked(20);
        assert_eq!(unsent.slowest_since(), Some(10));
        unsent.sent(b"HTTP/1.1 200 OK\r\n\r\n", 30);
        assert_eq!(unsent.slowest_since(), None);
    }
}
