//! Two versions of the server side by side: two nodes of this one, one of an older one.

use futures_util::future::BoxFuture;

use crate::Failure;
use crate::cluster::Cluster;
use crate::form::Form;
use crate::scenario::{Scenario, Trial};

/// The scenario.
pub(crate) const SCENARIO: Scenario =
    Scenario { name: NAME, about: "one node of an older version beside two of this one, then all of this one", guards: &[], run };

/// Its name: it runs only where an older server is given.
pub(crate) const NAME: &str = "versions";

/// The node.
const OLDER: usize = 2;

fn run(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let (older, newer) = (cluster.previous.clone().ok_or("give an older server with --previous")?, cluster.binary.clone());
        cluster.nodes[OLDER].use_binary(&older);
        let started = cluster.restart_node(OLDER, &[]).await;
        // Whatever happens, the next scenario has its nodes alike.
        cluster.nodes[OLDER].use_binary(&newer);
        started?;
        let load = cluster.load(form);
        load.run_for(form.during()).await;
        cluster.restart_node(OLDER, &[]).await?;
        let recovery = cluster.recovered().await?;
        load.run_for(form.after()).await;
        Trial::of(load, Some(recovery)).await
    })
}
