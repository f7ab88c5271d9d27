//! Form 2 of a stamp: a MAC over the request it stands on (contract 1.9), so that it fits no other.
//! The value is `v2.<key id>.<unix ms>.<nonce>.<mac>`; [`sign_stamp_v2`] says what is signed, line by line, and
//! `docs/xverifyapi.md` has an example and a script for frontends.

use std::fmt::{self, Write as _};

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
#[derive(Clone, Copy)]
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

/// Leaves out what may hold a token or a password: query, body and headers.
impl fmt::Debug for SignedRequest<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SignedRequest({} {})", self.method, self.path)
    }
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

/// Stamps a request, as a frontend would. What is signed is a text of lines, each written as its length in bytes in
/// decimal digits, `:`, the line itself and a line feed, so that no two requests share a text:
///
/// 1. `bo-auth-stamp-v2`
/// 2. the key id, 3. the time in Unix milliseconds and 4. the nonce, as they stand in the value
/// 5. the method, in capitals
/// 6. the path and 7. the query, percent-encoded as they are sent; the query without its `?`, empty where there is none
/// 8. the SHA-256 of the body's bytes, in 64 lower-case hexadecimal digits
/// 9. for each of [`SIGNED_HEADERS`], in their order, that the request has: its name in lower case, and its value
///
/// The MAC is HMAC-SHA256 under the key, in base64url without padding (RFC 4648 section 5).
///
/// `nonce` is 16 to 64 characters of `[0-9A-Za-z_-]` that never come
/// twice; [`alphanumeric`](crate::random::alphanumeric) makes one. A request with one header twice cannot be
/// stamped: the value is then one that no key verifies.
pub fn sign_stamp_v2(key: &StampMacKey, request: &SignedRequest<'_>, now: Timestamp, nonce: &str) -> String {
    let time = now.millis().to_string();
    let text = signed_text(key.id().as_str(), &time, nonce, request).unwrap_or_default();
    let mac = URL_SAFE_NO_PAD.encode(hmac::sign(key.key(), text.as_bytes()));
    format!("{PREFIX}{}.{time}.{nonce}.{mac}", key.id())
}

