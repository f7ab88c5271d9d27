//! What Redis tells one node arrives late: a logout on another node must wait for it.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::Failure;
use crate::cluster::Cluster;
use crate::form::Form;
use crate::proxy::Weather;
use crate::scenario::{Scenario, Trial};

/// The scenario.
pub(crate) const SCENARIO: Scenario =
    Scenario { name: "redis-late", about: "Redis' words reach one node 80 ms late", guards: &["Acknowledgements"], run };

fn run(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let load = cluster.load(form);
        load.run_for(form.before()).await;
        cluster.redis_weather(2, Weather::SlowAnswers(Duration::from_millis(80)));
        load.run_for(form.during()).await;
        cluster.redis_weather(2, Weather::Fair);
        let recovery = cluster.recovered().await?;
        load.run_for(form.after()).await;
        Trial::of(load, Some(recovery)).await
    })
}
