//! Redis stands still and goes on: calls hang, and what was sent is done later.

use futures_util::future::BoxFuture;

use crate::Failure;
use crate::cluster::Cluster;
use crate::form::Form;
use crate::scenario::{Scenario, Trial};

/// The scenario.
pub(crate) const SCENARIO: Scenario = Scenario { name: "redis-stalled", about: "Redis stopped (SIGSTOP) and continued", guards: &[], run };

fn run(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let load = cluster.load(form);
        load.run_for(form.before()).await;
        cluster.redis.signal("STOP").await?;
        load.run_for(form.during()).await;
        cluster.redis.signal("CONT").await?;
        let recovery = cluster.recovered().await?;
        load.run_for(form.after()).await;
        Trial::of(load, Some(recovery)).await
    })
}
