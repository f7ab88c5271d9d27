//! Login passwords on their way: encrypted like a stamp, under the same keys of the tenant.

use zeroize::Zeroizing;

use super::cipher::Ciphertext;
use super::{StampKey, StampRules, live};
use crate::password::PASSWORD_BYTES;
use crate::time::Timestamp;

/// The longest value that is decoded, in bytes: the longest password and its padding in hexadecimal digits.
const VALUE_BYTES: usize = 2 * (PASSWORD_BYTES + 8);

/// Decrypts a login password; none where no live key gives one. DES has no integrity: with two live keys the wrong
/// one gives a well-padded text once in 256 times, so what counts as a password is UTF-8 of 1 to 1024 bytes without
/// control characters, and an earlier key is believed before a later one. Every live key is tried, with the same
/// work. The cut-off date of DES is for stamps; a system that no longer wants DES here allows plain passwords.
pub fn decrypt_password(
    value: &str,
    keys: &[(StampKey, Option<Timestamp>)],
    rules: &StampRules,
    now: Timestamp,
) -> Option<Zeroizing<Vec<u8>>> {
    let ciphertext = Ciphertext::decode(value, VALUE_BYTES, rules.output);
    let mut found = None;
    for key in live(keys, now) {
        let opened = ciphertext.decrypt(key, rules);
        let text = is_password(opened.text()).then(|| Zeroizing::new(opened.text().to_vec()));
        if bool::from(opened.well_padded()) && found.is_none() {
            found = text;
        }
    }
    found
}

fn is_password(text: &[u8]) -> bool {
    (1..=PASSWORD_BYTES).contains(&text.len()) && std::str::from_utf8(text).is_ok_and(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::KeyId;
    use crate::settings::{StampCipher, StampOutput, SystemSettings};
    use crate::stamp::encrypt_stamp;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn key(id: &str, secret: &str) -> StampKey {
        StampKey::new(KeyId::parse(id).unwrap(), secret.as_bytes()).unwrap()
    }

    #[test]
    fn a_password_is_decrypted_under_every_cipher_and_output() {
        for cipher in [StampCipher::DesEcbPkcs7, StampCipher::DesCbcPkcs7] {
            for output in [StampOutput::Base64, StampOutput::Hex] {
                let rules = StampRules::new(&SystemSettings { cipher, output, ..SystemSettings::default() });
                for password in ["1", "密码 123", &"x".repeat(1024)] {
                    let value = encrypt_stamp(password, &key("k1", "demo-key"), &rules);
                    let decrypted = decrypt_password(&value, &[(key("k1", "demo-key"), None)], &rules, NOW);
                    assert_eq!(decrypted.unwrap().as_slice(), password.as_bytes());
                    for broken in crate::stamp::vectors::with_white_space(&value) {
                        let decrypted = decrypt_password(&broken, &[(key("k1", "demo-key"), None)], &rules, NOW);
                        assert_eq!(decrypted.unwrap().as_slice(), password.as_bytes(), "{broken:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_password_is_none() {
        let rules = StampRules::new(&SystemSettings::default());
        let keys = [(key("k1", "demo-key"), None)];
        for text in ["", "a\0b", "a\nb", &"x".repeat(1025)] {
            assert!(decrypt_password(&encrypt_stamp(text, &keys[0].0, &rules), &keys, &rules, NOW).is_none(), "{text:?}");
        }
        for value in ["", "password", "***", &"A".repeat(1 << 20)] {
            assert!(decrypt_password(value, &keys, &rules, NOW).is_none(), "{value:.40}");
        }
    }

    #[test]
    fn the_right_one_of_two_keys_is_found() {
        let rules = StampRules::new(&SystemSettings::default());
        let keys = || [(key("new", "new-key"), None), (key("old", "old-key"), Some(Timestamp(NOW.0 + 1)))];
        for number in 0..500 {
            let password = format!("password {number}");
            let value = encrypt_stamp(&password, &key("old", "old-key"), &rules);
            assert_eq!(decrypt_password(&value, &keys(), &rules, NOW).unwrap().as_slice(), password.as_bytes());
            assert_ne!(decrypt_password(&value, &keys(), &rules, Timestamp(NOW.0 + 1)).as_deref(), Some(&password.into_bytes()));
        }
    }
}
