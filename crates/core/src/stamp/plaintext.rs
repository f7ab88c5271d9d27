//! What an encrypted stamp says: `GUID` or `GUID|time|…` (contract 1.3).

use aws_lc_rs::digest;

use crate::random::Random;
use crate::time::Timestamp;

/// Hexadecimal digits of a GUID.
const GUID_DIGITS: usize = 32;
/// Characters of a GUID with dashes, and of an opaque one.
const GUID_CHARACTERS: usize = 36;
/// A time below this is in seconds (until the year 5138), one from it on in milliseconds (since March 1973).
const SECONDS_BELOW: i64 = 100_000_000_000;

/// A stamp's plaintext, read.
pub(super) struct Plaintext {
    guid: Guid,
    /// The time in its second field.
    pub(super) timestamp: Option<Timestamp>,
}

/// A GUID in one form, however it was written.
#[derive(Debug, PartialEq, Eq)]
enum Guid {
    /// 32 hexadecimal digits in lower case, whatever dashes, braces and capitals they came with.
    Digits([u8; GUID_DIGITS]),
    /// 36 characters of `[0-9A-Za-z-]` that are not a GUID with dashes, as they stand.
    Opaque([u8; GUID_CHARACTERS]),
}

impl Plaintext {
    /// Reads a plaintext. Of the fields behind the GUID only the first is looked at: where it consists of digits
    /// it is a Unix time, otherwise the stamp carries none. A number too large for an instant is the last instant.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let mut fields = text.splitn(3, |byte| *byte == b'|');
        let guid = Guid::read(fields.next()?)?;
        Some(Self { guid, timestamp: fields.next().and_then(read_time) })
    }

    /// What is remembered of the GUID, see [`Stamp::digest`](super::Stamp).
    pub(super) fn digest(&self) -> [u8; 16] {
        let guid: &[u8] = match &self.guid {
            Guid::Digits(digits) => digits,
            Guid::Opaque(characters) => characters,
        };
        replay_digest(b"bo-auth stamp guid|", guid)
    }
}

impl Guid {
    fn read(text: &[u8]) -> Option<Self> {
        let opaque = || text.as_array().filter(|text| text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')).copied();
        let bare = text.strip_prefix(b"{").and_then(|text| text.strip_suffix(b"}")).unwrap_or(text);
        guid_digits(bare).map(Self::Digits).or_else(|| opaque().map(Self::Opaque))
    }
}

/// 32 digits, or 36 characters with dashes where RFC 9562 section 4 has them.
fn guid_digits(text: &[u8]) -> Option<[u8; GUID_DIGITS]> {
    let dashed = match text.len() {
        GUID_DIGITS => false,
        GUID_CHARACTERS => true,
        _ => return None,
    };
    let mut digits = [0; GUID_DIGITS];
    let mut places = digits.iter_mut();
    for (position, byte) in text.iter().enumerate() {
        if dashed && matches!(position, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
        } else if byte.is_ascii_hexdigit() {
            *places.next()? = byte.to_ascii_lowercase();
        } else {
            return None;
        }
    }
    places.next().is_none().then_some(digits)
}

fn read_time(field: &[u8]) -> Option<Timestamp> {
    if field.is_empty() || !field.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = field.iter().fold(0_i64, |number, digit| number.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    Some(if number < SECONDS_BELOW { Timestamp::from_seconds(number) } else { Timestamp(number) })
}

/// The first half of SHA-256 over a purpose and a value.
pub(super) fn replay_digest(purpose: &[u8], value: &[u8]) -> [u8; 16] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(purpose);
    context.update(value);
    let mut half = [0; 16];
    half.copy_from_slice(&context.finish().as_ref()[..16]);
    half
}

/// What a frontend would encrypt: a new version 4 GUID (RFC 9562 section 5.4), and the time in milliseconds behind a
/// `|` where one is given.
pub fn new_stamp_plaintext(random: &dyn Random, now: Option<Timestamp>) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = crate::hex::encode(&bytes);
    let guid = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-");
    match now {
        Some(now) => format!("{guid}|{}", now.millis()),
        None => guid,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_guid_has_one_digest_however_it_is_written() {
        let digest = |text: &str| Plaintext::read(text.as_bytes()).unwrap().digest();
        let plain = digest("ddb052a64c5d837964d95b9693198747");
        for written in [
            "DDB052A64C5D837964D95B9693198747",
            "ddb052a6-4c5d-8379-64d9-5b9693198747",
            "{ddb052a6-4c5d-8379-64d9-5b9693198747}",
            "{DDB052A64c5d837964d95b9693198747}|1700000000",
        ] {
            assert_eq!(digest(written), plain, "{written}");
        }
        assert_ne!(digest("ddb052a64c5d837964d95b9693198748"), plain);
        // Dashes elsewhere make an opaque text of it, and opaque texts stand as they are.
        assert_ne!(digest("d-db052a64c5d-8379-64d9-5b9693198747"), plain);
        assert_ne!(digest("demo010b6197272-4de4-231b-9a58-07850"), digest("DEMO010b6197272-4de4-231b-9a58-07850"));
    }

    #[test]
    fn what_is_not_a_guid_is_refused() {
        for text in [
            "",
            "|1700000000",
            "ddb052a64c5d837964d95b969319874",
            "ddb052a64c5d837964d95b96931987470",
            "gdb052a64c5d837964d95b9693198747",
            "{ddb052a6-4c5d-8379-64d9-5b9693198747",
            "ddb052a6-4c5d-8379-64d9-5b9693198747}",
            "{demo010b6197272-4de4-231b-9a58-07850}",
            "demo_10b6197272-4de4-231b-9a58-07850",
            "{{ddb052a64c5d837964d95b9693198747}}",
            " ddb052a64c5d837964d95b9693198747",
        ] {
            assert!(Plaintext::read(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn a_time_is_in_seconds_or_milliseconds_by_its_size() {
        for (field, millis) in [
            ("1700000000", 1_700_000_000_000),
            ("1700000000123", 1_700_000_000_123),
            ("99999999999", 99_999_999_999_000),
            ("100000000000", 100_000_000_000),
            ("0", 0),
            ("99999999999999999999", i64::MAX),
        ] {
            assert_eq!(read_time(field.as_bytes()), Some(Timestamp(millis)), "{field}");
        }
        for field in ["", "-1", "+1", "1.5", " 1", "1e9", "one", "１"] {
            assert_eq!(read_time(field.as_bytes()), None, "{field}");
        }
    }

    proptest! {
        #[test]
        fn dress_does_not_change_a_guid(bytes: [u8; 16], dashes: bool, braces: bool, capitals: bool) {
            let digits = crate::hex::encode(&bytes);
            let mut written = digits.clone();
            if dashes {
                for position in [20, 16, 12, 8] {
                    written.insert(position, '-');
                }
            }
            if braces {
                written = format!("{{{written}}}");
            }
            if capitals {
                written = written.to_uppercase();
            }
            let digest = |text: &str| Plaintext::read(text.as_bytes()).map(|read| read.digest());
            prop_assert_eq!(digest(&written), digest(&digits));
        }

        #[test]
        fn any_bytes_are_read_or_refused(text: Vec<u8>) {
            let _ = Plaintext::read(&text);
        }
    }
}
