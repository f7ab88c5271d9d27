//! Connections and the limits they live under: every wait has an end.

use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use super::{Db, bounded};
use crate::Error;
use crate::transport::{TlsFiles, Transport, is_this_machine};

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

/// Every statement finds its rows by an index, one after the other. Of a table without statistics
/// the planner believes that it is small, and would rather read all of it; and it would compile
/// what it believes to be slow.
const POSTGRES_PLANS: [(&str, &str); 4] =
    [("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off"), ("jit", "off")];

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
    /// `host=/directory` for a Unix socket. `sslmode`, `sslrootcert`, `sslcert` and `sslkey` mean what they mean to libpq.
    ///
    /// # Errors
    /// [`Error::Configuration`] where the URL or a file that it names is not usable, [`Error::DatabaseUnavailable`] where the
    /// server is not there or does not prove who it is.
    pub async fn connect_postgres(url: &str, max_connections: u32) -> Result<Self, Error> {
        if let Some(mode) = url.split(['?', '&']).find_map(|parameter| parameter.strip_prefix("sslmode="))
            && PgSslMode::from_str(mode).is_err()
        {
            let modes = "sslmode is one of disable, allow, prefer, require, verify-ca and verify-full";
            return Err(Error::Configuration(modes.to_owned()));
        }
        let files = TlsFiles::of_url(url)?;
        known_parameters(url)?;
        let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
        let options = PgConnectOptions::from_str(url)
            .ok()
            .filter(|_| is_postgres)
            // The URL may hold a password, so the error does not repeat it.
            .ok_or_else(|| Error::Configuration("the database URL is not of the form postgres://user@host/database".to_owned()))?
            .application_name("bo-auth")
            .options(POSTGRES_LIMITS)
            .options(POSTGRES_PLANS);
        // libpq verifies the server with `require` too, if it is given an authority.
        let mode = match options.get_ssl_mode() {
            PgSslMode::Require if files.root.is_some() => PgSslMode::VerifyCa,
            mode => mode,
        };
        let (first, other) = modes(mode);
        let connected = match open_postgres(max_connections, options.clone().ssl_mode(first)).await {
            Err(refused) if is_refused(&refused) => match other {
                // If neither way leads to the server, the first says more about why.
                Some(other) => open_postgres(max_connections, options.ssl_mode(other)).await.map_err(|_| refused),
                None => Err(refused),
            },
            connected => connected,
        };
        Ok(Self::Postgres(connected?))
    }

    /// How what is said to the database travels. Postgres itself says whether it is encrypted: behind a pooler that is the
    /// way between the two.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn transport(&self) -> Result<Transport, Error> {
        let Self::Postgres(pool) = self else { return Ok(Transport::Local) };
        let encrypted: Option<(Option<String>, Option<String>)> =
            bounded!(pool, |connection| sqlx::query_as("SELECT version, cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl",)
                .fetch_optional(connection))?;
        if let Some((version, cipher)) = encrypted {
            return Ok(Transport::Encrypted(version.zip(cipher).map(|(version, cipher)| format!("{version}, {cipher}"))));
        }
        let options = pool.connect_options();
        let is_local = options.get_socket().is_some() || is_this_machine(options.get_host());
        Ok(if is_local { Transport::Local } else { Transport::ClearText })
    }
}

/// Refuses parameters that nothing reads: what is meant to protect would silently not, and the driver would write the value
/// into the log.
///
/// # Errors
/// [`Error::Configuration`], which names the parameter and not its value.
fn known_parameters(url: &str) -> Result<(), Error> {
    const KNOWN: [&str; 14] = [
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "statement-cache-capacity",
        "host",
        "hostaddr",
        "port",
        "dbname",
        "user",
        "password",
        "application_name",
        "options",
        "target_session_attrs",
    ];
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let names =
        query.split('&').filter(|parameter| !parameter.is_empty()).map(|parameter| parameter.split('=').next().unwrap_or(parameter));
    for name in names {
        if !KNOWN.contains(&name) && !name.starts_with("options[") {
            return Err(Error::Configuration(format!("the database URL has a parameter that is not known: {}", printable(name))));
        }
    }
    Ok(())
}

/// The beginning of a name, as far as it is one.
fn printable(name: &str) -> String {
    name.chars().take(40).filter(|character| character.is_ascii_alphanumeric() || "_-[]".contains(*character)).collect()
}

/// What is tried first, and what is tried if the server refuses that: as libpq has it for `allow` and `prefer`.
const fn modes(mode: PgSslMode) -> (PgSslMode, Option<PgSslMode>) {
    match mode {
        PgSslMode::Allow => (PgSslMode::Disable, Some(PgSslMode::Require)),
        PgSslMode::Prefer => (PgSslMode::Prefer, Some(PgSslMode::Disable)),
        _ => (mode, None),
    }
}

/// Whether the server may take a connection that is encrypted otherwise: TLS failed, or its rules allow none of this kind.
fn is_refused(error: &sqlx::Error) -> bool {
    const INVALID_AUTHORIZATION: &str = "28000";
    match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Database(database) => database.code().as_deref() == Some(INVALID_AUTHORIZATION),
        _ => false,
    }
}

async fn open_postgres(connections: u32, options: PgConnectOptions) -> Result<PgPool, sqlx::Error> {
    PgPoolOptions::new()
        .max_connections(connections)
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
        .await
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