/// The text that [`sign_stamp_v2`] describes, or none where a header stands twice.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::identifier::KeyId;
    use crate::settings::SystemSettings;
    use crate::stamp::{StampRules, verify_stamp};

    const NOW: Timestamp = Timestamp(1_700_000_000_123);
    const NONCE: &str = "8sPq0WmZx3Kd7RtY";
    const BODY: &[u8] = br#"{"refreshToken":"MtP0zZx1gZE66xDnhwd1UV973XoVL4nT"}"#;
    const HEADERS: &[(&str, &str)] = &[("XsysId", "web"), ("XownerId", "demo")];
    const REQUEST: SignedRequest<'static> = SignedRequest {
        method: "DELETE",
        path: "/bo/api/v3/auth/token/logout",
        query: "_nodejs=common-data",
        body: BODY,
        headers: HEADERS,
    };
    /// Computed outside this crate, once with Python's hmac and once with the script of the guide.
    const VALUE: &str = "v2.web.2026.1700000000123.8sPq0WmZx3Kd7RtY.lMVUZ3KsI0JPE5ueIxZs10vd-aCnJlJop9ZbRJ68_W4";

    fn key(id: &str) -> StampMacKey {
        StampMacKey::new(KeyId::parse(id).unwrap(), b"correct horse battery staple").unwrap()
    }

    fn verify_at(value: &str, request: &SignedRequest<'_>, now: Timestamp) -> Result<Stamp, Error> {
        let rules = StampRules::new(&SystemSettings { des_refused_from: Some(0), require_timestamp: true, ..SystemSettings::default() });
        verify_stamp(value, &[], &[(key("another"), None), (key("web.2026"), None)], &rules, request, now)
    }

    #[test]
    fn the_example_of_the_guide_is_made_and_verified() {
        assert_eq!(sign_stamp_v2(&key("web.2026"), &REQUEST, NOW, NONCE), VALUE);
        let stamp = verify_at(VALUE, &REQUEST, NOW).unwrap();
        assert_eq!((stamp.key_id.as_str(), stamp.timestamp, stamp.scheme.as_str()), ("web.2026", Some(NOW), "hmac-v2"));
        let guide = include_str!("../../../../docs/xverifyapi.md");
        let text = signed_text("web.2026", "1700000000123", NONCE, &REQUEST).unwrap();
        assert!(guide.contains(VALUE) && guide.contains(&text), "{text}");
    }

    #[test]
    fn a_stamp_fits_its_own_request_only() {
        for other in [
            SignedRequest { method: "GET", ..REQUEST },
            SignedRequest { path: "/bo/api/v3/auth/token/logouu", ..REQUEST },
            SignedRequest { query: "", ..REQUEST },
            SignedRequest { query: "_nodejs=common-data&scope=all", ..REQUEST },
            SignedRequest { body: b"", ..REQUEST },
            SignedRequest { headers: &[("XownerId", "demo")], ..REQUEST },
            SignedRequest { headers: &[("XownerId", "web"), ("XsysId", "demo")], ..REQUEST },
            SignedRequest { headers: &[("XownerId", "demo"), ("XsysId", "web"), ("XfilterAreaCode", "")], ..REQUEST },
            SignedRequest { headers: &[("XownerId", "demo"), ("XsysId", "web"), ("xsysid", "web")], ..REQUEST },
            // A line break cannot make one line look like two.
            SignedRequest { path: "/bo/api/v3/auth/token/logout\n19:_nodejs=common-data", query: "", ..REQUEST },
        ] {
            assert_eq!(verify_at(VALUE, &other, NOW), Err(Error::StampInvalid), "{other:?}");
        }
    }

    #[test]
    fn order_and_case_of_headers_and_foreign_ones_do_not_count() {
        let headers = [("X-Forwarded-For", "10.0.0.1"), ("XOWNERID", "demo"), ("XverifyApi", VALUE), ("xsysid", "web")];
        assert!(verify_at(VALUE, &SignedRequest { headers: &headers, ..REQUEST }, NOW).is_ok());
    }

    #[test]
    fn any_changed_character_is_refused() {
        for position in 0..VALUE.len() {
            let mut changed = VALUE.as_bytes().to_vec();
            changed[position] = if changed[position] == b'1' { b'2' } else { b'1' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(verify_at(&changed, &REQUEST, NOW), Err(Error::StampInvalid), "{changed}");
        }
        let (fields, _) = VALUE.rsplit_once('.').unwrap();
        for value in [
            fields.to_owned(),
            format!("{fields}."),
            format!("{VALUE}="),
            format!("{VALUE}.x"),
            VALUE.replace("web.2026", "unknown"),
            VALUE.replace("web.2026", "another"),
            VALUE.replace(".1700000000123", ".+1700000000123"),
            format!("v2.{}", ".".repeat(100)),
            format!("{VALUE}{}", "A".repeat(1024)),
        ] {
            assert_eq!(verify_at(&value, &REQUEST, NOW), Err(Error::StampInvalid), "{value}");
        }
    }

    #[test]
    fn nonces_are_16_to_64_characters() {
        for (nonce, accepted) in [("x".repeat(15), false), ("x".repeat(16), true), ("_-".repeat(32), true), ("x".repeat(65), false)] {
            let value = sign_stamp_v2(&key("web.2026"), &REQUEST, NOW, &nonce);
            assert_eq!(verify_at(&value, &REQUEST, NOW).is_ok(), accepted, "{nonce}");
        }
    }

    #[test]
    fn the_window_holds_here_too() {
        for (now, accepted) in [(NOW.0 + 300_000, true), (NOW.0 - 300_000, true), (NOW.0 + 300_001, false), (NOW.0 - 300_001, false)] {
            assert_eq!(verify_at(VALUE, &REQUEST, Timestamp(now)).map_err(|error| error == Error::StampExpired).is_ok(), accepted);
        }
    }

    #[test]
    fn a_retired_key_verifies_nothing() {
        let rules = StampRules::new(&SystemSettings::default());
        let keys = [(key("web.2026"), Some(NOW))];
        assert_eq!(verify_stamp(VALUE, &[], &keys, &rules, &REQUEST, NOW), Err(Error::StampInvalid));
    }
}
