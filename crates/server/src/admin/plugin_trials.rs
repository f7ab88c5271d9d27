//! Drafts as they are written: checked as one types, and tried on answers beside the version that answers now.

use std::sync::Arc;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::settings::{ResponseSchema, SystemSettings};
use bo_auth_plugin::{Context, HostFunction};
use bo_auth_service::Error;
use bo_auth_service::plugin::{PluginRefusal, Subject};
use poem::Request;
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};
use serde_json::{Map, Value};

use super::Frame;
use super::plugin_versions::{BODY_BYTES, CompileErrorView, does_not_compile};
use super::problem::Problem;
use super::reply::{Reply, Success};
use crate::api::body::JsonBody;

/// How many recorded answers a draft is tried on at most.
const RECORDED: i64 = 20;

/// The routes of trials.
pub(super) struct PluginTrials(pub(super) Arc<Frame>);

/// A source to be looked at.
#[derive(Object)]
#[oai(rename = "PluginCheckRequest", rename_all = "camelCase")]
pub(super) struct CheckBody {
    /// The script.
    source: String,
}

/// What is wrong with a source.
#[derive(Object)]
#[oai(rename = "PluginCheck", rename_all = "camelCase")]
pub(super) struct CheckView {
    /// Why it does not compile; null where it does.
    compile_error: Option<CompileErrorView>,
}

/// What a draft is tried on.
#[derive(Object)]
#[oai(rename = "PluginTestRequest", rename_all = "camelCase")]
pub(super) struct TestBody {
    /// The script; or else `version`.
    source: Option<String>,
    /// A version that is stored.
    version: Option<i64>,
    /// An answer to try it on; those of the published document where absent.
    sample: Option<Value>,
    /// What the script is told of the request: `route`, `method`, `status`, `language`, `sysId`, `params`.
    context: Option<Value>,
    /// Try it on the tenant's recorded answers, the newest twenty.
    recorded: Option<bool>,
}

/// What came of a trial.
#[derive(Object)]
#[oai(rename = "PluginTest", rename_all = "camelCase")]
pub(super) struct TestView {
    /// One result for each answer: `{before, after, active, failure, microseconds, operations, log, schemaProblems}`.
    results: Vec<Value>,
}

/// What a script can call.
#[derive(Object)]
#[oai(rename = "PluginFunction", rename_all = "camelCase")]
pub(super) struct FunctionView {
    /// Its name.
    name: String,
    /// How it is called.
    signature: String,
    /// What it does; empty where its name says it.
    documentation: String,
    /// The type it is called on; empty where it stands alone.
    receiver: String,
}

/// Everything that a script can call.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct FunctionList {
    /// By receiver and name.
    items: Vec<FunctionView>,
    /// Always null: the list has one page.
    next_cursor: Option<String>,
}

impl From<HostFunction> for FunctionView {
    fn from(function: HostFunction) -> Self {
        Self { name: function.name, signature: function.signature, documentation: function.documentation, receiver: function.receiver }
    }
}

#[OpenApi]
impl PluginTrials {
    /// Check a source
    ///
    /// Whether it compiles, for an editor.
    #[oai(path = "/tenants/:ownerId/plugins/check", method = "post", operation_id = "checkPlugin")]
    async fn check(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        body: JsonBody<CheckBody>,
    ) -> Reply<CheckView> {
        self.look(request, &owner_id, body).await.into()
    }

    /// Test a draft
    ///
    /// Runs it on answers, on the engine that serves and under its limits; nothing of it is counted or kept.
    #[oai(path = "/tenants/:ownerId/plugins/:name/test", method = "post", operation_id = "testPlugin")]
    async fn test(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        name: Path<String>,
        body: JsonBody<TestBody>,
    ) -> Reply<TestView> {
        self.try_out(request, &owner_id, &name, body).await.into()
    }

    /// List what scripts can call
    #[oai(path = "/plugins/functions", method = "get", operation_id = "listPluginFunctions")]
    async fn functions(&self, request: &Request) -> Reply<FunctionList> {
        self.all(request).await.into()
    }
}

impl PluginTrials {
    async fn all(&self, request: &Request) -> Result<Success<FunctionList>, Problem> {
        self.0.admin(request).await?;
        let items = self.0.service.plugins.functions().into_iter().map(Into::into).collect();
        Ok(Success::of(FunctionList { items, next_cursor: None }))
    }

