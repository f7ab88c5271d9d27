//! `grpc.health.v1.Health`: whether the database answers and takes writes, asked every few seconds and not for every caller.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bo_auth_service::Service;
use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use super::proto::example_server::ExampleServer;
use super::sign_out::SignOut;

/// How often the database is asked.
const PERIOD: Duration = Duration::from_secs(5);

/// The service, which hears of changes until the use cases are gone.
pub(super) fn server(service: &Arc<Service>) -> HealthServer<HealthService> {
    let reporter = HealthReporter::new();
    let server = HealthServer::new(HealthService::from_health_reporter(reporter.clone()));
    tokio::spawn(keep_up(Arc::downgrade(service), reporter));
    server
}

async fn keep_up(service: Weak<Service>, reporter: HealthReporter) {
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        ticks.tick().await;
        let Some(service) = service.upgrade() else { return };
        let is_ready = service.database_state().await.is_ok_and(|state| state.is_ready());
        let status = if is_ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        drop(service);
        // The empty name stands for the whole server.
        for name in ["", <ExampleServer<SignOut> as NamedService>::NAME] {
            reporter.set_service_status(name, status).await;
        }
    }
}
