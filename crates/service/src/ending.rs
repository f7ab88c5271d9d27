//! The one way in which sessions end, whoever ends them: durable first, then refused here and everywhere, then gone
//! from the cache and from what old servers read. What a crash leaves undone is made good from the outbox.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::session::{EndReason, SessionId, time_ordered_id};
use bo_auth_core::time::Timestamp;
use bo_auth_store::record::{Actor, EndOutcome, EndedSession, Ending, NewSession, RequestTrace, Revoked, UserEnding};

use crate::tenant::System;
use crate::{Call, Error, Service};

/// How long past its own expiry an access token is still counted as possibly alive: clocks of nodes may differ.
const CLOCK_ALLOWANCE: Duration = Duration::from_mins(1);

/// How many outbox rows are read at a time, and how often at most.
const OUTBOX_PAGE: i64 = 500;
const OUTBOX_PAGES: usize = 100;

/// What became of one session that was to end.
pub(crate) enum OneEnded {
    /// This call has ended it.
    Now(EndedSession),
    /// It had ended before; `None` where even its row is gone.
    Before(Option<EndedSession>),
}

/// What became of a session that was to be opened.
pub(crate) enum Inserted {
    /// It is open.
    Opened,
    /// The user's password has changed, or the user was disabled, in the meantime.
    Refused,
    /// Another session has its id.
    IdTaken,
    /// A mark refuses it: it must begin at this instant or later.
    TooEarly(Timestamp),
}

impl Call<'_> {
    /// Ends one session of this tenant and tells everyone.
    pub(crate) async fn end_one(
        &self,
        session_id: SessionId,
        reason: EndReason,
        actor: Actor,
        trace: RequestTrace,
    ) -> Result<OneEnded, Error> {
        let service = self.service;
        let ending = Ending {
            owner_id: self.tenant.owner_id.clone(),
            session_id,
            reason,
            actor,
            at: self.now,
            keep_until: keep_until(&self.system, self.now),
            event_id: time_ordered_id(self.now, &*service.random),
            trace,
        };
        service.end_session(ending).await
    }
}

/// Runs work that must not stop half-way when the caller, a connection that may break at any time, is dropped.
async fn carry_out<T: Send + 'static>(work: impl Future<Output = Result<T, Error>> + Send + 'static) -> Result<T, Error> {
    tokio::spawn(work).await.map_err(|error| Error::Internal(Box::new(error)))?
}

/// Until when an access token of the system that was made by `now` could still be alive.
pub(crate) fn keep_until(system: &System, now: Timestamp) -> Timestamp {
    now.plus(Duration::from_secs(u64::from(system.settings.access_token_seconds)) + CLOCK_ALLOWANCE)
}

impl Service {
    /// Ends one session: the commit first, then the announcement; both are done when this returns. They are carried out
    /// to the end even where the caller has gone away in between.
    pub(crate) async fn end_session(&self, ending: Ending) -> Result<OneEnded, Error> {
        // The queue does both, for all who end sessions at the moment, and goes on without its callers.
        Ok(match self.endings.end(ending).await? {
            EndOutcome::Ended(ended) => {
                self.hide_from_old_servers(std::slice::from_ref(&ended)).await;
                OneEnded::Now(ended)
            }
            // The call that ended it may not have come so far yet, and this answer must be true as well.
            EndOutcome::AlreadyEnded(ended) => {
                self.hide_from_old_servers(std::slice::from_ref(&ended)).await;
                OneEnded::Before(Some(ended))
            }
            EndOutcome::Unknown => OneEnded::Before(None),
        })
    }

    /// Ends several sessions of one user, in the same way.
    pub(crate) async fn end_user_sessions(self: &Arc<Self>, ending: UserEnding) -> Result<Revoked, Error> {
        let service = Arc::clone(self);
        carry_out(async move {
            let revoked = service.db.end_user_sessions(&ending).await?;
            service.announcer.announce_revoked(&revoked).await?;
            service.hide_from_old_servers(&revoked.sessions).await;
            Ok(revoked)
        })
        .await
    }

    /// Opens a session and ends those that give way, in the same way.
    pub(crate) async fn insert_session(self: &Arc<Self>, owner_id: OwnerId, new: NewSession) -> Result<Inserted, Error> {
        let service = Arc::clone(self);
        carry_out(async move {
            match service.db.open_session(&owner_id, &new).await {
                Ok(Some(replaced)) => {
                    service.announcer.announce(&replaced).await?;
                    service.hide_from_old_servers(&replaced).await;
                    Ok(Inserted::Opened)
                }
                Ok(None) => Ok(Inserted::Refused),
                Err(bo_auth_store::Error::Exists(_)) => Ok(Inserted::IdTaken),
                Err(bo_auth_store::Error::BeganTooEarly(not_before)) => Ok(Inserted::TooEarly(not_before)),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    /// Announces what the outbox holds from before `before`: work that a crash or an outage interrupted, or that another
    /// call has committed and not announced yet.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where a store does not answer; what was not announced stays in the outbox.
    pub async fn announce_pending(&self, before: Timestamp) -> Result<usize, Error> {
        let (total, uncached) = self.tell_pending(before).await?;
        uncached.map_or(Ok(total), |error| Err(error.into()))
    }

    /// The same for a caller who answers as soon as every node has been told. The shared cache may not have taken it all: the
    /// error beside the number. The outbox repeats that.
    pub(crate) async fn tell_pending(&self, before: Timestamp) -> Result<(usize, Option<bo_auth_store::Error>), Error> {
        self.remove_announced().await?;
        let mut total = 0;
        // Bounded, since others go on ending sessions; the oldest come first.
        for _ in 0..OUTBOX_PAGES {
            let pending = self.db.pending_events(OUTBOX_PAGE, before).await?;
            if pending.is_empty() {
                break;
            }
            // What a node hears of, it may read in the cache again at once; but what the cache does not take must not keep it
            // from hearing.
            let uncached = self.cache.sessions_ended(&pending).await;
            self.revocations.announce(&pending).await?;
            if let Err(error) = uncached {
                // Its rows stay, so that what stands behind a full page cannot be read.
                let is_last = i64::try_from(pending.len()).unwrap_or(OUTBOX_PAGE) < OUTBOX_PAGE;
                return if is_last { Ok((total, Some(error))) } else { Err(error.into()) };
            }
            let still_shown = self.hide_from_old_servers(&pending).await;
            total += pending.len();
            let done = pending.iter().filter(|session| !still_shown.contains(&session.session_id));
            self.announcer.announced.add(done.map(|session| session.event_id));
            self.remove_announced().await?;
            if !still_shown.is_empty() {
                // They are the oldest again next time; those behind them wait for as long as old servers see a session.
                break;
            }
        }
        Ok((total, None))
    }

    /// Removes the outbox rows of what has been announced, and the marks about which nothing is left to do.
    pub(crate) async fn remove_announced(&self) -> Result<(), Error> {
        for mark in self.announcer.announced.take_marks() {
            if let Err(error) = self.db.remove_mark(&mark).await {
                self.announcer.announced.add_marks([mark]);
                return Err(error.into());
            }
        }
        let announced = self.announcer.announced.take();
        for (position, page) in announced.chunks(500).enumerate() {
            if let Err(error) = self.db.remove_events(page).await {
                self.announcer.announced.add(announced.iter().skip(position * 500).copied());
                return Err(error.into());
            }
        }
        Ok(())
    }
}
