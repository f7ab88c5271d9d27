//! What a database does at best: updates of one row, each with a commit of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use bo_auth_core::random::{Random, SystemRandom};
use sqlx::{Connection, PgConnection};

use crate::Failure;

/// As wide as a session's row, roughly.
const FILLER: &str = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";

/// A table in an embedded database of its own.
pub(crate) struct SqliteTable {
    connection: rusqlite::Connection,
    rows: u32,
    random: SystemRandom,
}

impl SqliteTable {
    /// Makes it, with the journal and the durability that the product has.
    pub(crate) fn make(path: &Path, rows: u32) -> Result<Self, Failure> {
        let connection = rusqlite::Connection::open(path)?;
        connection.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             CREATE TABLE row (id INTEGER PRIMARY KEY, value INTEGER NOT NULL, filler TEXT NOT NULL) STRICT; \
             WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {rows} - 1) \
             INSERT INTO row SELECT i, 0, '{FILLER}' FROM n; \
             PRAGMA wal_checkpoint(RESTART)"
        ))?;
        Ok(Self { connection, rows, random: SystemRandom::default() })
    }

    /// Updates a second, by one writer.
    pub(crate) fn updates(&self, time: Duration) -> Result<f64, Failure> {
        let mut update = self.connection.prepare("UPDATE row SET value = value + 1 WHERE id = ?1")?;
        let began = Instant::now();
        let mut updates = 0u32;
        while began.elapsed() < time {
            let mut bytes = [0; 4];
            self.random.fill(&mut bytes);
            update.execute((u32::from_le_bytes(bytes) % self.rows,))?;
            updates += 1;
        }
        Ok(f64::from(updates) / began.elapsed().as_secs_f64())
    }
}

/// A table in a Postgres, and a script of `pgbench` for it.
pub(crate) struct PostgresTable<'a> {
    url: &'a str,
    script: std::path::PathBuf,
}

impl<'a> PostgresTable<'a> {
    /// Makes them.
    pub(crate) async fn make(url: &'a str, directory: &Path, rows: u32) -> Result<Self, Failure> {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "CREATE TABLE bench_row (id bigint PRIMARY KEY, value bigint NOT NULL, filler text NOT NULL) WITH (fillfactor = 85); \
             INSERT INTO bench_row SELECT i, 0, '{FILLER}' FROM generate_series(0, {rows} - 1) AS i"
        )))
        .execute(&mut connection)
        .await?;
        sqlx::raw_sql("VACUUM (ANALYZE) bench_row").execute(&mut connection).await?;
        connection.close().await?;
        let script = directory.join("update.sql");
        std::fs::write(&script, format!("\\set id random(0, {rows} - 1)\nUPDATE bench_row SET value = value + 1 WHERE id = :id;\n"))?;
        Ok(Self { url, script })
    }

    /// Updates a second, by so many clients.
    pub(crate) async fn updates(&self, clients: usize, time: Duration) -> Result<f64, Failure> {
        let output = tokio::process::Command::new("pgbench")
            .args(["--no-vacuum", "--protocol", "prepared", "--jobs", "2", "--client", &clients.to_string()])
            .args(["--time", &time.as_secs().max(1).to_string(), "--file"])
            .arg(&self.script)
            .arg(self.url)
            .stdin(Stdio::null())
            .output()
            .await?;
        let text = String::from_utf8_lossy(&output.stdout);
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        rate.ok_or_else(|| format!("pgbench: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}
