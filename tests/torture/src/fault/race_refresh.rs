//! Refreshes at the same time as a logout, and a hundred refreshes at the same time, on all nodes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, join_all};
use tokio::sync::Barrier;

use crate::Failure;
use crate::client::Client;
use crate::cluster::{Cluster, NODES, USERS};
use crate::form::Form;
use crate::frontend::Proof;
use crate::history::{Outcome, Session};
use crate::scenario::{Scenario, Trial};

/// A logout and a refresh.
pub(crate) const WITH_LOGOUT: Scenario = Scenario {
    name: "race-logout-refresh",
    about: "a logout and a refresh at the same moment; refreshes that sleep while a logout passes",
    guards: &["RotateLive", "ExtendAccess"],
    run: with_logout,
};

/// A hundred refreshes.
pub(crate) const WITH_ITSELF: Scenario = Scenario {
    name: "race-refreshes",
    about: "100 refreshes of one token at the same moment, on all nodes",
    guards: &["RotateOnce"],
    run: with_itself,
};

/// How many refreshes there are.
const REFRESHES: usize = 100;

/// How long a refresh sleeps, and how soon after its start the logout is sent.
const ASLEEP: Duration = Duration::from_millis(500);
const HEAD_START: Duration = Duration::from_millis(150);

/// Sessions that race at the same time.
const AT_ONCE: usize = 10;

fn with_logout(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let client = cluster.client();
        let rounds = form.rounds(20);
        for _ in 0..rounds / AT_ONCE {
            join_all((0..AT_ONCE).map(|number| race(client.clone(), number))).await;
        }
        let mut found = Vec::new();
        for (point, first) in [("refresh.read", false), ("refresh.lost", true)] {
            let failpoint = format!("{point}=wait:{}", ASLEEP.as_millis());
            cluster.restart_node(0, &[("BO_AUTH_FAILPOINTS", failpoint.as_str())]).await?;
            // Until the killed node's lease has run out, each logout waits longer than anybody sleeps here.
            cluster.recovered().await?;
            for _ in 0..form.pick(1, 20) {
                let sleepers = join_all((0..AT_ONCE).map(|user| sleep_through(client.clone(), user, first))).await;
                let revived = sleepers.into_iter().filter(|revived| *revived).count();
                found.extend((0..revived).map(|_| format!("a pair was given out at {point} after the logout's reply")));
            }
        }
        cluster.restart_node(0, &[]).await?;
        let notes = vec![format!("{rounds} rounds")];
        Ok(Trial { history: Arc::clone(&client.history), found, notes, ..Trial::default() })
    })
}

/// One logout and one refresh, released together on two nodes; the check judges what comes after.
async fn race(mut client: Client, number: usize) {
    let Some(session) = client.login(number % NODES, number % USERS).await else { return };
    let Some(proof @ Proof::Pair { .. }) = session.current() else { return };
    let Proof::Pair { refresh, .. } = &proof else { return };
    let barrier = Barrier::new(2);
    let mut other = client.clone();
    let here = async {
        barrier.wait().await;
        client.logout(number % NODES, &session, &proof).await
    };
    let there = async {
        barrier.wait().await;
        other.refresh((number + 1) % NODES, &session, refresh).await
    };
    tokio::join!(here, there);
    // Whatever the refresh was given, it is worth nothing by now.
    for proof in session.proofs() {
        for node in 0..NODES {
            other.verify(node, &session, &proof).await;
        }
        if let Proof::Pair { refresh, .. } = &proof {
            other.refresh(number % NODES, &session, refresh).await;
        }
    }
}

/// A refresh on the node where it falls asleep, and a logout elsewhere meanwhile. True where the refresh succeeds although the
/// logout was answered before it woke. `lost`: somebody else has refreshed before, so that it has nothing to rotate.
async fn sleep_through(mut client: Client, user: usize, lost: bool) -> bool {
    let Some(session) = client.login(1, user % USERS).await else { return false };
    let Some(Proof::Pair { access, refresh }) = session.current() else { return false };
    if lost && client.refresh(1, &session, &refresh).await != Outcome::Accepted {
        return false;
    }
    let mut sleeper = client.clone();
    let (sleeping, asleep) = (Arc::<Session>::clone(&session), refresh.clone());
    let began = Instant::now();
    let sleeping = tokio::spawn(async move { sleeper.refresh(0, &sleeping, &asleep).await });
    tokio::time::sleep(HEAD_START).await;
    let (left, _) = client.logout(2, &session, &Proof::Pair { access, refresh }).await;
    // It wakes no sooner than so long after it was sent.
    let in_time = left == Outcome::Accepted && session.signed_out.get().is_some_and(|signed_out| *signed_out < began + ASLEEP);
    let outcome = sleeping.await.unwrap_or(Outcome::Failed);
    in_time && outcome == Outcome::Accepted
}

fn with_itself(cluster: &mut Cluster, form: Form) -> BoxFuture<'_, Result<Trial, Failure>> {
    Box::pin(async move {
        let mut client = cluster.client();
        let mut racers: Vec<Client> = (0..form.pick(30, REFRESHES)).map(|_| client.clone()).collect();
        let mut found = Vec::new();
        let rounds = form.rounds(8);
        for round in 0..rounds {
            let session = client.login(round % NODES, round % USERS).await.ok_or("no login without a fault")?;
            let Some(Proof::Pair { refresh, .. }) = session.current() else { return Err("a login without a pair".into()) };
            let refreshes = racers.iter_mut().enumerate().map(|(number, racer)| racer.refresh(number % NODES, &session, &refresh));
            let refused = join_all(refreshes).await.into_iter().filter(|outcome| *outcome != Outcome::Accepted).count();
            if refused > 0 {
                found.push(format!("{refused} of {} refreshes at once were not answered with a pair", racers.len()));
            }
            if round % 1_000 == 999 {
                crate::report::say(&format!("    {} of {rounds} rounds", round + 1));
            }
        }
        let notes = vec![format!("{rounds} rounds of {} refreshes", racers.len())];
        Ok(Trial { history: Arc::clone(&client.history), found, notes, ..Trial::default() })
    })
}
