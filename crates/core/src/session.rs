//! A session: its id, how it stands, and the reasons for which it ends.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::random::Random;
use crate::time::Timestamp;

/// A session's id: 42 bits of milliseconds since the epoch, then 22 random bits, so that ids of one time lie
/// together. Written as 16 hexadecimal digits outside the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(i64);

/// How many low bits of an id are random.
const RANDOM_BITS: u32 = 22;

impl SessionId {
    /// A new id for a session that begins at `now`.
    pub fn generate(now: Timestamp, random: &dyn Random) -> Self {
        Self(time_ordered_id(now, random))
    }

    /// The id with this number, as the database holds it.
    pub const fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// The number, as the database holds it; never negative for an id that was generated.
    pub const fn number(self) -> i64 {
        self.0
    }

    /// When the session began, as its id has it: what a not-before mark is compared with.
    pub const fn began(self) -> Timestamp {
        Timestamp(self.0 >> RANDOM_BITS)
    }

    /// Reads 16 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = well_formed.then(|| u64::from_str_radix(text, 16).ok()).flatten()?;
        i64::try_from(number).ok().map(Self)
    }
}

/// A 63-bit number that grows with time: 41 significant bits of milliseconds, then 22 random bits.
pub fn time_ordered_id(now: Timestamp, random: &dyn Random) -> i64 {
    let mut bytes = [0u8; 4];
    random.fill(&mut bytes);
    let low = i64::from(u32::from_le_bytes(bytes) & ((1 << RANDOM_BITS) - 1));
    ((now.millis() & ((1 << 41) - 1)) << RANDOM_BITS) | low
}

/// The smallest time-ordered id of an instant: the bound of a range over time.
pub const fn first_id_at(instant: Timestamp) -> i64 {
    (instant.millis() & ((1 << 41) - 1)) << RANDOM_BITS
}

impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl Serialize for SessionId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a session id is 16 hexadecimal digits"))
    }
}

/// Why a session ended. The numbers stand in the database and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(u8)]
pub enum EndReason {
    /// The user signed out.
    LoggedOut = 1,
    /// An administrator, or the user from another device, ended it.
    Kicked = 2,
    /// A newer session took its place under the concurrent-session limit.
    Replaced = 3,
    /// A refresh token was used again after its successor had been used.
    ReuseDetected = 4,
    /// The user's password changed.
    PasswordChanged = 5,
    /// Its idle or absolute lifetime ran out.
    Expired = 6,
    /// The user was disabled.
    UserDisabled = 7,
    /// The system was disabled.
    SystemDisabled = 8,
    /// The tenant was disabled.
    TenantDisabled = 9,
    /// The key that its proofs were made with was withdrawn.
    KeyWithdrawn = 10,
}

impl EndReason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::LoggedOut,
        Self::Kicked,
        Self::Replaced,
        Self::ReuseDetected,
        Self::PasswordChanged,
        Self::Expired,
        Self::UserDisabled,
        Self::SystemDisabled,
        Self::TenantDisabled,
        Self::KeyWithdrawn,
    ];

    /// The number that stands in the database.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The reason with this number.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.number() == number)
    }

    /// The name used in receipts, events and the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LoggedOut => "LOGGED_OUT",
            Self::Kicked => "KICKED",
            Self::Replaced => "REPLACED",
            Self::ReuseDetected => "REUSE_DETECTED",
            Self::PasswordChanged => "PASSWORD_CHANGED",
            Self::Expired => "EXPIRED",
            Self::UserDisabled => "USER_DISABLED",
            Self::SystemDisabled => "SYSTEM_DISABLED",
            Self::TenantDisabled => "TENANT_DISABLED",
            Self::KeyWithdrawn => "KEY_WITHDRAWN",
        }
    }
}

/// Which sessions a logout ends (contract 1.5). Never widened by accident: the default is the narrowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogoutScope {
    /// This session.
    #[default]
    Local,
    /// The user's other sessions, of all systems of the tenant.
    Others,
    /// All of the user's sessions.
    All,
}

impl LogoutScope {
    /// Reads `local`, `others` or `all`, to the letter.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "local" => Some(Self::Local),
            "others" => Some(Self::Others),
            "all" => Some(Self::All),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zeros;

    impl Random for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0xff);
        }
    }

    #[test]
    fn ids_follow_time_and_survive_their_text() {
        let earlier = SessionId::generate(Timestamp(1_700_000_000_000), &Zeros);
        let later = SessionId::generate(Timestamp(1_700_000_000_001), &Zeros);
        assert!(earlier < later);
        assert!(earlier.number() >= first_id_at(Timestamp(1_700_000_000_000)));
        assert_eq!(earlier.began(), Timestamp(1_700_000_000_000));
        assert_eq!(SessionId::parse(&earlier.to_string()), Some(earlier));
        for bad in ["", "0", "00000000000000000", "000000000000000G", "000000000000000A", "ffffffffffffffff"] {
            assert_eq!(SessionId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn reasons_keep_their_numbers() {
        for reason in EndReason::ALL {
            assert_eq!(EndReason::from_number(reason.number()), Some(reason));
        }
        assert_eq!(EndReason::from_number(0), None);
    }
}
