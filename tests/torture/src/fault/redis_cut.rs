//! One node is cut from Redis, both ways or one way; the others go on with it.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::Failure;
use crate::cluster::Cluster;
use crate::form::Form;
use crate::proxy::Weather;
use crate::scenario::{Scenario, Trial};

/// Nothing passes.
pub(crate) const BOTH_WAYS: Scenario = Scenario {
    name: "redis-cut",
    about: "one node cut from Redis",
    guards: &["UntoldEnds"],
    run: |cluster, form| cut(cluster, form, Weather::Stalled),
};

/// What the node sends does not arrive.
pub(crate) const TO_STORE: Scenario = Scenario {
    name: "redis-cut-to",
    about: "one node's words do not reach Redis",
    guards: &[],
    run: |cluster, form| cut(cluster, form, Weather::CutToStore),
};

/// What Redis sends does not arrive.
pub(crate) const FROM_STORE: Scenario = Scenario {
    name: "redis-cut-from",
    about: "Redis' words do not reach one node",
    guards: &[],
    run: |cluster, form| cut(cluster, form, Weather::CutFromStore),
};

fn cut(cluster: &mut Cluster, form: Form, weather: Weather) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let load = cluster.load(form);
        load.run_for(form.before()).await;
        cluster.redis_weather(0, weather);
        load.run_for(form.during()).await;
        // What was held back is lost with its connections, as after a cut that lasted.
        cluster.redis_weather(0, Weather::Reset);
        load.run_for(Duration::from_millis(50)).await;
        cluster.redis_weather(0, Weather::Fair);
        let recovery = cluster.recovered().await?;
        load.run_for(form.after()).await;
        Trial::of(load, Some(recovery)).await
    })
}
