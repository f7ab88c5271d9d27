//! Postgres is killed or restarted: what was acknowledged must be there when it is back.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::Failure;
use crate::cluster::Cluster;
use crate::form::Form;
use crate::scenario::{Scenario, Trial};

/// All its processes are killed.
pub(crate) const KILLED: Scenario =
    Scenario { name: "postgres-killed", about: "Postgres killed, started again later", guards: &["Commit"], run: killed };

/// It is stopped in good order, and started again at once.
pub(crate) const RESTARTED: Scenario =
    Scenario { name: "postgres-restarted", about: "Postgres restarted, again and again", guards: &[], run: restarted };

/// How soon the nodes must answer again in the long form.
const RECOVERY: Duration = Duration::from_secs(5);

fn killed(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let load = cluster.load(form);
        load.run_for(form.before()).await;
        cluster.postgres.kill().await?;
        load.run_for(form.during()).await;
        cluster.postgres.launch().await?;
        let recovery = cluster.recovered().await?;
        load.run_for(form.after()).await;
        Ok(in_time(Trial::of(load, Some(recovery)).await?, form))
    })
}

fn restarted(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let load = cluster.load(form);
        for _ in 0..form.pick(2, 15) {
            load.run_for(form.before()).await;
            cluster.postgres.stop().await?;
            cluster.postgres.launch().await?;
        }
        let recovery = cluster.recovered().await?;
        load.run_for(form.after()).await;
        Ok(in_time(Trial::of(load, Some(recovery)).await?, form))
    })
}

/// The short form runs on busy machines, and judges no times.
pub(super) fn in_time(mut trial: Trial, form: Form) -> Trial {
    if form.is_long() && trial.recovery.is_some_and(|time| time > RECOVERY) {
        trial.found.push(format!("the nodes answered again only {:?} after Postgres did", trial.recovery.unwrap_or_default()));
    }
    trial
}
