//! What a single node keeps in SQLite and nodes of a cluster keep elsewhere.

use bo_auth_store::{Db, Error};

use crate::backend::{Directory, Schema};
use crate::fixture::{NOW, later, owner};

#[tokio::test]
async fn nonces_outlive_the_process() {
    let directory = Directory::new();
    let db = directory.open().await;
    db.insert_nonces(&owner("demo"), later(10), &[1; 16]).await.unwrap();
    db.insert_nonces(&owner("demo"), later(5), &[2; 32]).await.unwrap();
    db.insert_nonces(&owner("other"), later(10), &[3; 16]).await.unwrap();
    assert!(matches!(db.insert_nonces(&owner("demo"), later(10), &[1; 15]).await, Err(Error::Corrupt(_))));
    db.close().await;
    let db = directory.open().await;
    let mut loaded = db.load_nonces(later(5)).await.unwrap();
    loaded.sort();
    assert_eq!(loaded, [(owner("demo"), later(10), vec![1; 16]), (owner("other"), later(10), vec![3; 16])]);
    db.close().await;
}

#[tokio::test]
async fn postgres_keeps_no_nonces() {
    let schema = Schema::new().await;
    let db = schema.open().await;
    assert!(matches!(db.insert_nonces(&owner("demo"), NOW, &[1; 16]).await, Err(Error::Configuration(_))));
    assert!(matches!(db.load_nonces(NOW).await, Err(Error::Configuration(_))));
    db.close().await;
    schema.remove().await;
}

#[tokio::test]
async fn expired_cache_entries_go_in_portions() {
    let directory = Directory::new();
    let db = directory.open().await;
    let Db::Sqlite { write, .. } = &db else { panic!("a file is SQLite") };
    sqlx::query(
        "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 1200) \
         INSERT INTO bo_cache (key, value, expires_at) SELECT 'k' || n, x'00', n FROM number",
    )
    .execute(write)
    .await
    .unwrap();
    assert_eq!(db.remove_cache(bo_auth_core::time::Timestamp(1_150)).await.unwrap(), 1_150);
    assert_eq!(db.remove_cache(bo_auth_core::time::Timestamp(1_150)).await.unwrap(), 0);
    db.close().await;
}
