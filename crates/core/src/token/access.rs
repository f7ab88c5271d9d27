//! Access tokens: issued with the tenant's current key, verified against its live ones.
//! A token's header is compared with the headers that the live keys write, not interpreted, so that no token can
//! choose an algorithm, a key of its own, a `crit` extension or an unencoded payload.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::identifier::{OwnerId, SystemId, UserId};
use crate::session::SessionId;
use crate::signing_key::SigningKeys;
use crate::time::Timestamp;

/// The audience of every access token (contract 1.4).
pub const AUDIENCE: &str = "api";
/// The longest access token that is looked at, in bytes.
pub const TOKEN_BYTES: usize = 8 * 1024;
/// How far in the future `iat` and `nbf` may lie, in seconds: what the clocks of two nodes may differ by.
pub const CLOCK_SKEW_SECONDS: i64 = 60;

/// What an access token says (contract 1.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessClaims {
    /// `iss`: who issues the token.
    pub issuer: String,
    /// `sub`, and `id` as the platform's frontends read it: the user.
    pub user_id: UserId,
    /// `name`: what the user is called.
    pub name: String,
    /// `client_id`: the client that signed in.
    pub client_id: String,
    /// `push_name`: where the user's push messages go; left out where there is none.
    pub push_name: Option<String>,
    /// `owner_id`: the tenant.
    pub owner_id: OwnerId,
    /// `sys_id`: the system.
    pub sys_id: SystemId,
    /// `sid`: the session.
    pub session_id: SessionId,
    /// `jti`: this token's own name.
    pub jti: String,
    /// `iat`: when the token is issued, written in whole seconds, rounded down.
    pub issued_at: Timestamp,
    /// `exp`: the first instant at which the token is no longer valid, written in whole seconds, rounded down.
    pub expires_at: Timestamp,
}

/// Whom a token must be from and for.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The only `iss` that is accepted.
    pub issuer: &'a str,
    /// The tenant of the request.
    pub owner_id: &'a OwnerId,
    /// The system of the request.
    pub sys_id: &'a SystemId,
}

/// An access token that was found authentic: signed by a live key of the tenant, for this tenant and system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedAccess {
    session_id: SessionId,
    user_id: UserId,
    name: String,
    push_name: Option<String>,
    issued_at: Timestamp,
    expires_at: Timestamp,
    jti: String,
    expired: bool,
}

impl VerifiedAccess {
    /// The session the token belongs to.
    pub const fn session_id(&self) -> SessionId {
        self.session_id
    }

    /// The user.
    pub const fn user_id(&self) -> &UserId {
        &self.user_id
    }

    /// What the user was called when the token was issued.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the user's push messages go.
    pub fn push_name(&self) -> Option<&str> {
        self.push_name.as_deref()
    }

    /// When the token was issued, to the second.
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// The first instant at which the token is no longer valid.
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// The token's own name.
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// Whether the token had expired when it was verified.
    pub const fn is_expired(&self) -> bool {
        self.expired
    }

    /// The same token, where it has not expired. Every use case but logout asks for this (contract 1.5).
    ///
    /// # Errors
    /// [`Error::TokenExpired`].
    pub fn fresh(self) -> Result<Self, Error> {
        if self.expired { Err(Error::TokenExpired) } else { Ok(self) }
    }
}

/// The claims as they are written, in this order. A member that stands twice, or a date with a fraction, is refused
/// when they are read; members that are not listed are passed over.
#[derive(Serialize, Deserialize)]
struct Payload<'a> {
    #[serde(borrow)]
    iss: Cow<'a, str>,
    #[serde(borrow)]
    aud: Cow<'a, str>,
    #[serde(borrow)]
    sub: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    client_id: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    push_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    owner_id: Cow<'a, str>,
    #[serde(borrow)]
    sys_id: Cow<'a, str>,
    sid: SessionId,
    #[serde(borrow)]
    jti: Cow<'a, str>,
    iat: i64,
    exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
}

/// The system that a token names, before anything about it is verified; none where it is not written like a token. Whoever
/// chooses by it verifies the token for that system afterwards.
pub fn named_system(token: &str) -> Option<SystemId> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        sys_id: Cow<'a, str>,
    }
    if token.len() > TOKEN_BYTES {
        return None;
    }
    let json = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let named: Named<'_> = serde_json::from_slice(&json).ok()?;
    SystemId::parse(&named.sys_id).ok()
}

