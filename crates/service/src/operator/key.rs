//! Keys of a tenant: listed with their use, and rotated with an overlap.

use std::time::Duration;

use bo_auth_core::identifier::{KeyId, OwnerId};
use bo_auth_core::random::alphanumeric;
use bo_auth_core::sealing::key_context;
use bo_auth_core::session::EndReason;
use bo_auth_core::signing_key::Algorithm;
use bo_auth_core::time::Timestamp;
use bo_auth_store::record::{Administration, KeyPurpose, KeyRecord, Scope, StampUse};
use serde_json::json;

use super::{Change, Operator};
use crate::Error;

/// What a key is replaced by.
#[derive(Debug, Clone, Copy)]
pub enum Replacement<'a> {
    /// A DES key that the frontends will use; generated where absent.
    Stamp(Option<&'a str>),
    /// A new secret for stamps of the second version.
    StampMac,
    /// A signing key of this algorithm.
    Access(Algorithm),
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

    /// For how long earlier keys are accepted where nobody says: until what they have made has run out.
    pub const fn usual_overlap(&self) -> Duration {
        match self {
            Self::Stamp(_) | Self::StampMac => Duration::from_hours(30 * 24),
            Self::Access(_) => Duration::from_hours(24),
            Self::Refresh => Duration::from_hours(90 * 24),
        }
    }
}

/// A key that was made by a rotation.
pub struct RotatedKey {
    /// Its row.
    pub key: KeyRecord,
    /// The secret where a frontend or caller needs it; shown this once.
    pub secret: Option<String>,
    /// From when on the keys before it are refused.
    pub earlier_retire_at: Timestamp,
    /// What running servers must hear of.
    pub change: Change,
}

impl Operator {
    /// The tenant's keys, the newest first, and how often each stamp key was used.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the tenant is unknown.
    pub async fn list_keys(&self, owner_id: &OwnerId) -> Result<(Vec<KeyRecord>, Vec<StampUse>), Error> {
        let tenant = self.get_tenant(owner_id).await?;
        Ok((tenant.keys, self.db.list_stamp_uses(owner_id).await?))
    }

    /// Puts a new key in front of the current one, which goes on being accepted for `overlap`. Without an overlap nothing
    /// made with the earlier keys is accepted on any node when this returns, and where they were those of refresh tokens,
    /// all sessions of the tenant end with the reason `KEY_WITHDRAWN`: nothing could prove them any more.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the tenant is unknown, [`Error::Refused`] where the key is not usable.
    pub async fn rotate_key(&self, owner_id: &OwnerId, replacement: Replacement<'_>, overlap: Duration) -> Result<RotatedKey, Error> {
        self.get_tenant(owner_id).await?;
        let (key, secret) = match replacement {
            Replacement::Stamp(Some("")) => return Err(Error::Refused("a DES key has at least one character".to_owned())),
            Replacement::Stamp(given) => {
                let secret = given.map_or_else(|| alphanumeric(&*self.random, 8), str::to_owned);
                (self.seal(owner_id, KeyPurpose::Stamp, "DES", secret.as_bytes())?, Some(secret))
            }
            Replacement::StampMac => {
                let secret = alphanumeric(&*self.random, 43);
                (self.seal(owner_id, KeyPurpose::StampMac, "HMAC-SHA256", secret.as_bytes())?, Some(secret))
            }
            Replacement::Access(algorithm) => (self.new_signing_key(owner_id, algorithm)?, None),
            Replacement::Refresh => {
                let mut secret = [0u8; 32];
                self.random.fill(&mut secret);
                (self.seal(owner_id, KeyPurpose::Refresh, "HMAC-SHA256", &secret)?, None)
            }
        };
        let earlier_retire_at = self.now().plus(overlap);
        let details = json!({"purpose": key.purpose.as_str(), "keyId": key.key_id, "earlierRetireAt": earlier_retire_at});
        let event = self.event("key.rotated", Some(details));
        let unproven = overlap.is_zero() && key.purpose == KeyPurpose::Refresh;
        let ends = unproven.then_some((Scope::Tenant, EndReason::KeyWithdrawn));
        let change = self.administer(owner_id, &Administration::RotateKey(&key, earlier_retire_at), None, &event, ends).await?;
        Ok(RotatedKey { key, secret, earlier_retire_at, change })
    }

    /// Withdraws a key that has a successor and is still accepted: nothing made with it is accepted on any node when this
    /// returns. Answers false where it had been withdrawn before.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the tenant or key is unknown, [`Error::Conflict`] where the key is the current one.
    pub async fn withdraw_key(&self, owner_id: &OwnerId, key_id: &KeyId) -> Result<(Change, bool), Error> {
        let tenant = self.get_tenant(owner_id).await?;
        let found = tenant.keys.iter().find(|key| key.key_id == *key_id);
        let key =
            found.ok_or_else(|| Error::NotFound(format!("tenant `{owner_id}` has no key `{key_id}`; `bo-auth key list` shows them")))?;
        if key.retires_at.is_none() {
            return Err(Error::Conflict(format!(
                "key `{key_id}` is the current one; `bo-auth key rotate {} --overlap 0` puts another in its place and withdraws it",
                key.purpose.as_str()
            )));
        }
        let event = self.event("key.withdrawn", Some(json!({"purpose": key.purpose.as_str(), "keyId": key.key_id})));
        match self.administer(owner_id, &Administration::WithdrawKey(key_id), None, &event, None).await {
            Ok(change) => Ok((change, true)),
            Err(Error::NotFound(_)) => Ok((Change { owner_id: owner_id.clone(), user_id: None }, false)),
            Err(error) => Err(error),
        }
    }

    /// The secret of the newest key of a purpose, for making stamps on the command line.
    ///
    /// # Errors
    /// [`Error::Refused`] where the tenant or the key is unknown.
    pub async fn current_secret(&self, owner_id: &OwnerId, purpose: KeyPurpose) -> Result<(KeyRecord, Vec<u8>), Error> {
        let tenant = self.get_tenant(owner_id).await?;
        let current = tenant.keys.into_iter().find(|key| key.purpose == purpose && key.retires_at.is_none());
        let key = current.ok_or_else(|| Error::Refused(format!("tenant `{owner_id}` has no current {} key", purpose.as_str())))?;
        let secret = self.master_key.open(&key_context(owner_id, &key.key_id, purpose.as_str()), &key.sealed)?.to_vec();
        Ok((key, secret))
    }
}
