//! A tenant's keys, sealed: rows of `bo_signing_key`.

use bo_auth_core::identifier::{KeyId, OwnerId};
use bo_auth_core::time::Timestamp;

use super::administration::AdministrationRows;
use super::{Db, on, transaction};
use crate::Error;
use crate::record::{KeyPurpose, KeyRecord};

#[derive(sqlx::FromRow)]
struct KeyRow {
    #[sqlx(try_from = "String")]
    key_id: KeyId,
    purpose: String,
    algorithm: String,
    sealed: Vec<u8>,
    created_at: i64,
    retires_at: Option<i64>,
}

impl KeyRow {
    fn into_record(self) -> Result<KeyRecord, Error> {
        Ok(KeyRecord {
            key_id: self.key_id,
            purpose: KeyPurpose::parse(&self.purpose).ok_or(Error::Corrupt("key purpose"))?,
            algorithm: self.algorithm,
            sealed: self.sealed,
            created_at: Timestamp(self.created_at),
            retires_at: self.retires_at.map(Timestamp),
        })
    }
}

impl Db {
    /// Adds a key.
    ///
    /// # Errors
    /// [`Error::Exists`] where the tenant has one of this id, [`Error::Missing`] where there is no such tenant.
    pub async fn insert_key(&self, owner_id: &OwnerId, key: &KeyRecord) -> Result<(), Error> {
        transaction!(self, |connection, _attempt| { connection.insert_key(owner_id, key).await? })
    }

    /// A tenant's keys, the newest first. Those that had retired 30 days before the newest key was made are left out:
    /// nothing that was made with them can be accepted any more, and no clock is needed to say so.
    pub(super) async fn list_keys(&self, owner_id: &OwnerId) -> Result<Vec<KeyRecord>, Error> {
        let rows: Vec<KeyRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT key_id, purpose, algorithm, sealed, created_at, retires_at FROM bo_signing_key \
             WHERE owner_id = $1 AND (retires_at IS NULL \
                 OR retires_at > (SELECT max(created_at) FROM bo_signing_key WHERE owner_id = $1) - 2592000000) \
             ORDER BY created_at DESC, key_id DESC",
        )
        .bind(owner_id.as_str())
        .fetch_all(connection))?;
        rows.into_iter().map(KeyRow::into_record).collect()
    }
}
