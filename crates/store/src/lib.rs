//! Keeps and finds: the database (the truth), the cache in front of it, and what must be counted once.
//! SQLite and Postgres, Redis and memory, behind enums with one meaning each.

pub mod admission;
pub mod cache;
pub mod db;
pub mod failpoint;
pub mod old_sessions;
pub mod plugin_record;
pub mod record;
pub mod revocation;

mod error;
mod redis_addresses;
mod redis_connection;
mod transport;

#[cfg(test)]
mod test_redis;
#[cfg(test)]
mod test_sqlite;

pub use cache::Cache;
pub use db::{DatabaseHealth, Db};
pub use error::{Error, NotPublished};
pub use redis_addresses::RedisAddresses;
pub use redis_connection::{RedisConnection, RedisHealth};
pub use transport::Transport;
