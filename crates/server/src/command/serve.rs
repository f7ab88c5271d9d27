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
        // Before anything is answered, so that a signal at any moment ends the server in good order, or not at all.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        // They mean nothing here; without a receiver they would end the process.
        let _nothing = (signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?);
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
        let (admin, metrics, grpc) = (app.admin_address(), app.metrics_address(), app.grpc_address());
        let text = |address: Option<std::net::SocketAddr>| address.map(|address| address.to_string());
        tracing::info!(%address, admin = text(admin), metrics = text(metrics), grpc = text(grpc), "listening");
        let (rereading, options) = (app.rereading().clone(), self.options.clone());
        let rereading = tokio::spawn(async move {
            while hang_up.recv().await.is_some() {
                let options = options.clone();
                // It reads files.
                let validated = tokio::task::spawn_blocking(move || options.validate()).await;
                match validated {
                    Ok(validated) => rereading.take_up_and_log(validated),
                    Err(error) => tracing::error!(%error, "SIGHUP: the files could not be read"),
                }
            }
        });
        let (stop, stopping) = tokio::sync::oneshot::channel::<()>();
        let running = app.run(async {
            // Dropping the other end tells the same.
            let _ = stopping.await;
        });
        let mut running = std::pin::pin!(running);
        let mut stop = Some(stop);
        let stopped = loop {
            tokio::select! {
                stopped = running.as_mut() => break stopped,
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            let Some(stop) = stop.take() else {
                tracing::warn!("stopping at once: a second signal came while requests were finished");
                return Err(Failure::of("a second signal came: what was in flight was cut"));
            };
            tracing::info!("stopping: what is in flight is finished, nothing new is taken");
            drop(stop);
        };
        rereading.abort();
        tracing::info!(open = stopped.open, cut = stopped.cut, "stopped");
        Ok(())
    }
}
