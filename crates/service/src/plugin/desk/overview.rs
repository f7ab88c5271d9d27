//! What an owner's requests can name, and how each version stands.

use bo_auth_core::identifier::OwnerId;
use bo_auth_plugin::PLATFORM;
use bo_auth_store::plugin_record::{PluginRecord, PluginSwitch, PluginVersionRecord};
use serde::Serialize;

use super::PluginDesk;
use crate::Error;
use crate::plugin::platform;

/// A plugin in a list: an owner's own, or what is offered to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginOverview {
    /// Its name.
    pub name: String,
    /// Whether a built-in has this name.
    pub built_in: bool,
    /// Whether it is the platform's, offered to every tenant.
    pub platform: bool,
    /// Its row; none for a built-in.
    pub record: Option<PluginRecord>,
    /// Runs in the last 24 hours.
    pub runs: i64,
    /// Those of them that failed.
    pub failures: i64,
    /// Where a version that is to answer stands back, since it failed there too often.
    pub switches: Vec<PluginSwitch>,
}

/// How a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VersionState {
    /// It answers.
    Active,
    /// It answers some of the requests.
    Canary,
    /// It failed too often.
    SwitchedOff,
    /// It answered once.
    Retired,
    /// It has never answered every request.
    Draft,
}

impl VersionState {
    /// How a version of a plugin stands.
    pub fn of(version: &PluginVersionRecord, plugin: &PluginRecord) -> Self {
        if plugin.active_version == Some(version.version) {
            Self::Active
        } else if plugin.canary.is_some_and(|canary| canary.version == version.version) {
            Self::Canary
        } else if version.switched_off_at.is_some() {
            Self::SwitchedOff
        } else if version.published_at.is_some() {
            Self::Retired
        } else {
            Self::Draft
        }
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Canary => "canary",
            Self::SwitchedOff => "switched-off",
            Self::Retired => "retired",
            Self::Draft => "draft",
        }
    }
}

impl PluginDesk<'_> {
    /// An owner's plugins, those of the platform that it does not shadow, and the built-ins, by name.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is no such tenant; [`Error::Unavailable`].
    pub async fn list(&self, owner_id: &OwnerId) -> Result<Vec<PluginOverview>, Error> {
        self.verify_owner(owner_id).await?;
        let since = self.clock.now().minus(std::time::Duration::from_hours(24));
        let mut listed: Vec<PluginOverview> = Vec::new();
        for (owner, is_platform) in [(owner_id.clone(), owner_id.as_str() == PLATFORM), (platform(), true)] {
            let counts = self.db.sum_plugin_runs(&owner, since).await?;
            let switches = self.db.list_plugin_switches(&owner).await?;
            for record in self.db.list_plugins(&owner, None, 1_000).await? {
                let is_known = listed.iter().any(|plugin| plugin.name == record.name);
                let is_offered = owner == *owner_id || record.active_version.is_some();
                if is_known || !is_offered {
                    continue;
                }
                let (runs, failures) =
                    counts.iter().find(|(name, ..)| *name == record.name).map_or((0, 0), |(_, runs, failures)| (*runs, *failures));
                let built_in = self.plugins.built_ins().iter().any(|plugin| plugin.name() == record.name);
                listed.push(PluginOverview {
                    name: record.name.clone(),
                    built_in,
                    platform: is_platform,
                    switches: switches.iter().filter(|off| stands_back(off, &record, owner_id)).cloned().collect(),
                    record: Some(record),
                    runs,
                    failures,
                });
            }
        }
        for plugin in self.plugins.built_ins() {
            if !listed.iter().any(|known| known.name == plugin.name()) {
                let name = plugin.name().to_owned();
                listed.push(PluginOverview {
                    name,
                    built_in: true,
                    platform: true,
                    record: None,
                    runs: 0,
                    failures: 0,
                    switches: Vec::new(),
                });
            }
        }
        listed.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(listed)
    }
}

/// Whether a version of this plugin that is to answer stands back, for the answers of this owner: of what is offered to every
/// tenant, nobody but the platform sees those of others.
fn stands_back(off: &PluginSwitch, plugin: &PluginRecord, owner_id: &OwnerId) -> bool {
    let answers = plugin.active_version == Some(off.version) || plugin.canary.is_some_and(|canary| canary.version == off.version);
    off.name == plugin.name && answers && (owner_id.as_str() == PLATFORM || off.tenant_id == owner_id.as_str())
}
