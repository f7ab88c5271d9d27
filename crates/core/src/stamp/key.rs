//! The keys that stamps are made with, computed as far as can be before a request comes.

use std::fmt;

use aws_lc_rs::hmac;
use des::Des;
use des::cipher::KeyInit as _;
use zeroize::Zeroizing;

use crate::Error;
use crate::identifier::KeyId;

/// Length of a DES key and of its blocks, in bytes.
pub(super) const DES_BYTES: usize = 8;
/// Least length of a secret for form 2, in bytes: as strong as the attacks on HMAC-SHA256 are hopeless.
const MAC_SECRET_BYTES: usize = 16;

/// One version of a tenant's DES key.
pub struct StampKey {
    id: KeyId,
    cipher: Des,
    bytes: Zeroizing<[u8; DES_BYTES]>,
}

impl StampKey {
    /// The DES key that crypto-js makes of a secret, since that is what frontends run: the UTF-8 bytes of the text,
    /// the first eight of them, filled up with zeros (contract 1.3). DES passes over each byte's lowest bit.
    ///
    /// # Errors
    /// [`Error::Key`] for an empty secret.
    pub fn new(id: KeyId, secret: &[u8]) -> Result<Self, Error> {
        if secret.is_empty() {
            return Err(Error::Key("a stamp key is not empty"));
        }
        let mut bytes = Zeroizing::new([0; DES_BYTES]);
        for (byte, given) in bytes.iter_mut().zip(secret) {
            *byte = *given;
        }
        Ok(Self { id, cipher: Des::new(&(*bytes).into()), bytes })
    }

    /// The key's id.
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    pub(super) const fn cipher(&self) -> &Des {
        &self.cipher
    }

    /// The eight bytes themselves: the initialisation vector of CBC where a system sets none.
    pub(super) fn bytes(&self) -> &[u8; DES_BYTES] {
        &self.bytes
    }
}

/// Names the key and nothing of its secret.
impl fmt::Debug for StampKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "StampKey({})", self.id)
    }
}

/// One version of a tenant's key for stamps of form 2 (contract 1.9).
#[derive(Clone)]
pub struct StampMacKey {
    id: KeyId,
    key: hmac::Key,
}

impl StampMacKey {
    /// The HMAC-SHA256 key whose bytes are `secret`: for a secret that is handed out as text, its UTF-8 bytes.
    ///
    /// # Errors
    /// [`Error::Key`] for fewer than 16 bytes.
    pub fn new(id: KeyId, secret: &[u8]) -> Result<Self, Error> {
        if secret.len() < MAC_SECRET_BYTES {
            return Err(Error::Key("a key for stamps of form 2 has at least 16 bytes"));
        }
        Ok(Self { id, key: hmac::Key::new(hmac::HMAC_SHA256, secret) })
    }

    /// The key's id.
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    pub(super) const fn key(&self) -> &hmac::Key {
        &self.key
    }
}

/// Names the key and nothing of its secret.
impl fmt::Debug for StampMacKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "StampMacKey({})", self.id)
    }
}
