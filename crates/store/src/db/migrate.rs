//! Brings the database's tables to this version. Expand, then contract: the version before this one goes on working
//! beside it, and may start on tables of the next.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection, PgConnection};

use super::{Db, on};
use crate::Error;

/// Tables of a newer version are no reason not to start.
fn tolerant(mut migrator: Migrator) -> Migrator {
    migrator.set_ignore_missing(true);
    migrator
}

fn postgres() -> Migrator {
    tolerant(sqlx::migrate!("../../migrations/postgres"))
}

fn sqlite() -> Migrator {
    tolerant(sqlx::migrate!("../../migrations/sqlite"))
}

impl Db {
    /// Runs the migrations that have not run yet. Several processes may call it at the same time: one works, the
    /// others wait.
    ///
    /// # Errors
    /// [`Error::Migration`] where one fails or a file differs from what was run.
    pub async fn migrate(&self) -> Result<(), Error> {
        match self {
            Self::Postgres(pool) => {
                // A migration, and waiting for another node's, may take longer than a statement of a request.
                let patient = (*pool.connect_options()).clone().options([("statement_timeout", "0")]);
                let mut connection = PgConnection::connect_with(&patient).await?;
                postgres().run(&mut connection).await.map_err(migration)?;
                connection.close().await?;
            }
            Self::Sqlite { write, .. } => {
                // sqlx does not lock here: the write lock does, so that two processes do not make the same table.
                let mut transaction = write.begin_with("BEGIN IMMEDIATE").await?;
                sqlite().run(&mut *transaction).await.map_err(migration)?;
                transaction.commit().await?;
            }
        }
        Ok(())
    }

    /// Whether a migration of this version has not run yet.
    pub async fn migrations_pending(&self) -> Result<bool, Error> {
        let known = match self {
            Self::Postgres(_) => postgres(),
            Self::Sqlite { .. } => sqlite(),
        };
        let applied = self.applied_versions().await?;
        Ok(known.iter().any(|migration| !applied.contains(&migration.version)))
    }

    /// How many migrations have been applied: none to a database on which nobody has started.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn migrations_applied(&self) -> Result<usize, Error> {
        Ok(self.applied_versions().await?.len())
    }

    async fn applied_versions(&self) -> Result<Vec<i64>, Error> {
        let applied: Result<Vec<i64>, Error> =
            on!(self, read, |connection| sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success").fetch_all(connection));
        match applied {
            // An empty database has no table of migrations yet.
            Err(Error::Statement(_)) => Ok(Vec::new()),
            other => other,
        }
    }
}

/// An outage is an outage here too.
fn migration(error: MigrateError) -> Error {
    match error {
        MigrateError::Execute(error) => match Error::from(error) {
            Error::Statement(error) => Error::Migration(MigrateError::Execute(error)),
            other => other,
        },
        other => Error::Migration(other),
    }
}
