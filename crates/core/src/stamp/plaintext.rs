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
