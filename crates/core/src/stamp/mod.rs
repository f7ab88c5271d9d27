//! `XverifyApi`, the stamp on every request (contract 1.3 and 1.9). A stamp is either a GUID, perhaps with a time,
//! encrypted with DES under a key of the tenant, or, in form 2, a MAC over the request itself ([`signed`]).
//! What a stamp says is in [`plaintext`], how DES writes it in [`cipher`], and what may go wrong, here.

pub mod cipher;
pub mod key;
pub mod login_password;
pub mod plaintext;
pub mod rules;
pub mod signed;

#[cfg(test)]
mod checks;
#[cfg(test)]
mod vectors;

use subtle::{Choice, ConstantTimeEq as _};

pub use cipher::encrypt_stamp;
pub use key::{StampKey, StampMacKey};
pub use login_password::decrypt_password;
pub use plaintext::new_stamp_plaintext;
pub use rules::StampRules;
pub use signed::{SignedRequest, sign_stamp_v2};

use crate::Error;
use crate::identifier::KeyId;
use crate::settings::StampCipher;
use crate::time::Timestamp;

/// The longest `XverifyApi` that is decoded, in bytes.
pub const STAMP_BYTES: usize = 1024;

/// How a stamp was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StampScheme {
    /// DES in ECB mode with PKCS#7 padding.
    DesEcbPkcs7,
    /// DES in CBC mode with PKCS#7 padding.
    DesCbcPkcs7,
    /// Form 2: HMAC-SHA256 over the request.
    HmacV2,
}

impl StampScheme {
    /// The name that usage reports have.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DesEcbPkcs7 => "des-ecb-pkcs7",
            Self::DesCbcPkcs7 => "des-cbc-pkcs7",
            Self::HmacV2 => "hmac-v2",
        }
    }
}

impl From<StampCipher> for StampScheme {
    fn from(cipher: StampCipher) -> Self {
        match cipher {
            StampCipher::DesEcbPkcs7 => Self::DesEcbPkcs7,
            StampCipher::DesCbcPkcs7 => Self::DesCbcPkcs7,
        }
    }
}

/// A stamp that was found valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// What is remembered, per tenant, so that the stamp counts once: the first half of a SHA-256 of its GUID,
    /// however the GUID was written, or of its nonce. GUIDs and nonces never share a digest; the two modes of DES
    /// do, since a GUID counts once per tenant.
    pub digest: [u8; 16],
    /// When the frontend says it made the stamp.
    pub timestamp: Option<Timestamp>,
    /// How it was made.
    pub scheme: StampScheme,
    /// The version of the tenant's key that it was made with.
    pub key_id: KeyId,
}

/// Verifies a value of `XverifyApi`. Beside each key stands the instant from which on it is no longer accepted, if
/// there is one. Every live key is tried on every value, with the same work whatever the outcome, and a value that
/// cannot be decoded costs as much as one that can.
///
/// # Errors
/// - [`Error::StampInvalid`], for every value that is not a stamp under a live key, all alike, and for one without a
///   time where the system requires one: no later attempt of that frontend would fare better.
/// - [`Error::StampExpired`], for an authentic stamp whose time lies outside the window, before or after, or that
///   was made with DES and comes at or after the cut-off.
pub fn verify_stamp(
    value: &str,
    keys: &[(StampKey, Option<Timestamp>)],
    mac_keys: &[(StampMacKey, Option<Timestamp>)],
    rules: &StampRules,
    request: &SignedRequest<'_>,
    now: Timestamp,
) -> Result<Stamp, Error> {
    let stamp = match value.strip_prefix(signed::PREFIX) {
        Some(fields) => signed::verify(fields, mac_keys, request, now),
        None => verify_encrypted(value, keys, rules, now),
    };
    let stamp = stamp.ok_or(Error::StampInvalid)?;
    rules.admit(&stamp, now)?;
    Ok(stamp)
}

fn verify_encrypted(value: &str, keys: &[(StampKey, Option<Timestamp>)], rules: &StampRules, now: Timestamp) -> Option<Stamp> {
    let ciphertext = cipher::Ciphertext::decode(value, STAMP_BYTES, rules.output);
    let mut found = None;
    for key in live(keys, now) {
        let opened = ciphertext.decrypt(key, rules);
        let read = plaintext::Plaintext::read(opened.text());
        if bool::from(opened.well_padded() & Choice::from(u8::from(read.is_some()))) && found.is_none() {
            found = read.map(|read| Stamp {
                digest: read.digest(),
                timestamp: read.timestamp,
                scheme: rules.cipher.into(),
                key_id: key.id().clone(),
            });
        }
    }
    found
}

/// The keys that are accepted at `now`.
fn live<Key>(keys: &[(Key, Option<Timestamp>)], now: Timestamp) -> impl Iterator<Item = &Key> {
    keys.iter().filter(move |(_, retires_at)| retires_at.is_none_or(|instant| now < instant)).map(|(key, _)| key)
}

/// Whether two byte strings are equal, in a time that depends on their lengths alone.
fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}
