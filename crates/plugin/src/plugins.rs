//! The door to this crate: finds a plugin by its name and runs it on an envelope.

use std::io;
use std::sync::Arc;

use rhai::Engine;
use serde_json::Value;

use crate::context::Context;
use crate::failure::{Failure, FailureCode};
use crate::library::Texts;
use crate::name::PluginName;
use crate::pool::{Pool, Undone};
use crate::registry::{Plugin, Registry};
use crate::{engine, limits, run};

/// The plugins that come with the binary, each with its source.
const BUILT_INS: [(&str, &str); 2] = [
    ("common-data", include_str!("../scripts/fn-common-data.rhai")),
    ("common-data-under", include_str!("../scripts/fn-common-data-under.rhai")),
];

/// Why plugins could not be set up or published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name is not of the allowed form.
    #[error("a plugin's name is 1 to 64 letters, digits, `_` and `-`")]
    Name,
    /// The source is no plugin; the text says why, with the line where there is one.
    #[error("the plugin does not compile: {0}")]
    Compile(String),
    /// Too many compilations and runs are already waiting.
    #[error("the plugin threads are busy")]
    Busy,
    /// The threads for plugins could not be started.
    #[error("the plugin threads could not be started")]
    Threads(#[source] io::Error),
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// What goes out: the plugin's answer, or the untouched envelope where the plugin failed.
    pub response: Value,
    /// Why the plugin failed, if it did. Its code is the value of the header `X-Plugin-Error`.
    pub failure: Option<Failure>,
    /// What the script printed, a line each, at most 16 KiB: for the tenant's admin.
    pub log: String,
}

impl Outcome {
    fn failed(envelope: Value, failure: Failure) -> Self {
        Self { response: envelope, failure: Some(failure), log: String::new() }
    }
}

/// The engine, the built-ins and every tenant's plugins. Meant to be shared in an `Arc`.
pub struct Plugins {
    engine: Arc<Engine>,
    registry: Registry,
    pool: Pool,
}

impl Plugins {
    /// Builds the engine, compiles the built-ins and starts the threads for tenants' scripts.
    pub fn new() -> Result<Self, Error> {
        Self::with_texts(|_, _| None)
    }

    /// As [`Plugins::new`], with the texts that scripts get from `text(code, language)`; `None` reads as `()`.
    pub fn with_texts(texts: impl Fn(&str, &str) -> Option<String> + Send + Sync + 'static) -> Result<Self, Error> {
        let engine = engine::build(Texts::new(texts));
        let mut built_ins = Vec::with_capacity(BUILT_INS.len());
        for (name, source) in BUILT_INS {
            let program = engine::compile(&engine, source).map_err(Error::Compile)?;
            built_ins.push(Plugin::built_in(PluginName::parse(name).ok_or(Error::Name)?, program));
        }
        let pool = Pool::start(limits::THREADS, limits::QUEUE).map_err(Error::Threads)?;
        Ok(Self { engine: Arc::new(engine), registry: Registry::new(built_ins), pool })
    }

    /// The tenant's own plugin of this name, or else the built-in. The name is looked up and never used as a path.
    pub fn find(&self, owner_id: Option<&str>, name: &str) -> Option<Plugin> {
        self.registry.find(owner_id, name)
    }

    /// Compiles a tenant's plugin and puts it in place of the version before. On an error that version stays.
    pub async fn publish(&self, owner_id: &str, name: &str, source: &str) -> Result<(), Error> {
        let name = PluginName::parse(name).ok_or(Error::Name)?;
        let program = self.compile(source).await?.map_err(Error::Compile)?;
        self.registry.publish(owner_id, Plugin::of_tenant(name, Ok(program)));
        Ok(())
    }

    /// Puts a stored plugin back in place, at start. One that no longer compiles is found all the same, and fails with
    /// [`FailureCode::Compile`] whenever it is run: it must not turn into an unknown name.
    pub async fn restore(&self, owner_id: &str, name: &str, source: &str) -> Result<(), Error> {
        let name = PluginName::parse(name).ok_or(Error::Name)?;
        let program = self.compile(source).await?;
        self.registry.publish(owner_id, Plugin::of_tenant(name, program));
        Ok(())
    }

    /// Takes a tenant's plugin away; says whether there was one. Runs that have begun end with the version they found.
    pub fn withdraw(&self, owner_id: &str, name: &str) -> bool {
        self.registry.withdraw(owner_id, name)
    }

    /// Runs a plugin on an envelope. Never fails as such: whatever goes wrong, the outcome holds an envelope to send.
    ///
    /// A built-in runs on the caller's thread, in place. A tenant's script waits for a thread of the pool, at most
    /// 64 at a time, and then has 50 ms.
    pub async fn run(&self, plugin: &Plugin, envelope: Value, context: &Context) -> Outcome {
        let outcome = if plugin.is_built_in() {
            run::in_place(&self.engine, plugin, envelope)
        } else {
            self.run_bounded(plugin, envelope, context).await
        };
        if let Some(failure) = &outcome.failure {
            metrics::counter!("bo_auth_plugin_failures_total", "code" => failure.code.as_str()).increment(1);
        }
        outcome
    }

    async fn run_bounded(&self, plugin: &Plugin, envelope: Value, context: &Context) -> Outcome {
        if let Err(reason) = plugin.program() {
            return Outcome::failed(envelope, Failure::new(FailureCode::Compile, reason));
        }
        let envelope = Arc::new(envelope);
        let job = {
            let (engine, plugin) = (Arc::clone(&self.engine), plugin.clone());
            let (envelope, context) = (Arc::clone(&envelope), Arc::new(context.clone()));
            move || run::bounded(&engine, &plugin, &envelope, context)
        };
        let failure = match self.pool.run(job).await {
            Ok(Ok((response, log))) => return Outcome { response, failure: None, log },
            Ok(Err((failure, log))) => {
                return Outcome { response: Arc::unwrap_or_clone(envelope), failure: Some(failure), log };
            }
            Err(Undone::Full) => Failure::new(FailureCode::QueueFull, "too many plugins are waiting"),
            Err(Undone::Lost) => Failure::new(FailureCode::Panic, "the plugin's thread gave no answer"),
        };
        Outcome::failed(Arc::unwrap_or_clone(envelope), failure)
    }

    /// Compiles on a thread of the pool: its stack is known, and a source can take a tenth of a second.
    async fn compile(&self, source: &str) -> Result<Result<rhai::AST, String>, Error> {
        let (engine, source) = (Arc::clone(&self.engine), source.to_owned());
        let compiled = self.pool.run(move || run::compile(&engine, &source)).await;
        compiled.map_err(|_| Error::Busy)
    }
}
