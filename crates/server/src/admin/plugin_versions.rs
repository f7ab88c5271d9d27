//! Versions of response plugins: stored as drafts, read, published, rolled back.

use std::sync::Arc;

use bo_auth_core::identifier::OwnerId;
use bo_auth_plugin::CompileError;
use bo_auth_service::Error;
use bo_auth_service::plugin::PluginRefusal;
use bo_auth_store::plugin_record::PluginRecord;
use poem::Request;
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use serde_json::{Value, json};

use super::Frame;
use super::condition::if_revision;
use super::plugins::{PluginDetail, VersionItem};
use super::problem::{PLUGIN_BREAKS_SCHEMA, PLUGIN_DOES_NOT_COMPILE, Problem};
use super::reply::{Reply, Success};
use crate::api::body::JsonBody;

/// The largest body that holds a script and a sample, in bytes.
pub(super) const BODY_BYTES: usize = 256 << 10;

/// The routes of versions.
pub(super) struct PluginVersions(pub(super) Arc<Frame>);

/// A version with its source.
#[derive(Object)]
#[oai(rename = "PluginVersion", rename_all = "camelCase")]
pub(super) struct VersionView {
    /// The version.
    #[oai(flatten)]
    item: VersionItem,
    /// The script.
    source: String,
}

/// Why a source does not compile.
#[derive(Object)]
#[oai(rename = "CompileError", rename_all = "camelCase")]
pub(super) struct CompileErrorView {
    /// A sentence.
    message: String,
    /// The line, from 1.
    line: Option<u64>,
    /// The character of the line, from 1.
    column: Option<u64>,
}

/// A draft.
#[derive(Object)]
#[oai(rename = "PluginDraftRequest", rename_all = "camelCase")]
pub(super) struct DraftBody {
    /// The script.
    source: String,
    /// Why.
    note: Option<String>,
}

/// A draft that is stored.
#[derive(Object)]
#[oai(rename = "PluginDraft", rename_all = "camelCase")]
pub(super) struct DraftView {
    /// Its number; the newest version's, where that has this source already.
    version: i64,
    /// SHA-256 of the source.
    digest: String,
    /// `draft`.
    state: String,
    /// Why it cannot be published.
    compile_error: Option<CompileErrorView>,
}

/// Which version is to answer.
#[derive(Object)]
#[oai(rename = "PluginPublishRequest", rename_all = "camelCase")]
pub(super) struct PublishBody {
    /// The version.
    version: i64,
    /// So many of a hundred requests only, 1 to 99.
    canary_share_percent: Option<u64>,
    /// Publish it even where generated clients could not read its answers.
    accept_schema_problems: Option<bool>,
}

/// Which version is to answer again.
#[derive(Object)]
#[oai(rename = "PluginRollbackRequest", rename_all = "camelCase")]
pub(super) struct RollbackBody {
    /// The version; if absent, the one that answered before the active one did and was not switched off.
    version: Option<i64>,
}

impl CompileErrorView {
    pub(super) fn new(error: &CompileError) -> Self {
        let number = |number: Option<usize>| number.and_then(|number| u64::try_from(number).ok());
        Self { message: error.message.clone(), line: number(error.line), column: number(error.column) }
    }
}

#[OpenApi]
impl PluginVersions {
    /// Store a draft
    ///
    /// As the plugin's next version, which answers nothing before it is published. One that does not compile is stored too.
    #[oai(path = "/tenants/:ownerId/plugins/:name/versions", method = "post", operation_id = "storePluginVersion")]
    async fn store(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        name: Path<String>,
        body: JsonBody<DraftBody>,
    ) -> Reply<DraftView, 201> {
        self.draft(request, &owner_id, &name, body).await.into()
    }

    /// Read a version
    #[oai(path = "/tenants/:ownerId/plugins/:name/versions/:version", method = "get", operation_id = "readPluginVersion")]
    async fn read_version(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        name: Path<String>,
        version: Path<i64>,
    ) -> Reply<VersionView> {
        self.version(request, &owner_id, &name, version.0).await.into()
    }

    /// Publish a version
    ///
    /// It answers every request, or so many of a hundred, on every node when it is answered. It is tried first on what a test
    /// tries it on, and the answers on which it fails are named in `warnings`.
    /// One that does not compile is refused, with its place; one that generated clients of no system of the tenant could
    /// read, with the paths that break.
    #[oai(path = "/tenants/:ownerId/plugins/:name/publish", method = "post", operation_id = "publishPlugin")]
    async fn publish(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        name: Path<String>,
        body: JsonBody<PublishBody>,
    ) -> Reply<PluginDetail> {
        self.put_in_place(request, &owner_id, &name, body).await.into()
    }

