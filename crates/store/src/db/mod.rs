//! The database, which is the truth. Two engines with one meaning: a function's statement and its bind list are written
//! once and serve both; where a statement cannot be shared, both texts stand side by side in that one function.
//! The tenant's id comes first in every key, statement and argument list; what works for all tenants says so.

pub mod ending_queue;
pub mod plan;

mod admin;
mod administration;
mod area;
mod audit;
mod bounds;
mod connect;
mod database_feed;
mod deployment;
mod ending;
mod event;
mod key;
mod migrate;
mod nonce;
mod not_before;
mod not_before_pending;
mod not_before_row;
mod outbox;
mod plugin;
mod retention;
mod session;
mod session_row;
mod stamp_use;
mod system;
mod tenant;
mod user;

use bo_auth_core::time::Timestamp;
use sqlx::{PgPool, SqlitePool};

pub(crate) use bounds::{both_connections, bounded, on, retried, transaction};
pub use database_feed::DatabaseFeed;
pub use outbox::OutboxBacklog;

use crate::Error;

/// A database. Clones share its connections.
#[derive(Debug, Clone)]
pub enum Db {
    /// Any number of nodes.
    Postgres(PgPool),
    /// One process, and the command line beside it.
    Sqlite {
        /// Connections that cannot write.
        read: SqlitePool,
        /// The one connection that writes.
        write: SqlitePool,
    },
}

/// What a database says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseHealth {
    /// Whether it takes writes: a standby and a read-only primary take none.
    pub is_writable: bool,
    /// The present instant on its own clock, for comparing clocks.
    pub now: Timestamp,
}

impl Db {
    /// The engine's name, as the configuration and the health report spell it.
    pub const fn engine(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "postgres",
            Self::Sqlite { .. } => "sqlite",
        }
    }

    /// What the database says of itself: an answer alone does not say that it can be written.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`] if it does not answer.
    pub async fn health(&self) -> Result<DatabaseHealth, Error> {
        let (is_writable, millis): (bool, i64) = match self {
            Self::Postgres(pool) => {
                bounded!(pool, |connection| sqlx::query_as(
                    "SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off', \
                         floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
                )
                .fetch_one(connection))
            }
            // Constants would be answered without a look at the file.
            Self::Sqlite { read, .. } => {
                bounded!(read, |connection| sqlx::query_as(
                    "SELECT count(*) >= 0, CAST(round(unixepoch('subsec') * 1000) AS INTEGER) FROM sqlite_schema",
                )
                .fetch_one(connection))
            }
        }?;
        Ok(DatabaseHealth { is_writable, now: Timestamp(millis) })
    }

    /// Closes every connection, after those in use have come back.
    pub async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            // The writer goes last and so folds the write-ahead log into the file.
            Self::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
        }
    }
}
