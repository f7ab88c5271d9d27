//! Tenants: added with their first system and keys, listed, disabled.

use bo_auth_core::identifier::{KeyId, OwnerId, SystemId};
use bo_auth_core::random::alphanumeric;
use bo_auth_core::settings::SystemSettings;
use bo_auth_core::signing_key::{Algorithm, SigningKey};
use bo_auth_plugin::PLATFORM;
use bo_auth_store::record::{KeyPurpose, KeyRecord, Revoked, SystemRecord, TenantRecord};
use serde_json::Value;

use super::{Change, Operator};
use crate::Error;
use crate::tenant::seal_key;

/// Characters of a generated DES key: DES uses eight bytes and no more.
const DES_KEY_CHARACTERS: usize = 8;

/// A tenant that is to be added.
#[derive(Debug, Clone)]
pub struct NewTenant {
    /// The tenant.
    pub owner_id: OwnerId,
    /// Its name for people.
    pub name: String,
    /// Its first system, which is the default one, with its name.
    pub system: (SystemId, String),
    /// How access tokens are signed.
    pub algorithm: Algorithm,
    /// Settings that its systems inherit.
    pub settings: Value,
}

impl Operator {
    /// Adds a tenant. `des_key` is generated where absent; the answer is the key, which is shown this once.
    ///
    /// # Errors
    /// [`Error::Refused`] where the tenant exists, the settings are not valid, or the key is empty.
    pub async fn add_tenant(&self, new: &NewTenant, des_key: Option<&str>) -> Result<String, Error> {
        SystemSettings::from_documents(&[&new.settings]).map_err(|error| Error::Refused(error.to_string()))?;
        if new.owner_id.as_str() == PLATFORM {
            return Err(Error::Refused(format!("`{PLATFORM}` is reserved for what is offered to every tenant")));
        }
        if des_key.is_some_and(str::is_empty) {
            return Err(Error::Refused("a DES key has at least one character".to_owned()));
        }
        let des_key = des_key.map_or_else(|| alphanumeric(&*self.random, DES_KEY_CHARACTERS), str::to_owned);
        let owner_id = &new.owner_id;
        let mut mac_secret = [0u8; 32];
        self.random.fill(&mut mac_secret);
        let mut refresh_secret = [0u8; 32];
        self.random.fill(&mut refresh_secret);
        let keys = vec![
            self.seal(owner_id, KeyPurpose::Stamp, "DES", des_key.as_bytes())?,
            self.seal(owner_id, KeyPurpose::StampMac, "HMAC-SHA256", &mac_secret)?,
            self.new_signing_key(owner_id, new.algorithm)?,
            self.seal(owner_id, KeyPurpose::Refresh, "HMAC-SHA256", &refresh_secret)?,
        ];
        let (sys_id, system_name) = new.system.clone();
        let record = TenantRecord {
            owner_id: owner_id.clone(),
            name: new.name.clone(),
            default_sys_id: sys_id.clone(),
            settings: new.settings.clone(),
            disabled: false,
            systems: vec![SystemRecord { sys_id, name: system_name, settings: Value::Object(serde_json::Map::new()), disabled: false }],
            keys,
            revision: 0,
        };
        self.db.insert_tenant(&record, self.now()).await.map_err(|error| match error {
            bo_auth_store::Error::Exists(_) => Error::Refused(format!("tenant `{owner_id}` exists already")),
            other => other.into(),
        })?;
        Ok(des_key)
    }

    /// Up to `limit` tenants behind `after`, without their keys.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn list_tenants(&self, after: Option<&OwnerId>, limit: i64) -> Result<Vec<TenantRecord>, Error> {
        Ok(self.db.list_tenants(after, limit).await?)
    }

    /// Disables a tenant, which ends all of its sessions, or enables it.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is none.
    pub async fn set_tenant_disabled(&self, owner_id: &OwnerId, disabled: bool) -> Result<Change, Error> {
        self.get_tenant(owner_id).await?;
        let revoked = self.db.set_tenant_disabled(owner_id, disabled, self.now()).await?;
        self.tenant_revoked(owner_id, &revoked).await
    }

    /// For changes of a tenant's rows that say nothing of themselves: every node hears that there is one.
    pub(crate) async fn tenant_changed(&self, owner_id: &OwnerId) -> Result<Change, Error> {
        let revision = self.db.revise_tenant(owner_id, self.now()).await?;
        self.tenant_revoked(owner_id, &Revoked { sessions: Vec::new(), marks: vec![revision] }).await
    }

    /// For those that answer what they have ended, or what the tenant's rows are at.
    pub(crate) async fn tenant_revoked(&self, owner_id: &OwnerId, revoked: &Revoked) -> Result<Change, Error> {
        let change = Change { owner_id: owner_id.clone(), user_id: None };
        self.publish(&change, revoked).await?;
        Ok(change)
    }

    pub(crate) fn seal(&self, owner_id: &OwnerId, purpose: KeyPurpose, algorithm: &str, secret: &[u8]) -> Result<KeyRecord, Error> {
        let key_id = self.new_key_id()?;
        seal_key(&self.master_key, owner_id, (key_id, purpose, algorithm), secret, self.now(), &*self.random)
    }

    pub(crate) fn new_signing_key(&self, owner_id: &OwnerId, algorithm: Algorithm) -> Result<KeyRecord, Error> {
        let key_id = self.new_key_id()?;
        let (_, secret) = SigningKey::generate(key_id.clone(), algorithm, &*self.random)?;
        let key = (key_id, KeyPurpose::Access, algorithm.as_str());
        seal_key(&self.master_key, owner_id, key, &secret, self.now(), &*self.random)
    }

    fn new_key_id(&self) -> Result<KeyId, Error> {
        Ok(KeyId::parse(&alphanumeric(&*self.random, 10))?)
    }
}
