//! A tenant ready to serve: settings merged, keys unsealed, ciphers and signing keys prepared, so that none of it is
//! done for a request.

use std::collections::HashMap;
use std::sync::Arc;

use bo_auth_core::identifier::{KeyId, OwnerId, SystemId};
use bo_auth_core::sealing::{MasterKey, key_context};
use bo_auth_core::settings::SystemSettings;
use bo_auth_core::signing_key::{Algorithm, SigningKey, SigningKeys};
use bo_auth_core::stamp::{StampKey, StampMacKey, StampRules};
use bo_auth_core::time::Timestamp;
use bo_auth_core::token::cookie::{CookieKey, CookieKeys};
use bo_auth_core::token::refresh::{RefreshKey, RefreshKeys};
use bo_auth_store::record::{KeyPurpose, KeyRecord, SystemRecord, TenantRecord};

use crate::Error;

/// A tenant with its systems and live keys.
pub struct Tenant {
    /// The tenant.
    pub owner_id: OwnerId,
    /// Its name for people.
    pub name: String,
    /// Whether it is disabled.
    pub disabled: bool,
    /// What its rows were at.
    pub revision: i64,
    /// DES keys, the newest first, each with the instant from which it is refused.
    pub stamp_keys: Vec<(StampKey, Option<Timestamp>)>,
    /// HMAC keys of the stamp's second version, likewise.
    pub stamp_mac_keys: Vec<(StampMacKey, Option<Timestamp>)>,
    /// Keys of access tokens.
    pub signing_keys: SigningKeys,
    /// Keys of refresh tokens.
    pub refresh_keys: RefreshKeys,
    /// Keys of v1.0 session cookies, of the same secrets.
    pub cookie_keys: CookieKeys,
    default_system: SystemId,
    systems: HashMap<SystemId, Arc<System>>,
}

/// A system with its merged settings.
pub struct System {
    /// The system.
    pub sys_id: SystemId,
    /// Its name for people.
    pub name: String,
    /// Whether it is disabled.
    pub disabled: bool,
    /// Its settings, complete.
    pub settings: SystemSettings,
    /// How its stamps are verified.
    pub stamp_rules: StampRules,
}

impl Tenant {
    /// Prepares a tenant from its rows.
    ///
    /// # Errors
    /// [`Error::Internal`] where a secret does not open under the master key, a settings document is not valid, or
    /// a key that every tenant has is absent.
    pub fn assemble(record: TenantRecord, master_key: &MasterKey) -> Result<Self, Error> {
        let opened = |purpose: KeyPurpose| {
            let owner_id = &record.owner_id;
            record.keys.iter().filter(move |key| key.purpose == purpose).map(move |key| {
                let context = key_context(owner_id, &key.key_id, key.purpose.as_str());
                Ok::<_, Error>((key, master_key.open(&context, &key.sealed)?))
            })
        };
        let mut stamp_keys = Vec::new();
        for entry in opened(KeyPurpose::Stamp) {
            let (key, secret) = entry?;
            stamp_keys.push((StampKey::new(key.key_id.clone(), &secret)?, key.retires_at));
        }
        let mut stamp_mac_keys = Vec::new();
        for entry in opened(KeyPurpose::StampMac) {
            let (key, secret) = entry?;
            stamp_mac_keys.push((StampMacKey::new(key.key_id.clone(), &secret)?, key.retires_at));
        }
        let mut signing = Vec::new();
        for entry in opened(KeyPurpose::Access) {
            let (key, secret) = entry?;
            let algorithm = Algorithm::parse(&key.algorithm).ok_or_else(|| lacks("a known signing algorithm"))?;
            signing.push((SigningKey::from_secret(key.key_id.clone(), algorithm, &secret)?, key.retires_at));
        }
        let mut refresh = Vec::new();
        let mut cookie = Vec::new();
        for entry in opened(KeyPurpose::Refresh) {
            let (key, secret) = entry?;
            let secret: &[u8; 32] = secret.as_slice().try_into().map_err(|_| lacks("a refresh key of 32 bytes"))?;
            refresh.push((RefreshKey::new(&record.owner_id, secret), key.retires_at));
            cookie.push((CookieKey::new(&record.owner_id, secret), key.retires_at));
        }
        let (current, accepted) = split_ring(signing).ok_or_else(|| lacks("a signing key"))?;
        let (current_refresh, accepted_refresh) = split_ring(refresh).ok_or_else(|| lacks("a refresh key"))?;
        let (current_cookie, accepted_cookie) = split_ring(cookie).ok_or_else(|| lacks("a refresh key"))?;
        let mut systems = HashMap::with_capacity(record.systems.len());
        for system in &record.systems {
            systems.insert(system.sys_id.clone(), Arc::new(System::assemble(&record.settings, system)?));
        }
        Ok(Self {
            signing_keys: SigningKeys::new(current, accepted),
            refresh_keys: RefreshKeys::new(current_refresh, accepted_refresh),
            cookie_keys: CookieKeys::new(current_cookie, accepted_cookie),
            stamp_keys,
            stamp_mac_keys,
            systems,
            default_system: record.default_sys_id,
            disabled: record.disabled,
            revision: record.revision,
            name: record.name,
            owner_id: record.owner_id,
        })
    }

