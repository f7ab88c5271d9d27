//! Keys of a tenant: listed with what they do, rotated with an overlap, withdrawn.

use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::identifier::{KeyId, OwnerId};
use bo_auth_core::random::alphanumeric;
use bo_auth_core::sealing::key_context;
use bo_auth_core::session::EndReason;
use bo_auth_core::signing_key::set::ANNOUNCEMENT;
use bo_auth_core::signing_key::{Algorithm, SigningKey};
use bo_auth_core::time::Timestamp;
use bo_auth_store::admission::{AdmissionRequest, Rate};
use bo_auth_store::record::{KeyPurpose, KeyRecord, KeyRing, KeyRotation, KeyStanding, RetiredKey, Scope, StampUse, Withdrawal};
use serde_json::json;

use super::{Change, Operator, refusal};
use crate::Error;
use crate::tenant::seal_key;

/// How often the keys of one tenant may be rotated over the admin API: ten times at once, then
/// twice a minute. Every node prepares the tenant anew each time.
const ROTATIONS: Rate<'static> = Rate::per_minute("key-rotation", "", 2, 10);

/// What a key is replaced by.
#[derive(Debug, Clone, Copy)]
pub enum Replacement<'a> {
    /// A DES key that the frontends will use; generated where absent.
    Stamp(Option<&'a str>),
    /// A new secret for stamps of the second version.
    StampMac,
    /// A signing key of this algorithm, or of the current one's.
    Access(Option<Algorithm>),
    /// A new secret for refresh tokens.
    Refresh,
}

impl Replacement<'_> {
    /// What the key is for.
    pub const fn purpose(&self) -> KeyPurpose {
        match self {
            Self::Stamp(_) => KeyPurpose::Stamp,
            Self::StampMac => KeyPurpose::StampMac,
            Self::Access(_) => KeyPurpose::Access,
            Self::Refresh => KeyPurpose::Refresh,
        }
    }

    /// For how long earlier keys are accepted where nobody says: until what they have made has run
    /// out.
    pub const fn usual_overlap(&self) -> Duration {
        match self {
            Self::Stamp(_) | Self::StampMac => Duration::from_hours(30 * 24),
            Self::Access(_) => Duration::from_hours(24),
            Self::Refresh => Duration::from_hours(90 * 24),
        }
    }
}

/// How a key is rotated.
#[derive(Debug, Clone, Copy, Default)]
pub struct RotationOptions {
    /// For how long the key before it is accepted once the new one signs;
    /// [`Replacement::usual_overlap`] if absent.
    pub overlap: Option<Duration>,
    /// Whether a new public key signs at once, though verifiers that keep the key set do not know
    /// it yet. So it does without an overlap.
    pub now: bool,
}

/// A key that was made by a rotation.
pub struct RotatedKey {
    /// Its row.
    pub key: KeyRecord,
    /// The secret if a frontend or caller needs it; shown this once.
    pub secret: Option<String>,
    /// From when on it signs, if it is announced until then.
    pub signs_from: Option<Timestamp>,
    /// From when on the key before it is refused.
    pub earlier_retire_at: Timestamp,
    /// The keys that retire before their time: two are accepted at most, beside one that is
    /// announced.
    pub retired: Vec<RetiredKey>,
    /// Whether verifiers that keep the key set may refuse new tokens until they read it again.
    pub is_unknown_to_verifiers: bool,
    /// What running servers must hear of.
    pub change: Change,
}

/// A key as it is listed.
pub struct ListedKey {
    /// Its row.
    pub key: KeyRecord,
    /// What it does.
    pub standing: KeyStanding,
}

impl Operator {
    /// The tenant's keys, the newest first, and how often each stamp key was used.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the tenant is unknown.
    pub async fn list_keys(&self, owner_id: &OwnerId) -> Result<(Vec<ListedKey>, Vec<StampUse>), Error> {
        self.get_tenant(owner_id).await?;
        let keys = self.db.list_keys(owner_id).await?;
        let now = self.now();
        let listed = keys.iter().filter_map(|key| {
            let standing = KeyRing::of(&keys, key.purpose)?.standing(key, now);
            Some(ListedKey { key: key.clone(), standing })
        });
        Ok((listed.collect(), self.db.list_stamp_uses(owner_id).await?))
    }

