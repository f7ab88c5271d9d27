//! What an operator does, from the command line or over the admin API: tenants, systems, users, areas, sessions, keys.
//! Every change is a transaction of its own, with its line of the audit trail, and says which running servers must hear of it.

pub mod admin;
pub mod area;
mod bounds;
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
use bo_auth_core::session::{EndReason, time_ordered_id};
use bo_auth_core::time::{Clock, Timestamp};
use bo_auth_plugin::Plugins;
use bo_auth_store::admission::{AdmissionRequest, Rate};
use bo_auth_store::record::{Actor, Administration, AdministrationEvent, Marking, RequestTrace, Revoked, Scope, TenantRecord};
use bo_auth_store::revocation::Revocations;
use bo_auth_store::{Cache, Db, NotPublished};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::guesses::unlock_names;
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
    pub master_key: Arc<MasterKey>,
    /// Hashes new passwords.
    pub hasher: Arc<PasswordHasher>,
    /// The present instant.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
    /// The running service that this is a part of; `None` in a process of its own.
    pub running: Option<Arc<Service>>,
    /// Who acts.
    pub author: Author,
}

/// Who acts as an operator, for the audit trail.
#[derive(Debug, Clone, Default)]
pub struct Author {
    /// The administrator; `None` on the command line.
    pub user_id: Option<UserId>,
    /// From which address.
    pub address: Option<String>,
}

/// How often one tenant's rows may change over the admin API: a hundred times at once, then twice a second. Every node
/// prepares the tenant anew each time.
const CHANGES: Rate<'static> = Rate::per_minute("tenant-change", "", 120, 100);

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
        PluginDesk {
            db: &self.db,
            revocations: self.revocations.as_ref(),
            plugins,
            clock: &*self.clock,
            random: &*self.random,
            by: self.author.clone(),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The tenant, disabled or not.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is none.
    pub async fn get_tenant(&self, owner_id: &OwnerId) -> Result<TenantRecord, Error> {
        let found = if owner_id.is_reserved() { None } else { self.db.find_tenant(owner_id).await? };
        found.ok_or_else(|| Error::NotFound(format!("there is no tenant `{owner_id}`; `bo-auth tenant list` shows those there are")))
    }

    /// What is recorded with everything that the author does.
    pub(crate) fn trace(&self, details: Option<Value>) -> RequestTrace {
        RequestTrace {
            address: self.author.address.clone(),
            admin_user_id: self.author.user_id.clone(),
            details,
            ..RequestTrace::default()
        }
    }

    /// A line of the audit trail.
    pub(crate) fn event(&self, kind: &'static str, details: Option<Value>) -> AdministrationEvent {
        let at = self.now();
        let event_id = time_ordered_id(at, &*self.random);
        AdministrationEvent { kind, sys_id: None, user_id: None, event_id, at, trace: self.trace(details) }
    }

    /// What ends all sessions of a scope, in the author's name.
    pub(crate) fn marking(&self, owner_id: &OwnerId, scope: Scope, reason: EndReason, trace: RequestTrace) -> Marking {
        Marking { owner_id: owner_id.clone(), scope, reason, actor: Actor::Admin, at: self.now(), before: None, trace }
    }

    /// Carries a change out, with its line of the audit trail and, where a scope is given, the end of all its sessions;
    /// in effect on every node when this returns.
    pub(crate) async fn administer(
        &self,
        owner_id: &OwnerId,
        change: &Administration<'_>,
        unchanged_since: Option<Timestamp>,
        event: &AdministrationEvent,
        ends: Option<(Scope, EndReason)>,
    ) -> Result<Change, Error> {
        if let (Some(service), true) = (&self.running, change.concerns_nodes()) {
            service.admit(owner_id, &AdmissionRequest { nonce: None, rates: &[CHANGES] }, self.now()).await?;
        }
        let marking = ends.map(|(scope, reason)| self.marking(owner_id, scope, reason, event.trace.clone()));
        let revoked = self.db.administer(owner_id, change, unchanged_since, event.at, Some(event), marking.as_ref()).await;
        let change = Change { owner_id: owner_id.clone(), user_id: None };
        self.publish(&change, &revoked.map_err(refusal)?).await?;
        Ok(change)
    }

    /// Tells the other nodes, and takes what has changed out of the shared cache. A single server that keeps it in memory
    /// hears of it by the control socket.
    pub(crate) async fn publish(&self, change: &Change, revoked: &Revoked) -> Result<(), NotPublished> {
        if let Some(service) = &self.running {
            return service.take_effect(change, revoked).await;
        }
        // What a node hears of, it may read in the cache again at once.
        let uncached = self.uncache(change, revoked).await;
        if let Some(revocations) = &self.revocations {
            revocations.announce_all(&revoked.sessions, &revoked.marks).await?;
            // Where the cache holds what was before, a server makes good for it; what stays here, it removes.
            for mark in revoked.finished_marks().filter(|_| uncached.is_ok()) {
                if let Err(error) = self.db.remove_mark(mark).await {
                    tracing::debug!(%error, "a mark that everyone knows stays for a server to remove");
                }
            }
        }
        uncached
    }

    /// The same for ended sessions alone: nothing else that nodes remember has changed.
    pub(crate) async fn publish_ends(&self, owner_id: &OwnerId, revoked: &Revoked) -> Result<(), NotPublished> {
        if let Some(service) = &self.running {
            service.announcer.announce_revoked(revoked).await?;
            service.hide_from_old_servers(&revoked.sessions).await;
            return Ok(());
        }
        self.publish(&Change { owner_id: owner_id.clone(), user_id: None }, revoked).await
    }

    /// Only what the cache holds of the user must go before the change is in effect: nodes pass over rows of a tenant that
    /// are older than its revision, and the outbox repeats what ended sessions ask for.
    async fn uncache(&self, change: &Change, revoked: &Revoked) -> Result<(), NotPublished> {
        let Some(cache) = &self.cache else { return Ok(()) };
        let tenant = cache.remove::<CachedTenant>(&change.owner_id, change.owner_id.as_str()).await;
        if let Err(error) = tenant.and(cache.sessions_ended(&revoked.sessions).await) {
            tracing::debug!(%error, "the cache still holds what was before; nodes pass it over");
        }
        let Some(user_id) = &change.user_id else { return Ok(()) };
        let removed = cache.remove::<CachedUser>(&change.owner_id, user_id.as_str()).await;
        removed.map_err(NotPublished::because)
    }
}

