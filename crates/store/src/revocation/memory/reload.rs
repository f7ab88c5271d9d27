//! What the memory reads from the database: everything that an access token could still be refused
//! for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bo_auth_core::time::Timestamp;

use super::{Memory, USER_MARK_LIFETIME};
use crate::failpoint;
use crate::{Db, Error};

/// How many rows are read at a time.
const PAGE: i64 = 10_000;

/// How many events of the outbox are read at a time.
const EVENTS: i64 = 1_000;

/// By how much the clocks of nodes may differ that dated a user's mark.
const CLOCKS: Duration = Duration::from_mins(6);

/// Before any session.
const BEGINNING: Timestamp = Timestamp(i64::MIN / 2);

impl Memory {
    /// Reads all ended sessions and marks that matter, and counts them in `rows` as it goes. What
    /// ends meanwhile it may miss.
    pub(in crate::revocation) async fn reload_all(&self, db: &Db, now: Timestamp, rows: &AtomicU64) -> Result<(), Error> {
        let known = self.forgotten_before.fetch_max(now.seconds(), Ordering::AcqRel).max(now.seconds());
        self.reload_marks(db, now, rows).await?;
        let mut after = None;
        loop {
            failpoint::reach("reload.page").await;
            let mut page = db.list_ended_sessions(now, after.as_ref(), PAGE).await?;
            for session in &page {
                self.insert(session);
            }
            rows.fetch_add(page.len() as u64, Ordering::Relaxed);
            let is_last = i64::try_from(page.len()).unwrap_or(PAGE) < PAGE;
            after = page.pop();
            if is_last {
                break;
            }
        }
        // Unless something was forgotten meanwhile, because the clock was ahead: then it is read again.
        let _ = self.forgotten_before.compare_exchange(known, now.seconds(), Ordering::AcqRel, Ordering::Acquire);
        Ok(())
    }

    /// Takes in what another process has ended and nobody has told yet: it is in the outbox; and
    /// all marks.
    pub(in crate::revocation) async fn hear_pending(&self, db: &Db, now: Timestamp) -> Result<(), Error> {
        self.reload_marks(db, now, &AtomicU64::new(0)).await?;
        let mut after = None;
        loop {
            let mut page = db.list_events(after.as_ref(), EVENTS).await?;
            self.hear(&page, &[]);
            let is_last = i64::try_from(page.len()).unwrap_or(EVENTS) < EVENTS;
            after = page.pop();
            if is_last {
                return Ok(());
            }
        }
    }

    async fn reload_marks(&self, db: &Db, now: Timestamp, rows: &AtomicU64) -> Result<(), Error> {
        for marks in [db.list_tenant_marks(BEGINNING).await?, db.list_system_marks(BEGINNING).await?] {
            self.insert_marks(&marks);
            rows.fetch_add(marks.len() as u64, Ordering::Relaxed);
        }
        let since = now.minus(USER_MARK_LIFETIME + CLOCKS);
        let mut after = None;
        loop {
            let mut page = db.list_user_marks(since, after.as_ref(), PAGE).await?;
            self.insert_marks(&page);
            rows.fetch_add(page.len() as u64, Ordering::Relaxed);
            let is_last = i64::try_from(page.len()).unwrap_or(PAGE) < PAGE;
            after = page.pop();
            if is_last {
                return Ok(());
            }
        }
    }
}
