//! Connections and the limits they live under: every wait has an end.

use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use super::Db;
use crate::Error;

/// How long `SQLite` waits for another process's write to finish, and a caller for the writing connection.
const SQLITE_WAIT: Duration = Duration::from_secs(5);

/// How long until a file that another process holds is asked for again.
const SQLITE_ASKED_AGAIN: Duration = Duration::from_millis(5);

/// How many `SQLite` connections read at the same time.
const SQLITE_READERS: u32 = 4;

/// What each connection keeps of the file, in KiB (a negative number means that): the upper levels of every index. The rest is in the
/// operating system's cache, once for all of them.
const SQLITE_CACHE: &str = "-1024";

/// How long a caller waits for a Postgres connection, a new one included.
const POSTGRES_WAIT: Duration = Duration::from_secs(2);

/// A connection that was idle for longer is tested before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);

/// What the Postgres server itself enforces, in milliseconds.
const POSTGRES_LIMITS: [(&str, &str); 2] = [("statement_timeout", "5000"), ("idle_in_transaction_session_timeout", "10000")];

impl Db {
    /// Opens the file, making it where it is not there: readable by its owner alone.
    ///
    /// # Errors
    /// [`Error::Configuration`] where the file cannot be made, [`Error::DatabaseUnavailable`] where it cannot be opened.
    pub async fn connect_sqlite(path: &Path) -> Result<Self, Error> {
        make_private_file(path)?;
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true).foreign_keys(true).busy_timeout(SQLITE_WAIT);
        let options = options.pragma("cache_size", SQLITE_CACHE);
        // The log may grow under load; it need not stay that large.
        let writing = options
            .clone()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("journal_size_limit", "67108864");
        let write = open_sqlite(1, writing).await?;
        let read = open_sqlite(SQLITE_READERS, options.create_if_missing(false).read_only(true)).await?;
        Ok(Self::Sqlite { read, write })
    }

    /// Connects to a Postgres server: `postgres://user:password@host:port/database?sslmode=verify-full`, or with
    /// `host=/directory` for a Unix socket.
    ///
    /// # Errors
    /// [`Error::Configuration`] where the URL is not usable, [`Error::DatabaseUnavailable`] where the server is not
    /// there.
    pub async fn connect_postgres(url: &str, max_connections: u32) -> Result<Self, Error> {
        let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
        let options = PgConnectOptions::from_str(url)
            .ok()
            .filter(|_| is_postgres)
            // The URL may hold a password, so the error does not repeat it.
            .ok_or_else(|| Error::Configuration("the database URL is not of the form postgres://user@host/database".to_owned()))?
            .application_name("bo-auth")
            .options(POSTGRES_LIMITS);
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(POSTGRES_WAIT)
            .test_before_acquire(false)
            .before_acquire(|connection, metadata| {
                Box::pin(async move {
                    if metadata.idle_for > TRUSTED_IDLE {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_with(options)
            .await?;
        Ok(Self::Postgres(pool))
    }
}

/// Opens the file. While another process gives a new file its log, or takes the log away as the last who leaves, SQLite answers
/// "locked" at once, whatever the busy timeout says: so it is asked until that has passed.
async fn open_sqlite(connections: u32, options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    let begun = Instant::now();
    loop {
        let pool = SqlitePoolOptions::new()
            .acquire_timeout(SQLITE_WAIT)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .max_connections(connections);
        match pool.connect_with(options.clone()).await {
            Err(error) if is_locked(&error) && begun.elapsed() < SQLITE_WAIT => tokio::time::sleep(SQLITE_ASKED_AGAIN).await,
            opened => return opened,
        }
    }
}

/// Whether another process holds the file: `SQLITE_BUSY` and what extends it.
fn is_locked(error: &sqlx::Error) -> bool {
    const BUSY: i32 = 5;
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok());
    code.is_some_and(|code| code & 0xff == BUSY)
}

/// Makes an empty file that only its owner may read. The log files beside it take over its mode.
fn make_private_file(path: &Path) -> Result<(), Error> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::Configuration(format!("the database file {} cannot be made: {error}", path.display()))),
    }
}
