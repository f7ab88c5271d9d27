//! Response plugins: listed, read, stored as drafts, published, rolled back, withdrawn. `platform` in the place of a tenant's id
//! stands for what is offered to all: every administrator may look at it, and those of the platform may change it.

use std::sync::Arc;

use bo_auth_core::identifier::OwnerId;
use bo_auth_plugin::CompileError;
use bo_auth_service::admin::Admin;
use bo_auth_service::plugin::{PluginDesk, PluginOverview, PluginRefusal, VersionState, platform};
use bo_auth_store::plugin_record::{PluginRecord, PluginVersionRecord};
use http::HeaderValue;
use http::header::ETAG;
use poem::Request;
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use serde_json::{Value, json};

use super::Frame;
use super::condition::{if_revision, revision_etag};
use super::problem::{NOT_FOUND, PLUGIN_BREAKS_SCHEMA, PLUGIN_DOES_NOT_COMPILE, Problem};
use super::reply::{NoContent, Reply, Success};
use crate::api::body::JsonBody;

/// The largest body that holds a script and a sample, in bytes.
pub(super) const BODY_BYTES: usize = 256 << 10;
/// How many versions are shown with their plugin.
const VERSIONS: i64 = 200;

/// The routes of plugins.
pub(super) struct Plugins(pub(super) Arc<Frame>);

/// A version that answers some of the requests.
#[derive(Object)]
#[oai(rename = "Canary", rename_all = "camelCase")]
pub(super) struct CanaryView {
    /// The version.
    version: i64,
    /// How many of a hundred requests, 1 to 99.
    share_percent: u8,
}

/// That a plugin failed too often.
#[derive(Object)]
#[oai(rename = "SwitchedOff", rename_all = "camelCase")]
pub(super) struct SwitchedOffView {
    /// When (Unix ms).
    at: i64,
    /// The code of its last failure.
    code: String,
}

/// A plugin that a tenant's requests can name.
#[derive(Object)]
#[oai(rename = "Plugin", rename_all = "camelCase")]
pub(super) struct PluginView {
    /// Its name, the value of `_nodejs`.
    name: String,
    /// Whether a built-in has this name.
    built_in: bool,
    /// Whether it is offered to every tenant.
    platform: bool,
    /// The version that answers; null where none does, and for a built-in.
    active_version: Option<i64>,
    /// The version that answers some of the requests.
    canary: Option<CanaryView>,
    /// Whether it was switched off, until the next version is published.
    switched_off: Option<SwitchedOffView>,
    /// When it last changed (Unix ms); null for a built-in.
    updated_at: Option<i64>,
    /// Runs in the last 24 hours.
    runs: i64,
    /// Those of them that failed.
    failures: i64,
}

/// A version in a list.
#[derive(Object)]
#[oai(rename = "PluginVersionItem", rename_all = "camelCase")]
pub(super) struct VersionItem {
    /// Counted from 1.
    version: i64,
    /// `draft`, `active`, `canary`, `retired` or `switched-off`.
    state: String,
    /// SHA-256 of the source, in hexadecimal digits.
    digest: String,
    /// Who stored it.
    author: String,
    /// Why.
    note: String,
    /// When it was stored (Unix ms).
    created_at: i64,
    /// When it last began to answer every request (Unix ms).
    published_at: Option<i64>,
}

/// A plugin with its versions.
#[derive(Object)]
#[oai(rename = "PluginDetail", rename_all = "camelCase")]
pub(super) struct PluginDetail {
    /// The plugin.
    #[oai(flatten)]
    plugin: PluginView,
    /// Its versions, the newest first.
    versions: Vec<VersionItem>,
}

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

/// Plugins.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct PluginList {
    /// All of them, by name.
    items: Vec<PluginView>,
    /// Always null: the list has one page.
    next_cursor: Option<String>,
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
    /// The version; the one before the active that was published and not switched off, where absent.
    version: Option<i64>,
}

impl CompileErrorView {
    pub(super) fn new(error: &CompileError) -> Self {
        let number = |number: Option<usize>| number.and_then(|number| u64::try_from(number).ok());
        Self { message: error.message.clone(), line: number(error.line), column: number(error.column) }
    }
}

