//! What plugins did: failures with their place, runs over time, and whether answers are recorded.

use std::sync::Arc;

use bo_auth_service::plugin::VersionStatistics;
use bo_auth_store::plugin_record::PluginFailureRecord;
use http::header::ETAG;
use poem::Request;
use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};

use super::Frame;
use super::condition::{if_revision, revision_etag};
use super::page::{PageRequest, page};
use super::problem::Problem;
use super::reply::{Reply, Success};
use crate::api::body::JsonBody;

/// The longest span of statistics, in hours: as long as runs are kept.
const MOST_HOURS: u32 = 30 * 24;
/// How many answers are recorded where a request does not say.
const USUAL_SAMPLES: i64 = 50;

/// The routes of what plugins did.
pub(super) struct PluginActivity(pub(super) Arc<Frame>);

/// A run that failed.
#[derive(Object)]
#[oai(rename = "PluginFailure", rename_all = "camelCase")]
pub(super) struct FailureView {
    /// When (Unix ms).
    at: i64,
    /// The version.
    version: i64,
    /// The code of `X-Plugin-Error`.
    code: String,
    /// A sentence.
    message: String,
    /// The line of the script, from 1.
    line: Option<i64>,
    /// The character of the line, from 1.
    column: Option<i64>,
    /// The route's pattern.
    route: String,
    /// The system.
    sys_id: Option<String>,
}

page! {
    /// A page of failures, the newest first.
    PluginFailurePage of FailureView
}

/// Runs in five minutes.
#[derive(Object)]
#[oai(rename = "PluginRunBucket", rename_all = "camelCase")]
pub(super) struct BucketView {
    /// When they begin (Unix ms).
    at: i64,
    /// How many runs.
    runs: i64,
    /// Those of them that failed.
    failures: i64,
}

/// Runs of one version.
#[derive(Object)]
#[oai(rename = "PluginVersionStatistics", rename_all = "camelCase")]
pub(super) struct StatisticsOfVersion {
    /// The version; null where none answers.
    version: Option<i64>,
    /// How many runs.
    runs: i64,
    /// Those of them that failed.
    failures: i64,
    /// How long a run took on average, in microseconds.
    microseconds: i64,
    /// Spans in which there were runs, in the order of time.
    buckets: Vec<BucketView>,
}

/// Runs of the versions that answer.
#[derive(Object)]
#[oai(rename = "PluginStatistics", rename_all = "camelCase")]
pub(super) struct StatisticsView {
    /// Of the version that answers.
    active: StatisticsOfVersion,
    /// Of the canary, where there is one.
    canary: Option<StatisticsOfVersion>,
}

/// Whether answers are recorded.
#[derive(Object)]
#[oai(rename = "PluginRecording", rename_all = "camelCase")]
pub(super) struct RecordingView {
    /// Whether they are.
    enabled: bool,
    /// How many are kept, 1 to 200.
    maximum: i64,
}

/// Whether answers are to be recorded, redacted.
#[derive(Object)]
#[oai(rename = "PluginRecordingRequest", rename_all = "camelCase")]
pub(super) struct RecordingBody {
    /// Whether they are; ending it removes what was recorded.
    enabled: bool,
    /// How many are kept, 1 to 200; 50 where absent.
    maximum: Option<i64>,
}

impl From<PluginFailureRecord> for FailureView {
    fn from(failure: PluginFailureRecord) -> Self {
        Self {
            at: failure.at.0,
            version: failure.version,
            code: failure.code,
            message: failure.message,
            line: failure.line,
            column: failure.column,
            route: failure.route,
            sys_id: failure.sys_id,
        }
    }
}

impl From<VersionStatistics> for StatisticsOfVersion {
    fn from(statistics: VersionStatistics) -> Self {
        let bucket =
            |runs: &bo_auth_store::plugin_record::PluginRuns| BucketView { at: runs.at.0, runs: runs.runs, failures: runs.failures };
        Self {
            version: statistics.version,
            runs: statistics.runs,
            failures: statistics.failures,
            microseconds: statistics.microseconds,
            buckets: statistics.buckets.iter().map(bucket).collect(),
        }
    }
}

#[OpenApi]
impl PluginActivity {
    /// List failures
    ///
    /// The newest 200 are kept, for 30 days; those of the last seconds may be on their way.
    #[oai(path = "/tenants/:ownerId/plugins/:name/failures", method = "get", operation_id = "listPluginFailures")]
    async fn failures(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        name: Path<String>,
        limit: Query<Option<u32>>,
        cursor: Query<Option<String>>,
    ) -> Reply<PluginFailurePage> {
        self.failed(request, &owner_id, &name, limit.0, cursor.0).await.into()
    }