    /// Roll back
    ///
    /// To an earlier version for every request; or, where there is a canary and no version is named, to the end of it.
    #[oai(path = "/tenants/:ownerId/plugins/:name/rollback", method = "post", operation_id = "rollBackPlugin")]
    async fn roll_back(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        name: Path<String>,
        body: JsonBody<RollbackBody>,
    ) -> Reply<PluginDetail> {
        self.put_back(request, &owner_id, &name, body).await.into()
    }
}

impl PluginVersions {
    async fn draft(&self, request: &Request, owner_id: &str, name: &str, body: JsonBody<DraftBody>) -> Result<Success<DraftView>, Problem> {
        let caller = self.0.plugin_editor(request, owner_id).await?;
        self.0.service.admit_plugin_change(&caller.owner_id).await?;
        let mut members = self.0.read_up_to(request, body, BODY_BYTES).await?;
        let (source, note) = (members.required_text("source"), members.text("note").unwrap_or_default());
        members.finish()?;
        let stored = caller.desk(&self.0).store(&caller.owner_id, name, &source, caller.author(), &note).await?;
        let compile_error = stored.compile_error.as_ref().map(CompileErrorView::new);
        Ok(Success::of(DraftView { version: stored.version, digest: stored.digest, state: "draft".to_owned(), compile_error }))
    }

    async fn version(&self, request: &Request, owner_id: &str, name: &str, version: i64) -> Result<Success<VersionView>, Problem> {
        let caller = self.0.plugin_reader(request, owner_id).await?;
        let desk = self.0.desk();
        let record = desk.find(&caller.owner_id, name).await?;
        let version = desk.version(&caller.owner_id, name, version).await?;
        Ok(Success::of(VersionView { item: VersionItem::new(&version, &record), source: version.source }))
    }

    async fn put_in_place(
        &self,
        request: &Request,
        owner_id: &str,
        name: &str,
        body: JsonBody<PublishBody>,
    ) -> Result<Success<PluginDetail>, Problem> {
        let caller = self.0.plugin_editor(request, owner_id).await?;
        self.0.service.admit_plugin_change(&caller.owner_id).await?;
        let desk = caller.desk(&self.0);
        let record = desk.find(&caller.owner_id, name).await?;
        let expected = if_revision(request, record.revision)?;
        let mut members = self.0.read(request, body).await?;
        if members.is_absent("version") {
            members.wrong("version", "it is missing");
        }
        let version = members.number("version", i64::MAX.unsigned_abs()).unwrap_or_default().cast_signed();
        let share = members.number("canarySharePercent", 99).and_then(|share| u8::try_from(share).ok());
        let accepts = members.boolean("acceptSchemaProblems").unwrap_or(false);
        members.finish()?;
        let source = desk.version(&caller.owner_id, name, version).await?.source;
        let findings = desk.try_before_publishing(&caller.owner_id, name, &source, &self.0.schemas).await?;
        if !accepts && !findings.schema_problems.is_empty() {
            return Err(Problem::of(PLUGIN_BREAKS_SCHEMA).member("schemaProblems", json!(findings.schema_problems)));
        }
        let published = desk.publish(&caller.owner_id, name, version, share, Some(expected), caller.author()).await;
        let answer = self.answer(&caller.owner_id, name, published).await?;
        Ok(answer.map(|detail| detail.with_warnings(findings.warnings)))
    }

    async fn put_back(
        &self,
        request: &Request,
        owner_id: &str,
        name: &str,
        body: JsonBody<RollbackBody>,
    ) -> Result<Success<PluginDetail>, Problem> {
        let caller = self.0.plugin_editor(request, owner_id).await?;
        self.0.service.admit_plugin_change(&caller.owner_id).await?;
        let desk = caller.desk(&self.0);
        let expected = if_revision(request, desk.find(&caller.owner_id, name).await?.revision)?;
        let mut members = self.0.read(request, body).await?;
        let version = members.number("version", i64::MAX.unsigned_abs()).map(u64::cast_signed);
        members.finish()?;
        let rolled_back = desk.roll_back(&caller.owner_id, name, version, Some(expected), caller.author()).await;
        self.answer(&caller.owner_id, name, rolled_back).await
    }

    /// What was changed, in effect here.
    async fn answer(&self, owner_id: &OwnerId, name: &str, changed: Result<PluginRecord, Error>) -> Result<Success<PluginDetail>, Problem> {
        changed.map_err(|error| match error {
            Error::Plugin(PluginRefusal::DoesNotCompile(error)) => does_not_compile(&error),
            other => other.into(),
        })?;
        self.0.service.refresh_plugins().await?;
        self.0.plugin_detail(owner_id, name).await
    }
}

/// With the place in the source.
pub(super) fn does_not_compile(error: &CompileError) -> Problem {
    let place: Value = json!({"message": error.message, "line": error.line, "column": error.column});
    Problem::of(PLUGIN_DOES_NOT_COMPILE).detail(error.to_string()).member("compileError", place)
}
