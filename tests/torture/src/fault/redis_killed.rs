//! Redis is killed: gone for a while, or back at once and empty.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::Failure;
use crate::cluster::Cluster;
use crate::form::Form;
use crate::scenario::{Scenario, Trial};

/// Gone for a while.
pub(crate) const KILLED: Scenario = Scenario { name: "redis-killed", about: "Redis killed, back empty later", guards: &[], run: killed };

/// Back at once, several times.
pub(crate) const RESTARTED: Scenario =
    Scenario { name: "redis-restarted", about: "Redis killed and back empty at once, again and again", guards: &[], run: restarted };

fn killed(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let load = cluster.load(form);
        load.run_for(form.before()).await;
        cluster.redis.kill().await?;
        load.run_for(form.during()).await;
        cluster.redis.launch().await?;
        let recovery = cluster.recovered().await?;
        load.run_for(form.after()).await;
        Trial::of(load, Some(recovery)).await
    })
}

fn restarted(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let load = cluster.load(form);
        for _ in 0..form.pick(3, 20) {
            load.run_for(Duration::from_millis(700)).await;
            cluster.redis.kill().await?;
            cluster.redis.launch().await?;
        }
        let recovery = cluster.recovered().await?;
        load.run_for(form.after()).await;
        Trial::of(load, Some(recovery)).await
    })
}