/// What adding a user is refused with, whichever of the three it is.
pub(super) const NAME_TAKEN: &str = "the user id, account or mobile number is taken";

/// What the store refuses, in words for the operator.
pub(crate) fn refusal(error: bo_auth_store::Error) -> Error {
    use bo_auth_store::Error as Store;
    match error {
        Store::Exists(what) if what != "event" => Error::Conflict(match what {
            "user" => NAME_TAKEN.to_owned(),
            what => format!("there is a {what} of this name already"),
        }),
        Store::Missing(what) => Error::NotFound(format!("there is no such {what}")),
        Store::Changed(_) => Error::Stale,
        other => other.into(),
    }
}

impl Service {
    /// An operator who acts within this service.
    pub fn operator(self: &Arc<Self>, author: Author) -> Operator {
        Operator {
            db: self.db.clone(),
            cache: Some(self.cache.clone()),
            revocations: Some(self.revocations.clone()),
            master_key: self.tenants.master_key(),
            hasher: self.passwords.hasher(),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            running: Some(Arc::clone(self)),
            author,
        }
    }

    /// Lets a change take effect here and on every other node, before this returns.
    async fn take_effect(&self, change: &Change, revoked: &Revoked) -> Result<(), NotPublished> {
        if let Some(user_id) = &change.user_id {
            // What a node hears of, it may read in the cache again at once.
            let uncached = self.cache.remove::<CachedUser>(&change.owner_id, user_id.as_str()).await;
            match &uncached {
                Ok(()) => self.announcer.announce_revoked(revoked).await?,
                Err(_) => self.announcer.announce_unfinished(revoked).await?,
            }
            self.hide_from_old_servers(&revoked.sessions).await;
            return uncached.map_err(NotPublished::because);
        }
        self.announcer.announce_revoked(revoked).await?;
        self.hide_from_old_servers(&revoked.sessions).await;
        self.tenants.forget(&change.owner_id, &self.cache).await;
        self.tenants.reload_settings(&self.db).await.map_err(NotPublished::because)
    }

    /// Sees what another process has changed: its ended sessions, and the rows it names.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the database does not answer.
    pub async fn apply(&self, changes: &[Change]) -> Result<(), Error> {
        self.revocations.hear_pending(self.clock.now()).await?;
        for change in changes {
            self.tenants.forget(&change.owner_id, &self.cache).await;
            if let Some(user_id) = &change.user_id {
                self.cache.remove::<CachedUser>(&change.owner_id, user_id.as_str()).await?;
                // An operator who has changed a user, or unlocked one, could not reach what is counted in this memory.
                if let Some(user) = self.db.find_user(&change.owner_id, user_id).await? {
                    unlock_names(&self.cache, &change.owner_id, &user).await?;
                }
            }
        }
        self.announce_pending(self.clock.now().plus(CLOCK_DIFFERENCE)).await?;
        self.refresh_plugins().await?;
        self.tenants.reload_settings(&self.db).await
    }
}
