//! Where things are kept: the options that `serve` and all operator commands share.

use std::fmt;
use std::path::{Path, PathBuf};

use bo_auth_store::RedisAddresses;
use clap::Args;
use clap::builder::FalseyValueParser;

use super::{ConfigurationError, Secret};

/// The name of the embedded database below `--data`.
const DATABASE_FILE: &str = "bo-auth.db";

/// Options of the stores.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Storage")]
pub struct StoreOptions {
    /// Directory of the embedded database and of what is kept beside it
    #[arg(long, env = "BO_AUTH_DATA", value_name = "DIR", default_value = "./data")]
    pub data: PathBuf,

    /// Postgres, such as `postgres://user:password@host/database?sslmode=verify-full`; `sslmode`, `sslrootcert`, `sslcert` and
    /// `sslkey` are those of libpq [default: an embedded database below --data]
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<Secret>,

    /// File that holds the database's URL
    #[arg(long, env = "DATABASE_URL_FILE", value_name = "FILE")]
    pub database_url_file: Option<PathBuf>,

    /// Redis, such as `redis://:password@host:6379/0`, or `rediss://` for TLS, with `sslrootcert`, `sslcert` and `sslkey` as
    /// for Postgres; several nodes of a Redis Cluster separated by commas. A request waits
    /// for it for 100 ms, or as the parameter says in `redis://host:6379?patience=200`
    #[arg(long, env = "REDIS_URL", value_name = "URL", hide_env_values = true)]
    pub redis_url: Option<Secret>,

    /// File that holds Redis' URL
    #[arg(long, env = "REDIS_URL_FILE", value_name = "FILE")]
    pub redis_url_file: Option<PathBuf>,

    /// Which cache to use [default: redis where its URL is given, else local]
    #[arg(long, env = "BO_AUTH_CACHE", value_name = "KIND")]
    pub cache: Option<CacheKind>,

    /// This is the only node, so that a cache of its own will do beside Postgres
    #[arg(long, env = "BO_AUTH_SINGLE_NODE", value_parser = FalseyValueParser::new())]
    pub single_node: bool,

    /// The key that seals all secrets in the database. A file is the better place: other users may see a command line
    #[arg(long, env = "BO_AUTH_MASTER_KEY", value_name = "KEY", hide_env_values = true)]
    pub master_key: Option<Secret>,

    /// File that holds the master key
    #[arg(long, env = "BO_AUTH_MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
}

/// A kind of cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CacheKind {
    /// Redis, shared by all nodes.
    Redis,
    /// A table of the embedded database.
    Sqlite,
    /// This process's memory.
    Local,
}

impl fmt::Display for CacheKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Redis => "redis",
            Self::Sqlite => "sqlite",
            Self::Local => "local",
        })
    }
}

/// Which database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseChoice {
    /// Postgres, by its URL.
    Postgres(Secret),
    /// The embedded one, by its file.
    Sqlite(PathBuf),
}

/// Which cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheChoice {
    /// Redis, by its URL or URLs.
    Redis(Secret),
    /// A table of the embedded database.
    Sqlite,
    /// This process's memory.
    Local,
}

/// Options of the stores that fit together.
#[derive(Debug, Clone)]
pub struct StoreConfiguration {
    /// Directory of what is kept on this machine.
    pub data: PathBuf,
    /// The truth.
    pub database: DatabaseChoice,
    /// What is asked before it.
    pub cache: CacheChoice,
    /// Whether this is the only node.
    pub single_node: bool,
    /// The key that seals secrets, where the operator has given one.
    pub master_key: Option<Secret>,
}

