//! A node stands still for longer than a lease while the others sign sessions out. What was sent to it meanwhile is
//! answered when it goes on, by a node that does not know what it has missed.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};

use crate::Failure;
use crate::cluster::Cluster;
use crate::form::Form;
use crate::load::Load;
use crate::proxy::Weather;
use crate::scenario::{Scenario, Trial};

/// The scenario.
pub(crate) const SCENARIO: Scenario =
    Scenario { name: "node-stopped", about: "one node stopped (SIGSTOP) and continued", guards: &[], run };

/// Meanwhile another node tells of its logouts by way of the database, and strikes them off when
/// they are told.
pub(crate) const WHILE_CUT: Scenario = Scenario {
    name: "node-stopped-cut",
    about: "one node stopped while another, cut from Redis, signs sessions out",
    guards: &["UntoldSince"],
    run: while_cut,
};

/// The node.
const STOPPED: usize = 2;

/// How long the calls to it wait for an answer while it still stands.
const QUEUED: Duration = Duration::from_millis(700);

/// How many calls wait for it.
const WAITING: usize = 60;

fn run(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let client = cluster.client();
        // Callers of the node that stands still would all wait for it; the others go on.
        let load = Load::start(&client.of_nodes(&[0, 1]), form.weight());
        load.run_for(form.before()).await;
        cluster.nodes[STOPPED].signal("STOP").await?;
        load.run_for(form.pick(Duration::from_secs(3), Duration::from_secs(30)).saturating_sub(QUEUED)).await;
        let history = Arc::clone(&load.history);
        let over = history.sessions().into_iter().rev().filter(|session| session.signed_out.get().is_some()).take(WAITING);
        let waiting = over.map(|session| {
            let mut client = client.clone();
            tokio::spawn(async move {
                for proof in session.proofs() {
                    client.verify(STOPPED, &session, &proof).await;
                }
            })
        });
        let waiting: Vec<_> = waiting.collect();
        load.run_for(QUEUED).await;
        cluster.nodes[STOPPED].signal("CONT").await?;
        for ended in join_all(waiting).await {
            ended?;
        }
        let recovery = cluster.recovered().await?;
        load.run_for(form.after()).await;
        Trial::of(load, Some(recovery)).await
    })
}

fn while_cut(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let load = Load::start(&cluster.client().of_nodes(&[0]), form.weight());
        load.run_for(form.before()).await;
        cluster.nodes[STOPPED].signal("STOP").await?;
        cluster.redis_weather(0, Weather::Stalled);
        load.run_for(form.pick(Duration::from_secs(5), Duration::from_secs(30))).await;
        cluster.nodes[STOPPED].signal("CONT").await?;
        cluster.leased_again(STOPPED).await?;
        cluster.show_signed_out(STOPPED, &load.history).await;
        cluster.redis_weather(0, Weather::Reset);
        load.run_for(Duration::from_millis(50)).await;
        cluster.redis_weather(0, Weather::Fair);
        let recovery = cluster.recovered().await?;
        load.run_for(form.after()).await;
        Trial::of(load, Some(recovery)).await
    })
}
