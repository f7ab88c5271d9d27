//! A node is killed: at each step of a logout and of a refresh, and at any moment.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::Failure;
use crate::cluster::{Cluster, NODES};
use crate::dice::Dice;
use crate::form::Form;
use crate::load::{Load, Weight};
use crate::scenario::{Scenario, Trial};

/// At each step.
pub(crate) const AT_STEPS: Scenario =
    Scenario { name: "node-killed-at-steps", about: "a node killed at each step of a logout and of a refresh", guards: &[], run: at_steps };

/// At any moment.
pub(crate) const RANDOMLY: Scenario =
    Scenario { name: "node-killed", about: "any node killed at any moment, and started again", guards: &[], run: randomly };

/// The steps, as the server's failpoints name them.
const STEPS: [&str; 7] =
    ["ending.taken", "ending.committed", "announcement.sent", "ending.told", "refresh.read", "refresh.rotated", "refresh.lost"];

/// How long it may take until a node comes to a step.
const REACHED: Duration = Duration::from_secs(30);

fn at_steps(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let load = start(cluster, form);
        let mut dice = Dice::new();
        for _ in 0..form.pick(1, 10) {
            for step in STEPS {
                let failpoint = format!("{step}=die:{}", 1 + dice.below(8));
                cluster.restart_node_to_die(0, &failpoint).await?;
                if !cluster.nodes[0].ends_within(REACHED).await {
                    return Err(format!("no node came to {step}").into());
                }
            }
        }
        cluster.restart_node(0, &[]).await?;
        let recovery = cluster.recovered().await?;
        load.run_for(form.after()).await;
        Trial::of(load, Some(recovery)).await
    })
}

fn randomly(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let load = start(cluster, form);
        let mut dice = Dice::new();
        let kills = form.pick(4, 1_000);
        for kill in 0..kills {
            let moment = u64::try_from(dice.below(400)).unwrap_or(0);
            load.run_for(Duration::from_millis(100 + moment)).await;
            cluster.restart_node(dice.below(NODES), &[]).await?;
            if kill % 100 == 99 {
                crate::report::say(&format!("    {} of {kills} kills", kill + 1));
            }
        }
        let recovery = cluster.recovered().await?;
        load.run_for(form.after()).await;
        let mut trial = Trial::of(load, Some(recovery)).await?;
        trial.notes.push(format!("{kills} kills"));
        Ok(trial)
    })
}

/// More callers than elsewhere, since many of them wait for a killed node's lease to run out.
fn start(cluster: &Cluster, form: Form) -> Load {
    cluster.load_of(Weight { workers: 16, verifies: 2, ..form.weight() })
}
