//! A tenant's signing keys by what they do at an instant: one signs, at most one before it is still
//! accepted, and one that is to sign may be announced. Each node finds the change by its own clock.

use std::time::Duration;

use serde_json::{Value, json};

use super::SigningKey;
use crate::time::Timestamp;

/// For how long readers may keep the key set: its `max-age`.
pub const KEY_SET_MAX_AGE: Duration = Duration::from_mins(5);

/// How long a new public key stands in the key set before it signs. A cache keeps the set for
/// [`KEY_SET_MAX_AGE`], and a reader what it gets from there for ten minutes more (`jose` by
/// default); a minute is for clocks that differ.
pub const ANNOUNCEMENT: Duration = Duration::from_mins(5 + 10 + 1);

/// A tenant's signing keys.
#[derive(Debug)]
pub struct SigningKeys {
    current: SigningKey,
    successor: Option<Successor>,
    accepted: Vec<(SigningKey, Timestamp)>,
}

/// A key that is announced, and what becomes of the current one.
#[derive(Debug)]
pub struct Successor {
    /// The key.
    pub key: SigningKey,
    /// From when on it signs.
    pub signs_from: Timestamp,
    /// From when on the key before it is refused.
    pub current_retires_at: Timestamp,
}

impl SigningKeys {
    /// Signs with `current`; accepts each of `accepted_too` as well, until the instant beside it.
    pub const fn new(current: SigningKey, accepted_too: Vec<(SigningKey, Timestamp)>) -> Self {
        Self { current, successor: None, accepted: accepted_too }
    }

    /// The same with a key that is announced.
    #[must_use]
    pub fn announcing(self, successor: Option<Successor>) -> Self {
        Self { successor, ..self }
    }

    /// The key that signs at `now`.
    pub fn current(&self, now: Timestamp) -> &SigningKey {
        match &self.successor {
            Some(successor) if now >= successor.signs_from => &successor.key,
            _ => &self.current,
        }
    }

    /// The keys whose tokens are accepted at `now`. An announced key is one of them: the clock of
    /// the node that signs with it may be ahead of ours.
    pub fn live(&self, now: Timestamp) -> impl Iterator<Item = &SigningKey> {
        self.with_ends().filter(move |(_, retires_at)| retires_at.is_none_or(|at| now < at)).map(|(key, _)| key)
    }

    /// The public halves of the live keys as a JWK set (RFC 7517 section 5).
    pub fn jwks(&self, now: Timestamp) -> Value {
        json!({ "keys": self.live(now).filter_map(SigningKey::public_jwk).collect::<Vec<_>>() })
    }

    /// For how long the key set of `now` stays as it is, and never longer than [`KEY_SET_MAX_AGE`].
    pub fn key_set_age(&self, now: Timestamp) -> Duration {
        let ends = self.with_ends().filter_map(|(_, retires_at)| retires_at);
        ends.filter(|at| now < *at).map(|at| now.until(at)).fold(KEY_SET_MAX_AGE, Duration::min)
    }

    /// All keys, each with the instant from which it is refused.
    fn with_ends(&self) -> impl Iterator<Item = (&SigningKey, Option<Timestamp>)> {
        let successor = self.successor.as_ref();
        let current = (&self.current, successor.map(|successor| successor.current_retires_at));
        let announced = successor.map(|successor| (&successor.key, None));
        let accepted = self.accepted.iter().map(|(key, retires_at)| (key, Some(*retires_at)));
        std::iter::once(current).chain(announced).chain(accepted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::KeyId;
    use crate::random::SystemRandom;
    use crate::signing_key::Algorithm;

    fn key(key_id: &str, algorithm: Algorithm) -> SigningKey {
        let key_id = KeyId::parse(key_id).unwrap();
        SigningKey::generate(key_id, algorithm, &SystemRandom::default()).unwrap().0
    }

    fn shown(keys: &SigningKeys, now: i64) -> Vec<String> {
        let set = keys.jwks(Timestamp(now));
        set["keys"].as_array().unwrap().iter().map(|jwk| jwk["kid"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_key_set_shows_public_halves_of_live_keys() {
        let retires_at = Timestamp(1000);
        let others = [("ec", Algorithm::ES256), ("ed", Algorithm::EdDSA), ("mac", Algorithm::HS256)];
        let accepted = others.map(|(key_id, algorithm)| (key(key_id, algorithm), retires_at));
        let keys = SigningKeys::new(key("rsa", Algorithm::RS256), accepted.into());
        let set = keys.jwks(Timestamp(999));
        let names = |jwk: &Value| jwk.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let members: Vec<_> = set["keys"].as_array().unwrap().iter().map(names).collect();
        assert_eq!(
            members,
            [
                vec!["kid", "alg", "use", "kty", "n", "e"],
                vec!["kid", "alg", "use", "kty", "crv", "x", "y"],
                vec!["kid", "alg", "use", "kty", "crv", "x"],
            ]
        );
        assert_eq!(set["keys"][0]["e"], "AQAB");
        assert_eq!(shown(&keys, 1000), ["rsa"], "the rest has retired");
    }

    #[test]
    fn an_announced_key_is_shown_at_once_signs_at_its_instant_and_retires_the_one_before_it() {
        let successor =
            Successor { key: key("new", Algorithm::EdDSA), signs_from: Timestamp(1_000_000), current_retires_at: Timestamp(2_000_000) };
        let earlier = vec![(key("oldest", Algorithm::ES256), Timestamp(1_000_000))];
        let keys = SigningKeys::new(key("old", Algorithm::ES256), earlier).announcing(Some(successor));
        for (now, signs, set) in [
            (0, "old", vec!["old", "new", "oldest"]),
            (999_999, "old", vec!["old", "new", "oldest"]),
            (1_000_000, "new", vec!["old", "new"]),
            (2_000_000, "new", vec!["new"]),
        ] {
            assert_eq!(keys.current(Timestamp(now)).id().as_str(), signs, "{now}");
            assert_eq!(shown(&keys, now), set, "{now}");
        }
    }

    #[test]
    fn nobody_is_told_to_keep_the_key_set_beyond_its_next_change() {
        let accepted = vec![(key("old", Algorithm::ES256), Timestamp(1_000_000))];
        let keys = SigningKeys::new(key("new", Algorithm::ES256), accepted);
        for (now, seconds) in [(0, 300), (700_000, 300), (990_000, 10), (1_000_000, 300)] {
            assert_eq!(keys.key_set_age(Timestamp(now)), Duration::from_secs(seconds), "{now}");
        }
        assert!(ANNOUNCEMENT > KEY_SET_MAX_AGE);
    }
}
