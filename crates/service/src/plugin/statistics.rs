//! How the versions of a plugin do, side by side.

use std::time::Duration;

use bo_auth_core::identifier::OwnerId;
use bo_auth_store::plugin_record::{PluginRecord, PluginRuns};
use serde::Serialize;

use super::desk::PluginDesk;
use crate::Error;

/// Runs of the versions that answer now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunStatistics {
    /// Of the active version.
    pub active: VersionStatistics,
    /// Of the canary, where there is one.
    pub canary: Option<VersionStatistics>,
}

/// Runs of one version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionStatistics {
    /// The version; none where nothing answers.
    pub version: Option<i64>,
    /// How many runs.
    pub runs: i64,
    /// How many of them failed.
    pub failures: i64,
    /// How long a run took on average, in microseconds.
    pub microseconds: i64,
    /// Spans of five minutes in which there were runs.
    pub buckets: Vec<PluginRuns>,
}

impl PluginDesk<'_> {
    /// The runs of the last so many hours; what a node has counted in the last seconds is not among them yet.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn statistics(&self, owner_id: &OwnerId, plugin: &PluginRecord, hours: u32) -> Result<RunStatistics, Error> {
        let since = self.clock.now().minus(Duration::from_hours(u64::from(hours)));
        let runs = self.db.list_plugin_runs(owner_id, &plugin.name, since).await?;
        let of = |version: i64| summed(version, &runs);
        let active = plugin.active_version.map_or_else(VersionStatistics::default, of);
        Ok(RunStatistics { active, canary: plugin.canary.map(|canary| of(canary.version)) })
    }
}

fn summed(version: i64, runs: &[PluginRuns]) -> VersionStatistics {
    let buckets: Vec<PluginRuns> = runs.iter().filter(|runs| runs.version == version).cloned().collect();
    let sum = |value: fn(&PluginRuns) -> i64| buckets.iter().map(value).sum::<i64>();
    let count = sum(|runs| runs.runs);
    VersionStatistics {
        version: Some(version),
        runs: count,
        failures: sum(|runs| runs.failures),
        microseconds: sum(|runs| runs.microseconds).checked_div(count).unwrap_or_default(),
        buckets,
    }
}
