//! A reader that has read a profile falls asleep before it fills the cache, while a logout of that user passes: what it read
//! must not come back.

use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::time::{Clock, SystemClock};
use futures_util::future::BoxFuture;

use crate::Failure;
use crate::cluster::Cluster;
use crate::form::Form;
use crate::history::Outcome;
use crate::scenario::{Scenario, Trial};

/// The scenario.
pub(crate) const SCENARIO: Scenario = Scenario {
    name: "refill-paused",
    about: "a cache refill paused between read and write while a logout passes",
    guards: &["RefillLease", "FrontPlace"],
    run,
};

/// How long the reader sleeps, and how soon after its start the logout is sent.
const ASLEEP: Duration = Duration::from_millis(500);
const HEAD_START: Duration = Duration::from_millis(200);

fn run(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let failpoint = format!("refill.read=wait:{}", ASLEEP.as_millis());
        cluster.restart_node(0, &[("BO_AUTH_FAILPOINTS", failpoint.as_str())]).await?;
        let mut client = cluster.client();
        let mut found = Vec::new();
        for user in 0..form.pick(3, 8) {
            let mut sessions = Vec::new();
            for _ in 0..3 {
                sessions.push(client.login(1, user).await.ok_or("no login without a fault")?);
            }
            let proofs: Vec<_> = sessions.iter().filter_map(|session| session.current()).collect();
            // The reader's node knows the tenant; the profile is not in the cache after this logout.
            client.verify(0, &sessions[2], &proofs[2]).await;
            client.logout(1, &sessions[0], &proofs[0]).await;
            let (mut reader, session, proof) = (client.clone(), Arc::clone(&sessions[2]), proofs[2].clone());
            let reading = tokio::spawn(async move { reader.verify(0, &session, &proof).await });
            tokio::time::sleep(HEAD_START).await;
            let passed = SystemClock.now();
            if client.logout(1, &sessions[1], &proofs[1]).await.0 != Outcome::Accepted {
                return Err("no logout without a fault".into());
            }
            reading.await?;
            // The reader's node may remember it, and the cache may hold it, where another node finds it.
            for node in [0, 1] {
                let answer = client.send(node, &client.frontend.verify(&proofs[2])).await?.json();
                let fetched = answer["cacheDate"].as_str().ok_or("a current user without a cacheDate")?.to_owned();
                if fetched < passed.to_string() {
                    found.push(format!("a profile of {fetched} is shown by node {} after a logout at {passed}", node + 1));
                }
            }
        }
        cluster.restart_node(0, &[]).await?;
        Ok(Trial { history: Arc::clone(&client.history), found, ..Trial::default() })
    })
}
