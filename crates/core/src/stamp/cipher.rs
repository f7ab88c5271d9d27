//! DES as frontends run it: ECB or CBC, PKCS#7 padding, written as base64 or hexadecimal digits.
//! Decrypting does the same work for every value of one length, right or wrong.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use des::Des;
use des::cipher::block_padding::{NoPadding, Pkcs7};
use des::cipher::common::InnerInit as _;
use des::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, InnerIvInit as _};
use subtle::{Choice, ConstantTimeEq as _, ConstantTimeGreater as _};
use zeroize::Zeroizing;

use super::StampRules;
use super::key::{DES_BYTES, StampKey};
use crate::settings::{StampCipher, StampOutput};

/// Makes a stamp of `plaintext`, as a frontend would; [`new_stamp_plaintext`](super::new_stamp_plaintext) makes one.
pub fn encrypt_stamp(plaintext: &str, key: &StampKey, rules: &StampRules) -> String {
    let ciphertext = match rules.cipher {
        StampCipher::DesEcbPkcs7 => ecb::Encryptor::<&Des>::inner_init(key.cipher()).encrypt_padded_vec::<Pkcs7>(plaintext.as_bytes()),
        StampCipher::DesCbcPkcs7 => cbc::Encryptor::<&Des>::inner_iv_init(key.cipher(), initialisation_vector(key, rules).into())
            .encrypt_padded_vec::<Pkcs7>(plaintext.as_bytes()),
    };
    match rules.output {
        StampOutput::Base64 => STANDARD.encode(ciphertext),
        StampOutput::Hex => crate::hex::encode(&ciphertext),
    }
}

fn initialisation_vector<'a>(key: &'a StampKey, rules: &'a StampRules) -> &'a [u8; DES_BYTES] {
    rules.initialisation_vector.as_ref().unwrap_or_else(|| key.bytes())
}

/// Whole blocks to decrypt, at least one.
pub(super) struct Ciphertext {
    blocks: Vec<u8>,
    decoded: Choice,
}

impl Ciphertext {
    /// Decodes a value of at most `most` bytes beside its white space. What cannot be decoded is replaced by as many zero
    /// bytes as it would have had, so that refusing it takes as long as refusing a wrong key.
    pub(super) fn decode(value: &str, most: usize, output: StampOutput) -> Self {
        let value = without_white_space(value, most);
        let decoded = (value.len() <= most).then_some(&*value).and_then(|value| match output {
            StampOutput::Base64 => STANDARD.decode(value).ok(),
            StampOutput::Hex => crate::hex::decode(value),
        });
        if let Some(blocks) = decoded.filter(|blocks| !blocks.is_empty() && blocks.len().is_multiple_of(DES_BYTES)) {
            return Self { blocks, decoded: Choice::from(1) };
        }
        let length = match output {
            StampOutput::Base64 => value.len().min(most) / 4 * 3,
            StampOutput::Hex => value.len().min(most) / 2,
        };
        Self { blocks: vec![0; length.max(1).next_multiple_of(DES_BYTES)], decoded: Choice::from(0) }
    }

    /// Decrypts the blocks under one key.
    pub(super) fn decrypt(&self, key: &StampKey, rules: &StampRules) -> Opened {
        let mut bytes = Zeroizing::new(self.blocks.clone());
        let whole = match rules.cipher {
            StampCipher::DesEcbPkcs7 => ecb::Decryptor::<&Des>::inner_init(key.cipher()).decrypt_padded::<NoPadding>(&mut bytes).is_ok(),
            StampCipher::DesCbcPkcs7 => cbc::Decryptor::<&Des>::inner_iv_init(key.cipher(), initialisation_vector(key, rules).into())
                .decrypt_padded::<NoPadding>(&mut bytes)
                .is_ok(),
        };
        let (padding, well_padded) = padding(&bytes);
        Opened {
            text_bytes: bytes.len() - usize::from(padding),
            bytes,
            well_padded: well_padded & self.decoded & Choice::from(u8::from(whole)),
        }
    }
}

/// Encoders of some platforms break their lines, and headers and forms turn a break into spaces. A value that would be too
/// long by its white space alone is left as it is.
fn without_white_space(value: &str, most: usize) -> Cow<'_, str> {
    let is_white = |byte: u8| byte.is_ascii_whitespace();
    if value.len() > 2 * most || !value.bytes().any(is_white) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.split_ascii_whitespace().collect())
}

/// What came out of the blocks, good or not.
pub(super) struct Opened {
    bytes: Zeroizing<Vec<u8>>,
    text_bytes: usize,
    well_padded: Choice,
}

impl Opened {
    /// The text without its padding; all of it where the padding is wrong, so that it can be read all the same.
    pub(super) fn text(&self) -> &[u8] {
        &self.bytes[..self.text_bytes]
    }

    /// Whether the value was decoded and its padding is right. To be looked at last.
    pub(super) const fn well_padded(&self) -> Choice {
        self.well_padded
    }
}

/// The length of PKCS#7 padding (RFC 5652 section 6.3), 0 where it is wrong, found without a branch on the bytes.
fn padding(bytes: &[u8]) -> (u8, Choice) {
    let length = bytes.last().copied().unwrap_or(0);
    let mut right = length.ct_gt(&0) & !length.ct_gt(&8);
    for (position, byte) in (0_u8..8).zip(bytes.iter().rev()) {
        right &= !length.ct_gt(&position) | byte.ct_eq(&length);
    }
    (length * right.unwrap_u8(), right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_one_to_eight_bytes_of_its_own_length() {
        for length in 1..=8_u8 {
            let mut block = [0xaa; 16];
            block[16 - usize::from(length)..].fill(length);
            assert_eq!(padding(&block).0, length);
            assert!(bool::from(padding(&block).1));
            block[16 - usize::from(length)] ^= 1;
            assert!(!bool::from(padding(&block).1), "{length}");
        }
        for last in [0, 9, 16, 255] {
            let (length, right) = padding(&[last; 16]);
            assert_eq!((length, bool::from(right)), (0, false), "{last}");
        }
    }
}
