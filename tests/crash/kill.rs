//! Killed in the middle of a storm of logouts, a server that starts on the same stores refuses every session whose logout
//! was acknowledged, and has told of each end once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::random::{Random, SystemRandom};
use bo_auth_core::time::{Clock, SystemClock};
use bo_auth_store::Db;
use bo_auth_store::record::AuditFilter;
use futures_util::future::join_all;
use tokio::sync::{Mutex, Notify};

use crate::process::{Connection, Frontend, Pair, Place, Server, new_owner};
use crate::support::TestApp;

const ROUNDS: usize = 10;
const SESSIONS: usize = 200;
const CLIENTS: usize = 20;

one_backend!(Local: what_was_acknowledged_holds_on_sqlite);
one_backend!(Redis: what_was_acknowledged_holds_on_postgres);

async fn what_was_acknowledged_holds_on_sqlite(app: TestApp) {
    what_was_acknowledged_before_a_kill_holds(app).await;
}

async fn what_was_acknowledged_holds_on_postgres(app: TestApp) {
    what_was_acknowledged_before_a_kill_holds(app).await;
}

/// A session, with the pair before its current one where it was refreshed.
#[derive(Clone)]
struct Proofs {
    earlier: Option<Pair>,
    current: Pair,
}

impl Proofs {
    fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.earlier.iter().chain([&self.current])
    }
}

async fn what_was_acknowledged_before_a_kill_holds(app: TestApp) {
    let place = Place::of(&app).await;
    let frontend = place.with_tenant(&new_owner("crash")).await;
    let (mut acknowledged, mut in_flight) = (0, 0);
    let mut server = place.serve(&[]).await;
    for _ in 0..ROUNDS {
        let sessions = open(&server, &frontend).await;
        let (signed_out, unanswered) = storm(server, &frontend, &sessions).await;
        server = place.serve(&[]).await;
        replay(&server, &frontend, &sessions, &signed_out).await;
        acknowledged += signed_out.len();
        in_flight += unanswered;
    }
    // Telling the server of a change makes it announce at once what the killed ones have left in the outbox.
    let ended = place.json(&["session", "end", "--owner", &frontend.owner, "--account", "lin"]).await;
    assert_eq!(ended["endedSessions"], 0, "all have signed out by now");
    server.stop().await;
    assert!(acknowledged > 0 && in_flight > 0, "{acknowledged} were acknowledged, {in_flight} were under way");
    assert_all_told(&app, &place, &frontend.owner).await;
}

/// Opens sessions; every other one is refreshed once.
async fn open(server: &Server, frontend: &Frontend) -> Arc<[Proofs]> {
    let (address, share) = (server.address(), SESSIONS / CLIENTS);
    let clients = (0..CLIENTS).map(|_| {
        let frontend = frontend.clone();
        tokio::spawn(async move {
            let mut connection = Connection::open(address).await.unwrap();
            let mut opened = Vec::new();
            for number in 0..share {
                let current = Pair::of(&connection.send(&frontend.login()).await.unwrap());
                opened.push(if number % 2 == 0 {
                    Proofs { earlier: None, current }
                } else {
                    let next = Pair::of(&connection.send(&frontend.refresh(&current)).await.unwrap());
                    Proofs { earlier: Some(current), current: next }
                });
            }
            opened
        })
    });
    join_all(clients).await.into_iter().flat_map(Result::unwrap).collect()
}

