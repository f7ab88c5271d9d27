//! Refresh tokens: 32 characters that carry their own proof, so that nothing is stored per token and the next
//! token of a session can be computed again (contract 1.4).

use std::fmt;

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq as _;

use crate::Error;
use crate::identifier::OwnerId;
use crate::session::SessionId;
use crate::time::Timestamp;

/// The last generation that fits a token. A session that reaches it ends; it takes a refresh a second for half a year.
pub const MAX_GENERATION: u32 = (1 << 24) - 1;
/// Length of a refresh token, in characters.
pub const REFRESH_TOKEN_CHARACTERS: usize = 32;

/// The first character of every token, so that another form can stand beside this one.
const VERSION: char = '1';
const DIGITS: usize = REFRESH_TOKEN_CHARACTERS - 1;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Session id (8), generation (3).
const CLAIM_BYTES: usize = 11;
/// The first 96 bits of HMAC-SHA256 (RFC 2104 section 5).
const PROOF_BYTES: usize = 12;
const PAYLOAD_BYTES: usize = CLAIM_BYTES + PROOF_BYTES;

/// What an authentic refresh token proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshProof {
    /// The session it belongs to.
    pub session_id: SessionId,
    /// Which of the session's refresh tokens it is.
    pub generation: u32,
    /// Whether it was made with a key older than the current one. A token that is computed again, as the answer to
    /// a replay, is always made with the current key.
    pub with_older_key: bool,
}

/// One version of a tenant's refresh key.
#[derive(Clone)]
pub struct RefreshKey(hmac::Key);

impl RefreshKey {
    /// The key that a tenant's secret gives for refresh tokens: HMAC-SHA256 of the purpose and the tenant under the
    /// secret, so that one secret makes different keys for different tenants and purposes.
    pub fn new(owner: &OwnerId, secret: &[u8; 32]) -> Self {
        let mut derivation = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret));
        derivation.update(b"bo-auth refresh token 1|");
        derivation.update(owner.as_str().as_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA256, derivation.sign().as_ref()))
    }

    /// The token of this generation of the session; the same one every time. A generation above
    /// [`MAX_GENERATION`] is written as that.
    pub fn issue(&self, session_id: SessionId, generation: u32) -> String {
        let mut payload = [0; PAYLOAD_BYTES];
        let (claim, proof) = payload.split_at_mut(CLAIM_BYTES);
        claim[..8].copy_from_slice(&session_id.number().to_be_bytes());
        claim[8..].copy_from_slice(&generation.min(MAX_GENERATION).to_be_bytes()[1..]);
        proof.copy_from_slice(&self.proof(claim));
        let mut token = String::with_capacity(REFRESH_TOKEN_CHARACTERS);
        token.push(VERSION);
        token.extend(write_base62(&payload).map(char::from));
        token
    }

    /// Verifies a token.
    ///
    /// # Errors
    /// [`Error::RefreshTokenInvalid`] for whatever is wrong, all alike.
    pub fn verify(&self, token: &str) -> Result<RefreshProof, Error> {
        read_payload(token).and_then(|payload| self.accept(&payload)).ok_or(Error::RefreshTokenInvalid)
    }

    fn accept(&self, payload: &[u8; PAYLOAD_BYTES]) -> Option<RefreshProof> {
        let (claim, proof) = payload.split_at(CLAIM_BYTES);
        if !bool::from(self.proof(claim).ct_eq(proof)) {
            return None;
        }
        let (session, generation) = claim.split_first_chunk::<8>()?;
        Some(RefreshProof {
            session_id: SessionId::from_number(i64::from_be_bytes(*session)),
            generation: generation.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)),
            with_older_key: false,
        })
    }

    fn proof(&self, claim: &[u8]) -> [u8; PROOF_BYTES] {
        let tag = hmac::sign(&self.0, claim);
        let mut proof = [0; PROOF_BYTES];
        proof.copy_from_slice(&tag.as_ref()[..PROOF_BYTES]);
        proof
    }
}

/// Never prints the key.
impl fmt::Debug for RefreshKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RefreshKey")
    }
}

/// A tenant's refresh keys: the one that makes tokens, and those that are still accepted.
#[derive(Debug, Clone)]
pub struct RefreshKeys {
    current: RefreshKey,
    accepted: Vec<(RefreshKey, Timestamp)>,
}

