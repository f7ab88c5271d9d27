//! What can be wrong with the options, and what to do about it. A secret's text is in none of these.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::CacheKind;
use super::units::ByteCount;

/// Options that do not fit together.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// A demo that strangers could reach.
    #[error(
        "--demo has public secrets and would be reachable at {listen}: listen on a loopback address such as 127.0.0.1:8480, \
         or leave --demo out and create a tenant"
    )]
    DemoInPublic {
        /// The address.
        listen: SocketAddr,
    },
    /// Several nodes could share the database, but not the cache.
    #[error(
        "with Postgres other nodes may serve too, and a {cache} cache would not tell them who has signed out: \
         give --redis-url, or --single-node if this is the only node"
    )]
    CacheNotShared {
        /// The cache that was chosen.
        cache: CacheKind,
    },
    /// Redis was chosen and not found.
    #[error("--cache redis needs to know where Redis is: give --redis-url (or REDIS_URL, or --redis-url-file)")]
    RedisUnknown,
    /// A secret was given twice.
    #[error("{value} and {file} are both given: leave one of them out")]
    GivenTwice {
        /// The option with the value itself.
        value: &'static str,
        /// The option with the file.
        file: &'static str,
    },
    /// A secret's file cannot be read.
    #[error("cannot read {path} ({option}): check that the file is there and that this user may read it")]
    Unreadable {
        /// The option that names it.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A secret's file is empty.
    #[error("{path} ({option}) is empty: write the secret into it, or leave {option} out")]
    Empty {
        /// The option that names it.
        option: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A database of a kind we do not know.
    #[error(
        "--database-url must begin with postgres:// or postgresql:// (or sqlite: and a path); leave it out to keep everything below --data"
    )]
    DatabaseKind,
    /// A Redis address of a kind we do not know.
    #[error("--redis-url must begin with redis://, redis+unix:// or unix://")]
    RedisKind,
    /// A Redis address that cannot be read.
    #[error("--redis-url: {problem}")]
    RedisAddress {
        /// What is wrong with it.
        problem: String,
    },
    /// A size out of its bounds.
    #[error("{option} is {value}: give {least} to {most}")]
    Size {
        /// The option.
        option: &'static str,
        /// What was given.
        value: ByteCount,
        /// The least that is allowed.
        least: &'static str,
        /// The most that is allowed.
        most: &'static str,
    },
    /// More lanes than their memory carries.
    #[error("--argon2-lanes is {lanes}, and --argon2-memory carries at most {most} (8 KiB a lane): give fewer lanes or more memory")]
    Argon2Lanes {
        /// What was given.
        lanes: u32,
        /// The most that is allowed.
        most: u32,
    },
    /// Something in the file of v1.0 fleets.
    #[error("{path} (--legacy-v1): {problem}")]
    Legacy {
        /// The file.
        path: PathBuf,
        /// What, and what to do.
        problem: String,
    },
    /// An address for what is not served.
    #[error("--admin-listen serves the admin API, which --admin off switches off: leave one of them out")]
    AdminOff,
    /// One address for two ports.
    #[error("{option} is {listen}, as --listen is: give it another port, or leave it out to serve both there")]
    ListensTwice {
        /// The option.
        option: &'static str,
        /// The address of both.
        listen: SocketAddr,
    },
    /// gRPC has nothing to serve.
    #[error("--grpc-listen serves the v1.0 contract: give --legacy-v1 too, or leave it out")]
    GrpcWithoutFleet,
}
