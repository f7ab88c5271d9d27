//! Migrations: the same files and the same tables on both engines, run once by however many processes.

use std::collections::BTreeSet;

use bo_auth_store::Db;
use futures_util::future::join_all;

use crate::backend::{Directory, Schema};

/// What only a single node has.
const SQLITE_ONLY: [&str; 2] = ["bo_cache", "bo_nonce"];

fn files(engine: &str) -> BTreeSet<String> {
    let directory = format!("{}/../../migrations/{engine}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// `table.column`, with `!` where it may not be null.
async fn columns(db: &Db) -> BTreeSet<String> {
    let columns: Vec<String> = match db {
        Db::Postgres(pool) => sqlx::query_scalar(
            "SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'NO' THEN '!' ELSE '' END \
             FROM information_schema.columns WHERE table_schema = current_schema() AND table_name LIKE 'bo%'",
        )
        .fetch_all(pool)
        .await
        .unwrap(),
        Db::Sqlite { read, .. } => sqlx::query_scalar(
            "SELECT t.name || '.' || c.name || CASE WHEN c.\"notnull\" OR c.pk THEN '!' ELSE '' END \
             FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table' AND t.name LIKE 'bo%'",
        )
        .fetch_all(read)
        .await
        .unwrap(),
    };
    let single_node = |column: &String| SQLITE_ONLY.iter().any(|table| column.starts_with(&format!("{table}.")));
    columns.into_iter().filter(|column| !single_node(column)).collect()
}

async fn indexes(db: &Db) -> BTreeSet<String> {
    let indexes: Vec<String> = match db {
        Db::Postgres(pool) => {
            sqlx::query_scalar("SELECT indexname::text FROM pg_indexes WHERE schemaname = current_schema() AND indexname NOT LIKE '%_pkey'")
                .fetch_all(pool)
                .await
                .unwrap()
        }
        Db::Sqlite { read, .. } => {
            sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL").fetch_all(read).await.unwrap()
        }
    };
    indexes.into_iter().filter(|index| !SQLITE_ONLY.iter().any(|table| index.starts_with(table))).collect()
}

#[test]
fn both_engines_have_the_same_files() {
    assert_eq!(files("postgres"), files("sqlite"));
}

#[tokio::test]
async fn both_engines_have_the_same_tables_and_indexes() {
    let (directory, schema) = (Directory::new(), Schema::new().await);
    let (sqlite, postgres) = (directory.open().await, schema.open().await);
    assert_eq!(columns(&sqlite).await, columns(&postgres).await);
    assert_eq!(indexes(&sqlite).await, indexes(&postgres).await);
    sqlite.close().await;
    postgres.close().await;
    schema.remove().await;
}

#[tokio::test]
async fn processes_that_start_together_migrate_once() {
    let (directory, schema) = (Directory::new(), Schema::new().await);
    let processes = (0..4).map(|_| async {
        for db in [Db::connect_sqlite(&directory.database()).await.unwrap(), Db::connect_postgres(&schema.url(), 2).await.unwrap()] {
            db.migrate().await.unwrap();
            db.close().await;
        }
    });
    join_all(processes).await;
    schema.remove().await;
}

/// A new file becomes one with a log, and the last who leaves takes the log away: neither may cost another process its start.
#[tokio::test]
async fn processes_open_and_close_a_new_file_at_the_same_time() {
    for _ in 0..50 {
        let directory = Directory::new();
        let processes = (0..8).map(|_| {
            let path = directory.database();
            tokio::spawn(async move { Db::connect_sqlite(&path).await.unwrap().close().await })
        });
        for process in join_all(processes).await {
            process.unwrap();
        }
    }
}

#[tokio::test]
async fn what_is_pending_is_known_and_newer_tables_are_no_hindrance() {
    let (directory, schema) = (Directory::new(), Schema::new().await);
    for db in [Db::connect_sqlite(&directory.database()).await.unwrap(), Db::connect_postgres(&schema.url(), 2).await.unwrap()] {
        assert!(db.migrations_pending().await.unwrap());
        db.migrate().await.unwrap();
        assert!(!db.migrations_pending().await.unwrap());
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) SELECT 9999, 'newer', success, checksum, 0 FROM _sqlx_migrations LIMIT 1";
        match &db {
            Db::Postgres(pool) => drop(sqlx::query(newer).execute(pool).await.unwrap()),
            Db::Sqlite { write, .. } => drop(sqlx::query(newer).execute(write).await.unwrap()),
        }
        db.migrate().await.unwrap();
        db.close().await;
        assert!(db.migrations_pending().await.is_err_and(|error| error.is_unavailable()));
    }
    schema.remove().await;
}
