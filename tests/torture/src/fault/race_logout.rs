//! Logouts of one session at the same time, on all nodes: one of them has ended it.

use std::sync::Arc;

use futures_util::future::{BoxFuture, join_all};

use crate::Failure;
use crate::cluster::{Cluster, NODES, USERS};
use crate::form::Form;
use crate::history::Outcome;
use crate::scenario::{Scenario, Trial};

/// The scenario.
pub(crate) const SCENARIO: Scenario =
    Scenario { name: "race-logouts", about: "20 logouts of one session at the same moment, on all nodes", guards: &["EndOnce"], run };

/// How many logouts there are.
const LOGOUTS: usize = 20;

fn run(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let mut client = cluster.client();
        let mut racers: Vec<_> = (0..LOGOUTS).map(|_| client.clone()).collect();
        let mut found = Vec::new();
        let rounds = form.rounds(10);
        for round in 0..rounds {
            let session = client.login(round % NODES, round % USERS).await.ok_or("no login without a fault")?;
            let proof = session.current().ok_or("a login without a proof")?;
            let logouts = racers.iter_mut().enumerate().map(|(number, racer)| racer.logout(number % NODES, &session, &proof));
            let outcomes = join_all(logouts).await;
            let accepted = outcomes.iter().filter(|(outcome, _)| *outcome == Outcome::Accepted).count();
            let first = outcomes.iter().filter(|(_, first)| *first).count();
            if (accepted, first) != (LOGOUTS, 1) {
                found.push(format!("{accepted} of {LOGOUTS} logouts succeeded, and {first} say that they ended the session"));
            }
            for node in 0..NODES {
                client.verify(node, &session, &proof).await;
            }
        }
        let notes = vec![format!("{rounds} rounds of {LOGOUTS} logouts")];
        Ok(Trial { history: Arc::clone(&client.history), found, notes, ..Trial::default() })
    })
}
