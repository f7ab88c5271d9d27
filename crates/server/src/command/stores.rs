//! The stores as operator commands open them, and how a running server hears of what they change.

use std::path::PathBuf;
use std::sync::Arc;

use bo_auth_core::password::{PasswordCost, PasswordHasher};
use bo_auth_core::random::{Random, SystemRandom};
use bo_auth_core::time::{Clock, SystemClock};
use bo_auth_service::operator::{Author, Change, Operator};
use bo_auth_store::revocation::Revocations;

use super::Failure;
use super::output::Output;
use crate::configuration::{CacheChoice, DatabaseChoice, StoreConfiguration, StoreOptions};
use crate::control::{Told, tell};
use crate::stores::{make_data_directory, open_cache, open_database, open_master_key, open_redis, verify_master_key};

/// Memory for ended sessions where nobody asks for them.
const TELLING_BYTES: usize = 1 << 20;

/// Opened stores.
pub(crate) struct OperatorStores {
    pub(crate) operator: Operator,
    data: PathBuf,
}

impl OperatorStores {
    /// Opens and migrates them.
    pub(crate) async fn open(options: StoreOptions) -> Result<Self, Failure> {
        let configuration = options.validate()?;
        let operator = open_operator(&configuration, PasswordCost::default()).await?;
        Ok(Self { operator, data: configuration.data })
    }

    /// Tells the server that runs on this data directory what has changed, and waits until it has taken effect there.
    pub(crate) async fn tell(&self, changes: &[Change], output: Output) -> Result<(), Failure> {
        match tell(&self.data, changes).await {
            Ok(Told::Done) => Ok(()),
            Ok(Told::NobodyThere) => {
                output.remark("no server runs on this data directory; the change takes effect when one starts");
                Ok(())
            }
            Err(error) => Err(Failure::done_not_everywhere(format!(
                "the change is written, but the running server has not confirmed it ({error}); it takes it up by itself within a minute"
            ))),
        }
    }
}

/// An operator on the configured stores.
pub(super) async fn open_operator(configuration: &StoreConfiguration, cost: PasswordCost) -> Result<Operator, Failure> {
    make_data_directory(&configuration.data)?;
    let is_embedded = matches!(configuration.database, DatabaseChoice::Sqlite(_));
    let master_key = open_master_key(configuration, is_embedded)?;
    let db = open_database(configuration).await?;
    db.migrate().await?;
    verify_master_key(&db, &master_key).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let redis = open_redis(configuration)?;
    // What lives in a server's memory, that server forgets when it is told.
    let cache = match configuration.cache {
        CacheChoice::Local => None,
        CacheChoice::Redis(_) | CacheChoice::Sqlite => Some(open_cache(configuration, &db, redis.as_ref(), Arc::clone(&clock))?),
    };
    let random: Arc<dyn Random> = Arc::new(SystemRandom::default());
    let revocations = match redis {
        Some(redis) if !configuration.single_node => {
            // It tells and holds nothing.
            Some(Revocations::among_many(db.clone(), redis.clone(), redis, Arc::clone(&clock), Arc::clone(&random), TELLING_BYTES).await?)
        }
        _ => None,
    };
    let hasher = Arc::new(PasswordHasher::new(cost)?);
    let (master_key, author) = (Arc::new(master_key), Author::default());
    Ok(Operator { db, cache, revocations, master_key, hasher, clock, random, running: None, author })
}
