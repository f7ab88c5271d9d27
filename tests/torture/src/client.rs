//! One caller of all nodes: sends an operation to a node, judges the answer and records it.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use crate::frontend::{Frontend, Proof};
use crate::history::{History, Kind, Operation, Outcome, Session};
use crate::node::Addresses;
use crate::wire::{Answer, Connection};

/// A caller, with a connection to each node that it has called.
pub(crate) struct Client {
    pub(crate) frontend: Arc<Frontend>,
    pub(crate) addresses: Addresses,
    pub(crate) history: Arc<History>,
    /// The nodes that a load calls.
    pub(crate) targets: Arc<[usize]>,
    connections: Vec<Option<Connection>>,
}

impl Clone for Client {
    fn clone(&self) -> Self {
        let client = Self::new(Arc::clone(&self.frontend), Arc::clone(&self.addresses), Arc::clone(&self.history));
        Self { targets: Arc::clone(&self.targets), ..client }
    }
}

impl Client {
    pub(crate) fn new(frontend: Arc<Frontend>, addresses: Addresses, history: Arc<History>) -> Self {
        let connections = addresses.iter().map(|_| None).collect();
        let targets = (0..addresses.len()).collect();
        Self { frontend, addresses, history, targets, connections }
    }

    /// The same for a load that calls some of the nodes only.
    pub(crate) fn of_nodes(&self, nodes: &[usize]) -> Self {
        Self { targets: nodes.into(), ..self.clone() }
    }

    /// Signs a user in.
    pub(crate) async fn login(&mut self, node: usize, user: usize) -> Option<Arc<Session>> {
        let request = self.frontend.login(&account(user));
        let (operation, answer) = self.ask(node, Kind::Login, None, &request).await;
        self.opened(operation, answer.as_ref().and_then(pair_of))
    }

    /// Signs a user in with the v1.0 contract.
    pub(crate) async fn cookie_login(&mut self, node: usize, user: usize) -> Option<Arc<Session>> {
        let (operation, answer) = self.ask(node, Kind::Login, None, &Frontend::cookie_login(&mobile(user))).await;
        self.opened(operation, answer.and_then(|answer| answer.cookie).map(Proof::Cookie))
    }

    fn opened(&self, mut operation: Operation, proof: Option<Proof>) -> Option<Arc<Session>> {
        let session = proof.filter(|_| operation.outcome == Outcome::Accepted).map(|proof| self.history.open(proof));
        operation.session = session.as_ref().map(|session| session.number);
        self.history.record(operation);
        session
    }

    /// Shows a proof of a session: an access token or a cookie.
    pub(crate) async fn verify(&mut self, node: usize, session: &Session, proof: &Proof) -> Outcome {
        let kind = if matches!(proof, Proof::Cookie(_)) { Kind::Cookie } else { Kind::Verify };
        let request = self.frontend.verify(proof);
        let (operation, _) = self.ask(node, kind, Some(session), &request).await;
        let outcome = operation.outcome;
        self.history.record(operation);
        outcome
    }

    /// Refreshes a pair. The next one becomes the session's current proof.
    pub(crate) async fn refresh(&mut self, node: usize, session: &Session, refresh: &str) -> Outcome {
        let request = self.frontend.refresh(refresh);
        let (operation, answer) = self.ask(node, Kind::Refresh, Some(session), &request).await;
        let outcome = operation.outcome;
        if outcome == Outcome::Accepted
            && let Some(next) = answer.as_ref().and_then(pair_of)
        {
            session.succeed(refresh, next);
        }
        self.history.record(operation);
        outcome
    }

    /// Signs a session out. Answers whether the receipt says that this call has ended it.
    pub(crate) async fn logout(&mut self, node: usize, session: &Session, proof: &Proof) -> (Outcome, bool) {
        let request = self.frontend.logout(proof);
        self.leave(node, session, &request).await
    }

    async fn leave(&mut self, node: usize, session: &Session, request: &str) -> (Outcome, bool) {
        session.leaving.get_or_init(Instant::now);
        let (operation, answer) = self.ask(node, Kind::Logout, Some(session), request).await;
        let outcome = operation.outcome;
        if outcome == Outcome::Accepted {
            self.history.sign_out(session, operation.ended);
        }
        self.history.record(operation);
        let first = answer.is_some_and(|answer| answer.json()["data"]["alreadyEnded"] == false);
        (outcome, first)
    }

    /// Signs out all sessions of a session's user.
    pub(crate) async fn logout_all(&mut self, node: usize, session: &Session, proof: &Proof) -> Outcome {
        let request = self.frontend.logout(proof).replacen("&_nodejs=", "&scope=all&_nodejs=", 1);
        self.leave(node, session, &request).await.0
    }

    /// Sends a request. A connection that breaks is opened anew for the next one.
    async fn ask(&mut self, node: usize, kind: Kind, session: Option<&Session>, request: &str) -> (Operation, Option<Answer>) {
        let began = Instant::now();
        let answer = self.send(node, request).await;
        let ended = Instant::now();
        let (outcome, code) = match &answer {
            Ok(answer) => judge(answer),
            Err(_) => (Outcome::Failed, Some("no answer".into())),
        };
        let session = session.map(|session| session.number);
        (Operation { session, kind, node, began, ended, outcome, code }, answer.ok())
    }

    /// Sends a request that is not recorded.
    pub(crate) async fn send(&mut self, node: usize, request: &str) -> io::Result<Answer> {
        let mut connection = match self.connections[node].take() {
            Some(connection) => connection,
            None => Connection::open(self.addresses[node]).await?,
        };
        let answer = connection.send(request).await?;
        self.connections[node] = Some(connection);
        Ok(answer)
    }
}

/// What an answer means. A failure of the service is not a refusal of what was shown.
fn judge(answer: &Answer) -> (Outcome, Option<Box<str>>) {
    let code = answer.code();
    let outcome = match code.as_str() {
        "OK" if answer.status == 200 => return (Outcome::Accepted, None),
        "4001" | "4500" | "4501" | "4201" | "RATE_LIMITED" | "REQUEST_TIMEOUT" => Outcome::Failed,
        _ if answer.status >= 500 => Outcome::Failed,
        _ => Outcome::Refused,
    };
    (outcome, Some(code.into()))
}

fn pair_of(answer: &Answer) -> Option<Proof> {
    let json = answer.json();
    let text = |name: &str| json["data"]["token"][name].as_str().map(str::to_owned);
    Some(Proof::Pair { access: text("accessToken")?, refresh: text("refreshToken")? })
}

/// The account of a user, by number.
pub(crate) fn account(user: usize) -> String {
    format!("user{user}")
}

/// The mobile number of a user, by number.
pub(crate) fn mobile(user: usize) -> String {
    format!("1380000{user:04}")
}
