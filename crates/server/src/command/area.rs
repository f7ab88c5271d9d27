//! `bo-auth area`.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use bo_auth_core::identifier::OwnerId;
use bo_auth_service::operator::area::read_areas;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::Failure;
use super::output::Output;
use super::stores::OperatorStores;
use crate::configuration::StoreOptions;

#[derive(Debug, Subcommand)]
pub(crate) enum Area {
    /// Import areas from CSV with the columns code, parent, name. Repeating it is safe.
    Import(Import),
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file: UTF-8, one area a line; the parent is empty for the outermost.
    file: PathBuf,
    /// Id of the tenant.
    #[arg(long)]
    owner: OwnerId,
    #[command(flatten)]
    stores: StoreOptions,
}

impl Area {
    pub(crate) async fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Import(command) => command.run(output).await,
        }
    }
}

impl Import {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let file = File::open(&self.file).map_err(|error| Failure::of(format!("{}: {error}", self.file.display())))?;
        let areas = read_areas(BufReader::new(file)).map_err(|error| Failure::of(format!("{}: {error}", self.file.display())))?;
        let stores = OperatorStores::open(self.stores).await?;
        let bar = ProgressBar::with_draw_target(
            Some(areas.len() as u64),
            if output.is_watched() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
        );
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} areas, {elapsed}") {
            bar.set_style(style);
        }
        stores.operator.import_areas(&self.owner, &areas, |written| bar.set_position(written as u64)).await?;
        bar.finish();
        output.result(&json!({"ownerId": self.owner, "areas": areas.len()}), || format!("{} areas of tenant {}", areas.len(), self.owner))
    }
}
