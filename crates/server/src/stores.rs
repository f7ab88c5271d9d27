//! Opens what the configuration names: the data directory, the master key, the database, the cache.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bo_auth_core::random::SystemRandom;
use bo_auth_core::sealing::{MasterKey, key_context};
use bo_auth_core::time::Clock;
use bo_auth_store::{Cache, Db, RedisConnection, Transport};

use crate::configuration::{CacheChoice, DatabaseChoice, StoreConfiguration};

/// The master key's file in the data directory.
const MASTER_KEY_FILE: &str = "master.key";

/// The file whose lock says that a server runs on the data directory.
const LOCK_FILE: &str = "server.lock";

/// How much memory the local cache may take, in bytes.
const LOCAL_CACHE_BYTES: u64 = 64 << 20;

/// Connections to Postgres.
const POSTGRES_CONNECTIONS: u32 = 16;

/// Why a store could not be opened, in words for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file or directory.
    #[error("{}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Another server runs on the same data directory.
    #[error("another server runs on {}; stop it, or give --data another directory", .0.display())]
    Occupied(PathBuf),
    /// No master key.
    #[error(
        "there is no master key: give --master-key-file (or BO_AUTH_MASTER_KEY), the same on every node; `openssl rand -base64 32` makes one"
    )]
    NoMasterKey,
    /// A master key of the wrong form.
    #[error("the master key is not usable: it must be 32 bytes as base64 or 64 hexadecimal digits")]
    MasterKey,
    /// A master key that does not open what the database holds.
    #[error(
        "the master key is not the one that sealed the secrets in this database: give that one with --master-key-file (or BO_AUTH_MASTER_KEY), or restore {MASTER_KEY_FILE} in the data directory from a backup"
    )]
    OtherMasterKey,
    /// A store.
    #[error(transparent)]
    Store(#[from] bo_auth_store::Error),
}

/// Holds a data directory for one server; given back when it is dropped, or when the process ends in whatever way.
#[derive(Debug)]
pub struct DataLock(#[expect(dead_code, reason = "holds the lock")] File);

/// Makes the data directory, for this user alone, where it is not there.
///
/// # Errors
/// As the operating system says.
pub fn make_data_directory(data: &Path) -> Result<(), OpenError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.map_err(|source| OpenError::File { path: data.to_owned(), source })
}

/// Takes the data directory for one server.
///
/// # Errors
/// [`OpenError::Occupied`] where another process has it.
pub fn lock_data_directory(data: &Path) -> Result<DataLock, OpenError> {
    let path = data.join(LOCK_FILE);
    let failed = |source| OpenError::File { path: path.clone(), source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(DataLock(file)),
        Err(TryLockError::WouldBlock) => Err(OpenError::Occupied(data.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// The master key: from the options, or else from the data directory, where it is made if `make` says so.
///
/// # Errors
/// [`OpenError::NoMasterKey`], [`OpenError::MasterKey`].
pub fn open_master_key(configuration: &StoreConfiguration, make: bool) -> Result<MasterKey, OpenError> {
    if let Some(secret) = &configuration.master_key {
        return MasterKey::parse(secret.expose().trim()).map_err(|_| OpenError::MasterKey);
    }
    let path = configuration.data.join(MASTER_KEY_FILE);
    let failed = |source| OpenError::File { path: path.clone(), source };
    match std::fs::read_to_string(&path) {
        Ok(text) => MasterKey::parse(text.trim()).map_err(|_| OpenError::MasterKey),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && make => {
            let key = MasterKey::generate(&SystemRandom::default()).map_err(|_| OpenError::MasterKey)?;
            // Written whole and durable under another name first: a crash leaves a whole key or none.
            let draft = path.with_extension("new");
            let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft).map_err(failed)?;
            file.write_all(key.to_text().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
            std::fs::rename(&draft, &path).map_err(failed)?;
            File::open(&configuration.data).and_then(|directory| directory.sync_all()).map_err(failed)?;
            Ok(key)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(OpenError::NoMasterKey),
        Err(source) => Err(failed(source)),
    }
}

/// Tries the master key on a secret that the database holds, if it holds one: with another key everything would be
/// refused, and what is added would be lost to the right one.
///
/// # Errors
/// [`OpenError::OtherMasterKey`]; [`OpenError::Store`] where the database does not answer.
pub async fn verify_master_key(db: &Db, master_key: &MasterKey) -> Result<(), OpenError> {
    let Some(first) = db.list_tenants(None, 1).await?.pop() else { return Ok(()) };
    let keys = db.find_tenant(&first.owner_id).await?.map_or_else(Vec::new, |tenant| tenant.keys);
    let Some(key) = keys.first() else { return Ok(()) };
    let context = key_context(&first.owner_id, &key.key_id, key.purpose.as_str());
    master_key.open(&context, &key.sealed).map(|_| ()).map_err(|_| OpenError::OtherMasterKey)
}

/// Connects to the database.
///
/// # Errors
/// [`OpenError::Store`] where it does not answer.
pub async fn open_database(configuration: &StoreConfiguration) -> Result<Db, OpenError> {
    Ok(match &configuration.database {
        DatabaseChoice::Postgres(url) => Db::connect_postgres(url.expose(), POSTGRES_CONNECTIONS).await?,
        DatabaseChoice::Sqlite(path) => Db::connect_sqlite(path).await?,
    })
}

/// Says so in the log if what is told to a store crosses a network in clear text.
///
/// # Errors
/// [`OpenError::Store`] if the database does not answer.
pub async fn warn_of_clear_text(db: &Db, redis: Option<&RedisConnection>) -> Result<(), OpenError> {
    if db.transport().await? == Transport::ClearText {
        tracing::warn!("what is said to Postgres crosses the network in clear text: give its URL sslmode=verify-full");
    }
    if redis.is_some_and(|redis| *redis.transport() == Transport::ClearText) {
        tracing::warn!("what is said to Redis crosses the network in clear text: begin its URL with rediss://");
    }
    Ok(())
}

/// The Redis that the configuration names, if it names one.
///
/// # Errors
/// [`OpenError::Store`] where its address is not usable.
pub fn open_redis(configuration: &StoreConfiguration) -> Result<Option<RedisConnection>, OpenError> {
    match &configuration.cache {
        CacheChoice::Redis(url) => Ok(Some(RedisConnection::open(url.expose())?)),
        CacheChoice::Sqlite | CacheChoice::Local => Ok(None),
    }
}

/// The cache that the configuration names.
///
/// # Errors
/// [`OpenError::Store`] where a SQLite cache is asked for beside Postgres.
pub fn open_cache(
    configuration: &StoreConfiguration,
    db: &Db,
    redis: Option<&RedisConnection>,
    clock: Arc<dyn Clock>,
) -> Result<Cache, OpenError> {
    match (&configuration.cache, redis) {
        (CacheChoice::Redis(_), Some(redis)) => Ok(Cache::redis(redis.clone())),
        (CacheChoice::Sqlite, _) => match db {
            Db::Sqlite { read, write } => Ok(Cache::sqlite(read.clone(), write.clone(), clock)),
            Db::Postgres(_) => {
                let text = "--cache sqlite needs the embedded database; with Postgres use redis, or local with --single-node";
                Err(bo_auth_store::Error::Configuration(text.to_owned()).into())
            }
        },
        _ => Ok(Cache::local(LOCAL_CACHE_BYTES, clock)),
    }
}
