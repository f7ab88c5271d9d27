//! Tells everyone that sessions have ended, once the database knows.

use std::sync::{Arc, Mutex, PoisonError};

use bo_auth_store::record::{EndOutcome, EndedSession, NotBefore, Revoked};
use bo_auth_store::revocation::Revocations;
use bo_auth_store::{Cache, NotPublished};

use crate::legacy_fleet::Shown;

/// Events and marks that have been announced and whose rows may go.
#[derive(Default)]
pub(crate) struct AnnouncedEvents {
    events: Mutex<Vec<i64>>,
    marks: Mutex<Vec<NotBefore>>,
}

impl AnnouncedEvents {
    pub(crate) fn add(&self, events: impl IntoIterator<Item = i64>) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).extend(events);
    }

    pub(crate) fn take(&self) -> Vec<i64> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn add_marks(&self, marks: impl IntoIterator<Item = NotBefore>) {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).extend(marks);
    }

    pub(crate) fn take_marks(&self) -> Vec<NotBefore> {
        std::mem::take(&mut *self.marks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Tells the nodes and the cache. Clones are one and the same.
#[derive(Clone)]
pub(crate) struct Announcer {
    revocations: Revocations,
    cache: Cache,
    shown: Shown,
    /// What has been announced.
    pub(crate) announced: Arc<AnnouncedEvents>,
}

impl Announcer {
    pub(crate) fn new(revocations: Revocations, cache: Cache, shown: Shown) -> Self {
        Self { revocations, cache, shown, announced: Arc::default() }
    }

    /// Makes ended sessions refused on every node, and takes what is theirs out of the cache, both at the same time. The
    /// first must succeed; the second is repeated from the outbox where it fails.
    pub(crate) async fn announce(&self, ended: &[EndedSession]) -> Result<(), NotPublished> {
        self.announce_all(ended, ended, &[]).await
    }

    /// The same for what a change has ended: sessions whose rows say so, and marks.
    pub(crate) async fn announce_revoked(&self, revoked: &Revoked) -> Result<(), NotPublished> {
        self.announce_unfinished(revoked).await?;
        self.announced.add_marks(revoked.finished_marks().cloned());
        Ok(())
    }

    /// Announces the outcomes of one commit. Of a session that had ended before, the call that ended it may not have told
    /// yet: the answer that waits for this must be true as well, so that it is made refused here too.
    pub(crate) async fn announce_outcomes(self, outcomes: Arc<[EndOutcome]>) -> Result<(), NotPublished> {
        let mut sessions = Vec::with_capacity(outcomes.len());
        sessions.extend(outcomes.iter().filter_map(|outcome| match outcome {
            EndOutcome::Ended(session) => Some(session.clone()),
            EndOutcome::AlreadyEnded(_) | EndOutcome::Unknown => None,
        }));
        let ended = sessions.len();
        sessions.extend(outcomes.iter().filter_map(|outcome| match outcome {
            EndOutcome::AlreadyEnded(session) => Some(session.clone()),
            EndOutcome::Ended(_) | EndOutcome::Unknown => None,
        }));
        self.announce_all(&sessions, &sessions[..ended], &[]).await
    }

    /// The same where something else is still to be done about the marks.
    pub(crate) async fn announce_unfinished(&self, revoked: &Revoked) -> Result<(), NotPublished> {
        self.announce_all(&revoked.sessions, &revoked.sessions, &revoked.marks).await
    }

    async fn announce_all(&self, refused: &[EndedSession], ended: &[EndedSession], marks: &[NotBefore]) -> Result<(), NotPublished> {
        if refused.is_empty() && marks.is_empty() {
            return Ok(());
        }
        // In this order: what a node hears of, it may read in the cache again at once. Both use one connection, and what is sent
        // first is done first; where that fails, nodes remember nothing of the user for a second, and the outbox repeats it.
        let (uncached, told) = tokio::join!(biased; self.cache.sessions_ended(ended), self.revocations.announce_all(refused, marks));
        told?;
        match uncached {
            // What old servers may still see is not done here, where many wait for one another; its rows stay for the outbox.
            Ok(()) => self.announced.add(ended.iter().filter(|session| !self.shown.shows(session)).map(|session| session.event_id)),
            Err(error) => tracing::warn!(%error, sessions = ended.len(), "ended sessions are still in the cache; it will be tried again"),
        }
        Ok(())
    }
}
