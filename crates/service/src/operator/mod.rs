//! What an operator does from the command line: tenants, systems, users, areas, sessions, keys. Every change is a
//! transaction of its own and says which running servers must hear of it.

pub mod area;
pub mod key;
pub mod session;
pub mod system;
pub mod tenant;
pub mod user;

use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::identifier::{OwnerId, UserId};
use bo_auth_core::password::PasswordHasher;
use bo_auth_core::random::Random;
use bo_auth_core::sealing::MasterKey;
use bo_auth_core::time::{Clock, Timestamp};
use bo_auth_plugin::Plugins;
use bo_auth_store::record::{Revoked, TenantRecord};
use bo_auth_store::revocation::Revocations;
use bo_auth_store::{Cache, Db};
use serde::{Deserialize, Serialize};

use crate::plugin::PluginDesk;
use crate::tenant_registry::CachedTenant;
use crate::user_profile::CachedUser;
use crate::{Error, Service};

/// The stores and keys an operator works with, without a running service.
pub struct Operator {
    /// The truth.
    pub db: Db,
    /// The cache that running servers read; `None` where it lives in their memory.
    pub cache: Option<Cache>,
    /// How running servers hear of ended sessions, where there may be several.
    pub revocations: Option<Revocations>,
    /// Opens and seals stored secrets.
    pub master_key: MasterKey,
    /// Hashes new passwords.
    pub hasher: PasswordHasher,
    /// The present instant.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
}

/// How far ahead of ours the clock may be of whoever wrote an event.
const CLOCK_DIFFERENCE: Duration = Duration::from_secs(5);

/// What running servers must hear of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The tenant whose rows have changed.
    pub owner_id: OwnerId,
    /// The user whose row has changed, where it was one.
    pub user_id: Option<UserId>,
}

impl Operator {
    /// The place where plugins are worked on, with an engine of the caller's.
    pub fn plugin_desk<'a>(&'a self, plugins: &'a Plugins) -> PluginDesk<'a> {
        PluginDesk { db: &self.db, plugins, clock: &*self.clock, random: &*self.random }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The tenant, disabled or not.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is none.
    pub async fn get_tenant(&self, owner_id: &OwnerId) -> Result<TenantRecord, Error> {
        let found = self.db.find_tenant(owner_id).await?;
        found.ok_or_else(|| Error::Refused(format!("there is no tenant `{owner_id}`; `bo-auth tenant list` shows those there are")))
    }

    /// Tells the other nodes, and takes what has changed out of the shared cache. A single server that keeps it in memory
    /// hears of it by the control socket.
    pub(crate) async fn publish(&self, change: &Change, revoked: &Revoked) -> Result<(), Error> {
        if let Some(revocations) = &self.revocations {
            revocations.announce_all(&revoked.sessions, &revoked.marks).await?;
            for mark in revoked.finished_marks() {
                self.db.remove_mark(mark).await?;
            }
        }
        if let Some(cache) = &self.cache {
            cache.remove::<CachedTenant>(&change.owner_id, change.owner_id.as_str()).await?;
            if let Some(user_id) = &change.user_id {
                cache.remove::<CachedUser>(&change.owner_id, user_id.as_str()).await?;
            }
            cache.sessions_ended(&revoked.sessions).await?;
        }
        Ok(())
    }
}

impl Service {
    /// Sees what another process has changed: its ended sessions, and the rows it names.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the database does not answer.
    pub async fn apply(&self, changes: &[Change]) -> Result<(), Error> {
        self.revocations.reload(&self.db, self.clock.now()).await?;
        for change in changes {
            self.tenants.forget(&change.owner_id, &self.cache).await;
            if let Some(user_id) = &change.user_id {
                self.cache.remove::<CachedUser>(&change.owner_id, user_id.as_str()).await?;
            }
        }
        self.announce_pending(self.clock.now().plus(CLOCK_DIFFERENCE)).await?;
        self.refresh_plugins().await?;
        self.tenants.reload_origins(&self.db).await
    }
}
