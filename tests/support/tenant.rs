//! Tenants and their systems, made through the operator's use cases on the stores of a test.

use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::identifier::{AreaCode, KeyId, OwnerId, SystemId, UserId};
use bo_auth_core::random::{SystemRandom, alphanumeric};
use bo_auth_core::settings::SystemSettings;
use bo_auth_core::signing_key::Algorithm;
use bo_auth_core::stamp::{StampKey, StampMacKey, StampRules, encrypt_stamp, new_stamp_plaintext};
use bo_auth_core::time::Clock;
use bo_auth_service::operator::area::read_areas;
use bo_auth_service::operator::key::{Replacement, RotatedKey, RotationOptions};
use bo_auth_service::operator::system::SystemChange;
use bo_auth_service::operator::tenant::NewTenant;
use bo_auth_service::operator::user::NewUser;
use bo_auth_store::record::{AuditFilter, AuditRecord, KeyPurpose};
use http::Method;
use serde_json::{Map, Value, json};

use super::app::Node;
use super::{TestRequest, User};

/// Every tenant's DES key.
pub(crate) const DES_KEY: &str = "demo-key";

/// Five areas, up to three levels deep.
pub(crate) const AREAS: &str = "440000,,广东省\n440100,440000,广州市\n440106,440100,天河区\n440300,440000,深圳市\n110000,,北京市\n";

/// A tenant of a test. Clones are the same tenant.
#[derive(Clone)]
pub(crate) struct Tenant {
    pub(crate) node: Arc<Node>,
    pub(crate) owner_id: OwnerId,
}

/// A system of a tenant, with the settings that frontends of it must know.
#[derive(Clone)]
pub(crate) struct System {
    pub(crate) tenant: Tenant,
    pub(crate) sys_id: SystemId,
    settings: SystemSettings,
    /// Whether requests name it; those of the default system do not.
    named: bool,
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("settings are an object, not {other}"),
    }
}

impl Tenant {
    pub(super) async fn add(node: &Arc<Node>, name: &str, algorithm: Algorithm) -> Self {
        let owner_id = OwnerId::parse(&format!("{name}-{}", alphanumeric(&SystemRandom::default(), 12))).unwrap();
        let new = NewTenant {
            owner_id: owner_id.clone(),
            name: name.to_owned(),
            system: (SystemId::parse("web").unwrap(), "网站".to_owned()),
            algorithm,
            settings: json!({
                "addressRequestsPerMinute": 100_000_000,
                "accountLoginsPerMinute": 100_000_000,
                "tenantRequestsPerMinute": 100_000_000,
            }),
        };
        node.operator().add_tenant(&new, Some(DES_KEY)).await.unwrap();
        Self { node: Arc::clone(node), owner_id }
    }

    /// The system `web`, which is the default one: requests to it do not name it.
    pub(crate) fn web(&self) -> System {
        let settings = SystemSettings::default();
        System { tenant: self.clone(), sys_id: SystemId::parse("web").unwrap(), settings, named: false }
    }

    /// Adds a system with these settings; requests to it name it.
    pub(crate) async fn with_system(&self, sys_id: &str, settings: Value) -> System {
        let parsed = SystemSettings::from_documents(&[&settings]).unwrap();
        let sys_id = SystemId::parse(sys_id).unwrap();
        let operator = self.node.operator();
        let change = operator.add_system(&self.owner_id, sys_id.clone(), format!("name of {sys_id}"), object(settings)).await.unwrap();
        self.node.apply(change).await;
        System { tenant: self.clone(), sys_id, settings: parsed, named: true }
    }

    /// Adds a user of the default system; the user id is `id-` and the account, the password [`User::password`].
    pub(crate) async fn with_user(&self, account: &str) -> User {
        self.with_user_in(account, &[]).await
    }

    /// The same, confined to areas.
    pub(crate) async fn with_user_in(&self, account: &str, areas: &[&str]) -> User {
        let user = User::new(self.web(), account);
        let new = NewUser {
            user_id: Some(user.id.clone()),
            account: account.to_owned(),
            name: format!("name of {account}"),
            mobile: None,
            push_name: None,
            area_codes: areas.iter().map(|code| AreaCode::parse(code).unwrap()).collect(),
        };
        self.node.operator().add_user(&self.owner_id, new, &user.password()).await.unwrap();
        user
    }

    /// Publishes a plugin for every request; answers its version.
    pub(crate) async fn publish(&self, name: &str, source: &str) -> i64 {
        let version = self.draft(name, source).await;
        self.publish_version(name, version, None).await;
        version
    }

