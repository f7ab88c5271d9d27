//! The server under test: the production application with its log, in a process of its own.

use std::path::Path;
use std::sync::Arc;

use bo_auth_core::time::SystemClock;
use bo_auth_server::app::App;
use bo_auth_server::configuration::{LogOptions, ServeOptions};
use bo_auth_server::telemetry::logging;
use clap::Args;

use crate::Failure;
use crate::background::{Server, until_starter_ends};

/// What it takes: what `bo-auth serve` takes.
#[derive(Debug, Args)]
pub(crate) struct ProductArguments {
    #[command(flatten)]
    options: ServeOptions,
    #[command(flatten)]
    log: LogOptions,
}

/// Serves.
pub(crate) async fn serve(arguments: ProductArguments) -> Result<(), Failure> {
    let configuration = arguments.options.validate()?;
    let _log = logging::start(&arguments.log.log_level, arguments.log.log_format)?;
    let app = App::build(&configuration, Arc::new(SystemClock)).await?;
    let stopped = until_starter_ends(app.address());
    app.run(stopped).await;
    Ok(())
}

/// Which stores it runs on.
#[derive(Debug, Clone)]
pub(crate) struct Stores<'a> {
    /// The data directory.
    pub(crate) data: &'a Path,
    /// Postgres and Redis, where it is not embedded.
    pub(crate) cluster: Option<(&'a str, &'a str)>,
}

impl Stores<'_> {
    /// The options that name them.
    pub(crate) fn options(&self) -> Vec<String> {
        let mut options = vec!["--data".to_owned(), self.data.display().to_string()];
        if let Some((postgres, redis)) = self.cluster {
            options.extend(["--database-url".to_owned(), postgres.to_owned(), "--redis-url".to_owned(), redis.to_owned()]);
            options.extend(["--master-key-file".to_owned(), self.data.join("master.key").display().to_string()]);
        }
        options
    }

    /// Starts the server on them, with rates that one machine's generator does not meet.
    pub(crate) fn start(&self) -> Result<Server, Failure> {
        let mut arguments: Vec<String> =
            ["product", "--listen", "127.0.0.1:0", "--address-requests-per-minute", "60000000"].map(str::to_owned).to_vec();
        arguments.extend(self.options());
        Server::start(&arguments, &self.data.join("server.log"))
    }
}
