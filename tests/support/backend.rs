//! The stores of one test: a directory, and on Postgres a database of its own; gone when the test is over.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use bo_auth_core::random::{SystemRandom, alphanumeric};
use bo_auth_server::configuration::{CacheChoice, DatabaseChoice, Secret};
use futures_util::FutureExt;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

use super::TestApp;

/// What a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    /// SQLite, the cache in a table of it.
    Sqlite,
    /// SQLite, the cache in memory.
    Local,
    /// Postgres and Redis, which several nodes can share.
    Redis,
}

impl Backend {
    /// The `cacheType` of its answers.
    pub(crate) const fn cache_type(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Local => "local",
            Self::Redis => "redis",
        }
    }
}

/// Runs a test on a server of its own.
pub(crate) async fn run<F, T>(backend: Backend, test: F)
where
    F: FnOnce(TestApp) -> T,
    T: Future<Output = ()>,
{
    let stores = Stores::new(backend).await;
    let app = TestApp::start(&stores).await;
    let nodes = app.nodes();
    let outcome = AssertUnwindSafe(Box::pin(test(app))).catch_unwind().await;
    if outcome.is_ok() {
        nodes.stop_all().await;
    }
    stores.remove().await;
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

/// Where the servers of one test keep things.
pub(crate) struct Stores {
    pub(crate) backend: Backend,
    directory: TempDir,
    postgres: Option<PostgresDatabase>,
    nodes: AtomicUsize,
}

impl Stores {
    async fn new(backend: Backend) -> Self {
        let postgres = if backend == Backend::Redis { Some(PostgresDatabase::create().await) } else { None };
        // Short, since a socket stands below it.
        let directory = tempfile::Builder::new().prefix("bo-").tempdir().unwrap();
        Self { backend, directory, postgres, nodes: AtomicUsize::new(0) }
    }

    /// A data directory for one more node.
    pub(crate) fn new_data_directory(&self) -> PathBuf {
        self.directory.path().join(self.nodes.fetch_add(1, Ordering::Relaxed).to_string())
    }

    pub(crate) fn database(&self, data: &std::path::Path) -> DatabaseChoice {
        match &self.postgres {
            Some(postgres) => DatabaseChoice::Postgres(Secret::new(postgres.url.clone())),
            None => DatabaseChoice::Sqlite(data.join("bo-auth.db")),
        }
    }

    pub(crate) fn cache(&self) -> CacheChoice {
        match self.backend {
            Backend::Sqlite => CacheChoice::Sqlite,
            Backend::Local => CacheChoice::Local,
            Backend::Redis => CacheChoice::Redis(Secret::new(patient_redis_url())),
        }
    }

    /// The URL of the test's own Postgres database.
    pub(crate) fn database_url(&self) -> Option<&str> {
        self.postgres.as_ref().map(|postgres| postgres.url.as_str())
    }

    async fn remove(&self) {
        if let Some(postgres) = &self.postgres {
            postgres.remove().await;
        }
    }
}

/// Where Redis is, with patience for a busy machine. A missing one fails the test: skipping would hide it.
fn patient_redis_url() -> String {
    let url = std::env::var("REDIS_URL").expect("REDIS_URL must name a Redis that tests may write to; scripts/test starts one and sets it");
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}patience=1000")
}

/// A database on the server that `DATABASE_URL` names.
struct PostgresDatabase {
    server: String,
    name: String,
    url: String,
}

impl PostgresDatabase {
    async fn create() -> Self {
        let server =
            std::env::var("DATABASE_URL").expect("DATABASE_URL must name a Postgres server for tests; scripts/test starts one and sets it");
        let name = format!("bo_auth_test_{}", alphanumeric(&SystemRandom::default(), 16).to_lowercase());
        let (address, parameters) = server.split_once('?').unwrap_or((&server, ""));
        let (host, _) = address.rsplit_once('/').expect("DATABASE_URL names a database behind its host");
        let url = format!("{host}/{name}?{parameters}");
        let database = Self { server, name, url };
        database.execute(format!("CREATE DATABASE {} TEMPLATE template0", database.name)).await;
        database
    }

    async fn remove(&self) {
        self.execute(format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }

    async fn execute(&self, statement: String) {
        let mut connection = PgConnection::connect(&self.server).await.expect("DATABASE_URL must name a Postgres server that answers");
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
}
