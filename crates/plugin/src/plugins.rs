//! The door to this crate: finds a plugin by its name and runs it on an envelope.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rhai::Engine;
use serde_json::Value;

use crate::compiling::CompileError;
use crate::context::Context;
use crate::failure::{Failure, FailureCode};
use crate::functions::{self, HostFunction};
use crate::library::Texts;
use crate::name::PluginName;
use crate::pool::{Pool, Purpose, Undone};
use crate::registry::{Plugin, Published, Registry};
use crate::veil::Veil;
use crate::{engine, run};

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
    Compile(#[from] CompileError),
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
    /// How long the run took, without the wait for a thread.
    pub took: Duration,
    /// How many steps it took; not counted for a built-in.
    pub operations: u64,
}

impl Outcome {
    fn failed(envelope: Value, failure: Failure) -> Self {
        Self { response: envelope, failure: Some(failure), log: String::new(), took: Duration::ZERO, operations: 0 }
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
            let program = engine::compile(&engine, source)?;
            built_ins.push(Plugin::built_in(PluginName::parse(name).ok_or(Error::Name)?, program));
        }
        let pool = Pool::start().map_err(Error::Threads)?;
        Ok(Self { engine: Arc::new(engine), registry: Registry::new(built_ins), pool })
    }

    /// The tenant's own plugin of this name, or else the platform's, or else the built-in. The name is looked up and never
    /// used as a path. Before the tenant is known, only built-ins are found.
    pub fn find(&self, owner_id: Option<&str>, name: &str) -> Option<Plugin> {
        self.registry.find(owner_id, name).into_iter().next()
    }

    /// The same with what lies below it, each for where those before it stand back.
    pub(crate) fn find_all(&self, owner_id: Option<&str>, name: &str) -> Vec<Plugin> {
        self.registry.find(owner_id, name)
    }

    /// The plugins that come with the binary.
    pub fn built_ins(&self) -> &[Plugin] {
        self.registry.built_ins()
    }

    /// A plugin's version, ready to run: the one in memory, or else compiled. One that does not compile is made all the same
    /// and fails with [`FailureCode::Compile`] whenever it is run: a stored plugin must not turn into an unknown name.
    ///
    /// # Errors
    /// [`Error::Name`]; [`Error::Busy`].
    pub async fn prepare(&self, owner_id: &str, name: &str, version: i64, source: &str) -> Result<Plugin, Error> {
        let name = PluginName::parse(name).ok_or(Error::Name)?;
        if let Some(known) = self.registry.version(owner_id, &name, version).filter(|_| version > 0) {
            return Ok(known);
        }
        Ok(Plugin::of_owner(name, owner_id, version, self.compile(owner_id, source).await?))
    }

    /// A plugin that is known by its name and fails with [`FailureCode::SwitchedOff`].
    ///
    /// # Errors
    /// [`Error::Name`].
    pub fn switched_off(owner_id: &str, name: &str) -> Result<Plugin, Error> {
        Ok(Plugin::switched_off(PluginName::parse(name).ok_or(Error::Name)?, owner_id))
    }

    /// Puts all plugins of an owner in the place of those before, in one step.
    pub fn replace(&self, owner_id: &str, published: Vec<Published>) {
        self.registry.replace(owner_id, published);
    }

    /// Every version in memory that can run, the built-ins left out.
    pub fn versions(&self) -> Vec<Plugin> {
        self.registry.versions()
    }

    /// Compiles a tenant's plugin and puts it in place of the version before. On an error that version stays.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::Compile`], [`Error::Busy`].
    pub async fn publish(&self, owner_id: &str, name: &str, source: &str) -> Result<(), Error> {
        let name = PluginName::parse(name).ok_or(Error::Name)?;
        let program = self.compile(owner_id, source).await??;
        self.registry.publish(owner_id, Plugin::of_owner(name, owner_id, 1, Ok(program)));
        Ok(())
    }

    /// Takes a tenant's plugin away; says whether there was one. Runs that have begun end with the version they found.
    pub fn withdraw(&self, owner_id: &str, name: &str) -> bool {
        self.registry.withdraw(owner_id, name)
    }

    /// Why a source is no plugin, if it is none.
    ///
    /// # Errors
    /// [`Error::Busy`].
    pub async fn check(&self, owner_id: &str, source: &str) -> Result<Option<CompileError>, Error> {
        Ok(self.compile(owner_id, source).await?.err())
    }

    /// What scripts can call, with its documentation.
    pub fn functions(&self) -> Vec<HostFunction> {
        functions::list(&self.engine)
    }

    /// Runs a plugin on an envelope. Never fails as such: whatever goes wrong, the outcome holds an envelope to send.
    ///
    /// A built-in runs on the caller's thread, in place. A tenant's script waits for a thread of the pool, where
    /// tenants take turns, and then has 50 ms.
    pub async fn run(&self, plugin: &Plugin, envelope: Value, context: &Context) -> Outcome {
        if plugin.is_switched_off() {
            return Outcome::failed(envelope, Failure::new(FailureCode::SwitchedOff, "the plugin failed too often and is switched off"));
        }
        if plugin.is_built_in() {
            return run::in_place(&self.engine, plugin, envelope);
        }
        self.run_bounded(plugin, envelope, context).await
    }

    async fn run_bounded(&self, plugin: &Plugin, mut envelope: Value, context: &Context) -> Outcome {
        let is_refusal = envelope.get("success").and_then(Value::as_bool) == Some(false);
        let purpose = if is_refusal { Purpose::Refusal } else { Purpose::Answer };
        let veil = Veil::over(&mut envelope);
        let envelope = Arc::new(envelope);
        let job = {
            let (engine, plugin) = (Arc::clone(&self.engine), plugin.clone());
            let (envelope, context) = (Arc::clone(&envelope), Arc::new(context.clone()));
            move || run::bounded(&engine, &plugin, &envelope, context)
        };
        let owner = context.owner_id.as_deref().or(plugin.owner_id().map(|owner| &**owner)).unwrap_or_default();
        let mut outcome = self.pool.run(owner, purpose, job).await.unwrap_or_else(|undone| {
            let failure = match undone {
                Undone::Full => Failure::new(FailureCode::QueueFull, "too many plugins are waiting"),
                Undone::Lost => Failure::new(FailureCode::Panic, "the plugin's thread gave no answer"),
            };
            Outcome::failed(Value::Null, failure)
        });
        if outcome.failure.is_some() {
            outcome.response = Arc::unwrap_or_clone(envelope);
        }
        veil.lift(&mut outcome.response);
        outcome
    }

    /// Compiles on a thread of its own: its stack is known, and a source can take a tenth of a second.
    async fn compile(&self, owner_id: &str, source: &str) -> Result<Result<rhai::AST, CompileError>, Error> {
        let (engine, source) = (Arc::clone(&self.engine), source.to_owned());
        let compiled = self.pool.compile(owner_id, move || run::compile(&engine, &source)).await;
        compiled.map_err(|_| Error::Busy)
    }
}
