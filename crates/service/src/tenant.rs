//! A tenant ready to serve: settings merged, keys unsealed, ciphers and signing keys prepared, so that none of it is
//! done for a request.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bo_auth_core::identifier::{KeyId, OwnerId, SystemId};
use bo_auth_core::sealing::{MasterKey, key_context};
use bo_auth_core::settings::SystemSettings;
use bo_auth_core::signing_key::{Algorithm, SigningKey, SigningKeys, Successor};
use bo_auth_core::stamp::{StampKey, StampMacKey, StampRules};
use bo_auth_core::time::Timestamp;
use bo_auth_core::token::cookie::{CookieKey, CookieKeys};
use bo_auth_core::token::refresh::{RefreshKey, RefreshKeys};
use bo_auth_store::record::{KeyPurpose, KeyRecord, KeyRing, SystemRecord, TenantRecord};

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
    origins: HashSet<String>,
}

impl Tenant {
    /// Prepares a tenant from its rows.
    ///
    /// # Errors
    /// [`Error::Internal`] where a secret does not open under the master key, a settings document is not valid, or
    /// a key that every tenant has is absent.
    pub fn assemble(record: TenantRecord, master_key: &MasterKey) -> Result<Self, Error> {
        let owner_id = &record.owner_id;
        let open = |key: &KeyRecord| {
            let context = key_context(owner_id, &key.key_id, key.purpose.as_str());
            master_key.open(&context, &key.sealed)
        };
        let ring = |purpose| KeyRing::of(&record.keys, purpose);
        let stamp_keys = ring(KeyPurpose::Stamp).map(accepted).unwrap_or_default().into_iter();
        let stamp_keys = stamp_keys.map(|(key, end)| Ok((StampKey::new(key.key_id.clone(), &open(key)?)?, end)));
        let mac_keys = ring(KeyPurpose::StampMac).map(accepted).unwrap_or_default().into_iter();
        let mac_keys = mac_keys.map(|(key, end)| Ok((StampMacKey::new(key.key_id.clone(), &open(key)?)?, end)));

        let signing_key = |key: &KeyRecord| {
            let algorithm = Algorithm::parse(&key.algorithm).ok_or_else(|| lacks("a known signing algorithm"))?;
            Ok::<_, Error>(SigningKey::from_secret(key.key_id.clone(), algorithm, &open(key)?)?)
        };
        let access = ring(KeyPurpose::Access).ok_or_else(|| lacks("a signing key"))?;
        let earlier = access.earlier.map(|(key, end)| Ok::<_, Error>((signing_key(key)?, end))).transpose()?;
        let successor = access.successor.map(|next| {
            let (signs_from, current_retires_at) = (next.signs_from, next.current_retires_at);
            Ok::<_, Error>(Successor { key: signing_key(next.key)?, signs_from, current_retires_at })
        });
        let signing_keys = SigningKeys::new(signing_key(access.current)?, earlier.into_iter().collect());

        let proofs = |key: &KeyRecord| {
            let secret = open(key)?;
            let secret = secret.as_slice().try_into().map_err(|_| lacks("a refresh key of 32 bytes"))?;
            Ok::<_, Error>((RefreshKey::new(owner_id, secret), CookieKey::new(owner_id, secret)))
        };
        let refresh = ring(KeyPurpose::Refresh).ok_or_else(|| lacks("a refresh key"))?;
        let (refresh_key, cookie_key) = proofs(refresh.current)?;
        let (mut earlier_refresh, mut earlier_cookie) = (Vec::new(), Vec::new());
        if let Some((key, end)) = refresh.earlier {
            let (refresh_key, cookie_key) = proofs(key)?;
            earlier_refresh.push((refresh_key, end));
            earlier_cookie.push((cookie_key, end));
        }
        let mut systems = HashMap::with_capacity(record.systems.len());
        for system in &record.systems {
            systems.insert(system.sys_id.clone(), Arc::new(System::assemble(&record.settings, system)?));
        }
        Ok(Self {
            signing_keys: signing_keys.announcing(successor.transpose()?),
            refresh_keys: RefreshKeys::new(refresh_key, earlier_refresh),
            cookie_keys: CookieKeys::new(cookie_key, earlier_cookie),
            stamp_keys: stamp_keys.collect::<Result<_, Error>>()?,
            stamp_mac_keys: mac_keys.collect::<Result<_, Error>>()?,
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
            origins: settings.allowed_origins.iter().cloned().collect(),
            settings,
        })
    }

    /// Whether pages of this origin may call it, compared exactly.
    pub fn lists_origin(&self, origin: &str) -> bool {
        self.origins.contains(origin)
    }
}

/// The keys of a ring that are accepted, the current one first, each with its end: two at most. A key for which nothing is
/// announced to anybody has no successor.
fn accepted(ring: KeyRing<'_>) -> Vec<(&KeyRecord, Option<Timestamp>)> {
    let earlier = ring.earlier.map(|(key, end)| (key, Some(end)));
    std::iter::once((ring.current, None)).chain(earlier).collect()
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
    Ok(KeyRecord {
        key_id,
        purpose,
        algorithm: algorithm.to_owned(),
        sealed,
        created_at,
        retires_at: None,
        signs_from: None,
        announced: false,
    })
}
