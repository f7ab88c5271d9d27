//! The name of one request, for its log line and its answer. It is never taken from outside.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use bo_auth_core::random::{MIX_STEP, mix};
use http::HeaderValue;

/// Sixteen hexadecimal digits: unique within the process, unlikely to meet another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 16]);

impl RequestId {
    /// The next one.
    pub fn generate() -> Self {
        static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one(std::process::id())));
        Self::from_number(mix(NEXT.fetch_add(MIX_STEP, Ordering::Relaxed)))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The value of `X-Request-Id`.
    pub fn to_header(self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).unwrap_or(HeaderValue::from_static("0"))
    }

    fn from_number(number: u64) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 16];
        for (position, digit) in digits.iter_mut().enumerate() {
            *digit = DIGITS[(number >> (60 - 4 * position) & 15) as usize];
        }
        Self(digits)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_are_the_same() {
        let ids: HashSet<_> = (0..10_000).map(|_| RequestId::generate()).collect();
        assert_eq!(ids.len(), 10_000);
    }

    #[test]
    fn a_number_is_written_with_leading_zeros() {
        assert_eq!(RequestId::from_number(0xabc).as_str(), "0000000000000abc");
        assert_eq!(RequestId::from_number(0xabc).to_header(), "0000000000000abc");
    }
}
