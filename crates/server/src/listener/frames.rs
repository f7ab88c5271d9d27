//! HTTP/2 frames as they pass (RFC 9113 section 4.1): only their heads are read, and how much of a payload went by.

/// What passes one way of a connection.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: [u8; HEAD_BYTES],
    filled: usize,
    payload_left: usize,
}

const HEAD_BYTES: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const END_STREAM: u8 = 1;

/// What a frame means for the answer on its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passed {
    /// Headers, after which more follows.
    Headers(u32),
    /// So many bytes of data.
    Data(u32, usize),
    /// The stream's last frame in this direction has passed.
    End(u32),
    /// The stream was given up.
    Reset(u32),
}

impl Frames {
    /// Reads on, and tells what has passed. A frame that ends its stream tells so once its payload has passed too.
    pub(super) fn pass(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Passed)) {
        while !bytes.is_empty() {
            if self.filled < HEAD_BYTES {
                let count = (HEAD_BYTES - self.filled).min(bytes.len());
                self.head[self.filled..self.filled + count].copy_from_slice(&bytes[..count]);
                self.filled += count;
                bytes = &bytes[count..];
                if self.filled < HEAD_BYTES {
                    return;
                }
                let [high, middle, low, ..] = self.head;
                self.payload_left = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
            }
            let count = self.payload_left.min(bytes.len());
            self.payload_left -= count;
            bytes = &bytes[count..];
            if count > 0 && self.kind() == DATA {
                tell(Passed::Data(self.stream(), count));
            }
            if self.payload_left == 0 {
                self.filled = 0;
                match self.kind() {
                    RST_STREAM => tell(Passed::Reset(self.stream())),
                    DATA | HEADERS if self.head[4] & END_STREAM != 0 => tell(Passed::End(self.stream())),
                    HEADERS => tell(Passed::Headers(self.stream())),
                    _ => {}
                }
            }
        }
    }

    const fn kind(&self) -> u8 {
        self.head[3]
    }

    const fn stream(&self) -> u32 {
        u32::from_be_bytes([self.head[5] & 0x7f, self.head[6], self.head[7], self.head[8]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        [&[0, 0, u8::try_from(payload.len()).unwrap(), kind, flags, 0, 0, 0, stream], payload].concat()
    }

    #[test]
    fn frames_are_read_wherever_they_are_cut() {
        const PING: u8 = 6;
        let bytes = [
            frame(HEADERS, 4, 1, b"abc"),
            frame(PING, 1, 0, &[0; 8]),
            frame(DATA, 0, 1, b"12345"),
            frame(HEADERS, 5, 3, b"x"),
            frame(DATA, END_STREAM, 1, b""),
            frame(RST_STREAM, 0, 5, &[0; 4]),
        ]
        .concat();
        for size in [1, 2, 7, 9, 10, bytes.len()] {
            let (mut frames, mut told) = (Frames::default(), Vec::new());
            for part in bytes.chunks(size) {
                frames.pass(part, |passed| told.push(passed));
            }
            let data: usize = told.iter().map(|passed| if let Passed::Data(1, count) = passed { *count } else { 0 }).sum();
            told.retain(|passed| !matches!(passed, Passed::Data(..)));
            assert_eq!((data, told), (5, vec![Passed::Headers(1), Passed::End(3), Passed::End(1), Passed::Reset(5)]), "{size}");
        }
    }
}