    async fn look(&self, request: &Request, owner_id: &str, body: JsonBody<CheckBody>) -> Result<Success<CheckView>, Problem> {
        let caller = self.0.plugin_reader(request, owner_id).await?;
        self.0.service.admit_plugin_trial(caller.payer()).await?;
        let mut members = self.0.read_up_to(request, body, BODY_BYTES).await?;
        let source = members.text("source").unwrap_or_default();
        members.finish()?;
        let error = self.0.service.plugins.check(caller.payer().as_str(), &source).await;
        let error = error.map_err(|error| Error::from(PluginRefusal::from(error)))?;
        Ok(Success::of(CheckView { compile_error: error.as_ref().map(CompileErrorView::new) }))
    }

    async fn try_out(&self, request: &Request, owner_id: &str, name: &str, body: JsonBody<TestBody>) -> Result<Success<TestView>, Problem> {
        let caller = self.0.plugin_editor(request, owner_id).await?;
        self.0.service.admit_plugin_trial(&caller.owner_id).await?;
        let desk = self.0.desk();
        let mut members = self.0.read_up_to(request, body, BODY_BYTES).await?;
        let (source, version) = (members.text("source"), members.number("version", i64::MAX.unsigned_abs()).map(u64::cast_signed));
        let (sample, recorded) = (members.any("sample"), members.boolean("recorded").unwrap_or(false));
        let context = members.object("context");
        if source.is_none() && version.is_none() {
            members.wrong("source", "it is missing, and so is version");
        }
        members.finish()?;
        let source = match (source, version) {
            (Some(source), _) => source,
            (None, version) => desk.version(&caller.owner_id, name, version.unwrap_or_default()).await?.source,
        };
        let subjects = match sample {
            Some(envelope) => {
                vec![Subject { envelope, context: context_of(&context, &caller.owner_id, self.0.service.clock.now().millis()) }]
            }
            None if recorded => desk.recorded(&caller.owner_id, RECORDED).await?,
            None => self.0.schemas.examples().to_vec(),
        };
        let trials = desk.try_on(&caller.owner_id, name, &source, &subjects).await.map_err(|error| match error {
            Error::Plugin(PluginRefusal::DoesNotCompile(error)) => does_not_compile(&error),
            other => other.into(),
        })?;
        let mut results = Vec::with_capacity(trials.len());
        for (trial, subject) in trials.iter().zip(&subjects) {
            let declared = self.declared(&caller.owner_id, subject.context.sys_id.as_deref()).await?;
            let problems = trial.schema_problems(&self.0.schemas, declared, &subject.context);
            results.push(trial.described(&problems));
        }
        Ok(Success::of(TestView { results }))
    }

    /// What the system of an answer, or the tenant's default system, declares.
    async fn declared(&self, owner_id: &OwnerId, sys_id: Option<&str>) -> Result<ResponseSchema, Problem> {
        let Some(tenant) = self.0.service.db.find_tenant(owner_id).await? else { return Ok(ResponseSchema::Camel) };
        let of = |wanted: &str| tenant.systems.iter().find(|system| system.sys_id.as_str() == wanted);
        let system = sys_id.and_then(of).or_else(|| of(tenant.default_sys_id.as_str()));
        let documents: Vec<&Value> = [&tenant.settings].into_iter().chain(system.map(|system| &system.settings)).collect();
        Ok(SystemSettings::from_documents(&documents).map_err(Error::from)?.response_schema)
    }
}

/// What is absent is as for a login that succeeded.
fn context_of(members: &Map<String, Value>, owner_id: &OwnerId, now_ms: i64) -> Context {
    let text = |name: &str, usual: &'static str| {
        members.get(name).and_then(Value::as_str).map_or(usual.into(), |text| std::borrow::Cow::Owned(text.to_owned()))
    };
    let params = members.get("params").and_then(Value::as_object);
    Context {
        owner_id: Some(owner_id.shared()),
        sys_id: members.get("sysId").and_then(Value::as_str).map(Into::into),
        route: text("route", "/bo/api/v3/auth/login"),
        method: (&*text("method", "POST")).into(),
        status: members.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok()).unwrap_or(200),
        language: text("language", "zh-CN"),
        user_id: Some("u-demo".into()),
        now_ms,
        params: params
            .into_iter()
            .flatten()
            .filter(|(name, _)| name.starts_with('_'))
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect(),
    }
}
