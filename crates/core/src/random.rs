//! Where randomness comes from.

use aws_lc_rs::rand::SecureRandom;

/// A source of random bytes.
pub trait Random: Send + Sync + 'static {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's generator, through the cryptographic library.
#[derive(Debug, Default)]
pub struct SystemRandom(aws_lc_rs::rand::SystemRandom);

impl Random for SystemRandom {
    // Without randomness no token may ever be made; the generator fails only at start, if at all.
    fn fill(&self, bytes: &mut [u8]) {
        assert!(self.0.fill(bytes).is_ok(), "the operating system gave no randomness");
    }
}

/// All bits of a number mixed (the output function of `SplitMix64`): a bijection, so that no two numbers meet. Nothing secret may
/// rest on it.
#[must_use]
pub const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// What `SplitMix64` adds from one number to the next before [`mix`].
pub const MIX_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// `length` characters of `[0-9A-Za-z]`, each with all 62 values equally likely.
pub fn alphanumeric(random: &dyn Random, length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = String::with_capacity(length);
    let mut bytes = [0u8; 64];
    while text.len() < length {
        random.fill(&mut bytes);
        // 248 is the largest multiple of 62 in a byte: what lies above would favour the first characters.
        text.extend(
            bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(ALPHABET[usize::from(byte % 62)])).take(length - text.len()),
        );
    }
    text
}