    /// Puts a new key in front of the current one, which goes on being accepted for the overlap. A
    /// new public key is announced first, for [`ANNOUNCEMENT`], and nodes begin to sign with it by
    /// their clocks. Without an overlap nothing made with the earlier keys is accepted on any node
    /// when this returns; if they were those of refresh tokens, all sessions of the tenant end with
    /// the reason `KEY_WITHDRAWN`: nothing could prove them any more.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the tenant is unknown, [`Error::Refused`] if the key is not usable,
    /// [`Error::RateLimited`] if a server's administrator rotates keys too often.
    pub async fn rotate_key(
        &self,
        owner_id: &OwnerId,
        replacement: Replacement<'_>,
        options: RotationOptions,
    ) -> Result<RotatedKey, Error> {
        let tenant = self.get_tenant(owner_id).await?;
        let ring = KeyRing::of(&tenant.keys, replacement.purpose());
        let signing = ring.map(|ring| ring.signing(self.now()).algorithm.clone());
        if let Replacement::Stamp(Some("")) = replacement {
            return Err(Error::Refused("a DES key has at least one character".to_owned()));
        }
        let overlap = options.overlap.unwrap_or_else(|| replacement.usual_overlap());
        if let Some(service) = &self.running {
            service.admit(owner_id, &AdmissionRequest { nonce: None, rates: &[ROTATIONS] }, self.now()).await?;
        }
        let mut is_public = false;
        let (key, secret) = match replacement {
            Replacement::Stamp(given) => {
                let secret = given.map_or_else(|| alphanumeric(&*self.random, 8), str::to_owned);
                (self.seal(owner_id, KeyPurpose::Stamp, "DES", secret.as_bytes())?, Some(secret))
            }
            Replacement::StampMac => {
                let secret = alphanumeric(&*self.random, 43);
                (self.seal(owner_id, KeyPurpose::StampMac, "HMAC-SHA256", secret.as_bytes())?, Some(secret))
            }
            Replacement::Access(given) => {
                let current = signing.as_deref().and_then(Algorithm::parse);
                let algorithm = given.or(current).unwrap_or(Algorithm::HS256);
                is_public = algorithm.is_asymmetric();
                (self.new_signing_key(owner_id, algorithm).await?, None)
            }
            Replacement::Refresh => {
                let mut secret = [0u8; 32];
                self.random.fill(&mut secret);
                (self.seal(owner_id, KeyPurpose::Refresh, "HMAC-SHA256", &secret)?, None)
            }
        };
        let at_once = !is_public || options.now || overlap.is_zero();
        let signs_from = (!at_once).then(|| self.now().plus(ANNOUNCEMENT));
        let earlier_retire_at = signs_from.unwrap_or_else(|| self.now()).plus(overlap);
        let mut details = json!({"purpose": key.purpose.as_str(), "keyId": key.key_id, "algorithm": key.algorithm});
        details["earlierRetireAt"] = json!(earlier_retire_at);
        if let Some(signs_from) = signs_from {
            details["signsFrom"] = json!(signs_from);
        }
        let event = self.event("key.rotated", Some(details));
        let marking = (overlap.is_zero() && key.purpose == KeyPurpose::Refresh)
            .then(|| self.marking(owner_id, Scope::Tenant, EndReason::KeyWithdrawn, event.trace.clone()));
        let rotation = KeyRotation { key: &key, signs_from, earlier_retire_at, event, marking };
        let (revoked, retired) = self.db.rotate_key(owner_id, &rotation).await.map_err(refusal)?;
        let change = Change { owner_id: owner_id.clone(), user_id: None };
        self.publish(&change, &revoked).await?;
        let is_unknown_to_verifiers = is_public && at_once;
        Ok(RotatedKey { key, secret, signs_from, earlier_retire_at, retired, is_unknown_to_verifiers, change })
    }

