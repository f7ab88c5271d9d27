//! A fresh, migrated database of each engine for one test, gone when the test is over.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use bo_auth_store::Db;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

static COUNTER: AtomicU32 = AtomicU32::new(0);

fn unique_name() -> String {
    format!("test_{}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// Runs a test on both engines; a failure says on which.
pub(crate) async fn each_backend<F, T>(test: F)
where
    F: Fn(Db) -> T,
    T: Future<Output = ()> + Send + 'static,
{
    let directory = Directory::new();
    let sqlite = directory.open().await;
    let schema = Schema::new().await;
    let postgres = schema.open().await;
    for db in [sqlite, postgres] {
        let outcome = tokio::spawn(test(db.clone())).await;
        db.close().await;
        assert!(outcome.is_ok(), "failed on {}", db.engine());
    }
    schema.remove().await;
}

/// A directory that is removed with everything in it.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("bo-auth-{}", unique_name()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("bo-auth.db")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) async fn open(&self) -> Db {
        let db = Db::connect_sqlite(&self.database()).await.unwrap();
        db.migrate().await.unwrap();
        db
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left behind in the temporary directory harms no test.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A schema of the server that `DATABASE_URL` names.
pub(crate) struct Schema {
    server: String,
    name: String,
}

impl Schema {
    pub(crate) async fn new() -> Self {
        let server =
            std::env::var("DATABASE_URL").expect("DATABASE_URL must name a Postgres server for tests; scripts/test starts one and sets it");
        let schema = Self { server, name: unique_name() };
        schema.execute(format!("CREATE SCHEMA {}", schema.name)).await;
        schema
    }

    pub(crate) fn url(&self) -> String {
        let separator = if self.server.contains('?') { '&' } else { '?' };
        format!("{}{separator}options[search_path]={}", self.server, self.name)
    }

    pub(crate) async fn open(&self) -> Db {
        let db = Db::connect_postgres(&self.url(), 8).await.unwrap();
        db.migrate().await.unwrap();
        db
    }

    /// Runs a statement that may take long on the tables of the schema.
    pub(crate) async fn run(&self, statement: String) {
        let mut connection = PgConnection::connect(&self.url()).await.unwrap();
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }

    pub(crate) async fn remove(self) {
        self.execute(format!("DROP SCHEMA {} CASCADE", self.name)).await;
    }

    async fn execute(&self, statement: String) {
        let mut connection = PgConnection::connect(&self.server).await.unwrap();
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    }
}
