//! The feed in the database: what could not be told to the other nodes by way of Redis, numbered
//! without a gap in the order of commits. A row comes with the mark in the outbox, by a trigger,
//! and outlives it. Works for all tenants.

use bo_auth_core::time::Timestamp;
use futures_util::TryFutureExt;
use sqlx::types::Json;

use super::not_before_row::MarkRow;
use super::{Db, on};
use crate::Error;
use crate::record::{EndedSession, NotBefore};

/// A part of the feed in the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabaseFeed {
    /// Ended sessions.
    pub sessions: Vec<EndedSession>,
    /// Marks.
    pub marks: Vec<NotBefore>,
    /// The number of the last entry that was read.
    pub read_to: i64,
    /// The number of the last entry there is.
    pub end: i64,
    /// Whether an entry is missing: retention has removed it, or the database has become younger
    /// than what was read of it.
    pub has_gap: bool,
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    end: i64,
    number: Option<i64>,
    session: Option<Json<EndedSession>>,
    mark: Option<Json<MarkRow>>,
}

pub(super) const READ_FEED: &str = "SELECT feed_end.number AS \"end\", entry.number, entry.session, entry.mark \
     FROM bo_database_feed_end AS feed_end LEFT JOIN ( \
         SELECT number, session, mark FROM bo_database_feed WHERE number > $1 ORDER BY number LIMIT $2 \
     ) AS entry ON TRUE WHERE feed_end.singleton = 1 ORDER BY entry.number";

pub(super) const REMOVE_FEED: &str = "DELETE FROM bo_database_feed WHERE number <= ( \
         SELECT max(number) FROM (SELECT number FROM bo_database_feed WHERE at < $1 ORDER BY at, number LIMIT $2) AS old)";

impl Db {
    /// Up to `limit` entries behind the number `after`.
    pub async fn read_database_feed(&self, after: i64, limit: i64) -> Result<DatabaseFeed, Error> {
        let rows: Vec<EntryRow> = on!(self, read, |connection| sqlx::query_as(READ_FEED).bind(after).bind(limit).fetch_all(connection))?;
        let mut feed = DatabaseFeed { read_to: after, end: rows.first().map_or(0, |row| row.end), ..DatabaseFeed::default() };
        for row in rows {
            let Some(number) = row.number else { continue };
            feed.has_gap |= number != feed.read_to + 1;
            feed.read_to = number;
            feed.sessions.extend(row.session.map(|session| session.0));
            if let Some(mark) = row.mark {
                feed.marks.push(mark.0.into_mark()?);
            }
        }
        feed.has_gap |= feed.read_to > feed.end || (feed.read_to == after && feed.end != after);
        Ok(feed)
    }

    /// The number of the last entry.
    pub async fn database_feed_end(&self) -> Result<i64, Error> {
        on!(self, read, |connection| sqlx::query_scalar("SELECT number FROM bo_database_feed_end WHERE singleton = 1")
            .fetch_one(connection))
    }

    /// Removes up to `limit` entries from `before`; answers how many. Who has not read them finds
    /// the gap.
    pub async fn remove_database_feed(&self, before: Timestamp, limit: i64) -> Result<u64, Error> {
        on!(self, write, |connection| sqlx::query(REMOVE_FEED)
            .bind(before.0)
            .bind(limit)
            .execute(connection)
            .map_ok(|done| done.rows_affected()))
    }
}