    /// Withdraws a key that another takes the place of: nothing made with it is accepted on any
    /// node when this returns. An announced key signs at once if it is the signing one that is
    /// withdrawn.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the tenant or key is unknown, [`Error::Conflict`] if it signs and
    /// none is announced.
    pub async fn withdraw_key(&self, owner_id: &OwnerId, key_id: &KeyId) -> Result<(Change, Withdrawal), Error> {
        self.get_tenant(owner_id).await?;
        let unknown = || Error::NotFound(format!("tenant `{owner_id}` has no key `{key_id}`; `bo-auth key list` shows them"));
        let keys = self.db.list_keys(owner_id).await?;
        let key = keys.iter().find(|key| key.key_id == *key_id).ok_or_else(unknown)?;
        let event = self.event("key.withdrawn", Some(json!({"purpose": key.purpose.as_str(), "keyId": key_id})));
        let withdrawn = self.db.withdraw_key(owner_id, key_id, &event).await.map_err(refusal)?;
        let change = Change { owner_id: owner_id.clone(), user_id: None };
        match withdrawn {
            (_, Withdrawal::NoSuccessor) => Err(Error::Conflict(format!(
                "key `{key_id}` is the current one; `bo-auth key rotate {} --overlap 0` puts another in its place and withdraws it",
                key.purpose.as_str()
            ))),
            (_, Withdrawal::Already) => Ok((change, Withdrawal::Already)),
            (revoked, withdrawal) => {
                self.publish(&change, &revoked).await?;
                Ok((change, withdrawal))
            }
        }
    }

    /// The secret that stamps are made with now, for making some on the command line.
    ///
    /// # Errors
    /// [`Error::Refused`] if the tenant or the key is unknown.
    pub async fn current_secret(&self, owner_id: &OwnerId, purpose: KeyPurpose) -> Result<(KeyRecord, Vec<u8>), Error> {
        let tenant = self.get_tenant(owner_id).await?;
        let current = KeyRing::of(&tenant.keys, purpose).map(|ring| ring.signing(self.now()).clone());
        let none = || Error::Refused(format!("tenant `{owner_id}` has no current {} key", purpose.as_str()));
        let key = current.ok_or_else(none)?;
        let context = key_context(owner_id, &key.key_id, purpose.as_str());
        let secret = self.master_key.open(&context, &key.sealed)?.to_vec();
        Ok((key, secret))
    }

    pub(crate) fn seal(&self, owner_id: &OwnerId, purpose: KeyPurpose, algorithm: &str, secret: &[u8]) -> Result<KeyRecord, Error> {
        let key_id = self.new_key_id()?;
        seal_key(&self.master_key, owner_id, (key_id, purpose, algorithm), secret, self.now(), &*self.random)
    }

    /// A new signing key. It is made beside the threads that answer requests, and in a server one
    /// after another: an RSA key takes a tenth of a second and more.
    pub(crate) async fn new_signing_key(&self, owner_id: &OwnerId, algorithm: Algorithm) -> Result<KeyRecord, Error> {
        let turn = match &self.running {
            Some(service) => Some(service.key_making.acquire().await.map_err(|_| Error::Unavailable(None))?),
            None => None,
        };
        let (key_id, random) = (self.new_key_id()?, Arc::clone(&self.random));
        let id = key_id.clone();
        let made = tokio::task::spawn_blocking(move || SigningKey::generate(id, algorithm, &*random));
        let (_, secret) = made.await.map_err(|error| Error::Internal(Box::new(error)))??;
        drop(turn);
        let key = (key_id, KeyPurpose::Access, algorithm.as_str());
        seal_key(&self.master_key, owner_id, key, &secret, self.now(), &*self.random)
    }

    fn new_key_id(&self) -> Result<KeyId, Error> {
        Ok(KeyId::parse(&alphanumeric(&*self.random, 10))?)
    }
}
