//! The database through its public functions, every test on SQLite in a file and on Postgres in a schema of its own.
//! Without `DATABASE_URL` they fail: a test that was left out says nothing.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure is what a test reports")]

mod area;
mod audit;
mod backend;
mod connection;
mod crash;
#[path = "../../../../tests/support/encrypted_stores.rs"]
mod encrypted_stores;
mod encryption;
mod ending;
mod ending_queue;
mod fixture;
mod key;
mod limit;
mod many_sessions;
mod migration;
mod not_before;
mod outbox;
mod plan;
mod plugin;
mod private_redis;
mod race;
mod recovery;
mod remembering;
mod retention;
mod revocation;
mod session;
mod single_node;
mod slow_postgres;
mod stamp_use;
mod system;
mod tenant;
mod user;