    /// Stores a version of a plugin.
    pub(crate) async fn draft(&self, name: &str, source: &str) -> i64 {
        let service = self.node.service();
        service.plugin_desk().store(&self.owner_id, name, source, "tester", "for a test").await.unwrap().version
    }

    /// Publishes a version for every request, or for so many of a hundred.
    pub(crate) async fn publish_version(&self, name: &str, version: i64, share_percent: Option<u8>) {
        let service = self.node.service();
        service.plugin_desk().publish(&self.owner_id, name, version, share_percent, None, "tester").await.unwrap();
        service.refresh_plugins().await.unwrap();
    }

    /// Imports [`AREAS`].
    pub(crate) async fn with_areas(&self) {
        let areas = read_areas(AREAS.as_bytes()).unwrap();
        self.node.operator().import_areas(&self.owner_id, &areas, |_| {}).await.unwrap();
    }

    /// Disables or enables the tenant.
    pub(crate) async fn set_disabled(&self, disabled: bool) {
        let change = self.node.operator().set_tenant_disabled(&self.owner_id, disabled).await.unwrap();
        self.node.apply(change).await;
    }

    /// Replaces a key as it is asked for.
    pub(crate) async fn rotate_with(&self, replacement: Replacement<'_>, options: RotationOptions) -> RotatedKey {
        let rotated = self.node.operator().rotate_key(&self.owner_id, replacement, options).await.unwrap();
        self.node.apply(rotated.change.clone()).await;
        rotated
    }

    /// Replaces a key; the one before it is accepted for `overlap` once the new one signs.
    pub(crate) async fn rotate(&self, replacement: Replacement<'_>, overlap: Duration) -> RotatedKey {
        self.rotate_with(replacement, RotationOptions { overlap: Some(overlap), now: false }).await
    }

    /// A request to the default system with the headers that every call has: `XownerId` and a fresh `XverifyApi`.
    pub(crate) fn request(&self, method: Method, path: &str) -> TestRequest {
        self.web().request(method, path)
    }

    /// The newest lines of the audit trail, the newest first.
    pub(crate) async fn audit(&self, filter: &AuditFilter) -> Vec<AuditRecord> {
        self.node.service().db.list_audit_events(&self.owner_id, filter, None, 1_000).await.unwrap()
    }

    /// How many sessions of the user have ended, as the audit trail has it.
    pub(crate) async fn audited_ends(&self, user_id: &UserId) -> usize {
        let filter = AuditFilter { kind: Some("session.ended".to_owned()), user_id: Some(user_id.clone()), session_id: None };
        self.audit(&filter).await.len()
    }

    /// The key of the second version of stamps.
    pub(crate) async fn mac_key(&self) -> StampMacKey {
        let (key, secret) = self.node.operator().current_secret(&self.owner_id, KeyPurpose::StampMac).await.unwrap();
        StampMacKey::new(key.key_id, &secret).unwrap()
    }
}

impl System {
    /// Changes settings, on the server and here.
    pub(crate) async fn change(&mut self, settings: Value) {
        self.settings = SystemSettings::from_documents(&[&serde_json::to_value(&self.settings).unwrap(), &settings]).unwrap();
        self.alter(SystemChange { settings: object(settings), ..SystemChange::default() }).await;
    }

    /// Changes the system.
    pub(crate) async fn alter(&self, change: SystemChange) {
        let node = &self.tenant.node;
        let change = node.operator().change_system(&self.tenant.owner_id, &self.sys_id, change).await.unwrap();
        node.apply(change).await;
    }

    /// A request with the headers that every call has.
    pub(crate) fn request(&self, method: Method, path: &str) -> TestRequest {
        let request = TestRequest::new(&self.tenant.node, method, path)
            .header("XownerId", self.tenant.owner_id.as_str())
            .header("XverifyApi", self.new_stamp());
        if self.named { request.header("XsysId", self.sys_id.as_str()) } else { request }
    }

    /// A fresh stamp of the present instant.
    pub(crate) fn new_stamp(&self) -> String {
        self.encrypt(&new_stamp_plaintext(&SystemRandom::default(), Some(self.tenant.node.clock.now())))
    }

    /// Encrypts as the system's frontends do, under [`DES_KEY`].
    pub(crate) fn encrypt(&self, plaintext: &str) -> String {
        self.encrypt_under(DES_KEY, plaintext)
    }

    /// The same, under another key.
    pub(crate) fn encrypt_under(&self, key: &str, plaintext: &str) -> String {
        let key = StampKey::new(KeyId::parse("test").unwrap(), key.as_bytes()).unwrap();
        encrypt_stamp(plaintext, &key, &StampRules::new(&self.settings))
    }
}
