//! `bo-auth plugin list`, `show` and `log`.

use std::fmt::Write as _;

use bo_auth_service::plugin::{PluginOverview, VersionState};
use bo_auth_store::plugin_record::{PluginRecord, PluginSwitch, PluginVersionRecord};
use clap::Args;
use serde_json::{Value, json};

use super::publishing::described;
use super::{Whose, Workplace};
use crate::command::Failure;
use crate::command::output::{Output, table};
use crate::configuration::StoreOptions;

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    stores: StoreOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Name of the plugin.
    name: String,
    #[command(flatten)]
    whose: Whose,
    /// Print the source of the version of this number.
    #[arg(long)]
    number: Option<i64>,
    #[command(flatten)]
    stores: StoreOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Log {
    /// Name of the plugin.
    name: String,
    #[command(flatten)]
    whose: Whose,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    limit: u32,
    #[command(flatten)]
    stores: StoreOptions,
}

impl List {
    pub(super) async fn run(self, output: Output) -> Result<(), Failure> {
        let place = Workplace::open(&self.whose, self.stores).await?;
        let listed = place.desk().list(&place.owner_id).await?;
        let result: Vec<Value> = listed.iter().map(overview).collect();
        output.result(&result, || {
            let row = |plugin: &PluginOverview| {
                let record = plugin.record.as_ref();
                let whose = match (plugin.platform, record) {
                    (_, None) => "built-in",
                    (true, _) => "platform",
                    (false, _) if plugin.built_in => "tenant, before the built-in",
                    (false, _) => "tenant",
                };
                [
                    plugin.name.clone(),
                    whose.to_owned(),
                    record.and_then(|record| record.active_version).map_or_else(|| "-".to_owned(), |version| version.to_string()),
                    record.map_or_else(String::new, |record| state(record, &plugin.switches)),
                    plugin.runs.to_string(),
                    plugin.failures.to_string(),
                ]
            };
            table(["NAME", "WHOSE", "ACTIVE", "STATE", "RUNS (24 H)", "FAILED"], &listed.iter().map(row).collect::<Vec<_>>())
        })
    }
}

impl Show {
    pub(super) async fn run(self, output: Output) -> Result<(), Failure> {
        let place = Workplace::open(&self.whose, self.stores).await?;
        let desk = place.desk();
        if let Some(number) = self.number {
            let version = desk.version(&place.owner_id, &self.name, number).await?;
            return output.result(&version, || version.source.clone());
        }
        let record = desk.find(&place.owner_id, &self.name).await?;
        let versions = desk.db.list_plugin_versions(&place.owner_id, &self.name, None, 200).await?;
        let statistics = desk.statistics(&place.owner_id, &record, 24).await?;
        let mut result = described(&record);
        result["versions"] = versions.iter().map(|version| described_version(version, &record)).collect();
        result["statistics"] = serde_json::to_value(&statistics)?;
        output.result(&result, || {
            let row = |version: &PluginVersionRecord| {
                [
                    version.version.to_string(),
                    VersionState::of(version, &record).as_str().to_owned(),
                    version.created_at.to_string(),
                    version.author.clone(),
                    version.digest.chars().take(12).collect(),
                    version.note.clone(),
                ]
            };
            let rows: Vec<_> = versions.iter().map(row).collect();
            let mut text = format!("{}: {} runs in 24 hours, {} failed", record.name, statistics.active.runs, statistics.active.failures);
            if let Some(canary) = &statistics.canary {
                // Writing to a string cannot fail.
                let _ = write!(text, "; canary: {} runs, {} failed", canary.runs, canary.failures);
            }
            format!("{text}\n{}", table(["VERSION", "STATE", "STORED", "BY", "DIGEST", "NOTE"], &rows))
        })
    }
}

impl Log {
    pub(super) async fn run(self, output: Output) -> Result<(), Failure> {
        let place = Workplace::open(&self.whose, self.stores).await?;
        let desk = place.desk();
        desk.find(&place.owner_id, &self.name).await?;
        let failures = desk.db.list_plugin_failures(&place.owner_id, &self.name, None, i64::from(self.limit)).await?;
        let result: Vec<Value> = failures
            .iter()
            .map(|failure| {
                json!({
                    "at": failure.at.to_string(),
                    "version": failure.version,
                    "code": failure.code,
                    "message": failure.message,
                    "line": failure.line,
                    "column": failure.column,
                    "route": failure.route,
                    "sysId": failure.sys_id,
                })
            })
            .collect();
        output.result(&result, || {
            let rows: Vec<_> = failures
                .iter()
                .map(|failure| {
                    [
                        failure.at.to_string(),
                        failure.version.to_string(),
                        failure.code.clone(),
                        failure.route.clone(),
                        failure.message.clone(),
                    ]
                })
                .collect();
            table(["AT", "VERSION", "CODE", "ROUTE", "MESSAGE"], &rows)
        })
    }
}

fn overview(plugin: &PluginOverview) -> Value {
    let record = plugin.record.as_ref();
    json!({
        "name": plugin.name,
        "builtIn": plugin.built_in,
        "platform": plugin.platform,
        "activeVersion": record.and_then(|record| record.active_version),
        "canary": record.and_then(|record| record.canary),
        "switchedOff": record.and_then(|record| record.switched_off.clone()),
        "switchedOffAt": plugin.switches,
        "updatedAt": record.map(|record| record.updated_at.to_string()),
        "runs": plugin.runs,
        "failures": plugin.failures,
    })
}

fn described_version(version: &PluginVersionRecord, plugin: &PluginRecord) -> Value {
    json!({
        "version": version.version,
        "state": VersionState::of(version, plugin).as_str(),
        "digest": version.digest,
        "author": version.author,
        "note": version.note,
        "createdAt": version.created_at.to_string(),
        "publishedAt": version.published_at.map(|at| at.to_string()),
    })
}

fn state(record: &PluginRecord, switches: &[PluginSwitch]) -> String {
    match (&record.switched_off, record.canary) {
        _ if !switches.is_empty() => {
            let places: Vec<String> = switches.iter().map(|off| format!("{} on {} ({})", off.code, off.route, off.sys_id)).collect();
            format!("switched off: {}", places.join(", "))
        }
        (Some(off), _) => format!("switched off: {}", off.code),
        (None, Some(canary)) => format!("version {} for {} %", canary.version, canary.share_percent),
        (None, None) if record.active_version.is_some() => "published".to_owned(),
        (None, None) => "draft".to_owned(),
    }
}
