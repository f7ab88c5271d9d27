//! Counts the calls in what a client sends to a store, by the framing of its protocol.

/// Which protocol it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// RESP: a call is an array of bulk strings.
    Redis,
    /// Postgres' protocol, version 3: a call ends with `Sync` or is a simple `Query`.
    Postgres,
}

/// Where in a stream of calls the counting stands.
pub(crate) struct CallCounter {
    protocol: Protocol,
    /// Bytes of the line or of the head that has begun.
    head: Vec<u8>,
    /// Bytes that still belong to what has begun, and say nothing.
    skip: usize,
    /// Redis: bulk strings that still belong to the call. Postgres: whether the startup message is past.
    left: usize,
    started: bool,
}

impl CallCounter {
    pub(crate) const fn new(protocol: Protocol) -> Self {
        Self { protocol, head: Vec::new(), skip: 0, left: 0, started: false }
    }

    /// How many calls begin (Redis) or end (Postgres) in these bytes.
    pub(crate) fn count(&mut self, mut bytes: &[u8]) -> u64 {
        let mut calls = 0;
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let Some((first, rest)) = bytes.split_first() else { break };
            self.head.push(*first);
            bytes = rest;
            calls += u64::from(match self.protocol {
                Protocol::Redis => self.redis(),
                Protocol::Postgres => self.postgres(),
            });
        }
        calls
    }

    fn redis(&mut self) -> bool {
        if !self.head.ends_with(b"\r\n") {
            return false;
        }
        let line = std::mem::take(&mut self.head);
        let number = std::str::from_utf8(&line[1..line.len() - 2]).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        match line[0] {
            b'*' => {
                self.left = number;
                true
            }
            b'$' => {
                self.skip = number + 2;
                self.left = self.left.saturating_sub(1);
                false
            }
            _ => false,
        }
    }

    fn postgres(&mut self) -> bool {
        let kind = usize::from(self.started);
        if self.head.len() < 4 + kind {
            return false;
        }
        let head = std::mem::take(&mut self.head);
        let length = head[kind..].iter().fold(0, |length, byte| (length << 8) | usize::from(*byte));
        self.skip = length.saturating_sub(4);
        if !self.started {
            // A request for encryption is eight bytes long; the startup message follows it.
            self.started = length != 8;
            return false;
        }
        matches!(head[0], b'S' | b'Q')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_wherever_the_stream_is_cut() {
        let redis = b"*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$1\r\n*\r\n$5\r\n*1\r\n$\r\n";
        let mut postgres = b"\x00\x00\x00\x08\x04\xd2\x16\x2f\x00\x00\x00\x09\x00\x03\x00\x00\x00".to_vec();
        postgres.extend(b"P\x00\x00\x00\x06SS"); // parse, with something like a sync inside
        postgres.extend(b"S\x00\x00\x00\x04Q\x00\x00\x00\x05Q");
        for cut in 1..10 {
            let mut counter = CallCounter::new(Protocol::Redis);
            assert_eq!(redis.chunks(cut).map(|chunk| counter.count(chunk)).sum::<u64>(), 2);
            let mut counter = CallCounter::new(Protocol::Postgres);
            assert_eq!(postgres.chunks(cut).map(|chunk| counter.count(chunk)).sum::<u64>(), 2);
        }
    }
}
