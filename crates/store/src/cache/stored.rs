//! The form of stored values: a letter that tells values from leases, then the instant of fetching and the JSON text.
//! Readable with the engine's own tools.

use std::hash::{BuildHasher, RandomState};

use bo_auth_core::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What stands under a key.
pub(super) enum Stored<V> {
    /// `V<milliseconds>:<JSON>`.
    Value {
        /// The value.
        value: V,
        /// When it was read from the database.
        fetched_at: Timestamp,
    },
    /// `L<token>`: no value, and a reader is on its way to the database.
    Lease,
}

impl<V: DeserializeOwned> Stored<V> {
    /// Reads what was stored; `None` for what this version did not write.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        match kind {
            b'L' => Some(Self::Lease),
            b'V' => {
                let colon = rest.iter().position(|byte| *byte == b':')?;
                let millis = std::str::from_utf8(&rest[..colon]).ok()?.parse().ok()?;
                let value = serde_json::from_slice(&rest[colon + 1..]).ok()?;
                Some(Self::Value { value, fetched_at: Timestamp(millis) })
            }
            _ => None,
        }
    }
}

/// The bytes of a value; `None` where it has no JSON form.
pub(super) fn encode<V: Serialize>(value: &V, fetched_at: Timestamp) -> Option<Vec<u8>> {
    let mut bytes = format!("V{}:", fetched_at.millis()).into_bytes();
    serde_json::to_writer(&mut bytes, value).ok()?;
    Some(bytes)
}

/// A lease that no one else holds: two outputs of a keyed hash whose key is another one each time.
pub(super) fn new_lease() -> Vec<u8> {
    let hash = RandomState::new();
    format!("L{:016x}{:016x}", hash.hash_one(0), hash.hash_one(1)).into_bytes()
}

/// Reads a counter: decimal digits.
pub(super) fn decode_count(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_and_anything_else_does_not() {
        let bytes = encode(&"a:b", Timestamp(-5)).unwrap();
        assert_eq!(bytes, b"V-5:\"a:b\"");
        assert!(matches!(Stored::<String>::decode(&bytes), Some(Stored::Value { value, fetched_at: Timestamp(-5) }) if value == "a:b"));
        assert!(matches!(Stored::<String>::decode(&new_lease()), Some(Stored::Lease)));
        for bad in [&b""[..], b"V", b"V1", b"V1:", b"Vx:\"\"", b"V1:7", b"X", b"\xff\xff", b"V\xff:\"\""] {
            assert!(Stored::<String>::decode(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn leases_differ() {
        assert_ne!(new_lease(), new_lease());
    }
}
