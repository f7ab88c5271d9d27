//! `bo-auth plugin publish`, `rollback`, `withdraw` and `record`.

use bo_auth_service::plugin::{PluginRefusal, StoredVersion};
use bo_auth_store::plugin_record::PluginRecord;
use clap::Args;
use serde_json::{Value, json};

use super::{Whose, Workplace, author, is_file, name_of, read_source};
use crate::command::Failure;
use crate::command::output::Output;
use crate::configuration::StoreOptions;
use crate::openapi::response_schemas;

#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// A script `fn-NAME.rhai`; or the name of a plugin, with --number.
    #[arg(value_name = "FILE|NAME")]
    what: String,
    #[command(flatten)]
    whose: Whose,
    /// The name, where the file's name does not say it.
    #[arg(long, conflicts_with = "number")]
    name: Option<String>,
    /// A version that is stored, by its number.
    #[arg(long)]
    number: Option<i64>,
    /// Only store it: nothing answers differently.
    #[arg(long, conflicts_with_all = ["number", "canary"])]
    draft: bool,
    /// Let it answer so many of a hundred requests only.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=99))]
    canary: Option<u8>,
    /// Publish it even where it breaks what generated clients expect.
    #[arg(long)]
    accept_schema_problems: bool,
    /// Why, for the list of versions.
    #[arg(long, default_value = "")]
    note: String,
    /// Who; the user of this machine where absent.
    #[arg(long)]
    author: Option<String>,
    #[command(flatten)]
    stores: StoreOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// Name of the plugin.
    name: String,
    #[command(flatten)]
    whose: Whose,
    /// To this version; if absent, to the one that answered before the active one did and was not switched off.
    #[arg(long)]
    to: Option<i64>,
    /// Who; the user of this machine where absent.
    #[arg(long)]
    author: Option<String>,
    #[command(flatten)]
    stores: StoreOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    /// Name of the plugin.
    name: String,
    #[command(flatten)]
    whose: Whose,
    /// Who; the user of this machine where absent.
    #[arg(long)]
    author: Option<String>,
    #[command(flatten)]
    stores: StoreOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Record {
    #[command(flatten)]
    whose: Whose,
    /// Keep this many answers, 1 to 200.
    #[arg(long, default_value_t = 50)]
    samples: i64,
    /// End it, and remove what was recorded.
    #[arg(long, conflicts_with = "samples")]
    off: bool,
    /// Who; the user of this machine where absent.
    #[arg(long)]
    author: Option<String>,
    #[command(flatten)]
    stores: StoreOptions,
}

impl Publish {
    pub(super) async fn run(self, output: Output) -> Result<(), Failure> {
        let author = author(self.author.clone());
        let place = Workplace::open(&self.whose, self.stores.clone()).await?;
        let (name, version, digest) = self.stored(&place, &author).await?;
        if self.draft {
            let stored = json!({"name": name, "version": version, "digest": digest, "state": "draft"});
            return output.result(&stored, || format!("version {version} of plugin {name} is stored as a draft"));
        }
        let desk = place.desk();
        let source = desk.version(&place.owner_id, &name, version).await?.source;
        let findings = desk.try_before_publishing(&place.owner_id, &name, &source, &response_schemas()).await?;
        let problems = findings.schema_problems;
        if !problems.is_empty() && !self.accept_schema_problems {
            let listed: Vec<String> = problems.iter().map(|problem| format!("  {} {}", problem.path, problem.message)).collect();
            return Err(Failure::of(format!(
                "version {version} is stored and not published: generated clients of no system of the tenant could read its answers; \
                 --accept-schema-problems publishes it all the same\n{}",
                listed.join("\n")
            )));
        }
        let record = desk.publish(&place.owner_id, &name, version, self.canary, None, &author).await?;
        place.tell(output).await?;
        if !findings.warnings.is_empty() {
            let listed: Vec<String> = findings.warnings.iter().map(|warning| format!("  {warning}")).collect();
            output.remark(&format!("warning: version {version} fails on these answers, which go out as they are:\n{}", listed.join("\n")));
        }
        let mut described = described(&record);
        described["warnings"] = json!(findings.warnings);
        output.result(&described, || match self.canary {
            Some(share) => format!("version {version} of plugin {name} answers {share} % of the requests"),
            None => format!("version {version} of plugin {name} answers"),
        })
    }

    /// The version that is meant: stored now, or before.
    async fn stored(&self, place: &Workplace, author: &str) -> Result<(String, i64, String), Failure> {
        if let Some(version) = self.number {
            let stored = place.desk().version(&place.owner_id, &self.what, version).await?;
            return Ok((self.what.clone(), version, stored.digest));
        }
        let Some(path) = is_file(&self.what) else {
            return Err(Failure::of(format!("`{}` is no file; to publish a version that is stored, give --number", self.what)));
        };
        let (name, source) = (name_of(&path, self.name.as_deref())?, read_source(&path)?);
        let desk = place.desk();
        if !self.draft
            && let Some(error) = place.plugins.check(place.owner_id.as_str(), &source).await?
        {
            return Err(PluginRefusal::DoesNotCompile(error).into());
        }
        let StoredVersion { version, digest, .. } = desk.store(&place.owner_id, &name, &source, author, &self.note).await?;
        Ok((name, version, digest))
    }
}

impl Rollback {
    pub(super) async fn run(self, output: Output) -> Result<(), Failure> {
        let author = author(self.author);
        let place = Workplace::open(&self.whose, self.stores).await?;
        let record = place.desk().roll_back(&place.owner_id, &self.name, self.to, None, &author).await?;
        place.tell(output).await?;
        output.result(&described(&record), || match record.active_version {
            Some(version) => format!("version {version} of plugin {} answers", self.name),
            None => format!("nothing of plugin {} answers", self.name),
        })
    }
}

impl Withdraw {
    pub(super) async fn run(self, output: Output) -> Result<(), Failure> {
        let author = author(self.author);
        let place = Workplace::open(&self.whose, self.stores).await?;
        let record = place.desk().withdraw(&place.owner_id, &self.name, None, &author).await?;
        place.tell(output).await?;
        output.result(&described(&record), || format!("plugin {} is withdrawn; its versions stay", self.name))
    }
}

impl Record {
    pub(super) async fn run(self, output: Output) -> Result<(), Failure> {
        let author = author(self.author);
        let place = Workplace::open(&self.whose, self.stores).await?;
        let samples = (!self.off).then_some(self.samples);
        place.desk().set_recording(&place.owner_id, samples, None, &author).await?;
        place.tell(output).await?;
        output.result(&json!({"samples": samples}), || match samples {
            Some(samples) => format!("the last {samples} answers are recorded, redacted"),
            None => "nothing is recorded".to_owned(),
        })
    }
}

/// A plugin's row as programs read it.
pub(super) fn described(record: &PluginRecord) -> Value {
    json!({
        "name": record.name,
        "activeVersion": record.active_version,
        "canary": record.canary,
        "switchedOff": record.switched_off,
        "lastVersion": record.last_version,
        "updatedAt": record.updated_at.to_string(),
    })
}