impl RefreshKeys {
    /// Makes tokens with `current`; accepts each of `accepted_too` as well, until the instant beside it.
    pub const fn new(current: RefreshKey, accepted_too: Vec<(RefreshKey, Timestamp)>) -> Self {
        Self { current, accepted: accepted_too }
    }

    /// The token of this generation of the session, by the current key: see [`RefreshKey::issue`].
    pub fn issue(&self, session_id: SessionId, generation: u32) -> String {
        self.current.issue(session_id, generation)
    }

    /// Verifies a token under the keys that are live at `now`.
    ///
    /// # Errors
    /// [`Error::RefreshTokenInvalid`] for whatever is wrong, all alike.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<RefreshProof, Error> {
        let payload = read_payload(token).ok_or(Error::RefreshTokenInvalid)?;
        let older = || {
            let live = self.accepted.iter().filter(|(_, retires_at)| now < *retires_at);
            live.filter_map(|(key, _)| key.accept(&payload)).map(|proof| RefreshProof { with_older_key: true, ..proof }).next()
        };
        self.current.accept(&payload).or_else(older).ok_or(Error::RefreshTokenInvalid)
    }
}

/// Whether a text has the form of a refresh token, whoever's it may be.
pub fn is_refresh_token(text: &str) -> bool {
    read_payload(text).is_some()
}

/// The bytes a token carries. Its width is fixed, so every value has one text; a text above the largest value has none.
fn read_payload(token: &str) -> Option<[u8; PAYLOAD_BYTES]> {
    let digits = token.strip_prefix(VERSION)?.as_bytes().as_array::<DIGITS>()?;
    read_base62(digits)
}

/// The number in 24 bytes as six digits to the base 2³², the most significant first.
type Limbs = [u64; 6];
const LIMB_BITS: u32 = 32;
const LIMB_MASK: u64 = (1 << LIMB_BITS) - 1;

/// Writes the bytes as one big-endian number to the base 62, the most significant digit first.
fn write_base62(payload: &[u8; PAYLOAD_BYTES]) -> impl Iterator<Item = u8> {
    let mut limbs: Limbs = [0; 6];
    for (position, byte) in payload.iter().enumerate() {
        let limb = &mut limbs[(position + 1) / 4];
        *limb = *limb << 8 | u64::from(*byte);
    }
    let mut digits = [0; DIGITS];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0;
        for limb in &mut limbs {
            let value = remainder << LIMB_BITS | *limb;
            *limb = value / 62;
            remainder = value % 62;
        }
        *digit = ALPHABET[usize::from(remainder.to_le_bytes()[0])];
    }
    digits.into_iter()
}

fn read_base62(digits: &[u8; DIGITS]) -> Option<[u8; PAYLOAD_BYTES]> {
    let mut limbs: Limbs = [0; 6];
    for digit in digits {
        let mut carry = u64::from(digit_value(*digit)?);
        for limb in limbs.iter_mut().rev() {
            let value = *limb * 62 + carry;
            *limb = value & LIMB_MASK;
            carry = value >> LIMB_BITS;
        }
    }
    // 62³¹ is less than 2¹⁹², so nothing is carried out of the limbs; the payload has 184 of their bits.
    let mut bytes = [0; PAYLOAD_BYTES + 1];
    for (place, limb) in bytes.chunks_exact_mut(4).zip(limbs) {
        place.copy_from_slice(&limb.to_be_bytes()[4..]);
    }
    let (&[overflow], payload) = bytes.split_first_chunk::<1>()?;
    if overflow == 0 { payload.as_array().copied() } else { None }
}

