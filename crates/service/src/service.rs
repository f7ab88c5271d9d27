//! The service: its stores, keys, clock and rules, built once and shared by every transport.

use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::address::ClientPrefix;
use bo_auth_core::identifier::OwnerId;
use bo_auth_core::password::PasswordCost;
use bo_auth_core::random::Random;
use bo_auth_core::sealing::MasterKey;
use bo_auth_core::time::Clock;
use bo_auth_plugin::Plugins;
use bo_auth_store::admission::Admission;
use bo_auth_store::db::ending_queue::EndingQueue;
use bo_auth_store::revocation::Revocations;
use bo_auth_store::{Cache, Db};

use crate::Error;
use crate::announcer::Announcer;
use crate::legacy_fleet::{Fleet, Shown};
use crate::password_desk::PasswordDesk;
use crate::plugin::PluginActivity;
use crate::plugin::catalogue::Catalogue;
use crate::stamp_counter::StampCounter;
use crate::tenant_registry::TenantRegistry;

/// How far a node's clock may be from the database's before it is not ready.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(2);

/// What a service is built from.
pub struct Parts {
    /// The truth.
    pub db: Db,
    /// The cache in front of it.
    pub cache: Cache,
    /// Rates and nonces.
    pub admission: Admission,
    /// Which sessions have ended.
    pub revocations: Revocations,
    /// Response plugins.
    pub plugins: Plugins,
    /// Opens stored secrets.
    pub master_key: MasterKey,
    /// The `iss` of access tokens.
    pub issuer: String,
    /// What a password's hash costs.
    pub password_cost: PasswordCost,
    /// How many passwords are hashed at a time.
    pub password_lanes: usize,
    /// The v1.0 fleets that are served.
    pub fleets: Vec<Arc<Fleet>>,
    /// Which clients count as one.
    pub client_prefix: ClientPrefix,
    /// How long a prepared tenant is used before its rows are looked at again.
    pub tenant_lifetime: Duration,
    /// The present instant.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
}

/// Every use case is a method of this.
pub struct Service {
    /// The truth.
    pub db: Db,
    /// The cache in front of it.
    pub cache: Cache,
    /// Response plugins.
    pub plugins: Plugins,
    /// Which sessions have ended.
    pub revocations: Revocations,
    /// The present instant.
    pub clock: Arc<dyn Clock>,
    pub(crate) admission: Admission,
    pub(crate) endings: EndingQueue,
    pub(crate) tenants: TenantRegistry,
    pub(crate) passwords: PasswordDesk,
    pub(crate) stamp_counter: StampCounter,
    /// What plugins did since it was last written down.
    pub plugin_activity: PluginActivity,
    pub(crate) plugin_catalogue: Catalogue,
    pub(crate) captcha_drawing: tokio::sync::Semaphore,
    /// Signing keys are made one at a time.
    pub(crate) key_making: tokio::sync::Semaphore,
    pub(crate) announcer: Announcer,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) issuer: String,
    pub(crate) shown: Shown,
    pub(crate) client_prefix: ClientPrefix,
}

/// What the database is to this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseState {
    /// Whether it takes writes: a standby and a read-only primary take none.
    pub is_writable: bool,
    /// How far this node's clock is from the database's; `None` if both are one machine's.
    pub clock_skew: Option<Duration>,
}

impl DatabaseState {
    /// Whether the clocks agree well enough to judge by.
    pub fn is_in_time(&self) -> bool {
        self.clock_skew.is_none_or(|skew| skew <= MAX_CLOCK_SKEW)
    }

    /// Whether a node can serve with it.
    pub fn is_ready(&self) -> bool {
        self.is_writable && self.is_in_time()
    }
}

impl Service {
    /// Builds the service and reads what it must know before it may answer: ended sessions, nonces, origins,
    /// plugins.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where a store does not answer.
    pub async fn start(parts: Parts) -> Result<Arc<Self>, Error> {
        let shown = Shown::new(parts.fleets, Arc::clone(&parts.clock));
        let announcer = Announcer::new(parts.revocations.clone(), parts.cache.clone(), shown.clone());
        let telling = announcer.clone();
        let endings = EndingQueue::start_telling(parts.db.clone(), move |outcomes| telling.clone().announce_outcomes(outcomes));
        let service = Self {
            endings,
            tenants: TenantRegistry::new(Arc::new(parts.master_key), parts.tenant_lifetime),
            passwords: PasswordDesk::new(parts.password_cost, parts.password_lanes, Arc::clone(&parts.random))?,
            stamp_counter: StampCounter::default(),
            plugin_activity: PluginActivity::default(),
            plugin_catalogue: Catalogue::default(),
            captcha_drawing: tokio::sync::Semaphore::new(1),
            key_making: tokio::sync::Semaphore::new(1),
            announcer,
            db: parts.db,
            cache: parts.cache,
            plugins: parts.plugins,
            revocations: parts.revocations,
            admission: parts.admission,
            issuer: parts.issuer,
            shown,
            client_prefix: parts.client_prefix,
            clock: parts.clock,
            random: parts.random,
        };
        service.revocations.load(service.clock.now()).await?;
        service.admission.load(&service.db, service.clock.now()).await?;
        service.tenants.reload_settings(&service.db).await?;
        service.refresh_plugins().await?;
        Ok(Arc::new(service))
    }

    /// Whether the database takes writes, and how far its clock is off.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the database does not answer.
    pub async fn database_state(&self) -> Result<DatabaseState, Error> {
        let before = self.clock.now();
        let health = self.db.health().await?;
        let after = self.clock.now();
        let is_this_machine = matches!(self.db, Db::Sqlite { .. });
        // It told its time at some moment in between.
        let skew = health.now.until(before).max(after.until(health.now));
        Ok(DatabaseState { is_writable: health.is_writable, clock_skew: (!is_this_machine).then_some(skew) })
    }

    /// Whether a system lists the origin.
    pub fn lists_origin(&self, origin: &str) -> bool {
        self.tenants.settings().lists(origin)
    }

    /// Which of the headers that a preflight asks for pages of an origin may send beside those that every page may, each
    /// behind a comma; `None` if no system lists the origin.
    pub fn headers_of_origin(&self, origin: &str, requested: &str) -> Option<String> {
        self.tenants.settings().headers_of(origin, requested)
    }

    /// Whether the system that a request names, or its tenant's default one, wants HTTP 200 always. Asks no store.
    pub fn answers_200(&self, owner_id: &str, sys_id: Option<&str>) -> bool {
        self.tenants.settings().answers_200(owner_id, sys_id)
    }

    /// The public keys of a tenant's access tokens, and for how long they stay as they are; `None` if there is no such
    /// tenant, or it is disabled.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn key_set(&self, owner_id: &OwnerId) -> Result<Option<(serde_json::Value, Duration)>, Error> {
        let tenant = self.tenant(owner_id).await?;
        let now = self.clock.now();
        Ok(tenant
            .filter(|tenant| !tenant.disabled && !tenant.owner_id.is_reserved())
            .map(|tenant| (tenant.signing_keys.jwks(now), tenant.signing_keys.key_set_age(now))))
    }
}
