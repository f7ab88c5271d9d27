//! What follows a not-before mark: the sessions that it refuses end one by one, each with the one event that its end is.
//! Nobody waits for that; they are refused already.

use std::time::Duration;

use bo_auth_core::time::Timestamp;
use bo_auth_store::record::{PendingMark, Scope};

use crate::user_profile::CachedUser;
use crate::{Error, Service};

/// How many sessions end in one transaction, so that no logout waits long for it.
const PORTION: i64 = 250;

/// How many marks are looked at in a turn.
const MARKS: i64 = 100;

/// For how long a mark is one node's to work on, without a word from it.
const CLAIM: Duration = Duration::from_secs(30);

impl Service {
    /// Ends what marks from before `made_before` refuse, and tells of marks that a crash has kept from being told; answers
    /// how many sessions have ended.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where a store does not answer; what is left is done another time.
    pub async fn finish_marks(&self, made_before: Timestamp) -> Result<usize, Error> {
        let mut total = 0;
        for pending in self.db.pending_marks(made_before, self.clock.now(), MARKS).await? {
            let now = self.clock.now();
            if self.db.claim_mark(&pending.mark, now, now.plus(CLAIM)).await? {
                total += self.finish_mark(&pending).await?;
            }
        }
        Ok(total)
    }

    async fn finish_mark(&self, pending: &PendingMark) -> Result<usize, Error> {
        // Whoever made it may have died before telling. What a node hears of, it may read in the cache again at once.
        let uncached = match &pending.mark.scope {
            Scope::User(user_id) => self.cache.remove::<CachedUser>(&pending.mark.owner_id, user_id.as_str()).await,
            Scope::System(_) | Scope::Tenant => Ok(()),
        };
        self.revocations.announce_all(&[], std::slice::from_ref(&pending.mark)).await?;
        let (mut total, mut after) = (0, None);
        loop {
            let (ended, next) = self.db.end_marked_sessions(pending, after.as_ref(), PORTION, self.clock.now()).await?;
            total += ended.len();
            if !ended.is_empty() {
                self.cache.sessions_ended(&ended).await?;
                let still_shown = self.hide_from_old_servers(&ended).await;
                let done = ended.iter().filter(|session| !still_shown.contains(&session.session_id));
                self.announcer.announced.add(done.map(|session| session.event_id));
                self.remove_announced().await?;
            }
            if next.is_none() {
                break;
            }
            after = next;
            self.db.hold_mark(&pending.mark, self.clock.now().plus(CLAIM)).await?;
            tokio::task::yield_now().await;
        }
        uncached?;
        self.db.remove_mark(&pending.mark).await?;
        if total > 0 {
            tracing::info!(sessions = total, reason = pending.mark.reason.as_str(), "the sessions that a mark refuses have ended");
        }
        Ok(total)
    }
}