/// Signs sessions out, and kills the server at a random moment. Answers the numbers of the sessions whose logout was
/// acknowledged, and how many logouts got no answer.
async fn storm(server: Server, frontend: &Frontend, sessions: &Arc<[Proofs]>) -> (Vec<usize>, usize) {
    let mut random = [0; 1];
    SystemRandom::default().fill(&mut random);
    let fatal = 1 + usize::from(random[0]) * (SESSIONS - 2) / 255;
    let queue = Arc::new(Mutex::new((0..SESSIONS).collect::<VecDeque<_>>()));
    let (answered, reached) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let address = server.address();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (frontend, sessions, queue) = (frontend.clone(), Arc::clone(sessions), Arc::clone(&queue));
            let (answered, reached) = (Arc::clone(&answered), Arc::clone(&reached));
            tokio::spawn(async move {
                let mut signed_out = Vec::new();
                let Ok(mut connection) = Connection::open(address).await else { return (signed_out, 0) };
                while let Some(number) = { queue.lock().await.pop_front() } {
                    let method = if number % 2 == 0 { "GET" } else { "DELETE" };
                    let Ok(answer) = connection.send(&frontend.logout(method, &sessions[number].current)).await else {
                        return (signed_out, 1);
                    };
                    assert_eq!((answer.status, answer.body.as_str()), (200, Frontend::SIGNED_OUT));
                    signed_out.push(number);
                    if answered.fetch_add(1, Ordering::Relaxed) + 1 == fatal {
                        reached.notify_one();
                    }
                }
                (signed_out, 0)
            })
        })
        .collect();
    reached.notified().await;
    server.kill().await;
    let outcomes: Vec<_> = join_all(clients).await.into_iter().map(Result::unwrap).collect();
    let unanswered = outcomes.iter().map(|(_, unanswered)| unanswered).sum();
    (outcomes.into_iter().flat_map(|(signed_out, _)| signed_out).collect(), unanswered)
}

/// Sends every proof again: what was acknowledged is refused; of the rest, a session has ended with all its proofs or lives
/// with all that are current.
async fn replay(server: &Server, frontend: &Frontend, sessions: &Arc<[Proofs]>, signed_out: &[usize]) {
    let address = server.address();
    let clients = (0..CLIENTS).map(|client| {
        let (frontend, sessions, signed_out) = (frontend.clone(), Arc::clone(sessions), signed_out.to_vec());
        tokio::spawn(async move {
            let mut connection = Connection::open(address).await.unwrap();
            for (number, proofs) in sessions.iter().enumerate().filter(|(number, _)| number % CLIENTS == client) {
                let expected = if signed_out.contains(&number) {
                    "SESSION_LOGGED_OUT".to_owned()
                } else {
                    connection.send(&frontend.current(&proofs.current)).await.unwrap().code()
                };
                assert!(matches!(expected.as_str(), "OK" | "SESSION_LOGGED_OUT"), "{expected}");
                for pair in proofs.pairs() {
                    assert_eq!(connection.send(&frontend.current(pair)).await.unwrap().code(), expected);
                    // The pair before the current one is renewed with the current one: no generation is skipped.
                    assert_eq!(connection.send(&frontend.refresh(pair)).await.unwrap().code(), expected);
                }
                let again = connection.send(&frontend.logout("GET", &proofs.current)).await.unwrap();
                assert_eq!(again.body, Frontend::SIGNED_OUT, "whoever asks again is answered the same");
            }
        })
    });
    for outcome in join_all(clients).await {
        outcome.unwrap();
    }
}

/// Asserts that every session has ended, that the audit trail tells of each end once, and that nothing is left to be told.
async fn assert_all_told(app: &TestApp, place: &Place, owner: &str) {
    let db = match app.database_url() {
        Some(url) => Db::connect_postgres(url, 2).await.unwrap(),
        None => Db::connect_sqlite(&place.data().join("bo-auth.db")).await.unwrap(),
    };
    let owner_id = OwnerId::parse(owner).unwrap();
    assert_eq!(db.pending_events(1_000, SystemClock.now()).await.unwrap(), [], "the outbox is empty after a shutdown");
    let sessions = db.list_sessions(&owner_id, None, false, None, i64::MAX).await.unwrap();
    let filter = AuditFilter { kind: Some("session.ended".to_owned()), ..AuditFilter::default() };
    let events = db.list_audit_events(&owner_id, &filter, None, i64::MAX).await.unwrap();
    db.close().await;
    let mut ended: Vec<_> = sessions.iter().filter(|session| session.ended.is_some()).map(|session| session.session_id).collect();
    let mut ends: Vec<_> = events.iter().filter_map(|event| event.session_id).collect();
    ended.sort_unstable();
    ends.sort_unstable();
    assert_eq!(ended.len(), ROUNDS * SESSIONS);
    assert_eq!(ended, ends);
}
