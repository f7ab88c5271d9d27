//! What the memory reads from the database: everything that matters at first, then what has been added since.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bo_auth_core::time::Timestamp;

use super::{Memory, USER_MARK_LIFETIME};
use crate::{Db, Error};

/// How many rows are read at a time when the memory is filled.
const PAGE: i64 = 5_000;

/// How far a reload looks back behind the newest end it knows: an end is written with the instant at which its request
/// began, by the clock of the node that had it, and committed a little later.
const OVERLAP: Duration = Duration::from_mins(6);

/// Before any session.
pub(super) const BEGINNING: Timestamp = Timestamp(i64::MIN / 2);

impl Memory {
    /// Reads all ended sessions and marks that matter at first, then those since the last time.
    pub(in crate::revocation) async fn reload(&self, db: &Db, now: Timestamp) -> Result<(), Error> {
        let (ended, marked) = *self.seen.read().unwrap_or_else(PoisonError::into_inner);
        self.reload_since(db, now, ended.minus(OVERLAP), marked.minus(OVERLAP)).await
    }

    /// Reads all that matters, whatever was read before: nodes whose clocks differ may have written it.
    pub(in crate::revocation) async fn reload_all(&self, db: &Db, now: Timestamp) -> Result<(), Error> {
        self.reload_since(db, now, BEGINNING, BEGINNING).await?;
        self.forgotten_before.store(now.seconds(), Ordering::Release);
        Ok(())
    }

    async fn reload_since(&self, db: &Db, now: Timestamp, since: Timestamp, marked_since: Timestamp) -> Result<(), Error> {
        self.forgotten_before.fetch_max(now.seconds(), Ordering::AcqRel);
        self.reload_marks(db, now, marked_since).await?;
        let mut newest = since;
        let mut after = None;
        loop {
            let mut page = db.list_ended_sessions(now, since, after.as_ref(), PAGE).await?;
            for session in &page {
                self.insert(session);
                newest = newest.max(session.ended_at);
            }
            let is_last = i64::try_from(page.len()).unwrap_or(PAGE) < PAGE;
            after = page.pop();
            if is_last {
                break;
            }
        }
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = (newest, now);
        Ok(())
    }

    async fn reload_marks(&self, db: &Db, now: Timestamp, since: Timestamp) -> Result<(), Error> {
        self.insert_marks(&db.list_tenant_marks(since).await?);
        self.insert_marks(&db.list_system_marks(since).await?);
        let since = since.max(now.minus(USER_MARK_LIFETIME + OVERLAP));
        let mut after = None;
        loop {
            let mut page = db.list_user_marks(since, after.as_ref(), PAGE).await?;
            self.insert_marks(&page);
            let is_last = i64::try_from(page.len()).unwrap_or(PAGE) < PAGE;
            after = page.pop();
            if is_last {
                return Ok(());
            }
        }
    }
}