impl PluginView {
    fn new(plugin: PluginOverview) -> Self {
        let record = plugin.record;
        Self {
            name: plugin.name,
            built_in: plugin.built_in,
            platform: plugin.platform,
            active_version: record.as_ref().and_then(|record| record.active_version),
            canary: record
                .as_ref()
                .and_then(|record| record.canary)
                .map(|canary| CanaryView { version: canary.version, share_percent: canary.share_percent }),
            switched_off: record
                .as_ref()
                .and_then(|record| record.switched_off.as_ref())
                .map(|off| SwitchedOffView { at: off.at.0, code: off.code.clone() }),
            updated_at: record.map(|record| record.updated_at.0),
            runs: plugin.runs,
            failures: plugin.failures,
        }
    }
}

impl VersionItem {
    fn new(version: &PluginVersionRecord, plugin: &PluginRecord) -> Self {
        Self {
            version: version.version,
            state: VersionState::of(version, plugin).as_str().to_owned(),
            digest: version.digest.clone(),
            author: version.author.clone(),
            note: version.note.clone(),
            created_at: version.created_at.0,
            published_at: version.published_at.map(|at| at.0),
        }
    }
}

/// Who works on whose plugins.
pub(super) struct PluginCaller {
    admin: Admin,
    pub(super) owner_id: OwnerId,
}

impl Frame {
    /// The administrator of a request about plugins, and whose plugins it is about. What is offered to all may be read by
    /// every administrator.
    ///
    /// # Errors
    /// As [`Frame::admin`]; 404 where the tenant is out of reach.
    pub(super) async fn plugin_reader(&self, request: &Request, owner_id: &str) -> Result<PluginCaller, Problem> {
        let admin = self.admin(request).await?;
        if owner_id == "platform" {
            return Ok(PluginCaller { admin, owner_id: platform() });
        }
        let owner_id = admin.reaches(owner_id)?;
        match self.service.db.find_tenant(&owner_id).await? {
            Some(_) => Ok(PluginCaller { admin, owner_id }),
            None => Err(Problem::of(NOT_FOUND)),
        }
    }

    /// The same for what changes something, or shows what happened at other tenants' requests.
    ///
    /// # Errors
    /// As [`Frame::plugin_reader`]; 403 where the plugins are the platform's and the administrator is not.
    pub(super) async fn plugin_editor(&self, request: &Request, owner_id: &str) -> Result<PluginCaller, Problem> {
        let caller = self.plugin_reader(request, owner_id).await?;
        if caller.owner_id == platform() {
            caller.admin.require_platform()?;
        }
        Ok(caller)
    }

    pub(super) fn desk(&self) -> PluginDesk<'_> {
        self.service.plugin_desk()
    }
}

impl PluginCaller {
    /// The place where plugins are worked on, in the administrator's name.
    pub(super) fn desk<'a>(&self, frame: &'a Frame) -> PluginDesk<'a> {
        PluginDesk { by: self.admin.author(), ..frame.desk() }
    }

    pub(super) fn author(&self) -> &str {
        &self.admin.record.user.account
    }
}

#[OpenApi]
impl Plugins {
    /// List plugins
    ///
    /// A tenant's own, those offered to every tenant that it does not shadow, and the built-ins.
    #[oai(path = "/tenants/:ownerId/plugins", method = "get", operation_id = "listPlugins")]
    async fn list(&self, request: &Request, #[oai(name = "ownerId")] owner_id: Path<String>) -> Reply<PluginList> {
        self.all(request, &owner_id).await.into()
    }

    /// Read a plugin
    ///
    /// With its versions; their sources are read one by one.
    #[oai(path = "/tenants/:ownerId/plugins/:name", method = "get", operation_id = "readPlugin")]
    async fn read(&self, request: &Request, #[oai(name = "ownerId")] owner_id: Path<String>, name: Path<String>) -> Reply<PluginDetail> {
        self.one(request, &owner_id, &name).await.into()
    }

    /// Withdraw a plugin
    ///
    /// What lies below its name answers again: the platform's plugin, the built-in, or nothing. Its versions stay.
    #[oai(path = "/tenants/:ownerId/plugins/:name", method = "delete", operation_id = "withdrawPlugin")]
    async fn withdraw(&self, request: &Request, #[oai(name = "ownerId")] owner_id: Path<String>, name: Path<String>) -> NoContent {
        self.remove(request, &owner_id, &name).await.into()
    }

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
    /// It answers every request, or so many of a hundred, on every node when it is answered.
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

impl Plugins {
    async fn all(&self, request: &Request, owner_id: &str) -> Result<Success<PluginList>, Problem> {
        let caller = self.0.plugin_reader(request, owner_id).await?;
        let listed = self.0.desk().list(&caller.owner_id).await?;
        Ok(Success::of(PluginList { items: listed.into_iter().map(PluginView::new).collect(), next_cursor: None }))
    }

