//! Redis takes no more writes: its memory is full, and it may not evict.

use futures_util::future::BoxFuture;

use crate::Failure;
use crate::cluster::Cluster;
use crate::form::Form;
use crate::scenario::{Scenario, Trial};

/// The scenario.
pub(crate) const SCENARIO: Scenario = Scenario { name: "redis-full", about: "maxmemory reached, noeviction", guards: &[], run };

fn run(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let load = cluster.load(form);
        load.run_for(form.before()).await;
        cluster.redis.must(&["CONFIG", "SET", "maxmemory", "1"]).await?;
        load.run_for(form.during()).await;
        cluster.redis.must(&["CONFIG", "SET", "maxmemory", "0"]).await?;
        let recovery = cluster.recovered().await?;
        load.run_for(form.after()).await;
        Trial::of(load, Some(recovery)).await
    })
}
