//! A login and a logout of all the user's sessions at the same time: the new session lives or has ended, on all nodes alike.

use std::sync::Arc;

use futures_util::future::{BoxFuture, join_all};

use crate::Failure;
use crate::client::Client;
use crate::cluster::{Cluster, NODES, USERS};
use crate::form::Form;
use crate::frontend::Proof;
use crate::history::Outcome;
use crate::scenario::{Scenario, Trial};

/// The scenario.
pub(crate) const SCENARIO: Scenario =
    Scenario { name: "race-logout-login", about: "a logout of all of a user's sessions and a login at the same moment", guards: &[], run };

fn run(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let client = cluster.client();
        let (mut found, mut ended) = (Vec::new(), 0);
        let rounds = form.rounds(100);
        for round in 0..rounds / USERS {
            // Users do not meet one another's sessions.
            for outcome in join_all((0..USERS).map(|user| race(client.clone(), round, user))).await {
                match outcome? {
                    Some(true) => {}
                    Some(false) => ended += 1,
                    None => found.push("a session lives on one node and has ended on another".to_owned()),
                }
            }
        }
        let notes = vec![format!("{rounds} rounds, in {ended} of which the new session ended too")];
        Ok(Trial { history: Arc::clone(&client.history), found, notes, ..Trial::default() })
    })
}

/// Whether the new session lives, on every node; `None` where the nodes do not agree.
async fn race(mut client: Client, round: usize, user: usize) -> Result<Option<bool>, Failure> {
    let (here, there) = ((round + user) % NODES, (round + user + 1) % NODES);
    let old = client.login(here, user).await.ok_or("no login without a fault")?;
    let proof = old.current().ok_or("a login without a proof")?;
    let mut other = client.clone();
    let (left, opened) = tokio::join!(client.logout_all(here, &old, &proof), other.login(there, user));
    let new = opened.ok_or("no login without a fault")?;
    if left != Outcome::Accepted {
        return Err("no logout without a fault".into());
    }
    // It may have ended without anybody's naming it.
    new.leaving.get_or_init(std::time::Instant::now);
    let proof = new.current().ok_or("a login without a proof")?;
    let mut outcomes = Vec::new();
    for node in 0..NODES {
        client.verify(node, &old, &old.current().ok_or("a login without a proof")?).await;
        outcomes.push(client.verify(node, &new, &proof).await);
    }
    if let Proof::Pair { refresh, .. } = &proof {
        outcomes.push(client.refresh(here, &new, refresh).await);
    }
    let alike = outcomes.iter().all(|outcome| *outcome == outcomes[0]);
    Ok(alike.then_some(outcomes[0] == Outcome::Accepted))
}
