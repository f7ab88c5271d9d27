//! A tenant's keys, and what each of them does at an instant.

use bo_auth_core::identifier::KeyId;
use bo_auth_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::administration::AdministrationEvent;
use super::mark::Marking;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyPurpose {
    /// DES, for `XverifyApi` and passwords on their way.
    Stamp,
    /// HMAC-SHA256, for `XverifyApi` version 2.
    StampMac,
    /// Signs access tokens.
    Access,
    /// Authenticates refresh tokens.
    Refresh,
}

impl KeyPurpose {
    /// The word that stands in the database and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stamp => "stamp",
            Self::StampMac => "stamp-mac",
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [Self::Stamp, Self::StampMac, Self::Access, Self::Refresh];
        all.into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// One version of one of a tenant's keys, as its row stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyRecord {
    /// The version.
    pub key_id: KeyId,
    /// What it is for.
    pub purpose: KeyPurpose,
    /// `DES`, `HMAC-SHA256`, `HS256`, `RS256`, `ES256` or `EdDSA`.
    pub algorithm: String,
    /// The secret, sealed under the master key and bound to its row.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on nothing made with it is accepted; `None` for the current one. While the row
    /// says `announced`, it is the end of the key before it.
    pub retires_at: Option<Timestamp>,
    /// From when on it signs, if it was announced.
    #[serde(default)]
    pub signs_from: Option<Timestamp>,
    /// Whether its row and that of the key before it are still to be exchanged. Nodes do not wait
    /// for that.
    #[serde(default)]
    pub announced: bool,
}

/// What a key does at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It is to sign. Verifiers may know it already.
    Announced,
    /// What is new is made with it.
    Signing,
    /// What was made with it is accepted.
    Accepted,
    /// Nothing made with it is accepted.
    Retired,
}

impl KeyState {
    /// The word for lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Announced => "announced",
            Self::Signing => "signing",
            Self::Accepted => "accepted",
            Self::Retired => "retired",
        }
    }
}

/// A key's state with its instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyStanding {
    /// The state.
    pub state: KeyState,
    /// From when on it signs or has signed.
    pub signs_from: Timestamp,
    /// From when on nothing made with it is accepted, if that is known.
    pub retires_at: Option<Timestamp>,
}

/// A key that is announced, with what becomes of the current one.
#[derive(Debug, Clone, Copy)]
pub struct Succession<'a> {
    /// The key.
    pub key: &'a KeyRecord,
    /// From when on it signs.
    pub signs_from: Timestamp,
    /// From when on the key before it is refused.
    pub current_retires_at: Timestamp,
}

/// The keys of one purpose that count: never more than two that are accepted, and one that is
/// announced. Rows beyond these count as retired, whatever end they have.
#[derive(Debug, Clone, Copy)]
pub struct KeyRing<'a> {
    /// The newest key without an end.
    pub current: &'a KeyRecord,
    /// The key that takes over from it.
    pub successor: Option<Succession<'a>>,
    /// The key before it, and its end.
    pub earlier: Option<(&'a KeyRecord, Timestamp)>,
}

impl<'a> KeyRing<'a> {
    /// The ring of a purpose; `None` if no key of the purpose is without an end.
    pub fn of(keys: &'a [KeyRecord], purpose: KeyPurpose) -> Option<Self> {
        let of_purpose = || keys.iter().filter(move |key| key.purpose == purpose);
        let age = |key: &&KeyRecord| (key.created_at, key.key_id.clone());
        let current = of_purpose().filter(|key| key.retires_at.is_none()).max_by_key(age)?;
        let announced = of_purpose().filter(|key| key.announced && age(key) > age(&current));
        let succession = |key: &'a KeyRecord| {
            let (signs_from, current_retires_at) = (key.signs_from?, key.retires_at?);
            (current_retires_at > signs_from).then_some(Succession { key, signs_from, current_retires_at })
        };
        let successor = announced.filter_map(succession).max_by_key(|succession| age(&succession.key));
        let next = successor.map(|succession| &succession.key.key_id);
        // One that an older server has overtaken has signed nothing.
        let has_signed = |key: &&KeyRecord| key.signs_from.is_none_or(|from| from <= current.created_at);
        let ended = of_purpose().filter(|key| Some(&key.key_id) != next).filter(has_signed);
        let ended = ended.filter_map(|key| Some((key, key.retires_at?)));
        let earlier = ended.max_by_key(|(key, retires_at)| (*retires_at, age(key)));
        Some(Self { current, successor, earlier })
    }

    /// What a key of the same purpose does at `now`.
    pub fn standing(&self, key: &KeyRecord, now: Timestamp) -> KeyStanding {
        let signs_from = key.signs_from.unwrap_or(key.created_at);
        let ending = |retires_at| {
            let state = if now < retires_at { KeyState::Accepted } else { KeyState::Retired };
            KeyStanding { state, signs_from, retires_at: Some(retires_at) }
        };
        match (&self.successor, &self.earlier) {
            (Some(next), _) if next.key.key_id == key.key_id => {
                let state = if now < next.signs_from { KeyState::Announced } else { KeyState::Signing };
                KeyStanding { state, signs_from, retires_at: None }
            }
            (Some(next), _) if self.current.key_id == key.key_id && now >= next.signs_from => ending(next.current_retires_at),
            (next, _) if self.current.key_id == key.key_id => {
                let retires_at = next.as_ref().map(|next| next.current_retires_at);
                KeyStanding { state: KeyState::Signing, signs_from, retires_at }
            }
            (_, Some((earlier, retires_at))) if earlier.key_id == key.key_id => ending(*retires_at),
            _ => {
                // An older server left it an end that does not count: it retired when the current
                // one was made.
                let end = key.retires_at.filter(|end| *end <= now).unwrap_or(self.current.created_at);
                KeyStanding { state: KeyState::Retired, signs_from, retires_at: Some(end) }
            }
        }
    }

    /// The key that signs at `now`.
    pub fn signing(&self, now: Timestamp) -> &'a KeyRecord {
        self.successor.filter(|next| now >= next.signs_from).map_or(self.current, |next| next.key)
    }
}

