//! Redis forgets everything, while nodes hold leases of which it then knows nothing.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::Failure;
use crate::cluster::Cluster;
use crate::form::Form;
use crate::scenario::{Scenario, Trial};

/// The scenario.
pub(crate) const SCENARIO: Scenario = Scenario { name: "redis-flushed", about: "FLUSHALL, again and again", guards: &["YoungEpoch"], run };

fn run(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let load = cluster.load(form);
        load.run_for(form.before()).await;
        for _ in 0..form.pick(3, 30) {
            cluster.redis.must(&["FLUSHALL"]).await?;
            load.run_for(Duration::from_millis(900)).await;
        }
        let recovery = cluster.recovered().await?;
        load.run_for(form.after()).await;
        Trial::of(load, Some(recovery)).await
    })
}