    /// Read statistics
    ///
    /// Runs and failures of the version that answers and of its canary, side by side.
    #[oai(path = "/tenants/:ownerId/plugins/:name/statistics", method = "get", operation_id = "readPluginStatistics")]
    async fn statistics(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        name: Path<String>,
        hours: Query<Option<u32>>,
    ) -> Reply<StatisticsView> {
        self.counted(request, &owner_id, &name, hours.0).await.into()
    }

    /// Read whether answers are recorded
    #[oai(path = "/tenants/:ownerId/plugins/recording", method = "get", operation_id = "readPluginRecording")]
    async fn recording(&self, request: &Request, #[oai(name = "ownerId")] owner_id: Path<String>) -> Reply<RecordingView> {
        self.recorded(request, &owner_id).await.into()
    }

    /// Record answers, or end it
    ///
    /// Without tokens, and with every text below `data` made unreadable: for testing drafts on.
    #[oai(path = "/tenants/:ownerId/plugins/recording", method = "put", operation_id = "setPluginRecording")]
    async fn set_recording(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        body: JsonBody<RecordingBody>,
    ) -> Reply<RecordingView> {
        self.record(request, &owner_id, body).await.into()
    }
}

impl PluginActivity {
    async fn failed(
        &self,
        request: &Request,
        owner_id: &str,
        name: &str,
        limit: Option<u32>,
        cursor: Option<String>,
    ) -> Result<Success<PluginFailurePage>, Problem> {
        let caller = self.0.plugin_editor(request, owner_id).await?;
        let page = PageRequest::read("failures", limit, cursor.as_deref())?;
        let before = page.after(|text| text.parse::<i64>().ok())?;
        let desk = self.0.desk();
        desk.find(&caller.owner_id, name).await?;
        let failures = desk.db.list_plugin_failures(&caller.owner_id, name, before, page.rows()).await?;
        let (failures, next) = page.cut(failures, |last| last.failure_id.to_string());
        Ok(Success::of((failures.into_iter().map(Into::into).collect::<Vec<FailureView>>(), next).into()))
    }

    async fn counted(&self, request: &Request, owner_id: &str, name: &str, hours: Option<u32>) -> Result<Success<StatisticsView>, Problem> {
        let caller = self.0.plugin_editor(request, owner_id).await?;
        let hours = hours.unwrap_or(24);
        if !(1..=MOST_HOURS).contains(&hours) {
            return Err(Problem::parameter("hours", format!("it is 1 to {MOST_HOURS}")));
        }
        let desk = self.0.desk();
        let record = desk.find(&caller.owner_id, name).await?;
        let statistics = desk.statistics(&caller.owner_id, &record, hours).await?;
        Ok(Success::of(StatisticsView { active: statistics.active.into(), canary: statistics.canary.map(Into::into) }))
    }

    async fn recorded(&self, request: &Request, owner_id: &str) -> Result<Success<RecordingView>, Problem> {
        let caller = self.0.plugin_editor(request, owner_id).await?;
        Ok(recording(self.0.service.db.plugin_samples_of(&caller.owner_id).await?))
    }

    async fn record(&self, request: &Request, owner_id: &str, body: JsonBody<RecordingBody>) -> Result<Success<RecordingView>, Problem> {
        let caller = self.0.plugin_editor(request, owner_id).await?;
        let present = self.0.service.db.plugin_samples_of(&caller.owner_id).await?;
        if_revision(request, present.unwrap_or(0))?;
        let mut members = self.0.read(request, body).await?;
        if members.is_absent("enabled") {
            members.wrong("enabled", "it is missing");
        }
        let enabled = members.boolean("enabled").unwrap_or(false);
        let maximum = members.number("maximum", 200).map_or(USUAL_SAMPLES, u64::cast_signed);
        members.finish()?;
        let samples = enabled.then_some(maximum);
        caller.desk(&self.0).set_recording(&caller.owner_id, samples, Some(present), caller.author()).await?;
        self.0.service.refresh_plugins().await?;
        Ok(recording(samples))
    }
}

/// Whether answers are recorded, with the `ETag` of that: it is the number of them.
fn recording(samples: Option<i64>) -> Success<RecordingView> {
    let view = RecordingView { enabled: samples.is_some(), maximum: samples.unwrap_or(USUAL_SAMPLES) };
    Success::of(view).header(ETAG, revision_etag(samples.unwrap_or(0)))
}