impl StoreOptions {
    /// Checks that the options fit together, and reads the secrets that are kept in files.
    ///
    /// # Errors
    /// Where they do not; the text says what to do.
    pub fn validate(&self) -> Result<StoreConfiguration, ConfigurationError> {
        let database_url = secret(
            (self.database_url.as_ref(), "--database-url (DATABASE_URL)"),
            (self.database_url_file.as_deref(), "--database-url-file (DATABASE_URL_FILE)"),
        )?;
        let redis_url = secret(
            (self.redis_url.as_ref(), "--redis-url (REDIS_URL)"),
            (self.redis_url_file.as_deref(), "--redis-url-file (REDIS_URL_FILE)"),
        )?;
        let master_key = secret(
            (self.master_key.as_ref(), "--master-key (BO_AUTH_MASTER_KEY)"),
            (self.master_key_file.as_deref(), "--master-key-file (BO_AUTH_MASTER_KEY_FILE)"),
        )?;
        let database = self.database(database_url)?;
        let cache = self.cache(redis_url)?;
        let is_shared = matches!(cache, CacheChoice::Redis(_));
        if matches!(database, DatabaseChoice::Postgres(_)) && !is_shared && !self.single_node {
            let cache = if cache == CacheChoice::Sqlite { CacheKind::Sqlite } else { CacheKind::Local };
            return Err(ConfigurationError::CacheNotShared { cache });
        }
        // An embedded database has one node, whether or not the operator says so.
        let single_node = self.single_node || matches!(database, DatabaseChoice::Sqlite(_));
        Ok(StoreConfiguration { data: self.data.clone(), database, cache, single_node, master_key })
    }

    fn database(&self, url: Option<Secret>) -> Result<DatabaseChoice, ConfigurationError> {
        let Some(url) = url else { return Ok(DatabaseChoice::Sqlite(self.data.join(DATABASE_FILE))) };
        let text = url.expose();
        if has_scheme(text, &["postgres", "postgresql"]) {
            return Ok(DatabaseChoice::Postgres(url));
        }
        let path = text.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path));
        path.filter(|path| !path.is_empty()).map(|path| DatabaseChoice::Sqlite(path.into())).ok_or(ConfigurationError::DatabaseKind)
    }

    fn cache(&self, url: Option<Secret>) -> Result<CacheChoice, ConfigurationError> {
        match (self.cache, url) {
            (Some(CacheKind::Sqlite), _) => Ok(CacheChoice::Sqlite),
            (Some(CacheKind::Local), _) | (None, None) => Ok(CacheChoice::Local),
            (Some(CacheKind::Redis), None) => Err(ConfigurationError::RedisUnknown),
            (Some(CacheKind::Redis) | None, Some(url)) => {
                let is_known = |text: &str| has_scheme(text.trim(), &["redis", "rediss", "redis+unix", "unix"]);
                if !url.expose().split(',').all(is_known) {
                    return Err(ConfigurationError::RedisKind);
                }
                RedisAddresses::parse(url.expose()).map_err(|error| ConfigurationError::RedisAddress { problem: error.to_string() })?;
                Ok(CacheChoice::Redis(url))
            }
        }
    }
}

pub(super) fn has_scheme(url: &str, schemes: &[&str]) -> bool {
    url.split_once("://").is_some_and(|(scheme, _)| schemes.contains(&scheme))
}

/// A secret given as it is or in a file. An empty variable is one that is not set, as container files have it; the end of
/// a file's last line does not belong to the secret.
pub(super) fn secret(
    (value, value_option): (Option<&Secret>, &'static str),
    (path, option): (Option<&Path>, &'static str),
) -> Result<Option<Secret>, ConfigurationError> {
    let value = value.filter(|value| !value.expose().is_empty());
    let path = path.filter(|path| !path.as_os_str().is_empty());
    match (value, path) {
        (Some(_), Some(_)) => Err(ConfigurationError::GivenTwice { value: value_option, file: option }),
        (value, None) => Ok(value.cloned()),
        (None, Some(path)) => {
            let text =
                std::fs::read_to_string(path).map_err(|source| ConfigurationError::Unreadable { option, path: path.to_owned(), source })?;
            let text = text.trim_end_matches(['\r', '\n']);
            if text.is_empty() {
                return Err(ConfigurationError::Empty { option, path: path.to_owned() });
            }
            Ok(Some(Secret::new(text.to_owned())))
        }
    }
}
