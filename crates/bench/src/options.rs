//! What a run is told.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::product::ProductArguments;

/// Measures the server against what this machine can do at best; `scripts/bench` starts it with what it needs.
#[derive(Debug, Parser)]
#[command(name = "bo-auth-bench", args_conflicts_with_subcommands = true)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// The other processes of a run.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The server under test; ends with its standard input
    #[command(hide = true)]
    Product(Box<ProductArguments>),
    /// The bare route it is compared with; ends with its standard input
    #[command(hide = true)]
    Bare,
}

/// What is measured, and how long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Directory for databases; whoever names it removes it
    #[arg(long, default_value = "bench-data")]
    pub(crate) directory: PathBuf,
    /// Short rounds and small tables, to see that it runs; its figures mean little
    #[arg(long)]
    pub(crate) quick: bool,
    /// Measure these alone, separated by commas
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<Section>,
    /// A Postgres that may be filled with rows
    #[arg(long)]
    pub(crate) postgres: Option<String>,
    /// The Redis beside it
    #[arg(long)]
    pub(crate) redis: Option<String>,
    /// Clients on either side of the throughput parts, each with one request in flight
    #[arg(long, default_value_t = 256)]
    pub(crate) clients: usize,
    /// Rounds of each side [default: 5, quick 2]
    #[arg(long)]
    pub(crate) rounds: Option<usize>,
}

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Section {
    /// Current user against a bare route
    CurrentUser,
    /// Logouts on Postgres and Redis against pgbench
    Postgres,
    /// Logouts on `SQLite` against single updates
    Sqlite,
    /// Logout's latency with few and with many sessions
    Latency,
    /// The lease, one node against three, and the memory of ended sessions
    Revocation,
    /// What plugins cost, and what hostile ones do to others
    Plugins,
    /// Start, memory and size
    Start,
}

impl Section {
    /// What is said when it begins.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::CurrentUser => "current user, all checks, against a bare route",
            Self::Postgres => "logouts on Postgres and Redis against pgbench",
            Self::Sqlite => "logouts on SQLite against single updates",
            Self::Latency => "latency of logout with few and with many sessions",
            Self::Revocation => "leases, nodes, and the memory of ended sessions",
            Self::Plugins => "common-data beside the same in Rust, requests with and without plugins, and beside hostile ones",
            Self::Start => "start, memory, size",
        }
    }
}

impl Options {
    /// The sections to measure.
    pub(crate) fn sections(&self) -> Vec<Section> {
        let all = Section::value_variants().iter().copied();
        all.filter(|section| self.only.is_empty() || self.only.contains(section)).collect()
    }

    /// Rounds of each side.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { 5 })
    }

    /// How long a round is.
    pub(crate) fn round(&self) -> Duration {
        Duration::from_millis(if self.quick { 500 } else { 2_000 })
    }

    /// Sessions in the tables of the throughput sections.
    pub(crate) fn sessions(&self) -> u32 {
        if self.quick { 50_000 } else { 500_000 }
    }

    /// Sessions in the small and the large table of the latency section.
    pub(crate) fn table_sizes(&self) -> [u32; 2] {
        if self.quick { [10_000, 200_000] } else { [10_000, 5_000_000] }
    }
}