/// A key that is to be put in front of those of its purpose.
#[derive(Debug)]
pub struct KeyRotation<'a> {
    /// The key.
    pub key: &'a KeyRecord,
    /// From when on it signs; at once if absent.
    pub signs_from: Option<Timestamp>,
    /// From when on the key that signs until then is refused.
    pub earlier_retire_at: Timestamp,
    /// The line of the audit trail; the keys that retire early are added to its details.
    pub event: AdministrationEvent,
    /// The end of all sessions, if they end with it.
    pub marking: Option<Marking>,
}

/// A key that a rotation retires before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RetiredKey {
    /// The key.
    pub key_id: KeyId,
    /// From when on it is refused.
    pub retires_at: Timestamp,
}

/// What withdrawing a key has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Withdrawal {
    /// It is withdrawn.
    Withdrawn,
    /// It is withdrawn, and this announced key signs in its place from now on.
    Succeeded(KeyId),
    /// It had retired before.
    Already,
    /// It signs and nothing is announced.
    NoSuccessor,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key_id: &str, created_at: i64, retires_at: Option<i64>, signs_from: Option<i64>) -> KeyRecord {
        KeyRecord {
            key_id: KeyId::parse(key_id).unwrap(),
            purpose: KeyPurpose::Access,
            algorithm: "ES256".to_owned(),
            sealed: Vec::new(),
            created_at: Timestamp(created_at),
            retires_at: retires_at.map(Timestamp),
            signs_from: signs_from.map(Timestamp),
            announced: signs_from.is_some(),
        }
    }

    fn states(keys: &[KeyRecord], now: i64) -> Vec<&'static str> {
        let ring = KeyRing::of(keys, KeyPurpose::Access).unwrap();
        keys.iter().map(|key| ring.standing(key, Timestamp(now)).state.as_str()).collect()
    }

    #[test]
    fn an_announced_key_takes_over_by_the_clock() {
        let keys = [key("k3", 30, Some(200), Some(100)), key("k2", 20, None, None), key("k1", 10, Some(100), None)];
        for (now, expected, signing) in [
            (99, ["announced", "signing", "accepted"], "k2"),
            (100, ["signing", "accepted", "retired"], "k3"),
            (200, ["signing", "retired", "retired"], "k3"),
        ] {
            assert_eq!(states(&keys, now), expected, "{now}");
            let ring = KeyRing::of(&keys, KeyPurpose::Access).unwrap();
            assert_eq!(ring.signing(Timestamp(now)).key_id.as_str(), signing);
        }
        assert!(KeyRing::of(&keys, KeyPurpose::Stamp).is_none());
    }

    #[test]
    fn what_an_older_server_has_left_is_bounded_when_it_is_read() {
        let mut keys: Vec<_> = (0..1_500).map(|at| key(&format!("k{at}"), at, Some(10_000 + at), None)).collect();
        keys.push(key("current", 2_000, None, None));
        let states = states(&keys, 5_000);
        assert_eq!(states.iter().filter(|state| **state == "retired").count(), 1_499);
        assert_eq!(states[1_499..], ["accepted", "signing"]);
    }

    #[test]
    fn a_rotation_by_an_older_server_takes_an_announced_key_away() {
        let keys = [key("k3", 30, None, None), key("k2", 20, Some(50), Some(100)), key("k1", 10, Some(50), None)];
        assert_eq!(states(&keys, 40), ["signing", "retired", "accepted"], "k2 has signed nothing");
        assert_eq!(states(&keys, 150), ["signing", "retired", "retired"]);
    }
}
