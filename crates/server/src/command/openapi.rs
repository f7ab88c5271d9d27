//! `bo-auth openapi`.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::output::Output;
use crate::openapi::documents;

#[derive(Debug, Args)]
pub(crate) struct Openapi {
    /// Write `bo-v3.json`, `bo-v3.yaml`, `bo-v3.1.json`, `session-v1.json` and `admin-v1.json` into this directory instead of printing the first.
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
}

impl Openapi {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        let documents = documents();
        let Some(directory) = self.write else {
            let value: serde_json::Value = serde_json::from_str(documents.json())?;
            return output.result(&value, || documents.json().to_owned());
        };
        let files = documents.files();
        for (name, text) in &files {
            let path = directory.join(name);
            std::fs::write(&path, text).map_err(|error| Failure::of(format!("{}: {error}", path.display())))?;
        }
        let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        output.result(&names, || names.join("\n"))
    }
}
