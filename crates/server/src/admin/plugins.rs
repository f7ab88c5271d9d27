//! Response plugins: listed, read with their versions, withdrawn. `platform` in the place of a tenant's id stands for what is
//! offered to all: every administrator may look at it, and those of the platform may change it.

use std::sync::Arc;

use bo_auth_core::identifier::OwnerId;
use bo_auth_service::plugin::{PluginOverview, PublishWarning, VersionState, platform};
use bo_auth_store::plugin_record::{PluginRecord, PluginSwitch, PluginVersionRecord};
use http::HeaderValue;
use http::header::ETAG;
use poem::Request;
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};

use super::Frame;
use super::condition::{if_revision, revision_etag};
use super::problem::{NOT_FOUND, Problem};
use super::reply::{NoContent, Reply, Success};

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

/// Where a version failed too often and stands back, until trial runs succeed.
#[derive(Object)]
#[oai(rename = "SwitchedOffAt", rename_all = "camelCase")]
pub(super) struct SwitchView {
    /// The version.
    version: i64,
    /// The tenant whose answers it is about.
    owner_id: String,
    /// The tenant's system.
    sys_id: String,
    /// The route's pattern.
    route: String,
    /// The code of the failure that was one too many.
    code: String,
    /// Since when (Unix ms).
    at: i64,
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
    /// Whether it is switched off somewhere, and since when.
    switched_off: Option<SwitchedOffView>,
    /// Where: on which routes of which systems a version stands back, and what lies below it answers. It is tried again by
    /// itself, and answers again when that succeeds.
    switched_off_at: Vec<SwitchView>,
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
    /// After publishing: the answers on which the version fails, so that they go out as they are.
    #[oai(skip_serializing_if_is_none)]
    warnings: Option<Vec<WarningView>>,
}

/// An answer on which a published version fails.
#[derive(Object)]
#[oai(rename = "PluginWarning", rename_all = "camelCase")]
pub(super) struct WarningView {
    /// The request's method.
    method: String,
    /// The request's route.
    route: String,
    /// The status of the answer.
    status: u16,
    /// The value that `X-Plugin-Error` has there.
    code: String,
    /// A sentence.
    message: String,
    /// The line of the script, from 1.
    line: Option<u64>,
    /// The character of that line, from 1.
    column: Option<u64>,
}

impl PluginDetail {
    /// With what publishing warns of.
    pub(super) fn with_warnings(self, warnings: Vec<PublishWarning>) -> Self {
        let number = |number: Option<usize>| number.and_then(|number| u64::try_from(number).ok());
        let view = |warning: PublishWarning| WarningView {
            method: warning.method,
            route: warning.route,
            status: warning.status,
            code: warning.code.to_owned(),
            message: warning.message,
            line: number(warning.line),
            column: number(warning.column),
        };
        Self { warnings: Some(warnings.into_iter().map(view).collect()), ..self }
    }
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

impl SwitchView {
    fn new(off: &PluginSwitch) -> Self {
        Self {
            version: off.version,
            owner_id: off.tenant_id.clone(),
            sys_id: off.sys_id.clone(),
            route: off.route.clone(),
            code: off.code.clone(),
            at: off.at.0,
        }
    }
}

impl PluginView {
    fn new(plugin: PluginOverview) -> Self {
        let record = plugin.record;
        let first = plugin.switches.iter().min_by_key(|off| off.at);
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
                .map(|off| SwitchedOffView { at: off.at.0, code: off.code.clone() })
                .or_else(|| first.map(|off| SwitchedOffView { at: off.at.0, code: off.code.clone() })),
            switched_off_at: plugin.switches.iter().map(SwitchView::new).collect(),
            updated_at: record.map(|record| record.updated_at.0),
            runs: plugin.runs,
            failures: plugin.failures,
        }
    }
}

impl VersionItem {
    pub(super) fn new(version: &PluginVersionRecord, plugin: &PluginRecord) -> Self {
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

impl Frame {
    /// A plugin as it is now, with its `ETag`.
    pub(super) async fn plugin_detail(&self, owner_id: &OwnerId, name: &str) -> Result<Success<PluginDetail>, Problem> {
        let desk = self.desk();
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
        Ok(Success::of(PluginDetail { plugin: PluginView::new(plugin), versions, warnings: None }).header(ETAG, etag))
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
}

impl Plugins {
    async fn all(&self, request: &Request, owner_id: &str) -> Result<Success<PluginList>, Problem> {
        let caller = self.0.plugin_reader(request, owner_id).await?;
        let listed = self.0.desk().list(&caller.owner_id).await?;
        Ok(Success::of(PluginList { items: listed.into_iter().map(PluginView::new).collect(), next_cursor: None }))
    }

    async fn one(&self, request: &Request, owner_id: &str, name: &str) -> Result<Success<PluginDetail>, Problem> {
        let caller = self.0.plugin_reader(request, owner_id).await?;
        self.0.plugin_detail(&caller.owner_id, name).await
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
