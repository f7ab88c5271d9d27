//! The mixed load: sessions that are opened, shown, refreshed and signed out on any node, and shown again right after.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Failure;
use crate::client::Client;
use crate::dice::Dice;
use crate::frontend::Proof;
use crate::history::{History, Outcome, Session};

/// How heavy it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weight {
    /// How many sessions are under way at a time.
    pub(crate) workers: usize,
    /// How many callers show proofs of any session, over or not.
    pub(crate) replayers: usize,
    /// How often a session is shown before it is signed out, on average.
    pub(crate) verifies: usize,
    /// One in so many calls is a refresh.
    pub(crate) refreshes: usize,
    /// How long a caller rests between two calls.
    pub(crate) rest: Duration,
    /// How many users there are.
    pub(crate) users: usize,
}

/// One session in so many is never signed out: what was acknowledged must be there in the end.
const KEPT: usize = 8;

/// How often a logout that failed is tried again, and how long is waited in between.
const LOGOUTS: usize = 6;
const BETWEEN_LOGOUTS: Duration = Duration::from_millis(80);

/// A load that runs.
pub(crate) struct Load {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    pub(crate) history: Arc<History>,
}

impl Load {
    /// Starts it.
    pub(crate) fn start(client: &Client, weight: Weight) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for _ in 0..weight.workers {
            let worker = Worker {
                client: client.clone(),
                probes: client.targets.iter().map(|_| client.clone()).collect(),
                dice: Dice::new(),
                weight,
                stopped: stopped.clone(),
            };
            tasks.spawn(worker.run());
        }
        for _ in 0..weight.replayers {
            tasks.spawn(replay(client.clone(), weight, stopped.clone()));
        }
        Self { stop, tasks, history: Arc::clone(&client.history) }
    }

    /// Lets time pass.
    pub(crate) async fn run_for(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Waits until so many sessions have been signed out.
    pub(crate) async fn until_signed_out(&self, count: usize) {
        while self.history.signed_out() < count {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Lets every session under way come to its end.
    pub(crate) async fn finish(mut self) -> Result<Arc<History>, Failure> {
        self.stop.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            ended?;
        }
        Ok(self.history)
    }
}

struct Worker {
    client: Client,
    /// One for each node, so that all can be asked at the same moment.
    probes: Vec<Client>,
    dice: Dice,
    weight: Weight,
    stopped: watch::Receiver<bool>,
}

impl Worker {
    async fn run(mut self) {
        while !*self.stopped.borrow() {
            self.one_session().await;
        }
    }

    fn any_node(&mut self) -> usize {
        self.client.targets[self.dice.below(self.client.targets.len())]
    }

    async fn one_session(&mut self) {
        let (node, user) = (self.any_node(), self.dice.below(self.weight.users));
        let by_cookie = self.dice.one_in(4);
        let opened = if by_cookie { self.client.cookie_login(node, user).await } else { self.client.login(node, user).await };
        let Some(session) = opened else { return tokio::time::sleep(BETWEEN_LOGOUTS).await };
        for _ in 0..=self.dice.below(2 * self.weight.verifies) {
            if *self.stopped.borrow() {
                break;
            }
            self.one_call(&session).await;
            tokio::time::sleep(self.weight.rest).await;
        }
        if !self.dice.one_in(KEPT) {
            self.leave(&session).await;
        }
    }

    async fn one_call(&mut self, session: &Session) {
        let node = self.any_node();
        match session.current() {
            Some(Proof::Pair { refresh, .. }) if self.dice.one_in(self.weight.refreshes) => {
                if !self.dice.one_in(3) {
                    self.client.refresh(node, session, &refresh).await;
                    return;
                }
                // A client that lost its answer asks again, perhaps elsewhere and at the same time.
                let other = self.dice.below(self.probes.len());
                let beside = self.client.targets[other];
                tokio::join!(self.client.refresh(node, session, &refresh), self.probes[other].refresh(beside, session, &refresh));
            }
            Some(proof) => {
                self.client.verify(node, session, &proof).await;
            }
            None => {}
        }
    }

    /// Signs out, one time in four beside a refresh on another node; then every node is asked at once.
    async fn leave(&mut self, session: &Session) {
        let Some(proof) = session.current() else { return };
        for _ in 0..LOGOUTS {
            let node = self.any_node();
            let racing = self.dice.one_in(4);
            let outcome = match &proof {
                Proof::Pair { refresh, .. } if racing => {
                    let other = self.dice.below(self.probes.len());
                    let beside = self.client.targets[other];
                    let other = &mut self.probes[other];
                    let (left, _) = tokio::join!(self.client.logout(node, session, &proof), other.refresh(beside, session, refresh));
                    left.0
                }
                _ => self.client.logout(node, session, &proof).await.0,
            };
            match outcome {
                Outcome::Accepted => return self.probe(session, &proof).await,
                Outcome::Refused => return,
                Outcome::Failed => tokio::time::sleep(BETWEEN_LOGOUTS).await,
            }
        }
    }

    async fn probe(&mut self, session: &Session, proof: &Proof) {
        let targets = Arc::clone(&self.client.targets);
        join_all(self.probes.iter_mut().zip(targets.iter()).map(|(client, node)| client.verify(*node, session, proof))).await;
        if let Proof::Pair { refresh, .. } = proof {
            let node = self.any_node();
            self.client.refresh(node, session, refresh).await;
        }
    }
}

/// Shows any proof of any session to any node, again and again.
async fn replay(mut client: Client, weight: Weight, stopped: watch::Receiver<bool>) {
    let mut dice = Dice::new();
    while !*stopped.borrow() {
        tokio::time::sleep(weight.rest).await;
        let Some(session) = client.history.session(dice.below(usize::MAX)) else { continue };
        let proofs = session.proofs();
        let proof = &proofs[dice.below(proofs.len())];
        let node = client.targets[dice.below(client.targets.len())];
        client.verify(node, &session, proof).await;
        // An older generation of a session that lives would be taken for theft.
        // What is over is refreshed four times as often as what lives: it must be refused.
        let refreshes = dice.one_in(weight.refreshes.div_ceil(4));
        if let (true, Proof::Pair { refresh, .. }, Some(_)) = (refreshes, proof, session.signed_out.get()) {
            client.refresh(node, &session, refresh).await;
        }
    }
}
