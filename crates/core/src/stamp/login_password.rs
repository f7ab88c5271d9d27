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