const fn digit_value(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'A'..=b'Z' => Some(character - b'A' + 10),
        b'a'..=b'z' => Some(character - b'a' + 36),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn key(owner: &str, first: u8) -> RefreshKey {
        let mut secret = [0; 32];
        for (byte, value) in secret.iter_mut().zip(first..) {
            *byte = value;
        }
        RefreshKey::new(&OwnerId::parse(owner).unwrap(), &secret)
    }

    #[test]
    fn tokens_are_those_that_another_implementation_makes() {
        for (session, generation, token) in [
            (0x062f_3a1b_4c5d_6e7f, 1, "1107Mt15miZADSVHC32WHxTLYpFhEJop"),
            (0, 0, "1000000000000001e1wXonOYoz9D2sqE"),
            (i64::MAX, MAX_GENERATION, "1KjffSHtk8poysgmSUN7ptXbRCcD94cp"),
        ] {
            let session_id = SessionId::from_number(session);
            assert_eq!(key("demo", 0).issue(session_id, generation), token);
            assert_eq!(key("demo", 0).verify(token), Ok(RefreshProof { session_id, generation, with_older_key: false }));
        }
        assert_eq!(key("demo", 0).issue(SessionId::from_number(i64::MAX), u32::MAX), "1KjffSHtk8poysgmSUN7ptXbRCcD94cp");
    }

    #[test]
    fn a_token_is_good_for_its_own_tenant_and_secret_only() {
        let token = key("demo", 0).issue(SessionId::from_number(5), 1);
        assert_eq!(key("demo2", 0).verify(&token), Err(Error::RefreshTokenInvalid));
        assert_eq!(key("demo", 1).verify(&token), Err(Error::RefreshTokenInvalid));
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        assert_eq!(read_payload("1fTLKuZnUHfdxlNasV4qfZEFyHdnyieF"), Some([0xff; PAYLOAD_BYTES]));
        for token in [
            "1fTLKuZnUHfdxlNasV4qfZEFyHdnyieG",
            "1zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
            "2000000000000001e1wXonOYoz9D2sqE",
            "1000000000000001e1wXonOYoz9D2sq",
            "1000000000000001e1wXonOYoz9D2sqE0",
            "1000000000000001e1wXonOYoz9D2sq-",
            "100000000000000é1wXonOYoz9D2sqE0",
            "",
            "1",
        ] {
            assert_eq!(read_payload(token), None, "{token}");
            assert_eq!(key("demo", 0).verify(token), Err(Error::RefreshTokenInvalid), "{token}");
        }
    }

    #[test]
    fn an_older_key_is_accepted_until_it_retires_and_the_current_one_answers() {
        let session_id = SessionId::from_number(5);
        let old = key("demo", 7).issue(session_id, 3);
        let ring = RefreshKeys::new(key("demo", 0), vec![(key("demo", 7), Timestamp(NOW.0 + 1))]);
        assert_eq!(ring.verify(&old, NOW), Ok(RefreshProof { session_id, generation: 3, with_older_key: true }));
        assert_eq!(ring.verify(&old, Timestamp(NOW.0 + 1)), Err(Error::RefreshTokenInvalid));
        let again = ring.issue(session_id, 3);
        assert_eq!(again, key("demo", 0).issue(session_id, 3));
        assert_eq!(ring.verify(&again, NOW), Ok(RefreshProof { session_id, generation: 3, with_older_key: false }));
        assert_eq!(format!("{ring:?}").matches(char::is_numeric).count(), NOW.0.to_string().len(), "only the instant prints");
    }

    proptest! {
        #[test]
        fn every_token_is_32_characters_and_verifies(number: i64, generation in 0..=MAX_GENERATION) {
            let session_id = SessionId::from_number(number);
            let token = key("demo", 0).issue(session_id, generation);
            prop_assert_eq!(token.len(), REFRESH_TOKEN_CHARACTERS);
            prop_assert!(token.starts_with('1') && token.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            prop_assert_eq!(key("demo", 0).verify(&token), Ok(RefreshProof { session_id, generation, with_older_key: false }));
        }

        #[test]
        fn any_bytes_survive_base_62(payload in any::<[u8; PAYLOAD_BYTES]>()) {
            let text: String = std::iter::once(VERSION).chain(write_base62(&payload).map(char::from)).collect();
            prop_assert_eq!(read_payload(&text), Some(payload));
        }

        #[test]
        fn a_changed_character_is_refused(number: i64, position in 0..REFRESH_TOKEN_CHARACTERS, replacement in "[0-9A-Za-z]") {
            let token = key("demo", 0).issue(SessionId::from_number(number), 1);
            let mut changed = token.clone();
            changed.replace_range(position..=position, &replacement);
            prop_assume!(changed != token);
            prop_assert_eq!(key("demo", 0).verify(&changed), Err(Error::RefreshTokenInvalid));
        }

        #[test]
        fn any_other_text_is_refused(text in "\\PC{0,40}|1[0-9A-Za-z]{31}") {
            prop_assert_eq!(key("demo", 0).verify(&text), Err(Error::RefreshTokenInvalid));
        }
    }
}
