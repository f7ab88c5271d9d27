//! Form 2 of a stamp: a MAC over the request it stands on (contract 1.9), so that it fits no other.
//! The value is `v2.<key id>.<unix ms>.<nonce>.<mac>`, where `mac` is the base64url without padding of the
//! HMAC-SHA256 of a text made of lines `<number of bytes>:<the bytes>` and a line feed; [`signed_text`] lists them.

use std::fmt::Write as _;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::key::StampMacKey;
use super::plaintext::replay_digest;
use super::{STAMP_BYTES, Stamp, StampScheme, live, same};
use crate::time::Timestamp;

/// How a value of this form begins. No base64 and no hexadecimal digits do.
pub(super) const PREFIX: &str = "v2.";
/// The first line of the text that is signed.
const PURPOSE: &str = "bo-auth-stamp-v2";
/// The headers that are signed where they are present: those of contract 1.2, in lower case and in order. Proxies
/// add X headers of their own on the way, so no others are.
pub const SIGNED_HEADERS: [&str; 5] = ["xfilterareacode", "xownerid", "xsysid", "xuserfromfirstshareid", "xuserfromsecondshareid"];
/// Fewest and most characters of a nonce.
const NONCE_CHARACTERS: std::ops::RangeInclusive<usize> = 16..=64;
/// Most digits of a time in milliseconds.
const TIME_DIGITS: usize = 15;

/// The request that a stamp stands on, as it travels: nothing in it is decoded or normalised.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The path, percent-encoded as it was sent.
    pub path: &'a str,
    /// What follows the `?`, percent-encoded as it was sent; empty where there is none.
    pub query: &'a str,
    /// The body's bytes; empty where there is none.
    pub body: &'a [u8],
    /// Names, of either case, and values of headers; those in [`SIGNED_HEADERS`] count.
    pub headers: &'a [(&'a str, &'a str)],
}

/// The fields of a value.
struct Fields<'a> {
    key_id: &'a str,
    time: &'a str,
    nonce: &'a str,
    mac: &'a str,
}

impl<'a> Fields<'a> {
    /// Reads what follows the prefix from the right: a key id may hold dots, the other fields have none.
    fn read(fields: &'a str) -> Option<Self> {
        let mut parts = fields.rsplitn(4, '.');
        let (mac, nonce, time, key_id) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_time = (1..=TIME_DIGITS).contains(&time.len()) && time.bytes().all(|byte| byte.is_ascii_digit());
        (is_time && is_nonce(nonce)).then_some(Self { key_id, time, nonce, mac })
    }
}

fn is_nonce(nonce: &str) -> bool {
    NONCE_CHARACTERS.contains(&nonce.len()) && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// Verifies what follows the prefix. The live keys are all tried; only the one that the value names counts.
pub(super) fn verify(
    fields: &str,
    keys: &[(StampMacKey, Option<Timestamp>)],
    request: &SignedRequest<'_>,
    now: Timestamp,
) -> Option<Stamp> {
    if fields.len() > STAMP_BYTES - PREFIX.len() {
        return None;
    }
    let fields = Fields::read(fields)?;
    let mac = URL_SAFE_NO_PAD.decode(fields.mac).ok()?;
    let text = signed_text(fields.key_id, fields.time, fields.nonce, request)?;
    let mut found = None;
    for key in live(keys, now) {
        let fits = same(hmac::sign(key.key(), text.as_bytes()).as_ref(), &mac);
        if fits && key.id().as_str() == fields.key_id && found.is_none() {
            found = Some(key);
        }
    }
    Some(Stamp {
        digest: replay_digest(b"bo-auth stamp nonce|", fields.nonce.as_bytes()),
        timestamp: Some(Timestamp(fields.time.parse().ok()?)),
        scheme: StampScheme::HmacV2,
        key_id: found?.id().clone(),
    })
}

/// Stamps a request, as a frontend would. `nonce` is 16 to 64 characters of `[0-9A-Za-z_-]` that never come
/// twice; [`alphanumeric`](crate::random::alphanumeric) makes one. A request with one header twice cannot be
/// stamped: the value is then one that no key verifies.
pub fn sign_stamp_v2(key: &StampMacKey, request: &SignedRequest<'_>, now: Timestamp, nonce: &str) -> String {
    let time = now.millis().to_string();
    let text = signed_text(key.id().as_str(), &time, nonce, request).unwrap_or_default();
    let mac = URL_SAFE_NO_PAD.encode(hmac::sign(key.key(), text.as_bytes()));
    format!("{PREFIX}{}.{time}.{nonce}.{mac}", key.id())
}

/// The text that is signed, or none where a header stands twice. Its lines are, in this order: `bo-auth-stamp-v2`,
/// the key id, the time and the nonce as the value has them, the method, the path, the query, the SHA-256 of the body
/// in lower-case hexadecimal digits, and then, for each of [`SIGNED_HEADERS`] that the request has, one line with the
/// name in lower case and one with the value. Each line tells its own length, so no two requests share a text.
fn signed_text(key_id: &str, time: &str, nonce: &str, request: &SignedRequest<'_>) -> Option<String> {
    let body = crate::hex::encode(digest::digest(&digest::SHA256, request.body).as_ref());
    let mut text = String::with_capacity(512);
    for line in [PURPOSE, key_id, time, nonce, request.method, request.path, request.query, &body] {
        push_line(&mut text, line);
    }
    for signed in SIGNED_HEADERS {
        let mut values = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(signed)).map(|(_, value)| *value);
        if let Some(value) = values.next() {
            push_line(&mut text, signed);
            push_line(&mut text, value);
        }
        if values.next().is_some() {
            return None;
        }
    }
    Some(text)
}

fn push_line(text: &mut String, line: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{}:{line}", line.len());
}
