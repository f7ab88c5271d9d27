//! `bo-auth plugin`: response plugins as files, which can live in a git repository and be tested and published from its CI.

mod diff;
mod publishing;
mod showing;
mod testing;

use std::path::{Path, PathBuf};

use bo_auth_core::identifier::OwnerId;
use bo_auth_plugin::{PluginName, Plugins};
use bo_auth_service::operator::Change;
use bo_auth_service::plugin::{PluginDesk, platform};
use clap::{Args, Subcommand};

use super::Failure;
use super::output::Output;
use super::stores::OperatorStores;
use crate::configuration::StoreOptions;
use crate::fault;

/// The longest script that is read, in bytes: more than is ever stored.
const SOURCE_BYTES: u64 = 1 << 20;

#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// List the plugins that a tenant's requests can name.
    List(showing::List),
    /// Show a plugin's versions and how it does, or one version's source.
    Show(showing::Show),
    /// Write a script to begin with.
    New(testing::New),
    /// Run a script on sample answers, without any store.
    Test(testing::Test),
    /// Store a script as a version and make it answer, or a version that is stored.
    Publish(publishing::Publish),
    /// Make an earlier version answer again, or end a canary.
    Rollback(publishing::Rollback),
    /// Take a plugin away; its versions stay.
    Withdraw(publishing::Withdraw),
    /// List a plugin's failures, the newest first.
    Log(showing::Log),
    /// Compare two versions of a plugin, or a script with the version that answers.
    Diff(diff::Diff),
    /// Record a tenant's answers, redacted, to test drafts on; or end it.
    Record(publishing::Record),
}

impl Plugin {
    pub(crate) async fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::List(command) => command.run(output).await,
            Self::Show(command) => command.run(output).await,
            Self::New(command) => command.run(output),
            Self::Test(command) => command.run(output).await,
            Self::Publish(command) => command.run(output).await,
            Self::Rollback(command) => command.run(output).await,
            Self::Withdraw(command) => command.run(output).await,
            Self::Log(command) => command.run(output).await,
            Self::Diff(command) => command.run(output).await,
            Self::Record(command) => command.run(output).await,
        }
    }
}

/// Whose plugins.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Whose {
    /// Id of the tenant.
    #[arg(long)]
    owner: Option<OwnerId>,
    /// The plugins that are offered to every tenant.
    #[arg(long)]
    platform: bool,
}

impl Whose {
    fn id(&self) -> OwnerId {
        self.owner.clone().unwrap_or_else(platform)
    }
}

/// Opened stores with an engine.
pub(super) struct Workplace {
    stores: OperatorStores,
    plugins: Plugins,
    owner_id: OwnerId,
}

impl Workplace {
    async fn open(whose: &Whose, stores: StoreOptions) -> Result<Self, Failure> {
        Ok(Self { stores: OperatorStores::open(stores).await?, plugins: engine()?, owner_id: whose.id() })
    }

    fn desk(&self) -> PluginDesk<'_> {
        self.stores.operator.plugin_desk(&self.plugins)
    }

    /// Tells the running server that there is something new.
    async fn tell(&self, output: Output) -> Result<(), Failure> {
        self.stores.tell(&[Change { owner_id: self.owner_id.clone(), user_id: None }], output).await
    }
}

/// The engine that the server runs, with its texts.
fn engine() -> Result<Plugins, Failure> {
    Ok(Plugins::with_texts(fault::text_of_code)?)
}

/// Reads a script.
fn read_source(path: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::of(format!("{}: {error}", path.display()));
    if std::fs::metadata(path).map_err(failed)?.len() > SOURCE_BYTES {
        return Err(Failure::of(format!("{}: a script has at most 32 KiB", path.display())));
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// The name of the plugin that a file holds: `fn-NAME.rhai`, unless another is given.
fn name_of(path: &Path, given: Option<&str>) -> Result<String, Failure> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let name = given.unwrap_or_else(|| stem.strip_prefix("fn-").unwrap_or(stem));
    if PluginName::parse(name).is_none() {
        return Err(Failure::of(format!("`{name}` is no plugin's name: 1 to 64 letters, digits, `_` and `-`; give one with --name")));
    }
    Ok(name.to_owned())
}

/// Who does it: as given, or the user of this machine.
fn author(given: Option<String>) -> String {
    given.or_else(|| std::env::var("USER").ok()).filter(|author| !author.is_empty()).unwrap_or_else(|| "command line".to_owned())
}

/// Whether an argument names a file rather than a plugin.
fn is_file(argument: &str) -> Option<PathBuf> {
    let path = PathBuf::from(argument);
    let looks_like_one = path.extension().is_some_and(|extension| extension == "rhai") || argument.contains('/');
    (looks_like_one || path.is_file()).then_some(path)
}
