//! The value of a v1.0 session cookie: a session's id with its proof, so that nothing is stored for it and it can be
//! computed again from the session (contract 2.1). Never made of anything the user knows, as old servers did.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use crate::identifier::OwnerId;
use crate::session::SessionId;
use crate::time::Timestamp;

/// The first character of every value, so that another form can stand beside this one.
const VERSION: char = '1';
/// The session's id.
const CLAIM_BYTES: usize = 8;
/// The first 128 bits of HMAC-SHA256 (RFC 2104 section 5).
const PROOF_BYTES: usize = 16;
const PAYLOAD_BYTES: usize = CLAIM_BYTES + PROOF_BYTES;
/// Length of a value, in characters.
pub const COOKIE_CHARACTERS: usize = 1 + PAYLOAD_BYTES / 3 * 4;

/// One version of a tenant's cookie key.
#[derive(Clone)]
pub struct CookieKey(hmac::Key);

impl CookieKey {
    /// The key that a tenant's refresh secret gives for cookies: derived for this purpose, so that no refresh token is
    /// ever a cookie or the other way round, and retired with the secret.
    pub fn new(owner: &OwnerId, secret: &[u8; 32]) -> Self {
        let mut derivation = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret));
        derivation.update(b"bo-auth session cookie 1|");
        derivation.update(owner.as_str().as_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA256, derivation.sign().as_ref()))
    }

    /// The value for a session; the same one every time.
    pub fn issue(&self, session_id: SessionId) -> String {
        let mut payload = [0; PAYLOAD_BYTES];
        let (claim, proof) = payload.split_at_mut(CLAIM_BYTES);
        claim.copy_from_slice(&session_id.number().to_be_bytes());
        proof.copy_from_slice(&self.proof(claim));
        let mut value = String::with_capacity(COOKIE_CHARACTERS);
        value.push(VERSION);
        URL_SAFE_NO_PAD.encode_string(payload, &mut value);
        value
    }

    fn accept(&self, payload: &[u8; PAYLOAD_BYTES]) -> Option<SessionId> {
        let (claim, proof) = payload.split_first_chunk::<CLAIM_BYTES>()?;
        let authentic = bool::from(self.proof(claim).ct_eq(proof));
        authentic.then(|| SessionId::from_number(i64::from_be_bytes(*claim)))
    }

    fn proof(&self, claim: &[u8]) -> [u8; PROOF_BYTES] {
        let tag = hmac::sign(&self.0, claim);
        let mut proof = [0; PROOF_BYTES];
        proof.copy_from_slice(&tag.as_ref()[..PROOF_BYTES]);
        proof
    }
}

/// Never prints the key.
impl fmt::Debug for CookieKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CookieKey")
    }
}

/// A tenant's cookie keys: the one that makes values, and those that are still accepted.
#[derive(Debug, Clone)]
pub struct CookieKeys {
    current: CookieKey,
    accepted: Vec<(CookieKey, Timestamp)>,
}

impl CookieKeys {
    /// Makes values with `current`; accepts each of `accepted_too` as well, until the instant beside it.
    pub const fn new(current: CookieKey, accepted_too: Vec<(CookieKey, Timestamp)>) -> Self {
        Self { current, accepted: accepted_too }
    }

    /// The value for a session, by the current key.
    pub fn issue(&self, session_id: SessionId) -> String {
        self.current.issue(session_id)
    }

    /// Every value that may have been made for a session, whichever key it was made with.
    pub fn all_of(&self, session_id: SessionId) -> Vec<String> {
        self.keys().map(|key| key.issue(session_id)).collect()
    }

    /// The session of an authentic value, under the keys that are live at `now`.
    pub fn verify(&self, value: &str, now: Timestamp) -> Option<SessionId> {
        let payload = read_payload(value)?;
        let older = || self.accepted.iter().filter(|(_, retires_at)| now < *retires_at).find_map(|(key, _)| key.accept(&payload));
        self.current.accept(&payload).or_else(older)
    }

    fn keys(&self) -> impl Iterator<Item = &CookieKey> {
        std::iter::once(&self.current).chain(self.accepted.iter().map(|(key, _)| key))
    }
}

/// Whether a text has the form of a value, authentic or not: old servers' session ids have another.
pub fn has_cookie_form(text: &str) -> bool {
    read_payload(text).is_some()
}

/// The bytes a value carries; each has one text.
fn read_payload(value: &str) -> Option<[u8; PAYLOAD_BYTES]> {
    let text = value.strip_prefix(VERSION)?;
    if value.len() != COOKIE_CHARACTERS {
        return None;
    }
    let mut payload = [0; PAYLOAD_BYTES];
    let written = URL_SAFE_NO_PAD.decode_slice(text, &mut payload).ok()?;
    (written == PAYLOAD_BYTES).then_some(payload)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn key(owner: &str, secret: u8) -> CookieKey {
        CookieKey::new(&OwnerId::parse(owner).unwrap(), &[secret; 32])
    }

    fn ring(owner: &str, secret: u8) -> CookieKeys {
        CookieKeys::new(key(owner, secret), Vec::new())
    }

    #[test]
    fn a_value_is_good_for_its_own_tenant_and_secret_only() {
        let session_id = SessionId::from_number(5);
        let value = key("demo", 1).issue(session_id);
        assert_eq!(value.len(), COOKIE_CHARACTERS);
        assert_eq!(ring("demo", 1).verify(&value, NOW), Some(session_id));
        assert_eq!(ring("demo2", 1).verify(&value, NOW), None);
        assert_eq!(ring("demo", 2).verify(&value, NOW), None);
    }

    #[test]
    fn an_older_key_is_accepted_until_it_retires() {
        let session_id = SessionId::from_number(5);
        let old = key("demo", 7).issue(session_id);
        let ring = CookieKeys::new(key("demo", 1), vec![(key("demo", 7), Timestamp(NOW.0 + 1))]);
        assert_eq!(ring.verify(&old, NOW), Some(session_id));
        assert_eq!(ring.verify(&old, Timestamp(NOW.0 + 1)), None);
        assert_eq!(ring.all_of(session_id), [ring.issue(session_id), old]);
    }

    #[test]
    fn a_session_id_of_an_old_server_is_none() {
        for value in ["", "1", "d41d8cd98f00b204e9800998ecf8427e", "1d41d8cd98f00b204e9800998ecf8427e", "1é"] {
            assert_eq!(ring("demo", 1).verify(value, NOW), None, "{value}");
            assert!(!has_cookie_form(value) || value.len() == COOKIE_CHARACTERS, "{value}");
        }
    }

    proptest! {
        #[test]
        fn a_changed_character_is_refused(number: i64, position in 0..COOKIE_CHARACTERS, replacement in "[0-9A-Za-z_-]") {
            let value = key("demo", 1).issue(SessionId::from_number(number));
            let mut changed = value.clone();
            changed.replace_range(position..=position, &replacement);
            prop_assume!(changed != value);
            prop_assert_eq!(ring("demo", 1).verify(&changed, NOW), None);
        }

        #[test]
        fn a_value_can_stand_in_a_cookie(number: i64) {
            let value = key("demo", 1).issue(SessionId::from_number(number));
            prop_assert!(value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            prop_assert_eq!(ring("demo", 1).verify(&value, NOW), Some(SessionId::from_number(number)));
        }
    }
}
