//! What the database holds of response plugins, as values. `owner_id` is the tenant, or the reserved owner whose plugins are
//! offered to every tenant.

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Which version of a plugin answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginRecord {
    /// Its name.
    pub name: String,
    /// The newest version.
    pub last_version: i64,
    /// The version that answers; none before the first is published, after a withdrawal, or switched off without a good one.
    pub active_version: Option<i64>,
    /// The version that answers some of the requests.
    pub canary: Option<Canary>,
    /// When and by which failure it was switched off, until the next version is published.
    pub switched_off: Option<SwitchedOff>,
    /// Counts every change; what a writer compares.
    pub revision: i64,
    /// When its first version was stored.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A version that answers some of the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Canary {
    /// The version.
    pub version: i64,
    /// How many of a hundred requests, 1 to 99.
    pub share_percent: u8,
}

/// That a plugin failed too often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SwitchedOff {
    /// When.
    pub at: Timestamp,
    /// The code of its last failure.
    pub code: String,
}

/// One version of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginVersionRecord {
    /// Counted from 1.
    pub version: i64,
    /// The script; empty in lists.
    pub source: String,
    /// SHA-256 of the script, in hexadecimal digits.
    pub digest: String,
    /// Who stored it.
    pub author: String,
    /// Why.
    pub note: String,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it last began to answer every request.
    pub published_at: Option<Timestamp>,
    /// When it was switched off for failing.
    pub switched_off_at: Option<Timestamp>,
}

/// A version that is to be stored.
#[derive(Debug, Clone)]
pub struct NewPluginVersion {
    /// The script.
    pub source: String,
    /// Its SHA-256.
    pub digest: String,
    /// Who stores it.
    pub author: String,
    /// Why.
    pub note: String,
}

/// What a change makes of a plugin's row.
#[derive(Debug, Clone)]
pub struct PluginMove {
    /// The revision that it was decided on.
    pub revision: i64,
    /// The version that is to answer.
    pub active_version: Option<i64>,
    /// The version that is to answer some of the requests.
    pub canary: Option<Canary>,
    /// Whether the row says that it was switched off.
    pub switched_off: Option<SwitchedOff>,
    /// The version that is marked as published.
    pub published: Option<i64>,
    /// The version that is marked as switched off.
    pub failed: Option<i64>,
}

/// A plugin with the sources that a node compiles.
#[derive(Debug, Clone)]
pub struct PublishedPlugin {
    /// Its row.
    pub plugin: PluginRecord,
    /// The active version's source.
    pub active_source: Option<String>,
    /// The canary's source.
    pub canary_source: Option<String>,
}

/// That a version failed too often at a place and stands back there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginSwitch {
    /// The plugin.
    #[serde(skip)]
    pub name: String,
    /// Its version.
    pub version: i64,
    /// Whose answers it shapes.
    #[serde(rename = "ownerId")]
    pub tenant_id: String,
    /// The tenant's system.
    pub sys_id: String,
    /// The route's pattern.
    pub route: String,
    /// The code of the failure that was one too many.
    pub code: String,
    /// Since when.
    pub at: Timestamp,
}

/// What a node compares with what it has in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginOwner {
    /// Whose plugins.
    pub owner_id: OwnerId,
    /// Counts every change of any of them.
    pub revision: i64,
    /// How many answers are recorded at most; `None` where none are.
    pub samples: Option<i64>,
}

/// A run that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginFailureRecord {
    /// In the order of time.
    #[serde(skip)]
    pub failure_id: i64,
    /// The plugin.
    pub name: String,
    /// Its version.
    pub version: i64,
    /// The code of `X-Plugin-Error`.
    pub code: String,
    /// A sentence for the admin.
    pub message: String,
    /// The line of the script, from 1.
    pub line: Option<i64>,
    /// The character of the line, from 1.
    pub column: Option<i64>,
    /// The route's pattern.
    pub route: String,
    /// The system.
    pub sys_id: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Runs of one version in one span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginRuns {
    /// The version.
    pub version: i64,
    /// When the span begins.
    pub at: Timestamp,
    /// How many runs.
    pub runs: i64,
    /// How many of them failed.
    pub failures: i64,
    /// How long they took together.
    pub microseconds: i64,
}

/// A recorded answer, made unreadable where it could name a person.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginSample {
    /// In the order of time.
    pub sample_id: i64,
    /// What a script is told of the request.
    pub context: SampleContext,
    /// The answer before any plugin.
    pub envelope: serde_json::Value,
    /// When.
    pub at: Timestamp,
}

/// What is kept of a recorded answer's request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SampleContext {
    /// The route's pattern.
    pub route: String,
    /// The method.
    pub method: String,
    /// The HTTP status.
    pub status: u16,
    /// The language of the texts.
    pub language: String,
    /// The system.
    pub sys_id: Option<String>,
}
