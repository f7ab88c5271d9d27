//! No fault: how many calls a verification makes to the stores, and how soon a logout holds everywhere. The load leaves the machine
//! time to spare: what is measured is the way to the other nodes, not the wait for a processor.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, join_all};

use crate::Failure;
use crate::client::Client;
use crate::cluster::{Cluster, NODES, USERS};
use crate::form::Form;
use crate::frontend::{Frontend, REUSING};
use crate::history::{History, Outcome};
use crate::load::Weight;
use crate::report::say;
use crate::scenario::{Scenario, Trial};

/// The scenario.
pub(crate) const SCENARIO: Scenario = Scenario { name: "none", about: "no fault", guards: &[], run };

/// How long a caller of the long form rests: together they ask some 1,700 times a second.
const REST: Duration = Duration::from_millis(8);

/// How often the long form says how far it is.
const PROGRESS: Duration = Duration::from_mins(1);

/// So many calls to a store a verification may make: none of its own, and its share of what goes by time.
const CALLS: f64 = 0.05;

fn run(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let mut found = Vec::new();
        let mut notes = vec![count_calls(cluster, form, &mut found).await?];
        let mut before = Vec::new();
        for node in 0..NODES {
            before.push(Announced::of(cluster, node).await?);
        }
        // The replayers show as much again as those whose sessions they are.
        let (rest, verifies, refreshes) = form.pick((Duration::ZERO, 4, 4), (REST, 60, 40));
        let load = cluster.load_of(Weight { workers: 8, replayers: 8, verifies, refreshes, rest, users: USERS });
        load.until_signed_out(form.rounds(150)).await;
        if form.is_long() {
            until_shown(&load.history, 100 * form.rounds(0)).await;
        }
        let mut trial = Trial { found, ..Trial::of(load, None).await? };
        let slow = trial.history.operations().iter().filter(|operation| operation.outcome == Outcome::Failed).count();
        if slow > 0 {
            trial.found.push(format!("{slow} operations failed without a fault"));
        }
        let mut all = Announced::default();
        for (node, before) in before.into_iter().enumerate() {
            let without_lease = cluster.metric(node, "bo_auth_verifications_without_lease_total").await?;
            notes.push(format!("node {}: {without_lease} checks without a lease", node + 1));
            all = all.and(Announced::of(cluster, node).await?.since(before));
        }
        notes.push(format!("{} of {} announcements were applied everywhere within 5 ms", all.soon, all.count));
        // A dev build beside other builds would be judged for those.
        if form.is_long() && all.soon < all.count * 0.99 {
            trial.found.push("more than one announcement in a hundred took longer than 5 ms to be applied everywhere".to_owned());
        }
        trial.notes = notes;
        Ok(trial)
    })
}

/// A node's announcements, and those that were applied everywhere within 5 ms of their commit.
#[derive(Debug, Default, Clone, Copy)]
struct Announced {
    count: f64,
    soon: f64,
}

impl Announced {
    async fn of(cluster: &Cluster, node: usize) -> Result<Self, Failure> {
        let count = cluster.metric(node, "bo_auth_revoke_to_deny_seconds_count").await?;
        let soon = cluster.metric(node, "bo_auth_revoke_to_deny_seconds_bucket{le=\"0.005\"}").await?;
        Ok(Self { count, soon })
    }

    fn and(self, other: Self) -> Self {
        Self { count: self.count + other.count, soon: self.soon + other.soon }
    }

    fn since(self, before: Self) -> Self {
        Self { count: self.count - before.count, soon: self.soon - before.soon }
    }
}

/// Waits until proofs were shown so often, and says how far it is.
async fn until_shown(history: &History, count: usize) {
    let mut said = Instant::now();
    while history.shown() < count {
        tokio::time::sleep(Duration::from_millis(200)).await;
        if said.elapsed() > PROGRESS {
            said = Instant::now();
            say(&format!("    {} of {count} verifications", history.shown()));
        }
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
