//! Tortures the real server: three nodes, a real Postgres and a real Redis, faults between and inside them, and a check of
//! everything that happened against the product's one promise.

mod calls;
mod check;
mod client;
mod cluster;
mod dice;
mod fault;
mod form;
mod frontend;
mod history;
mod load;
mod node;
mod postgres;
mod process;
mod proxy;
mod record;
mod redis;
mod replay;
mod report;
mod run;
mod scenario;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Whatever went wrong: a run that fails is read by a person.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Tortures the server and checks what it answered.
#[derive(Debug, Parser)]
struct Options {
    /// The server, built with the feature `failpoints`
    #[arg(long, value_name = "FILE")]
    binary: PathBuf,

    /// An older server, to run beside it
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,

    /// A directory for the stores, which user postgres can enter; it must be empty
    #[arg(long, value_name = "DIR")]
    directory: PathBuf,

    /// The short form of each scenario, with no judgement of how long things take
    #[arg(long)]
    short: bool,

    /// How many rounds a race has in the long form, and how many logouts there are without a fault, each among a hundred
    /// verifications
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    rounds: usize,

    /// Take the results into the table of this file, below its line `<!-- result -->`
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,

    /// What stands in the record for the version that was tortured
    #[arg(long, value_name = "TEXT", default_value = "unknown")]
    version_text: String,

    /// Only these scenarios; all where none is named
    scenarios: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run::run(Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            report::say(&format!("failed: {failure}"));
            ExitCode::FAILURE
        }
    }
}
