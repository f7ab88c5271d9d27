//! Every old proof again, on every node, when the fault is over and after restarts; and what was acknowledged and never
//! signed out must be there.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::client::Client;
use crate::frontend::Proof;
use crate::history::{Outcome, Session};

/// How many callers share the work.
const CALLERS: usize = 8;

/// Shows the proofs of the sessions again. Answers the numbers of those that were never signed out and are gone.
pub(crate) async fn replay(client: &Client, sessions: &[Arc<Session>]) -> Vec<usize> {
    let shares = (0..CALLERS).map(|caller| share(client.clone(), sessions.iter().skip(caller).step_by(CALLERS)));
    join_all(shares).await.into_iter().flatten().collect()
}

async fn share(mut client: Client, sessions: impl Iterator<Item = &Arc<Session>>) -> Vec<usize> {
    let mut lost = Vec::new();
    for session in sessions {
        if session.signed_out.get().is_some() {
            show_all(&mut client, session).await;
        } else if session.leaving.get().is_none() && is_lost(&mut client, session).await {
            lost.push(session.number);
        }
    }
    lost
}

async fn show_all(client: &mut Client, session: &Session) {
    let proofs = session.proofs();
    for node in Arc::clone(&client.targets).iter().copied() {
        for proof in &proofs {
            client.verify(node, session, proof).await;
        }
        for proof in [proofs.last(), proofs.first()].into_iter().flatten() {
            if let Proof::Pair { refresh, .. } = proof {
                client.refresh(node, session, refresh).await;
            }
        }
    }
}

/// A session that was opened, and whose last refresh was answered, is still there with that refresh.
async fn is_lost(client: &mut Client, session: &Session) -> bool {
    for node in Arc::clone(&client.targets).iter().copied() {
        let Some(proof) = session.current() else { return true };
        // An access token is refused for its time too, where a node's clock was wrong.
        let outcome = match &proof {
            Proof::Pair { refresh, .. } => client.refresh(node, session, refresh).await,
            Proof::Cookie(_) => client.verify(node, session, &proof).await,
        };
        if outcome == Outcome::Refused {
            return true;
        }
    }
    false
}
