//! A database file for one of this crate's tests, in a directory that goes with it.

use std::path::PathBuf;

use crate::Db;
use crate::test_redis::new_owner;

/// A migrated database.
pub(crate) struct TestDatabase {
    pub(crate) db: Db,
    directory: PathBuf,
}

impl TestDatabase {
    pub(crate) async fn new() -> Self {
        let directory = std::env::temp_dir().join(format!("bo-auth-test-{}", new_owner("")));
        std::fs::create_dir(&directory).unwrap();
        let db = Db::connect_sqlite(&directory.join("test.db")).await.unwrap();
        db.migrate().await.unwrap();
        Self { db, directory }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
