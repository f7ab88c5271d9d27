//! How statements are run: one text for both engines, never without an end to the waiting, and again where the
//! database asked for it. Macros, because an executor's type differs from engine to engine.

use std::io;
use std::time::Duration;

use crate::Error;

/// How long one call may take, connection in hand, whatever the database's own limits are: a peer that has vanished
/// answers nothing, not even a timeout.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(8);

/// How often a transaction is run again that lost against another one.
pub(crate) const CONFLICT_RETRIES: u32 = 5;

/// The error of a call that took too long. What it was about may have been written all the same.
pub(crate) fn timed_out() -> Error {
    Error::DatabaseUnavailable(sqlx::Error::Io(io::Error::from(io::ErrorKind::TimedOut)))
}

/// Runs one piece of work on a connection of a pool. The connection of work that took too long is closed, since the
/// pool would wait for its answer; so is that of an outage: `SQLite` undoes a transaction by itself when the disk is full,
/// and a connection that does not know would refuse every later one.
macro_rules! bounded {
    ($pool:expr, |$connection:ident| $work:expr) => {
        async {
            let mut borrowed = $pool.acquire().await?;
            let outcome = tokio::time::timeout($crate::db::bounds::CALL_TIMEOUT, async {
                let $connection = &mut *borrowed;
                $work.await
            })
            .await;
            match outcome {
                Ok(result) => {
                    let result = result.map_err($crate::Error::from);
                    if result.as_ref().is_err_and($crate::Error::breaks_connection) {
                        borrowed.close_on_drop();
                    }
                    result
                }
                Err(_) => {
                    borrowed.close_on_drop();
                    Err($crate::db::bounds::timed_out())
                }
            }
        }
        .await
    };
}

/// Runs one statement on either engine: `on!(db, read, |connection| query.fetch_all(connection))`. A statement that
/// writes and answers rows is read to its end (`fetch_all`), for only the end says that it is committed.
macro_rules! on {
    ($db:expr, $access:ident, |$connection:ident| $statement:expr) => {
        match $db {
            $crate::db::Db::Postgres(pool) => $crate::db::bounded!(pool, |$connection| $statement),
            $crate::db::Db::Sqlite { $access: pool, .. } => $crate::db::bounded!(pool, |$connection| $statement),
        }
    };
}

/// Repeats work that lost against another transaction; `attempt` counts from 0.
macro_rules! retried {
    (|$attempt:ident| $work:expr) => {{
        let mut $attempt = 0u32;
        loop {
            match $work {
                Err(error) if $attempt < $crate::db::bounds::CONFLICT_RETRIES && $crate::Error::is_conflict(&error) => $attempt += 1,
                outcome => break outcome,
            }
        }
    }};
}

/// Runs statements in one transaction on either engine and answers the block's value: all of it is durable, or nothing
/// has happened. `return Err(…)` in the block undoes it. `SQLite` takes its write lock at the beginning, so that it
/// waits its turn there and never fails in the middle.
macro_rules! transaction {
    ($db:expr, |$connection:ident, $attempt:ident| $body:block) => {
        $crate::db::retried!(|$attempt| match $db {
            $crate::db::Db::Postgres(pool) => $crate::db::bounded!(pool, |borrowed| async {
                let mut transaction = sqlx::Connection::begin(borrowed).await?;
                let $connection = &mut *transaction;
                let value = $body;
                transaction.commit().await?;
                Ok::<_, $crate::Error>(value)
            }),
            $crate::db::Db::Sqlite { write: pool, .. } => $crate::db::bounded!(pool, |borrowed| async {
                let mut transaction = sqlx::Connection::begin_with(borrowed, "BEGIN IMMEDIATE").await?;
                let $connection = &mut *transaction;
                let value = $body;
                transaction.commit().await?;
                Ok::<_, $crate::Error>(value)
            }),
        })
    };
}

/// Implements a trait for both engines' connections with one text.
macro_rules! both_connections {
    ($name:ident { $($body:tt)* }) => {
        impl $name for sqlx::PgConnection { $($body)* }
        impl $name for sqlx::SqliteConnection { $($body)* }
    };
}

pub(crate) use {both_connections, bounded, on, retried, transaction};
