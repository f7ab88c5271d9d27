//! The keys that sign access tokens: one current key, and those that tokens still in the field were signed with.
//! Everything that can be computed ahead of a request is computed when a key is made.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
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
use crate::time::Timestamp;

/// Least length of an HS256 secret, in bytes (RFC 7518 section 3.2).
const HMAC_SECRET_BYTES: usize = 32;

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
    encoding: EncodingKey,
    decoding: DecodingKey,
    public_parameters: Option<Value>,
    header: String,
}

/// What differs from algorithm to algorithm: both halves of a key, and the JWK members of the public one.
struct Material {
    encoding: EncodingKey,
    decoding: DecodingKey,
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
        let Material { encoding, decoding, public_parameters } = match algorithm {
            Algorithm::HS256 => hmac_material(secret),
            Algorithm::RS256 => rsa_material(secret),
            Algorithm::ES256 => p256_material(secret),
            Algorithm::EdDSA => ed25519_material(secret),
        }?;
        // The members stand in this order so that an HS256 token begins as the published page shows it. A key id
        // has no character that JSON would escape.
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{}","typ":"JWT","kid":"{id}"}}"#, algorithm.as_str()));
        Ok(Self { id, algorithm, encoding, decoding, public_parameters, header })
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
    pub(crate) fn sign(&self, message: &str) -> Result<String, Error> {
        jsonwebtoken::crypto::sign(message.as_bytes(), &self.encoding, self.algorithm.registered())
            .map_err(|_| Error::Key("it does not sign"))
    }

    /// Whether `signature`, in canonical base64url without padding, is this key's over `message`.
    pub(crate) fn has_signed(&self, message: &str, signature: &str) -> bool {
        jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.decoding, self.algorithm.registered()).unwrap_or(false)
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
    Ok(Material { encoding: EncodingKey::from_secret(secret), decoding: DecodingKey::from_secret(secret), public_parameters: None })
}

fn rsa_material(secret: &[u8]) -> Result<Material, Error> {
    const FORM: Error = Error::Key("an RS256 secret is an RSA key of 2048 to 8192 bits in PKCS#8");
    let pair = RsaKeyPair::from_pkcs8(secret).map_err(|_| FORM)?;
    let public = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
    // jsonwebtoken takes PKCS#8 for RSA in its PEM form (RFC 7468 section 10) only.
    let pem = Zeroizing::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(secret)));
    Ok(Material {
        encoding: EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| FORM)?,
        decoding: DecodingKey::from_rsa_raw_components(&public.n, &public.e),
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
        encoding: EncodingKey::from_ec_der(secret),
        decoding: DecodingKey::from_ec_der(point),
        public_parameters: Some(json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })),
    })
}

fn ed25519_material(secret: &[u8]) -> Result<Material, Error> {
    let pair = Ed25519KeyPair::from_pkcs8(secret).map_err(|_| Error::Key("an EdDSA secret is an Ed25519 key in PKCS#8"))?;
    let public = pair.public_key().as_ref();
    Ok(Material {
        encoding: EncodingKey::from_ed_der(secret),
        decoding: DecodingKey::from_ed_der(public),
        public_parameters: Some(json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(public) })),
    })
}

/// A tenant's signing keys: the one that signs, and those that are still accepted.
#[derive(Debug)]
pub struct SigningKeys {
    current: SigningKey,
    accepted: Vec<(SigningKey, Timestamp)>,
}

impl SigningKeys {
    /// Signs with `current`; accepts each of `accepted_too` as well, until the instant beside it.
    pub const fn new(current: SigningKey, accepted_too: Vec<(SigningKey, Timestamp)>) -> Self {
        Self { current, accepted: accepted_too }
    }

    /// The key that signs.
    pub const fn current(&self) -> &SigningKey {
        &self.current
    }

    /// The keys whose tokens are accepted at `now`, the current one first.
    pub fn live(&self, now: Timestamp) -> impl Iterator<Item = &SigningKey> {
        let accepted = self.accepted.iter().filter(move |(_, retires_at)| now < *retires_at).map(|(key, _)| key);
        std::iter::once(&self.current).chain(accepted)
    }

    /// The public halves of the live keys as a JWK set (RFC 7517 section 5).
    pub fn jwks(&self, now: Timestamp) -> Value {
        json!({ "keys": self.live(now).filter_map(SigningKey::public_jwk).collect::<Vec<_>>() })
    }
}
