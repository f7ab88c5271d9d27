//! Tokens that must not be accepted, each one step away from a good one, and all refused alike.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::access::TOKEN_BYTES;
use super::access::tests::{NOW, claims, keys, verify};
use crate::Error;
use crate::identifier::{KeyId, OwnerId, SystemId};
use crate::signing_key::{Algorithm, SigningKey, SigningKeys};
use crate::time::Timestamp;

const SECRET: &[u8; 32] = b"thirty-two bytes of known secret";

fn known_key(id: &str) -> SigningKey {
    SigningKey::from_secret(KeyId::parse(id).unwrap(), Algorithm::HS256, SECRET).unwrap()
}

fn known_keys() -> SigningKeys {
    SigningKeys::new(known_key("k1"), Vec::new())
}

fn encode(part: &str) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

/// A token of these two texts that the known key has signed, whatever they say.
fn signed(header: &str, payload: &str) -> String {
    let message = format!("{}.{}", encode(header), encode(payload));
    format!("{message}.{}", known_key("k1").sign(message.as_bytes()).unwrap())
}

fn good_header() -> &'static str {
    r#"{"alg":"HS256","typ":"JWT","kid":"k1"}"#
}

fn good_payload() -> Value {
    json!({
        "iss": "https://auth.example", "aud": "api", "sub": "u1", "id": "u1", "name": "n", "client_id": "web", "owner_id": "demo",
        "sys_id": "main", "sid": "062f3a1b4c5d6e7f", "jti": "j1", "iat": 1_700_000_000, "exp": 1_700_000_060,
    })
}

fn assert_refused(token: &str, what: &str) {
    assert_eq!(verify(&known_keys(), token, NOW), Err(Error::TokenInvalid), "{what}");
}

#[test]
fn the_tokens_below_differ_from_a_good_one() {
    assert!(verify(&known_keys(), &signed(good_header(), &good_payload().to_string()), NOW).is_ok());
    let mut with_more = good_payload();
    with_more["roles"] = json!(["a claim of a later version"]);
    with_more["nbf"] = json!(1_700_000_000);
    assert!(verify(&known_keys(), &signed(good_header(), &with_more.to_string()), NOW).is_ok());
}

#[test]
fn headers_are_refused() {
    let payload = good_payload().to_string();
    for header in [
        r#"{"alg":"none","typ":"JWT","kid":"k1"}"#,
        r#"{"alg":"None","typ":"JWT","kid":"k1"}"#,
        r#"{"alg":"HS384","typ":"JWT","kid":"k1"}"#,
        r#"{"alg":"RS256","typ":"JWT","kid":"k1"}"#,
        r#"{"alg":"HS256","typ":"JWT"}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"k2"}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":""}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":["k1"]}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"k1"}"#,
        r#"{"alg":"HS256","typ":"JWE","kid":"k1"}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"k1","crit":["exp"]}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"k1","crit":["x"],"x":1}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"k1","b64":false,"crit":["b64"]}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"k1","zip":"DEF"}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"k1","jwk":{"kty":"oct","k":"AA"}}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"k1","jku":"https://evil.example/jwks"}"#,
        r#"{"alg":"HS256","alg":"none","typ":"JWT","kid":"k1"}"#,
        r#"["HS256"]"#,
        "",
        "{",
    ] {
        assert_refused(&signed(header, &payload), header);
    }
}

