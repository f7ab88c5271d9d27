//! The `bo-auth` binary.

use std::process::ExitCode;

use bo_auth_server::command::CommandLine;
use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    CommandLine::parse().run().await
}
