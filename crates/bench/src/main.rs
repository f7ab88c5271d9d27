//! Measures the server against what the same machine can do at best, and prints ratios. One run measures everything;
//! the two sides of a ratio take turns in short rounds, so that a busy machine disturbs both alike.

mod background;
mod bare;
mod current_user;
mod latency;
mod load;
mod neighbours;
mod options;
mod plugins;
mod product;
mod reference;
mod report;
mod revocation;
mod rows;
mod start;
mod throughput;
mod world;

use std::process::ExitCode;

use clap::Parser;

use crate::options::{Command, CommandLine, Options, Section};
use crate::report::Report;

/// Whatever went wrong: a benchmark that fails is read by a person.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    match run(CommandLine::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            background::say(&format!("failed: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command_line: CommandLine) -> Result<(), Failure> {
    // A thread for each processor, as the product has; the load generator must not be what limits either side.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match command_line.command {
        Some(Command::Product(arguments)) => runtime.block_on(product::serve(*arguments)),
        Some(Command::Bare) => runtime.block_on(bare::serve()),
        None => runtime.block_on(measure(command_line.options)),
    }
}

async fn measure(options: Options) -> Result<(), Failure> {
    std::fs::create_dir_all(&options.directory)?;
    let mut report = Report::default();
    for section in options.sections() {
        background::say(section.title());
        match section {
            Section::CurrentUser => current_user::measure(&options, &mut report).await?,
            Section::Postgres => throughput::measure_postgres(&options, &mut report).await?,
            Section::Sqlite => throughput::measure_sqlite(&options, &mut report).await?,
            Section::Latency => latency::measure(&options, &mut report).await?,
            Section::Revocation => revocation::measure(&options, &mut report).await?,
            Section::Plugins => plugins::measure(&options, &mut report).await?,
            Section::Start => start::measure(&options, &mut report).await?,
        }
    }
    report.print()
}