#[test]
fn claims_are_refused() {
    let changed = |name: &str, value: Value| {
        let mut payload = good_payload();
        payload[name] = value;
        payload.to_string()
    };
    for payload in [
        changed("iss", json!("https://other.example")),
        changed("iss", json!(["https://auth.example"])),
        changed("aud", json!("web")),
        changed("aud", json!(["api"])),
        changed("owner_id", json!("other")),
        changed("sys_id", json!("other")),
        changed("id", json!("u2")),
        changed("sub", json!("")),
        changed("sub", json!(1)),
        changed("name", Value::Null),
        changed("sid", json!("62f3a1b4c5d6e7f")),
        changed("sid", json!(445_000_000)),
        changed("iat", json!(1_700_000_061)),
        changed("iat", json!("1700000000")),
        changed("exp", json!(1_700_000_000)),
        changed("exp", json!(1_699_999_999)),
        changed("exp", json!(1_700_000_060.5)),
        changed("exp", json!("1700000060")),
        changed("exp", json!(1e300)),
        changed("nbf", json!(1_700_000_061)),
        changed("nbf", json!("soon")),
        "[]".to_owned(),
        "null".to_owned(),
        String::new(),
        good_payload().to_string().replace(r#""jti":"j1""#, r#""jti":"j1","sub":"u1""#),
        format!("{} ", good_payload()).replace("} ", "} x"),
    ] {
        assert_refused(&signed(good_header(), &payload), &payload);
    }
    for (name, _) in good_payload().as_object().unwrap() {
        let mut payload = good_payload();
        payload.as_object_mut().unwrap().remove(name);
        assert_refused(&signed(good_header(), &payload.to_string()), name);
    }
}

#[test]
fn other_spellings_of_a_good_token_are_refused() {
    let token = signed(good_header(), &good_payload().to_string());
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts") };
    let padded = URL_SAFE.encode(good_payload().to_string());
    let message = format!("{header}.{padded}");
    let padded_and_signed = format!("{message}.{}", known_key("k1").sign(message.as_bytes()).unwrap());
    // 32 bytes leave two bits of the last character unused: another character in its place decodes alike, carelessly.
    let (start, last) = signature.split_at(signature.len() - 1);
    let twin = char::from(last.as_bytes()[0] + 1);
    for (what, forged) in [
        ("no signature", format!("{header}.{payload}.")),
        ("two parts", format!("{header}.{payload}")),
        ("four parts", format!("{token}.")),
        ("five parts", format!("{token}.{payload}.{signature}")),
        ("a part in front", format!(".{token}")),
        ("padding", format!("{token}=")),
        ("padding in the payload", padded_and_signed),
        ("trailing bits", format!("{header}.{payload}.{start}{twin}")),
        ("space", format!(" {token}")),
        ("a line break", format!("{token}\n")),
        ("the plus of base64", format!("{header}.{payload}+.{signature}")),
        ("the scheme", format!("Bearer {token}")),
        ("nothing", String::new()),
        ("dots", "..".to_owned()),
    ] {
        assert_refused(&forged, what);
    }
}

#[test]
fn a_token_above_8_kib_is_refused() {
    let with_name = |length: usize| {
        let mut payload = good_payload();
        payload["name"] = json!("x".repeat(length));
        signed(good_header(), &payload.to_string())
    };
    let (fits, too_long) = (with_name(5_750), with_name(6_000));
    assert!(fits.len() <= TOKEN_BYTES && too_long.len() > TOKEN_BYTES);
    assert!(verify(&known_keys(), &fits, NOW).is_ok());
    assert_refused(&too_long, "8 KiB");
}

#[test]
fn a_public_key_is_no_secret() {
    // The classic confusion: HMAC with the published RSA key as its secret.
    let keys = keys("k1", Algorithm::RS256);
    let public = keys.jwks(NOW)["keys"][0].clone();
    let texts = [public.to_string().into_bytes(), URL_SAFE_NO_PAD.decode(public["n"].as_str().unwrap()).unwrap()];
    for secret in texts {
        let forger = SigningKeys::new(SigningKey::from_secret(KeyId::parse("k1").unwrap(), Algorithm::HS256, &secret).unwrap(), Vec::new());
        let token = forger.issue(&claims()).unwrap();
        assert_eq!(verify(&keys, &token, NOW), Err(Error::TokenInvalid));
    }
}

#[test]
fn a_key_of_another_tenant_signs_nothing_here() {
    // Ids are given out per tenant, so that two tenants may well have a `k1` each.
    let token = keys("k1", Algorithm::HS256).issue(&claims()).unwrap();
    assert_refused(&token, "the same kid, another key");
    let token = keys("k9", Algorithm::HS256).issue(&claims()).unwrap();
    assert_refused(&token, "another kid");
}

#[test]
fn another_tenant_or_system_of_the_same_key_is_refused() {
    for claims in [
        crate::token::AccessClaims { owner_id: OwnerId::parse("demo2").unwrap(), ..claims() },
        crate::token::AccessClaims { sys_id: SystemId::parse("main2").unwrap(), ..claims() },
        crate::token::AccessClaims { issuer: "https://auth.example/".to_owned(), ..claims() },
        crate::token::AccessClaims { expires_at: Timestamp(NOW.0 - 1_000), ..claims() },
    ] {
        assert_refused(&known_keys().issue(&claims).unwrap(), &format!("{claims:?}"));
    }
}

proptest! {
    #[test]
    fn a_changed_character_is_refused(position in 0..350_usize, replacement in "[0-9A-Za-z_.-]") {
        let token = signed(good_header(), &good_payload().to_string());
        let position = position % token.len();
        let mut changed = token.clone();
        changed.replace_range(position..=position, &replacement);
        prop_assume!(changed != token);
        prop_assert_eq!(verify(&known_keys(), &changed, NOW), Err(Error::TokenInvalid));
    }

    #[test]
    fn any_other_text_is_refused(text in "\\PC{0,80}|[0-9A-Za-z_-]{0,40}(\\.[0-9A-Za-z_-]{0,40}){0,4}") {
        prop_assert_eq!(verify(&known_keys(), &text, NOW), Err(Error::TokenInvalid));
    }
}
