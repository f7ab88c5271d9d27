//! The `bo-auth` binary.

use std::process::ExitCode;

use bo_auth_server::command::CommandLine;

#[tokio::main]
async fn main() -> ExitCode {
    CommandLine::read().run().await
}