impl SigningKeys {
    /// Issues a token with the key that signs at the instant of its issue, in compact serialisation (RFC 7515 section 7.1).
    ///
    /// # Errors
    /// [`Error::Key`] where the key does not sign.
    pub fn issue(&self, claims: &AccessClaims) -> Result<String, Error> {
        let payload = Payload {
            iss: Cow::Borrowed(&claims.issuer),
            aud: Cow::Borrowed(AUDIENCE),
            sub: Cow::Borrowed(claims.user_id.as_str()),
            id: Cow::Borrowed(claims.user_id.as_str()),
            name: Cow::Borrowed(&claims.name),
            client_id: Cow::Borrowed(&claims.client_id),
            push_name: claims.push_name.as_deref().map(Cow::Borrowed),
            owner_id: Cow::Borrowed(claims.owner_id.as_str()),
            sys_id: Cow::Borrowed(claims.sys_id.as_str()),
            sid: claims.session_id,
            jti: Cow::Borrowed(&claims.jti),
            iat: claims.issued_at.seconds(),
            exp: claims.expires_at.seconds(),
            nbf: None,
        };
        let json = serde_json::to_vec(&payload).map_err(|_| Error::Key("its claims cannot be written"))?;
        let key = self.current(claims.issued_at);
        let mut token = String::with_capacity(key.header().len() + json.len() * 4 / 3 + 360);
        token.push_str(key.header());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&json, &mut token);
        let signature = key.sign(token.as_bytes())?;
        token.push('.');
        token.push_str(&signature);
        Ok(token)
    }

    /// Verifies a token: its signature under a live key, issuer, audience, tenant, system and dates. A token that
    /// has merely expired is returned and says so; [`VerifiedAccess::fresh`] refuses it. There is no leeway on
    /// `exp`, and [`CLOCK_SKEW_SECONDS`] on `iat` and `nbf`.
    ///
    /// # Errors
    /// [`Error::TokenInvalid`] for whatever is wrong, all alike.
    pub fn verify(&self, token: &str, expected: &Expected<'_>, now: Timestamp) -> Result<VerifiedAccess, Error> {
        let json = self.authentic_payload(token, now).ok_or(Error::TokenInvalid)?;
        let payload: Payload<'_> = serde_json::from_slice(&json).map_err(|_| Error::TokenInvalid)?;
        let latest = now.seconds().saturating_add(CLOCK_SKEW_SECONDS);
        let acceptable = payload.iss == expected.issuer
            && payload.aud == AUDIENCE
            && payload.owner_id == expected.owner_id.as_str()
            && payload.sys_id == expected.sys_id.as_str()
            && payload.id == payload.sub
            && payload.iat <= latest
            && payload.nbf.is_none_or(|not_before| not_before <= latest)
            && payload.iat < payload.exp;
        if !acceptable {
            return Err(Error::TokenInvalid);
        }
        Ok(VerifiedAccess {
            session_id: payload.sid,
            user_id: UserId::parse(&payload.sub).map_err(|_| Error::TokenInvalid)?,
            name: payload.name.into_owned(),
            push_name: payload.push_name.map(Cow::into_owned),
            issued_at: Timestamp::from_seconds(payload.iat),
            expires_at: Timestamp::from_seconds(payload.exp),
            jti: payload.jti.into_owned(),
            expired: now.seconds() >= payload.exp,
        })
    }

    /// The payload of a token that a live key has signed.
    fn authentic_payload(&self, token: &str, now: Timestamp) -> Option<Vec<u8>> {
        if token.len() > TOKEN_BYTES {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (header, payload) = message.split_once('.')?;
        self.live(now).find(|key| key.header() == header && key.has_signed(message.as_bytes(), signature))?;
        // The decoder refuses padding, foreign characters (a third dot among them) and trailing bits.
        URL_SAFE_NO_PAD.decode(payload).ok()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identifier::KeyId;
    use crate::random::SystemRandom;
    use crate::signing_key::{Algorithm, SigningKey};

    pub(in crate::token) const NOW: Timestamp = Timestamp(1_700_000_000_900);

    pub(in crate::token) fn keys(id: &str, algorithm: Algorithm) -> SigningKeys {
        let (key, _) = SigningKey::generate(KeyId::parse(id).unwrap(), algorithm, &SystemRandom::default()).unwrap();
        SigningKeys::new(key, Vec::new())
    }

    pub(in crate::token) fn claims() -> AccessClaims {
        AccessClaims {
            issuer: "https://auth.example".to_owned(),
            user_id: UserId::parse("u1").unwrap(),
            name: "陈 \"小\" 明".to_owned(),
            client_id: "web".to_owned(),
            push_name: None,
            owner_id: OwnerId::parse("demo").unwrap(),
            sys_id: SystemId::parse("main").unwrap(),
            session_id: SessionId::from_number(0x062f_3a1b_4c5d_6e7f),
            jti: "j1".to_owned(),
            issued_at: NOW,
            expires_at: Timestamp(NOW.0 + 60_000),
        }
    }

    pub(in crate::token) fn verify(keys: &SigningKeys, token: &str, now: Timestamp) -> Result<VerifiedAccess, Error> {
        let (owner_id, sys_id) = (OwnerId::parse("demo").unwrap(), SystemId::parse("main").unwrap());
        keys.verify(token, &Expected { issuer: "https://auth.example", owner_id: &owner_id, sys_id: &sys_id }, now)
    }

    #[test]
    fn what_is_issued_is_verified() {
        for algorithm in Algorithm::ALL {
            let keys = keys("k1", algorithm);
            let claims = AccessClaims { push_name: Some("推送".to_owned()), ..claims() };
            let verified = verify(&keys, &keys.issue(&claims).unwrap(), NOW).unwrap();
            assert_eq!(verified.session_id(), claims.session_id);
            assert_eq!(verified.user_id(), &claims.user_id);
            assert_eq!((verified.name(), verified.push_name(), verified.jti()), ("陈 \"小\" 明", Some("推送"), "j1"));
            assert_eq!(verified.issued_at(), Timestamp(1_700_000_000_000));
            assert_eq!(verified.expires_at(), Timestamp(1_700_000_060_000));
            assert!(verified.fresh().is_ok());
        }
    }

    #[test]
    fn header_and_claims_stand_in_the_documented_order() {
        let token = keys("k1", Algorithm::HS256).issue(&claims()).unwrap();
        assert!(token.starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6"), "{token}");
        let part = |index| String::from_utf8(URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap();
        assert_eq!(part(0), r#"{"alg":"HS256","typ":"JWT","kid":"k1"}"#);
        assert_eq!(
            part(1),
            r#"{"iss":"https://auth.example","aud":"api","sub":"u1","id":"u1","name":"陈 \"小\" 明","client_id":"web","owner_id":"demo","#
                .to_owned()
                + r#""sys_id":"main","sid":"062f3a1b4c5d6e7f","jti":"j1","iat":1700000000,"exp":1700000060}"#
        );
    }

    #[test]
    fn the_published_key_verifies_a_token_in_another_reader() {
        for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
            let keys = keys("k1", algorithm);
            let token = keys.issue(&claims()).unwrap();
            let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(keys.jwks(NOW)["keys"][0].clone()).unwrap();
            let header = jsonwebtoken::decode_header(&token).unwrap();
            let mut validation = jsonwebtoken::Validation::new(header.alg);
            validation.set_audience(&[AUDIENCE]);
            validation.validate_exp = false;
            let decoded =
                jsonwebtoken::decode::<serde_json::Value>(&token, &jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap(), &validation)
                    .unwrap();
            assert_eq!((header.kid.as_deref(), decoded.claims["sub"].as_str()), (Some("k1"), Some("u1")), "{algorithm:?}");
        }
    }

    #[test]
    fn a_token_expires_at_the_instant_it_names() {
        let keys = keys("k1", Algorithm::HS256);
        let token = keys.issue(&claims()).unwrap();
        assert!(!verify(&keys, &token, Timestamp(1_700_000_059_999)).unwrap().is_expired());
        let expired = verify(&keys, &token, Timestamp(1_700_000_060_000)).unwrap();
        assert!(expired.is_expired());
        assert_eq!(expired.fresh(), Err(Error::TokenExpired));
    }

    #[test]
    fn a_token_may_come_from_a_clock_that_is_a_minute_ahead() {
        let keys = keys("k1", Algorithm::HS256);
        let token = keys.issue(&claims()).unwrap();
        assert!(verify(&keys, &token, Timestamp(1_699_999_940_000)).is_ok());
        assert_eq!(verify(&keys, &token, Timestamp(1_699_999_939_999)), Err(Error::TokenInvalid));
    }

    #[test]
    fn an_accepted_key_verifies_until_it_retires() {
        let (old, secret) = SigningKey::generate(KeyId::parse("old").unwrap(), Algorithm::HS256, &SystemRandom::default()).unwrap();
        let token = SigningKeys::new(old, Vec::new()).issue(&claims()).unwrap();
        let old = SigningKey::from_secret(KeyId::parse("old").unwrap(), Algorithm::HS256, &secret).unwrap();
        let current = SigningKey::generate(KeyId::parse("new").unwrap(), Algorithm::ES256, &SystemRandom::default()).unwrap().0;
        let keys = SigningKeys::new(current, vec![(old, Timestamp(NOW.0 + 1))]);
        assert!(verify(&keys, &token, NOW).is_ok());
        assert_eq!(verify(&keys, &token, Timestamp(NOW.0 + 1)), Err(Error::TokenInvalid));
    }

    #[test]
    fn a_token_names_its_system_before_it_is_verified() {
        let token = keys("k1", Algorithm::HS256).issue(&claims()).unwrap();
        assert_eq!(named_system(&token), Some(claims().sys_id));
        let of = |payload: &str| named_system(&format!("a.{}.c", URL_SAFE_NO_PAD.encode(payload)));
        assert_eq!(of(r#"{"sys_id":"app"}"#), SystemId::parse("app").ok());
        for payload in ["", "[]", "{}", r#"{"sys_id":1}"#, r#"{"sys_id":"a b"}"#, r#"{"sys_id":"a","sys_id":"b"}"#] {
            assert_eq!(of(payload), None, "{payload}");
        }
        let long = format!("a.{}.c", "A".repeat(TOKEN_BYTES));
        for text in ["", "a", "a.b", "a.!.c", &long] {
            assert_eq!(named_system(text), None, "{text:.20}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sent_names_a_system_or_none(text in "\\PC{0,200}|[0-9A-Za-z_.-]{0,200}") {
            named_system(&text);
        }
    }
}
