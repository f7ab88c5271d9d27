//! Which published plugins a node has in memory, compiled. The database is the truth; a node compares each owner's revision with
//! the one it has loaded: at its start, every second, and at once where it is told.

use std::collections::HashMap;

use bo_auth_core::identifier::OwnerId;
use bo_auth_plugin::{Plugins, Published};
use bo_auth_store::plugin_record::PublishedPlugin;
use tokio::sync::Mutex;

use super::refusal::PluginRefusal;
use crate::{Error, Service};

/// The revision of each owner that was loaded. Held while one loads, so that an older state never replaces a newer one.
#[derive(Default)]
pub(crate) struct Catalogue(Mutex<HashMap<OwnerId, i64>>);

impl Service {
    /// Loads the plugins of every owner whose revision is not the loaded one.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; [`Error::Plugin`] where too much waits for the plugin threads. What could not be loaded is
    /// tried again the next time, and until then stays as it was.
    pub async fn refresh_plugins(&self) -> Result<(), Error> {
        let mut loaded = self.plugin_catalogue.0.lock().await;
        let owners = self.db.list_plugin_owners().await?;
        self.plugin_activity.record_for(&owners);
        for owner in owners {
            if loaded.get(&owner.owner_id) == Some(&owner.revision) {
                continue;
            }
            // Read after the revision: what is newer than it is loaded once more.
            let stored = self.db.list_published_plugins(&owner.owner_id).await?;
            let mut published = Vec::with_capacity(stored.len());
            for plugin in stored {
                published.extend(prepare(&self.plugins, owner.owner_id.as_str(), plugin).await?);
            }
            // The meters of versions that leave go with them.
            if let Err(error) = self.save_runs().await {
                tracing::debug!(%error, "runs of a version that leaves were not counted");
            }
            self.plugins.replace(owner.owner_id.as_str(), published);
            loaded.insert(owner.owner_id, owner.revision);
        }
        Ok(())
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
