//! Many sessions at once, by one statement: what the n-th is called follows from n, here and in SQL.

use std::fs::File;
use std::path::Path;

use bo_auth_core::session::{SessionId, first_id_at};
use bo_auth_core::time::Timestamp;
use sqlx::{Connection, PgConnection};

use crate::Failure;
use crate::world::{OWNER, SYSTEM};

/// So many sessions began in each millisecond.
const PER_MILLISECOND: i64 = 8;

/// An odd number: the low bits of ids look random, and no two of one millisecond are the same.
const SPREAD: i64 = 2_654_435_761;

/// A prime: users sign in in no order.
const USER_STEP: i64 = 7_919;

/// A prime that is no table's size: every session is picked once, in no order.
const PICK_STEP: u64 = 7_368_787;

const DAY: i64 = 86_400_000;

/// The sessions of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    /// How many.
    pub(crate) count: u32,
    /// When the last of them began.
    pub(crate) newest: Timestamp,
}

impl Rows {
    /// The id of a session.
    pub(crate) fn session_id(&self, session: u32) -> SessionId {
        let session = i64::from(session);
        let at = first_id_at(Timestamp(self.oldest() + session / PER_MILLISECOND));
        SessionId::from_number(at | ((session * SPREAD) & 0x3f_ffff))
    }

    /// Whose it is: two sessions a user.
    pub(crate) fn user_id(&self, session: u32) -> String {
        format!("u{}", i64::from(session) * USER_STEP % self.users())
    }

    /// The session that is picked after so many others.
    pub(crate) fn scattered(&self, pick: u32) -> Option<u32> {
        (pick < self.count).then(|| u32::try_from(u64::from(pick) * PICK_STEP % u64::from(self.count)).unwrap_or(0))
    }

    fn users(&self) -> i64 {
        i64::from(self.count).div_euclid(2).max(1)
    }

    fn oldest(&self) -> i64 {
        self.newest.millis() - i64::from(self.count) / PER_MILLISECOND
    }

    /// The statement, given what counts from 0 as `i`.
    fn statement(&self, counting: &str) -> String {
        let (oldest, newest, users) = (self.oldest(), self.newest.millis(), self.users());
        format!(
            "{counting} \
             INSERT INTO bo_session (owner_id, session_id, sys_id, user_id, generation, created_at, refreshed_at, idle_expires_at, \
                 expires_at, access_expires_at, address, user_agent) \
             SELECT '{OWNER}', (({oldest} + i / {PER_MILLISECOND}) << 22) | ((i * {SPREAD}) & 4194303), '{SYSTEM}', \
                 'u' || (i * {USER_STEP} % {users}), 0, {oldest} + i / {PER_MILLISECOND}, {oldest} + i / {PER_MILLISECOND}, \
                 {newest} + {idle}, {oldest} + i / {PER_MILLISECOND} + {lifetime}, {newest} + {DAY}, '203.0.113.7', 'bench' \
             FROM n",
            idle = 30 * DAY,
            lifetime = 90 * DAY,
        )
    }

    /// Fills an embedded database that nobody has open, and waits until the disk has it.
    pub(crate) fn insert_into_sqlite(&self, path: &Path) -> Result<(), Failure> {
        let connection = rusqlite::Connection::open(path)?;
        connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -2000000")?;
        let last = i64::from(self.count) - 1;
        let counting = format!("WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last})");
        connection.execute(&self.statement(&counting), ())?;
        connection.execute_batch("ANALYZE")?;
        drop(connection);
        Ok(File::open(path)?.sync_all()?)
    }

    /// Fills a Postgres, and brings it to where a checkpoint has just been.
    pub(crate) async fn insert_into_postgres(&self, url: &str) -> Result<(), Failure> {
        let mut connection = PgConnection::connect(url).await?;
        let last = i64::from(self.count) - 1;
        let counting = format!("WITH n AS (SELECT i::bigint FROM generate_series(0, {last}) AS i)");
        sqlx::raw_sql(sqlx::AssertSqlSafe(self.statement(&counting))).execute(&mut connection).await?;
        sqlx::raw_sql("VACUUM (ANALYZE) bo_session").execute(&mut connection).await?;
        sqlx::raw_sql("CHECKPOINT").execute(&mut connection).await?;
        Ok(connection.close().await?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_session_has_an_id_of_its_own_and_is_picked_once() {
        let rows = Rows { count: 10_000, newest: Timestamp(1_790_000_000_000) };
        let picked: HashSet<u32> = (0..rows.count).filter_map(|pick| rows.scattered(pick)).collect();
        let ids: HashSet<SessionId> = (0..rows.count).map(|session| rows.session_id(session)).collect();
        assert_eq!((picked.len(), ids.len()), (10_000, 10_000));
        assert_eq!(rows.scattered(rows.count), None);
    }
}
