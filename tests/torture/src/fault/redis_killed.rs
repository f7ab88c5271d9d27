//! Redis is killed: gone for a while, or back at once and empty.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::Failure;
use crate::cluster::Cluster;
use crate::form::Form;
use crate::load::Load;
use crate::proxy::Weather;
use crate::scenario::{Scenario, Trial};

/// Gone for a while.
pub(crate) const KILLED: Scenario = Scenario { name: "redis-killed", about: "Redis killed, back empty later", guards: &[], run: killed };

/// Back at once, several times.
pub(crate) const RESTARTED: Scenario =
    Scenario { name: "redis-restarted", about: "Redis killed and back empty at once, again and again", guards: &[], run: restarted };

/// Back with a copy that lags, as a replica that is promoted: a node that stood still finds the
/// very number at which it stopped.
pub(crate) const RESTORED: Scenario = Scenario {
    name: "redis-restored",
    about: "Redis killed and back with a copy that lags, which only a node that stood still reaches",
    guards: &["RedisProcess"],
    run: restored,
};

/// The node that stands still.
const STOPPED: usize = 2;

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

fn restored(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let load = Load::start(&cluster.client().of_nodes(&[0, 1]), form.weight());
        load.run_for(form.before()).await;
        cluster.nodes[STOPPED].signal("STOP").await?;
        // Its lease has run out: nobody waits for it.
        load.run_for(Duration::from_millis(1_200)).await;
        cluster.redis.must(&["SAVE"]).await?;
        load.run_for(form.during()).await;
        for node in [0, 1] {
            cluster.redis_weather(node, Weather::Reset);
        }
        cluster.redis.kill().await?;
        cluster.redis.launch().await?;
        cluster.redis.forget_copy()?;
        cluster.nodes[STOPPED].signal("CONT").await?;
        cluster.leased_again(STOPPED).await?;
        cluster.show_signed_out(STOPPED, &load.history).await;
        for node in [0, 1] {
            cluster.redis_weather(node, Weather::Fair);
        }
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
