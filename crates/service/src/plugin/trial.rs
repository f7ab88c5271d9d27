//! Trying a source or a version: what it makes of an answer, what it costs, and where that differs from the active version. Runs
//! on the engine that serves, and nothing of it is counted or kept.

use std::fmt;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::settings::ResponseSchema;
use bo_auth_plugin::{CompileError, Context, Failure, Plugin, Plugins};
use serde::Serialize;
use serde_json::{Value, json};

use super::desk::PluginDesk;
use super::refusal::PluginRefusal;
use super::schema::{ResponseSchemas, SchemaProblem};
use crate::Error;

/// An answer that a plugin is tried on.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The answer before any plugin.
    pub envelope: Value,
    /// What the script is told of the request.
    pub context: Context,
}

impl Subject {
    /// The same answer to a request of this owner's, whose processor time a trial then takes.
    #[must_use]
    pub fn of(mut self, owner_id: &OwnerId) -> Self {
        self.context.owner_id = Some(owner_id.shared());
        self
    }
}

/// What a plugin made of an answer.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The answer before.
    pub before: Value,
    /// What the script made of it; `None` where it failed.
    pub after: Option<Value>,
    /// What the active version makes of it; `None` where there is none, or it fails.
    pub active: Option<Value>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// How long the run took, in microseconds.
    pub microseconds: u64,
    /// How many steps of the interpreter it took.
    pub operations: u64,
    /// What the script printed.
    pub log: Vec<String>,
}

impl Trial {
    /// What the script made unreadable for generated clients; nothing, where it failed and the answer goes out as it was.
    pub fn schema_problems(&self, schemas: &ResponseSchemas, declared: ResponseSchema, context: &Context) -> Vec<SchemaProblem> {
        let made = |after| schemas.problems_made(declared, context, &self.before, after);
        self.after.as_ref().map_or_else(Vec::new, made)
    }

    /// The trial as programs read it, with what it broke.
    pub fn described(&self, problems: &[SchemaProblem]) -> Value {
        json!({
            "before": self.before,
            "after": self.after,
            "active": self.active,
            "failure": self.failure.as_ref().map(|failure| json!({
                "code": failure.code.as_str(), "message": failure.detail, "line": failure.line, "column": failure.column,
            })),
            "microseconds": self.microseconds,
            "operations": self.operations,
            "log": self.log,
            "schemaProblems": problems,
        })
    }
}

/// An answer that goes out as it was, since the script fails on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublishWarning {
    /// The request's method.
    pub method: String,
    /// The request's route.
    pub route: String,
    /// The status of the answer.
    pub status: u16,
    /// The value that `X-Plugin-Error` has there.
    pub code: &'static str,
    /// A sentence.
    pub message: String,
    /// The line of the script, from 1.
    pub line: Option<usize>,
    /// The character of that line, from 1.
    pub column: Option<usize>,
}

impl PublishWarning {
    /// One for each route, status and reason. What is nobody's fault, such as a busy machine, is none.
    pub(super) fn of(trials: &[(Subject, Trial)]) -> Vec<Self> {
        let mut warnings: Vec<Self> = Vec::new();
        for (subject, trial) in trials {
            let Some(failure) = trial.failure.as_ref().filter(|failure| failure.code.weighs()) else { continue };
            let warning = Self {
                method: subject.context.method.to_string(),
                route: subject.context.route.to_string(),
                status: subject.context.status,
                code: failure.code.as_str(),
                message: failure.detail.clone(),
                line: failure.line,
                column: failure.column,
            };
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        warnings
    }
}

impl fmt::Display for PublishWarning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, route, status, code, message, .. } = self;
        write!(formatter, "{method} {route} ({status}): {code}: {message}")
    }
}

/// Runs a plugin on one answer.
pub async fn run_on(plugins: &Plugins, plugin: &Plugin, active: Option<&Plugin>, subject: &Subject) -> Trial {
    let outcome = plugins.run(plugin, subject.envelope.clone(), &subject.context).await;
    let active = match active {
        Some(active) => {
            let outcome = plugins.run(active, subject.envelope.clone(), &subject.context).await;
            outcome.failure.is_none().then_some(outcome.response)
        }
        None => None,
    };
    Trial {
        before: subject.envelope.clone(),
        after: outcome.failure.is_none().then_some(outcome.response),
        active,
        failure: outcome.failure,
        microseconds: u64::try_from(outcome.took.as_micros()).unwrap_or(u64::MAX),
        operations: outcome.operations,
        log: outcome.log.lines().map(str::to_owned).collect(),
    }
}

/// A source as a plugin of nobody, which runs under every limit.
///
/// # Errors
/// [`PluginRefusal::DoesNotCompile`], [`PluginRefusal::Name`], [`PluginRefusal::Busy`].
pub async fn compiled(plugins: &Plugins, owner_id: &str, name: &str, source: &str) -> Result<Plugin, PluginRefusal> {
    let plugin = plugins.prepare(owner_id, name, 0, source).await?;
    match plugin.compile_error() {
        Some(error) => Err(PluginRefusal::DoesNotCompile(CompileError::clone(error))),
        None => Ok(plugin),
    }
}

impl PluginDesk<'_> {
    /// Tries a source on answers, beside the version that answers now.
    ///
    /// # Errors
    /// [`PluginRefusal::DoesNotCompile`], [`PluginRefusal::Name`], [`PluginRefusal::Busy`]; [`Error::Unavailable`].
    pub async fn try_on(&self, owner_id: &OwnerId, name: &str, source: &str, subjects: &[Subject]) -> Result<Vec<Trial>, Error> {
        let plugin = compiled(self.plugins, owner_id.as_str(), name, source).await?;
        let active = match self.db.find_plugin(owner_id, name).await?.and_then(|record| record.active_version) {
            Some(version) => match self.db.find_plugin_version(owner_id, name, version).await? {
                Some(active) => Some(self.plugins.prepare(owner_id.as_str(), name, 0, &active.source).await.map_err(PluginRefusal::from)?),
                None => None,
            },
            // What would answer where it were not for the draft.
            None => self.plugins.built_ins().iter().find(|plugin| plugin.name() == name).cloned(),
        };
        let mut trials = Vec::with_capacity(subjects.len());
        for subject in subjects {
            let subject = subject.clone().of(owner_id);
            trials.push(run_on(self.plugins, &plugin, active.as_ref(), &subject).await);
        }
        Ok(trials)
    }

    /// The answers that were recorded for an owner, the newest first.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn recorded(&self, owner_id: &OwnerId, limit: i64) -> Result<Vec<Subject>, Error> {
        let samples = self.db.list_plugin_samples(owner_id, limit).await?;
        let subject = |sample: bo_auth_store::plugin_record::PluginSample| Subject {
            context: Context {
                owner_id: Some(owner_id.shared()),
                sys_id: sample.context.sys_id.map(Into::into),
                route: sample.context.route.into(),
                method: sample.context.method.into(),
                status: sample.context.status,
                language: sample.context.language.into(),
                user_id: None,
                now_ms: sample.at.millis(),
                params: Vec::new(),
            },
            envelope: sample.envelope,
        };
        Ok(samples.into_iter().map(subject).collect())
    }
}
