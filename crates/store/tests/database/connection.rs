//! Connections: who may read the file, who waits for whom, and what is said when nobody answers.

use std::time::Duration;

use bo_auth_store::{Db, Error};
use futures_util::future::join_all;
use sqlx::Connection;

use crate::backend::{Directory, Schema};
use crate::fixture::{Demo, change_tenant, later, owner, tenant_record};

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let directory = Directory::new();
    let db = directory.open().await;
    Demo::new(db.clone()).await;
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
    }
    db.close().await;
}

#[tokio::test]
async fn the_file_is_durable_and_reading_connections_cannot_write() {
    let directory = Directory::new();
    let db = directory.open().await;
    let Db::Sqlite { read, write } = &db else { panic!("a file is SQLite") };
    let pragma = async |name: &'static str| -> String { sqlx::query_scalar::<_, String>(name).fetch_one(write).await.unwrap() };
    assert_eq!(pragma("SELECT journal_mode FROM pragma_journal_mode").await, "wal");
    assert_eq!(pragma("SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous").await, "2", "FULL");
    assert_eq!(pragma("SELECT CAST(foreign_keys AS TEXT) FROM pragma_foreign_keys").await, "1");
    assert!(sqlx::query("DELETE FROM bo_project").execute(read).await.is_err());
    db.close().await;
}

#[tokio::test]
async fn two_processes_write_to_one_file() {
    let directory = Directory::new();
    let (server, command_line) = (directory.open().await, directory.open().await);
    let demo = Demo::new(server.clone()).await;
    let other = Demo { db: command_line.clone(), owner_id: demo.owner_id.clone() };
    join_all((0..60).map(|second| {
        let demo = if second % 2 == 0 { demo.clone() } else { other.clone() };
        async move {
            let session = demo.open(later(second)).await;
            demo.db.end_sessions(&[demo.ending(session, later(second))]).await.unwrap();
        }
    }))
    .await;
    assert_eq!(demo.pending().await.len(), 60);
    server.close().await;
    command_line.close().await;
}

#[tokio::test]
async fn a_writer_waits_for_another_process() {
    let directory = Directory::new();
    let (db, other) = (directory.open().await, directory.open().await);
    let Db::Sqlite { write, .. } = &other else { panic!("a file is SQLite") };
    let mut connection = write.acquire().await.unwrap();
    let transaction = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let waiting = tokio::spawn(async move {
        db.insert_tenant(&tenant_record("demo"), later(0)).await.unwrap();
        db
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    assert!(other.find_tenant(&owner("demo")).await.unwrap().is_none(), "readers do not wait");
    transaction.rollback().await.unwrap();
    drop(connection);
    let db = waiting.await.unwrap();
    assert!(other.find_tenant(&owner("demo")).await.unwrap().is_some());
    db.close().await;
    other.close().await;
}

#[tokio::test]
async fn what_cannot_be_reached_is_unavailable() {
    let directory = Directory::new();
    let nobody = format!("postgres://nobody@localhost/none?host={}", directory.path().display());
    let unreachable = Db::connect_postgres(&nobody, 1).await.unwrap_err();
    assert!(unreachable.is_unavailable(), "{unreachable:?}");
    assert!(matches!(Db::connect_postgres("mysql://secret", 1).await, Err(Error::Configuration(text)) if !text.contains("secret")));
    assert!(matches!(Db::connect_sqlite(&directory.path().join("none/bo-auth.db")).await, Err(Error::Configuration(_))));
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_an_outage() {
    let schema = Schema::new().await;
    let db = schema.open().await;
    let Db::Postgres(pool) = &db else { panic!("a schema is Postgres") };
    let limits: Vec<String> = sqlx::query_scalar(
        "SELECT setting FROM pg_settings WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout') ORDER BY name DESC",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert_eq!(limits, ["5000", "10000"]);
    let mut connection = pool.acquire().await.unwrap();
    sqlx::query("SET statement_timeout = 50").execute(&mut *connection).await.unwrap();
    let error = sqlx::query("SELECT pg_sleep(5)").execute(&mut *connection).await.unwrap_err();
    assert!(Error::from(error).is_unavailable());
    connection.close().await.unwrap();
    db.close().await;
    schema.remove().await;
}

#[tokio::test]
async fn a_server_that_falls_silent_is_an_outage_and_its_connection_is_given_up() {
    let schema = Schema::new().await;
    let other = schema.open().await;
    let db = Db::connect_postgres(&schema.url(), 1).await.unwrap();
    db.insert_tenant(&tenant_record("demo"), later(0)).await.unwrap();
    let (Db::Postgres(pool), Db::Postgres(holding)) = (&db, &other) else { panic!("a schema is Postgres") };
    let mut transaction = holding.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM bo_project FOR UPDATE").execute(&mut *transaction).await.unwrap();
    let process = async || -> i32 { sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(pool).await.unwrap() };
    let before = process().await;
    while pool.num_idle() == 0 {
        tokio::task::yield_now().await;
    }

    // Time stands still but for the timeouts: the server's own limit, which is shorter, is not reached.
    tokio::time::pause();
    let error = change_tenant(&db, &tenant_record("demo"), later(1)).await.unwrap_err();
    tokio::time::resume();
    assert!(matches!(&error, Error::DatabaseUnavailable(sqlx::Error::Io(_))), "{error:?}");
    transaction.rollback().await.unwrap();
    assert_ne!(process().await, before, "nobody waits for what the silent one may still say");
    change_tenant(&db, &tenant_record("demo"), later(2)).await.unwrap();
    db.close().await;
    other.close().await;
    schema.remove().await;
}
