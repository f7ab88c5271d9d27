//! `bo-auth serve`.

use std::io::Write;

use bo_auth_core::time::SystemClock;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::output::Output;
use super::stores::open_operator;
use super::{Failure, demo};
use crate::app::App;
use crate::configuration::{DatabaseChoice, LogOptions, ServeOptions};
use crate::telemetry::logging;

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    options: ServeOptions,
    #[command(flatten)]
    log: LogOptions,
}

impl Serve {
    pub(crate) async fn run(self, output: Output) -> Result<(), Failure> {
        let configuration = self.options.validate()?;
        let _log = logging::start(&self.log.log_level, self.log.log_format)?;
        // Before anything is answered, so that a signal at any moment ends the server in good order.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        if configuration.demo {
            let operator = open_operator(&configuration.store, configuration.password_cost.into()).await?;
            demo::make(&operator).await?;
            operator.db.close().await;
        }
        let app = App::build(&configuration, std::sync::Arc::new(SystemClock)).await?;
        let address = app.address();
        if configuration.demo {
            let program = std::env::current_exe()?;
            let data = std::path::absolute(&configuration.store.data)?;
            let mut calls = demo::calls(address, &program, &data)?;
            if !matches!(configuration.store.database, DatabaseChoice::Sqlite(_)) {
                // They are no part of what is printed, for one holds a password.
                calls.push_str("\nThe stamps are made with this server's stores: set DATABASE_URL and BO_AUTH_MASTER_KEY_FILE there as they are here.\n");
            }
            output.result(&serde_json::json!({"listening": address.to_string()}), || calls)?;
        }
        std::io::stdout().flush()?;
        tracing::info!(%address, "listening");
        let stopped = app
            .run(async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                tracing::info!("stopping: what is in flight is finished, nothing new is taken");
            })
            .await;
        tracing::info!(open = stopped.open, cut = stopped.cut, "stopped");
        Ok(())
    }
}
