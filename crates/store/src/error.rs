//! The one error type of this crate. Texts name the store and never a value that was stored.

/// What went wrong with a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database did not answer, or not in time. Nothing is known to have been written.
    #[error("the database is unavailable")]
    DatabaseUnavailable(#[source] sqlx::Error),
    /// The shared cache did not answer, or not in time.
    #[error("the cache is unavailable")]
    CacheUnavailable(#[source] redis::RedisError),
    /// A row with this key is there already.
    #[error("it exists already: {0}")]
    Exists(&'static str),
    /// The row to be changed is not there.
    #[error("there is no such {0}")]
    Missing(&'static str),
    /// The row is not any more as the caller has read it. Nothing was written.
    #[error("the {0} has changed in the meantime")]
    Changed(&'static str),
    /// A session was to be opened that began before its user, system or tenant was signed out, by the clock of whoever did
    /// that: it must begin at this instant or later.
    #[error("the session would have begun too early")]
    BeganTooEarly(bo_auth_core::time::Timestamp),
    /// A text holds the character U+0000, which Postgres cannot hold. Nothing was written.
    #[error("a text cannot be stored")]
    Unstorable,
    /// A statement failed for a reason that is a defect, not an outage.
    #[error("a database statement failed")]
    Statement(#[source] sqlx::Error),
    /// A stored value does not have the form this version writes.
    #[error("a stored {0} cannot be read")]
    Corrupt(&'static str),
    /// A migration failed, or a file of it was changed after it had run.
    #[error("the database cannot be migrated")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// The configuration of a store is not usable.
    #[error("{0}")]
    Configuration(String),
}

impl Error {
    /// Whether the store may answer later: the caller says "unavailable", not "internal".
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::DatabaseUnavailable(_) | Self::CacheUnavailable(_))
    }

    /// Whether a connection must not be used again after this.
    pub(crate) fn breaks_connection(&self) -> bool {
        matches!(self, Self::DatabaseUnavailable(_)) && !self.is_conflict()
    }

    /// Whether a transaction was undone because of another one and can be run again: a deadlock, a serialisation
    /// failure, or an event's id that was taken.
    pub(crate) fn is_conflict(&self) -> bool {
        match self {
            Self::Exists(what) => *what == EVENT,
            Self::DatabaseUnavailable(sqlx::Error::Database(database)) => database.code().as_deref().is_some_and(conflict),
            _ => false,
        }
    }

    /// [`Error::Exists`] for a key that is taken, [`Error::Missing`] for a row it refers to that is not there.
    pub(crate) fn of_insert(error: sqlx::Error, what: &'static str, parent: &'static str) -> Self {
        match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => Self::Exists(what),
            sqlx::Error::Database(database) if database.is_foreign_key_violation() => Self::Missing(parent),
            _ => error.into(),
        }
    }

    /// The same outage, told to another caller who waited for the same answer.
    pub(crate) fn repeated(&self) -> Self {
        Self::DatabaseUnavailable(sqlx::Error::Io(std::io::Error::other(match self {
            Self::DatabaseUnavailable(error) => error.to_string(),
            other => other.to_string(),
        })))
    }
}

/// A change is durable, but not every node could be told of it in time. The outbox tells them without being asked again.
///
/// It is no [`Error`], and nothing turns one into it by itself: what is said after a commit is decided where it is said.
#[derive(Debug, thiserror::Error)]
#[error("the change is durable, but not every node has heard of it yet")]
pub struct NotPublished(#[source] Box<dyn std::error::Error + Send + Sync>);

impl NotPublished {
    /// What kept the others from being told.
    pub fn because(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }

    /// The same, told to another caller who waited for the same announcement.
    pub(crate) fn repeated(&self) -> Self {
        Self::because(self.0.to_string())
    }
}

/// What [`Error::Exists`] says of an event's id.
pub(crate) const EVENT: &str = "event";

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Self::DatabaseUnavailable(error)
            }
            sqlx::Error::Database(database) if outage(database.code().as_deref()) => Self::DatabaseUnavailable(error),
            sqlx::Error::Database(database) if matches!(database.code().as_deref(), Some("22021" | "22P05")) => Self::Unstorable,
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt("row"),
            _ => Self::Statement(error),
        }
    }
}

impl From<redis::RedisError> for Error {
    fn from(error: redis::RedisError) -> Self {
        Self::CacheUnavailable(error)
    }
}

/// Whether a Postgres error code says that another transaction won: serialisation failure, deadlock, lock not available.
fn conflict(code: &str) -> bool {
    matches!(code, "40001" | "40P01" | "55P03")
}

/// Whether a database's own error code says that it cannot work now: Postgres classes 08, 53, 57, 58, `25006`
/// (read-only after a failover) and lost conflicts, `SQLite` busy, locked, I/O error, full and cannot-open with their extended codes.
fn outage(code: Option<&str>) -> bool {
    code.is_some_and(|code| {
        let postgres =
            code.len() == 5 && (["08", "53", "57", "58"].iter().any(|class| code.starts_with(class)) || code == "25006" || conflict(code));
        let sqlite = code.parse::<u32>().is_ok_and(|number| code.len() < 5 && matches!(number & 0xff, 5 | 6 | 10 | 13 | 14));
        postgres || sqlite
    })
}
