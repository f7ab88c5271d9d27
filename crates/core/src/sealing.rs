//! Secrets at rest: AES-256-GCM under one master key, each bound to the row it stands in.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, Zeroizing};

use crate::Error;
use crate::identifier::{KeyId, OwnerId};
use crate::random::Random;

/// The first byte of everything sealed, so that a later form can stand beside this one.
const VERSION: u8 = 1;
/// Length of a master key, in bytes.
const KEY_BYTES: usize = 32;
/// Length of the tag of AES-GCM, in bytes.
const TAG_BYTES: usize = 16;

/// The key that all stored secrets are sealed with.
pub struct MasterKey {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    key: LessSafeKey,
}

impl MasterKey {
    /// Reads 64 hexadecimal digits, or the base64 (RFC 4648 section 4) of 32 bytes. Space around it, such as the
    /// last line break of a file, is ignored.
    ///
    /// # Errors
    /// [`Error::Key`] for anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        const FORM: Error = Error::Key("a master key is 64 hexadecimal digits or the base64 of 32 bytes");
        let text = text.trim();
        let decoded = Zeroizing::new(match text.len() {
            64 => crate::hex::decode(text).ok_or(FORM)?,
            _ => STANDARD.decode(text).map_err(|_| FORM)?,
        });
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        if decoded.len() != KEY_BYTES {
            return Err(FORM);
        }
        bytes.copy_from_slice(&decoded);
        Self::from_bytes(bytes)
    }

    /// A new key.
    ///
    /// # Errors
    /// [`Error::Key`] where the cryptographic library refuses the key; it refuses none of this length.
    pub fn generate(random: &dyn Random) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        random.fill(&mut *bytes);
        Self::from_bytes(bytes)
    }

    fn from_bytes(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Result<Self, Error> {
        let unbound = UnboundKey::new(&AES_256_GCM, &*bytes).map_err(|_| Error::Key("a master key has 32 bytes"))?;
        Ok(Self { key: LessSafeKey::new(unbound), bytes })
    }

    /// The key as base64, as [`MasterKey::parse`] reads it.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(*self.bytes))
    }

    /// Seals `plaintext` for one place, which `context` names; [`key_context`] makes the name of a row.
    /// The result is a version byte, the 96-bit nonce, the ciphertext and its 128-bit tag (NIST SP 800-38D). One
    /// key may seal 2³² values, since nonces are random.
    ///
    /// # Errors
    /// [`Error::Sealed`] for a plaintext longer than AES-GCM can seal (64 GiB).
    pub fn seal(&self, context: &str, plaintext: &[u8], random: &dyn Random) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + plaintext.len() + TAG_BYTES);
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let (_, in_place) = sealed.split_at_mut(1 + NONCE_LEN);
        let tag = self
            .key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context.as_bytes()), in_place)
            .map_err(|_| {
                in_place.zeroize();
                Error::Sealed
            })?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what [`MasterKey::seal`] sealed for the same place.
    ///
    /// # Errors
    /// [`Error::Sealed`] for another key, another context, another version or a changed value, all alike.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (&version, rest) = sealed.split_first().ok_or(Error::Sealed)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>().ok_or(Error::Sealed)?;
        if version != VERSION {
            return Err(Error::Sealed);
        }
        let mut opened = Zeroizing::new(ciphertext.to_vec());
        let length = self
            .key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context.as_bytes()), &mut opened)
            .map_err(|_| Error::Sealed)?
            .len();
        opened.truncate(length);
        Ok(opened)
    }
}

/// Never prints the key.
impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MasterKey")
    }
}

/// The context that binds a sealed secret to its row: a value copied into another tenant's row, another key's or
/// another column does not open there. Identifiers hold no `|`, so that no two rows share a context.
pub fn key_context(owner: &OwnerId, key_id: &KeyId, purpose: &str) -> String {
    format!("bo-auth key|{owner}|{key_id}|{purpose}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    fn context(owner: &str, key: &str, purpose: &str) -> String {
        key_context(&OwnerId::parse(owner).unwrap(), &KeyId::parse(key).unwrap(), purpose)
    }

    #[test]
    fn a_secret_opens_only_in_its_own_row() {
        let random = SystemRandom::default();
        let master = MasterKey::generate(&random).unwrap();
        let here = context("demo", "k1", "stamp");
        let sealed = master.seal(&here, b"secret", &random).unwrap();
        assert_eq!(master.open(&here, &sealed).unwrap().as_slice(), b"secret");
        for elsewhere in [context("other", "k1", "stamp"), context("demo", "k2", "stamp"), context("demo", "k1", "signing"), String::new()]
        {
            assert_eq!(master.open(&elsewhere, &sealed), Err(Error::Sealed), "{elsewhere}");
        }
        let another = MasterKey::generate(&random).unwrap();
        assert_eq!(another.open(&here, &sealed), Err(Error::Sealed));
    }

    #[test]
    fn every_changed_byte_and_every_shorter_value_is_refused() {
        let random = SystemRandom::default();
        let master = MasterKey::generate(&random).unwrap();
        let sealed = master.seal("here", b"secret", &random).unwrap();
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert_eq!(master.open("here", &changed), Err(Error::Sealed), "byte {position}");
            assert_eq!(master.open("here", &sealed[..position]), Err(Error::Sealed), "{position} bytes");
        }
        assert_ne!(master.seal("here", b"secret", &random).unwrap(), sealed, "nonces are fresh");
    }

    #[test]
    fn a_master_key_is_hexadecimal_or_base64() {
        let hexadecimal = "00".repeat(31) + "fF";
        let base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAP8=";
        for text in [hexadecimal.as_str(), base64, " \tAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAP8=\r\n"] {
            assert_eq!(MasterKey::parse(text).unwrap().to_text().as_str(), base64);
        }
        for text in ["", "AAAA", &"g".repeat(64), &"00".repeat(31), &"AAAA".repeat(11), &"A".repeat(63)] {
            assert!(MasterKey::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_master_key_does_not_print() {
        let master = MasterKey::parse(&"ab".repeat(32)).unwrap();
        assert_eq!(format!("{master:?}"), "MasterKey");
    }
}