    /// The system that `XsysId` names, or the default one where it is absent.
    ///
    /// # Errors
    /// [`Error::SystemUnknown`], [`Error::SystemDisabled`].
    pub fn system(&self, sys_id: Option<&SystemId>) -> Result<&Arc<System>, Error> {
        let system = self.named_system(sys_id).ok_or(Error::SystemUnknown)?;
        if system.disabled { Err(Error::SystemDisabled) } else { Ok(system) }
    }

    /// The same, disabled or not.
    pub fn named_system(&self, sys_id: Option<&SystemId>) -> Option<&Arc<System>> {
        self.systems.get(sys_id.unwrap_or(&self.default_system))
    }

    /// A system by its id, disabled or not.
    pub fn find_system(&self, sys_id: &SystemId) -> Option<&Arc<System>> {
        self.systems.get(sys_id)
    }

    /// All systems.
    pub fn systems(&self) -> impl Iterator<Item = &Arc<System>> {
        self.systems.values()
    }
}

impl System {
    /// Merges the settings and prepares what is derived from them.
    ///
    /// # Errors
    /// [`Error::Internal`] where a settings document is not valid.
    pub fn assemble(tenant_settings: &serde_json::Value, record: &SystemRecord) -> Result<Self, Error> {
        let settings = SystemSettings::from_documents(&[tenant_settings, &record.settings])?;
        Ok(Self {
            sys_id: record.sys_id.clone(),
            name: record.name.clone(),
            disabled: record.disabled,
            stamp_rules: StampRules::new(&settings),
            settings,
        })
    }
}

/// The current key of a ring (the one that does not retire) and those that are still accepted.
fn split_ring<K>(mut keys: Vec<(K, Option<Timestamp>)>) -> Option<(K, Vec<(K, Timestamp)>)> {
    let position = keys.iter().position(|(_, retires_at)| retires_at.is_none())?;
    let (current, _) = keys.remove(position);
    // Between the two steps of a rotation two keys stand without an end; the newer one, which comes first, is current.
    let accepted = keys.into_iter().map(|(key, retires_at)| (key, retires_at.unwrap_or(Timestamp(i64::MAX))));
    Some((current, accepted.collect()))
}

fn lacks(what: &str) -> Error {
    Error::Internal(format!("the tenant lacks {what}").into())
}

/// Seals a new key for its row.
///
/// # Errors
/// [`Error::Internal`] where sealing fails.
pub fn seal_key(
    master_key: &MasterKey,
    owner_id: &OwnerId,
    key: (KeyId, KeyPurpose, &str),
    secret: &[u8],
    created_at: Timestamp,
    random: &dyn bo_auth_core::random::Random,
) -> Result<KeyRecord, Error> {
    let (key_id, purpose, algorithm) = key;
    let context = key_context(owner_id, &key_id, purpose.as_str());
    let sealed = master_key.seal(&context, secret, random)?;
    Ok(KeyRecord { key_id, purpose, algorithm: algorithm.to_owned(), sealed, created_at, retires_at: None })
}
