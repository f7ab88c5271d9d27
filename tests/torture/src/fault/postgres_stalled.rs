//! Postgres stands still and goes on: what hung is done later, and must not be taken for undone.

use futures_util::future::BoxFuture;

use super::postgres_killed::in_time;
use crate::Failure;
use crate::cluster::Cluster;
use crate::form::Form;
use crate::proxy::Weather;
use crate::scenario::{Scenario, Trial};

/// Its processes are stopped.
pub(crate) const STOPPED: Scenario =
    Scenario { name: "postgres-stalled", about: "Postgres stopped (SIGSTOP) and continued", guards: &[], run: stopped };

/// The connections are reset in the middle of whatever they carry.
pub(crate) const RESET: Scenario =
    Scenario { name: "postgres-reset", about: "connections to Postgres stalled and then reset", guards: &[], run: reset };

fn stopped(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let load = cluster.load(form);
        load.run_for(form.before()).await;
        cluster.postgres.signal("STOP").await?;
        load.run_for(form.during()).await;
        cluster.postgres.signal("CONT").await?;
        let recovery = cluster.recovered().await?;
        load.run_for(form.after()).await;
        Ok(in_time(Trial::of(load, Some(recovery)).await?, form))
    })
}

fn reset(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let load = cluster.load(form);
        for _ in 0..form.pick(2, 20) {
            load.run_for(form.before()).await;
            // What is done is done, and its answer does not arrive.
            cluster.postgres_weather(Weather::CutFromStore);
            load.run_for(form.before() / 3).await;
            cluster.postgres_weather(Weather::Reset);
            load.run_for(form.before() / 3).await;
            cluster.postgres_weather(Weather::Fair);
        }
        let recovery = cluster.recovered().await?;
        load.run_for(form.after()).await;
        Ok(in_time(Trial::of(load, Some(recovery)).await?, form))
    })
}
