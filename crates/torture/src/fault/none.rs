//! No fault: how many calls a verification makes to the stores, and how soon a logout holds everywhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, join_all};

use crate::Failure;
use crate::client::Client;
use crate::cluster::{Cluster, NODES, USERS};
use crate::form::Form;
use crate::frontend::{Frontend, REUSING};
use crate::history::{Kind, Outcome};
use crate::load::Weight;
use crate::scenario::{Scenario, Trial};

/// The scenario.
pub(crate) const SCENARIO: Scenario = Scenario { name: "none", about: "no fault", guards: &[], run };

/// So many calls to a store a verification may make: none of its own, and its share of what goes by time.
const CALLS: f64 = 0.05;

fn run(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let mut found = Vec::new();
        let mut notes = vec![count_calls(cluster, form, &mut found).await?];
        // One call in four of a session is a refresh, and the replayers show as much again.
        let weight = Weight { rest: Duration::ZERO, workers: 8, replayers: 8, verifies: form.pick(4, 60), users: USERS };
        let load = cluster.load_of(weight);
        load.until_signed_out(form.rounds(150)).await;
        if form.is_long() {
            until_shown(&load.history, 100 * form.rounds(0)).await;
        }
        let mut trial = Trial { found, ..Trial::of(load, None).await? };
        let slow = trial.history.operations().iter().filter(|operation| operation.outcome == Outcome::Failed).count();
        if slow > 0 {
            trial.found.push(format!("{slow} operations failed without a fault"));
        }
        for node in 0..NODES {
            let below = |bound: &'static str| cluster.metric(node, bound);
            let count = below("bo_auth_revoke_to_deny_seconds_count").await?;
            let soon = below("bo_auth_revoke_to_deny_seconds_bucket{le=\"0.005\"}").await?;
            let without_lease = below("bo_auth_verifications_without_lease_total").await?;
            notes.push(format!(
                "node {}: {soon} of {count} announcements were applied everywhere within 5 ms, {without_lease} checks without a lease",
                node + 1
            ));
        }
        trial.notes = notes;
        Ok(trial)
    })
}

async fn until_shown(history: &crate::history::History, count: usize) {
    let shown = || history.operations().iter().filter(|operation| matches!(operation.kind, Kind::Verify | Kind::Cookie)).count();
    while shown() < count {
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

/// Counts what a node sends to its stores while sessions of a system that lets stamps be sent again are shown to it again
/// and again, less what it sends at rest. What is left goes by time: rates are settled ten times a second.
async fn count_calls(cluster: &Cluster, form: Form, found: &mut Vec<String>) -> Result<String, Failure> {
    let usual = cluster.client();
    let frontend = Arc::new(Frontend::of(Some(REUSING))?);
    let client = Client::new(frontend, Arc::clone(&usual.addresses), Arc::clone(&usual.history));
    // Of a user of whom nothing was heard a moment ago.
    let session = client.clone().login(0, USERS - 1).await.ok_or("no login without a fault")?;
    let proof = session.current().ok_or("a session without a proof")?;
    let callers = 16_u32;
    let each = form.pick(250, 2_500);
    let calls = || (cluster.links[0].postgres.calls(), cluster.links[0].redis.calls());
    client.clone().verify(0, &session, &proof).await;
    let (before, began) = (calls(), Instant::now());
    let shown = (0..callers).map(|_| {
        let (mut client, session, proof) = (client.clone(), Arc::clone(&session), proof.clone());
        tokio::spawn(async move {
            for _ in 0..each {
                if client.verify(0, &session, &proof).await != Outcome::Accepted {
                    return false;
                }
            }
            true
        })
    });
    for all_accepted in join_all(shown).await {
        if !all_accepted? {
            return Err("a session is refused without a fault".into());
        }
    }
    let (busy, time) = (calls(), began.elapsed());
    tokio::time::sleep(time).await;
    let rest = calls();
    let count = callers * each;
    let each = |before: u64, busy: u64, rest: u64| {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let calls = (busy - before) as f64 - (rest - busy) as f64;
        calls / f64::from(count)
    };
    let (postgres, redis) = (each(before.0, busy.0, rest.0), each(before.1, busy.1, rest.1));
    if postgres.max(redis) > CALLS {
        found.push(format!("a verification makes {postgres:.3} calls to Postgres and {redis:.3} to Redis"));
    }
    Ok(format!(
        "store calls of one verification, of {count} in {} ms: Postgres {postgres:.3}, Redis {redis:.3} (rates are settled ten times a second)",
        time.as_millis()
    ))
}
