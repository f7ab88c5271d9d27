//! A tenant's keys, sealed: rows of `bo_signing_key`.

use bo_auth_core::identifier::{KeyId, OwnerId};
use bo_auth_core::time::Timestamp;
use futures_util::TryFutureExt;

use super::administration::AdministrationRows;
use super::not_before::Marks;
use super::{Db, on, transaction};
use crate::Error;
use crate::record::{KeyPurpose, KeyRecord, Marking, Revoked};

/// The kind of a withdrawal that ends a tenant's sessions.
const KEY_WITHDRAWN: &str = "key.withdrawn";

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

    /// Gives every other key of a purpose this end, where it has none yet or a later one; answers how many. An end is
    /// never moved later.
    pub async fn retire_keys(&self, owner_id: &OwnerId, purpose: KeyPurpose, except: &KeyId, retires_at: Timestamp) -> Result<u64, Error> {
        on!(self, write, |connection| sqlx::query(
            "UPDATE bo_signing_key SET retires_at = $4 \
             WHERE owner_id = $1 AND purpose = $2 AND key_id <> $3 AND (retires_at IS NULL OR retires_at > $4)",
        )
        .bind(owner_id.as_str())
        .bind(purpose.as_str())
        .bind(except.as_str())
        .bind(retires_at.0)
        .execute(connection)
        .map_ok(|done| done.rows_affected()))
    }

    /// Puts a new key in front of those of its purpose, which get this end where they have none yet or a later one. Where a
    /// marking is given, all sessions of the tenant end with them. One transaction; answers the mark, or else the revision.
    ///
    /// # Errors
    /// [`Error::Exists`] where the tenant has one of this id, [`Error::Missing`] where there is no such tenant.
    pub async fn replace_key(
        &self,
        owner_id: &OwnerId,
        key: &KeyRecord,
        others_retire_at: Timestamp,
        marking: Option<&Marking>,
    ) -> Result<Revoked, Error> {
        transaction!(self, |connection, attempt| {
            let mark = match marking {
                Some(marking) => connection.mark(marking, Some(KEY_WITHDRAWN), attempt).await?,
                None => connection.announce_revision(owner_id, key.created_at, attempt).await?,
            };
            let mark = mark.ok_or(Error::Missing("tenant"))?;
            connection.insert_key(owner_id, key).await?;
            connection.retire_keys(owner_id, key, others_retire_at).await?;
            Revoked { sessions: Vec::new(), marks: vec![mark] }
        })
    }

    /// Withdraws a key that has a successor: nothing made with it is accepted from `at` on. Answers the tenant's revision;
    /// `None`, and nothing has changed, where the key is unknown, current, or withdrawn already.
    pub async fn withdraw_key(&self, owner_id: &OwnerId, key_id: &KeyId, at: Timestamp) -> Result<Option<Revoked>, Error> {
        transaction!(self, |connection, attempt| {
            let mark = connection.announce_revision(owner_id, at, attempt).await?.ok_or(Error::Missing("tenant"))?;
            let withdrawn =
                sqlx::query("UPDATE bo_signing_key SET retires_at = $3 WHERE owner_id = $1 AND key_id = $2 AND retires_at > $3")
                    .bind(owner_id.as_str())
                    .bind(key_id.as_str())
                    .bind(at.0)
                    .execute(&mut *connection)
                    .await?;
            if withdrawn.rows_affected() == 0 {
                return Ok(None);
            }
            Some(Revoked { sessions: Vec::new(), marks: vec![mark] })
        })
    }

    /// Removes a key; answers whether it was there.
    pub async fn delete_key(&self, owner_id: &OwnerId, key_id: &KeyId) -> Result<bool, Error> {
        on!(self, write, |connection| sqlx::query("DELETE FROM bo_signing_key WHERE owner_id = $1 AND key_id = $2")
            .bind(owner_id.as_str())
            .bind(key_id.as_str())
            .execute(connection)
            .map_ok(|done| done.rows_affected() > 0))
    }
}
