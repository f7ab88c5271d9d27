//! Which published plugins a node has in memory, compiled. The database is the truth. A change is announced with a revision of its
//! owner, as changes of tenants are, and whoever is asked for something of that owner then reads first; beside that everything is
//! compared every second, for what could not be announced.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use bo_auth_core::identifier::OwnerId;
use bo_auth_plugin::{Plugin, Plugins, Published};
use bo_auth_store::plugin_record::{PluginOwner, PluginSwitch, PublishedPlugin};
use bo_auth_store::revocation::Heard;

use super::refusal::PluginRefusal;
use crate::tenant::Tenant;
use crate::{Error, Service};

/// What of all owners is loaded.
pub(crate) struct Catalogue {
    platform: OwnerId,
    /// What had been heard when everything was read last.
    read_at: ArcSwap<Heard>,
    owners: Mutex<HashMap<OwnerId, Arc<Owner>>>,
    /// Held while everything is read.
    reading: tokio::sync::Mutex<()>,
}

/// What of an owner is loaded.
#[derive(Default)]
struct Owner {
    /// The revision that had been announced when it was read last.
    read_at: AtomicI64,
    /// The revision of its plugins. Held while they load, so that an older state never replaces a newer one.
    loaded: tokio::sync::Mutex<i64>,
}

impl Default for Catalogue {
    fn default() -> Self {
        let (read_at, owners, reading) = (ArcSwap::default(), Mutex::default(), tokio::sync::Mutex::default());
        Self { platform: super::platform(), read_at, owners, reading }
    }
}

impl Catalogue {
    fn owner(&self, owner_id: &OwnerId) -> Arc<Owner> {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(owners.entry(owner_id.clone()).or_default())
    }
}

impl Service {
    /// Loads the plugins of every owner whose revision is not the loaded one.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; [`Error::Plugin`] where too much waits for the plugin threads. What could not be loaded is
    /// tried again the next time, and until then stays as it was.
    pub async fn refresh_plugins(&self) -> Result<(), Error> {
        let _one_at_a_time = self.plugin_catalogue.reading.lock().await;
        let heard = self.revocations.heard();
        let owners = self.db.list_plugin_owners().await?;
        self.plugin_activity.record_for(&owners);
        for owner in owners {
            let entry = self.plugin_catalogue.owner(&owner.owner_id);
            let mut loaded = entry.loaded.lock().await;
            self.load(owner, &mut loaded).await?;
        }
        self.plugin_catalogue.read_at.store(Arc::new(heard));
        Ok(())
    }

    /// Sees to it that a tenant's request finds what was published before it came, by its tenant or for all. Costs nothing where
    /// nothing was announced; where it was, one request reads and the tenant's others wait for it.
    pub(crate) async fn follow_plugins(&self, tenant: &Tenant) {
        let catalogue = &self.plugin_catalogue;
        let read_at = catalogue.read_at.load_full();
        if self.revocations.knows_no_more_than(&read_at) {
            return;
        }
        let heard = self.revocations.heard();
        let announced = [
            (&catalogue.platform, heard.revision(&catalogue.platform)),
            // Without a lease nothing is heard, and the tenant's rows say what the database does.
            (&tenant.owner_id, heard.revision(&tenant.owner_id).max(tenant.revision)),
        ];
        for (owner_id, revision) in announced {
            if revision > read_at.revision(owner_id) {
                Box::pin(self.catch_up(owner_id, revision)).await;
            }
        }
    }

    /// Reads an owner's plugins, unless that was done since the revision was announced.
    async fn catch_up(&self, owner_id: &OwnerId, revision: i64) {
        let entry = self.plugin_catalogue.owner(owner_id);
        if entry.read_at.load(Ordering::Acquire) >= revision {
            return;
        }
        let mut loaded = entry.loaded.lock().await;
        if entry.read_at.load(Ordering::Acquire) >= revision {
            return;
        }
        if let Err(error) = self.read_owner(owner_id, &mut loaded).await {
            tracing::warn!(%error, "plugins that were announced could not be read; they are looked for again within a second");
        }
        // Where it failed too: not every request is to wait for a database that does not answer.
        entry.read_at.fetch_max(revision, Ordering::AcqRel);
    }

    async fn read_owner(&self, owner_id: &OwnerId, loaded: &mut i64) -> Result<(), Error> {
        let Some(owner) = self.db.find_plugin_owner(owner_id).await? else { return Ok(()) };
        self.plugin_activity.record_for_one(&owner);
        self.load(owner, loaded).await
    }

    /// Loads an owner's plugins, where those that are loaded are older.
    async fn load(&self, owner: PluginOwner, loaded: &mut i64) -> Result<(), Error> {
        if *loaded >= owner.revision {
            return Ok(());
        }
        // Read after the revision: what is newer than it is loaded once more.
        let stored = self.db.list_published_plugins(&owner.owner_id).await?;
        let switches = self.db.list_plugin_switches(&owner.owner_id).await?;
        let mut published = Vec::with_capacity(stored.len());
        for plugin in stored {
            let stand_in = self.stand_in(&owner.owner_id, &plugin, &switches).await?;
            let prepared = prepare(&self.plugins, owner.owner_id.as_str(), plugin).await?;
            published.extend(prepared.map(|prepared| prepared.with_stand_in(stand_in)));
        }
        self.take_over_switches(&published, &switches);
        // The meters of versions that leave go with them.
        if let Err(error) = self.save_runs().await {
            tracing::debug!(%error, "runs of a version that leaves were not counted");
        }
        self.plugins.replace(owner.owner_id.as_str(), published);
        *loaded = owner.revision;
        Ok(())
    }
}

impl Service {
    /// The version that answers where the active one stands back: the good one before it.
    async fn stand_in(&self, owner_id: &OwnerId, stored: &PublishedPlugin, switches: &[PluginSwitch]) -> Result<Option<Plugin>, Error> {
        let name = stored.plugin.name.as_str();
        let stands_back = |version: &i64| switches.iter().any(|off| off.name == name && off.version == *version);
        let Some(active) = stored.plugin.active_version.filter(stands_back) else { return Ok(None) };
        let Some(good) = self.db.find_good_plugin_version(owner_id, name, Some(active)).await? else { return Ok(None) };
        let Some(version) = self.db.find_plugin_version(owner_id, name, good).await? else { return Ok(None) };
        let plugin = self.plugins.prepare(owner_id.as_str(), name, good, &version.source).await.map_err(PluginRefusal::from)?;
        Ok(Some(plugin))
    }
}

async fn prepare(plugins: &Plugins, owner_id: &str, stored: PublishedPlugin) -> Result<Option<Published>, PluginRefusal> {
    let PublishedPlugin { plugin, active_source, canary_source } = stored;
    let active = match (plugin.active_version.zip(active_source), &plugin.switched_off) {
        (Some((version, source)), _) => plugins.prepare(owner_id, &plugin.name, version, &source).await?,
        (None, Some(_)) => Plugins::switched_off(owner_id, &plugin.name)?,
        (None, None) => return Ok(None),
    };
    let canary = match plugin.canary.zip(canary_source) {
        Some((canary, source)) => Some((plugins.prepare(owner_id, &plugin.name, canary.version, &source).await?, canary.share_percent)),
        None => None,
    };
    if let Some(error) = active.compile_error() {
        tracing::error!(plugin = plugin.name, version = active.version(), %error, "a published plugin no longer compiles; its answers go out untouched");
    }
    Ok(Some(Published::new(active, canary)))
}