    async fn one(&self, request: &Request, owner_id: &str, name: &str) -> Result<Success<PluginDetail>, Problem> {
        let caller = self.0.plugin_reader(request, owner_id).await?;
        self.detail(&caller.owner_id, name).await
    }

    /// A plugin as it is now, with its `ETag`.
    async fn detail(&self, owner_id: &OwnerId, name: &str) -> Result<Success<PluginDetail>, Problem> {
        let desk = self.0.desk();
        let listed = desk.list(owner_id).await?;
        let plugin = listed.into_iter().find(|plugin| plugin.name == name).ok_or_else(|| Problem::of(NOT_FOUND))?;
        let own = plugin.record.as_ref().filter(|_| !plugin.platform || *owner_id == platform());
        let versions = match own {
            Some(record) => {
                let versions = desk.db.list_plugin_versions(owner_id, name, None, VERSIONS).await?;
                versions.iter().map(|version| VersionItem::new(version, record)).collect()
            }
            None => Vec::new(),
        };
        // What is not the owner's own yet is at no revision.
        let etag: HeaderValue = revision_etag(own.map_or(0, |record| record.revision));
        Ok(Success::of(PluginDetail { plugin: PluginView::new(plugin), versions }).header(ETAG, etag))
    }

    async fn draft(&self, request: &Request, owner_id: &str, name: &str, body: JsonBody<DraftBody>) -> Result<Success<DraftView>, Problem> {
        let caller = self.0.plugin_editor(request, owner_id).await?;
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
        if !accepts {
            let source = desk.version(&caller.owner_id, name, version).await?.source;
            let problems = desk.schema_problems(&caller.owner_id, name, &source, &self.0.schemas).await?;
            if !problems.is_empty() {
                return Err(Problem::of(PLUGIN_BREAKS_SCHEMA).member("schemaProblems", json!(problems)));
            }
        }
        let published = desk.publish(&caller.owner_id, name, version, share, Some(expected), caller.author()).await;
        self.answer(&caller.owner_id, name, published).await
    }

    async fn put_back(
        &self,
        request: &Request,
        owner_id: &str,
        name: &str,
        body: JsonBody<RollbackBody>,
    ) -> Result<Success<PluginDetail>, Problem> {
        let caller = self.0.plugin_editor(request, owner_id).await?;
        let desk = caller.desk(&self.0);
        let expected = if_revision(request, desk.find(&caller.owner_id, name).await?.revision)?;
        let mut members = self.0.read(request, body).await?;
        let version = members.number("version", i64::MAX.unsigned_abs()).map(u64::cast_signed);
        members.finish()?;
        let rolled_back = desk.roll_back(&caller.owner_id, name, version, Some(expected), caller.author()).await;
        self.answer(&caller.owner_id, name, rolled_back).await
    }

    /// What was changed, in effect here.
    async fn answer(
        &self,
        owner_id: &OwnerId,
        name: &str,
        changed: Result<PluginRecord, bo_auth_service::Error>,
    ) -> Result<Success<PluginDetail>, Problem> {
        changed.map_err(|error| match error {
            bo_auth_service::Error::Plugin(PluginRefusal::DoesNotCompile(error)) => does_not_compile(&error),
            other => other.into(),
        })?;
        self.0.service.refresh_plugins().await?;
        self.detail(owner_id, name).await
    }

    async fn remove(&self, request: &Request, owner_id: &str, name: &str) -> Result<Success<()>, Problem> {
        let caller = self.0.plugin_editor(request, owner_id).await?;
        let desk = caller.desk(&self.0);
        let expected = if_revision(request, desk.find(&caller.owner_id, name).await?.revision)?;
        desk.withdraw(&caller.owner_id, name, Some(expected), caller.author()).await?;
        self.0.service.refresh_plugins().await?;
        Ok(Success::of(()))
    }
}

/// With the place in the source.
pub(super) fn does_not_compile(error: &CompileError) -> Problem {
    let place: Value = json!({"message": error.message, "line": error.line, "column": error.column});
    Problem::of(PLUGIN_DOES_NOT_COMPILE).detail(error.to_string()).member("compileError", place)
}
