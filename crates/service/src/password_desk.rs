//! Hashes and compares passwords, away from the network threads and only so many at a time: each takes some 20 ms and
//! 19 MiB, and a flood of logins must not starve everything else.

use std::sync::Arc;

use bo_auth_core::password::{Fit, PasswordCost, PasswordHasher};
use bo_auth_core::random::Random;
use tokio::sync::Semaphore;

use crate::Error;

/// A bounded desk in front of the hasher.
pub(crate) struct PasswordDesk {
    hasher: Arc<PasswordHasher>,
    random: Arc<dyn Random>,
    lanes: Semaphore,
}

impl PasswordDesk {
    pub(crate) fn new(cost: PasswordCost, lanes: usize, random: Arc<dyn Random>) -> Result<Self, Error> {
        Ok(Self { hasher: Arc::new(PasswordHasher::new(cost)?), random, lanes: Semaphore::new(lanes.max(1)) })
    }

    /// The hasher itself, for who has no desk.
    pub(crate) fn hasher(&self) -> Arc<PasswordHasher> {
        Arc::clone(&self.hasher)
    }

    /// Argon2id in PHC form; a password that is not usable is the operator's to mend.
    pub(crate) async fn hash_new(&self, password: Vec<u8>) -> Result<String, Error> {
        let random = Arc::clone(&self.random);
        let hashed = self.run(move |hasher| hasher.hash(&password, &*random)).await?;
        hashed.map_err(|error| Error::Refused(error.to_string()))
    }

    /// Argon2id in PHC form.
    pub(crate) async fn hash(&self, password: Vec<u8>) -> Result<String, Error> {
        let random = Arc::clone(&self.random);
        self.run(move |hasher| hasher.hash(&password, &*random)).await?.map_err(|error| match error {
            bo_auth_core::Error::Password(_) => Error::ParameterInvalid("password"),
            other => other.into(),
        })
    }

    /// Whether the password is the hash's; the same work is done where there is no hash.
    pub(crate) async fn verify(&self, password: Vec<u8>, hash: Option<String>) -> Result<Fit, Error> {
        self.run(move |hasher| {
            if let Some(hash) = hash {
                return hasher.verify(&password, &hash);
            }
            hasher.verify_nothing(&password);
            Fit::Not
        })
        .await
    }

    /// Whether the hash was made at another cost than today's.
    pub(crate) fn needs_rehash(&self, hash: &str) -> bool {
        self.hasher.needs_rehash(hash)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce(&PasswordHasher) -> T + Send + 'static) -> Result<T, Error> {
        let _lane = self.lanes.acquire().await.map_err(|_| Error::Unavailable(None))?;
        let hasher = Arc::clone(&self.hasher);
        tokio::task::spawn_blocking(move || work(&hasher)).await.map_err(|error| Error::Internal(Box::new(error)))
    }
}
