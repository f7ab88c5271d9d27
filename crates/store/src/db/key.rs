//! A tenant's keys, sealed: rows of `bo_signing_key`, and how they follow one another.

use bo_auth_core::identifier::{KeyId, OwnerId};
use bo_auth_core::time::Timestamp;
use serde_json::{Value, json};

use super::administration::AdministrationRows;
use super::event::{Event, EventLog};
use super::not_before::Marks;
use super::{Db, both_connections, on, transaction};
use crate::Error;
use crate::record::{AdministrationEvent, KeyPurpose, KeyRecord, KeyRing, KeyRotation, RetiredKey, Revoked, Withdrawal};

/// How many keys of each purpose are remembered: those that count, and the last that have retired.
const REMEMBERED: i64 = 16;

/// How many tenants' rows are exchanged in one go.
const EXCHANGED_AT_ONCE: i64 = 100;

#[derive(sqlx::FromRow)]
struct KeyRow {
    #[sqlx(try_from = "String")]
    key_id: KeyId,
    purpose: String,
    algorithm: String,
    sealed: Vec<u8>,
    created_at: i64,
    retires_at: Option<i64>,
    signs_from: Option<i64>,
    announced: i32,
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
            signs_from: self.signs_from.map(Timestamp),
            announced: self.announced != 0,
        })
    }
}

/// Up to `$2` keys of each purpose: those without an end, then those that retire last. No clock is
/// needed to say so.
const KEYS_THAT_COUNT: &str = "SELECT key_id, purpose, algorithm, sealed, created_at, retires_at, signs_from, announced \
     FROM (SELECT *, row_number() OVER (PARTITION BY purpose \
             ORDER BY CASE WHEN retires_at IS NULL THEN 0 ELSE 1 END, retires_at DESC, created_at DESC, key_id DESC) AS place \
         FROM bo_signing_key WHERE owner_id = $1) AS ranked \
     WHERE place <= $2 ORDER BY created_at DESC, key_id DESC";

impl Db {
    /// Adds a key.
    ///
    /// # Errors
    /// [`Error::Exists`] if the tenant has one of this id, [`Error::Missing`] if there is no such
    /// tenant.
    pub async fn insert_key(&self, owner_id: &OwnerId, key: &KeyRecord) -> Result<(), Error> {
        transaction!(self, |connection, _attempt| { connection.insert_key(owner_id, key).await? })
    }

    /// A tenant's keys, the newest first: of each purpose those that count, and the last that have
    /// retired.
    pub async fn list_keys(&self, owner_id: &OwnerId) -> Result<Vec<KeyRecord>, Error> {
        let rows: Vec<KeyRow> =
            on!(self, read, |connection| sqlx::query_as(KEYS_THAT_COUNT).bind(owner_id.as_str()).bind(REMEMBERED).fetch_all(connection))?;
        rows.into_iter().map(KeyRow::into_record).collect()
    }

    /// The same without those that can only have retired: an announced one, the current one, and
    /// the one before it.
    pub(super) async fn list_keys_that_count(&self, owner_id: &OwnerId) -> Result<Vec<KeyRecord>, Error> {
        let rows: Vec<KeyRow> =
            on!(self, read, |connection| sqlx::query_as(KEYS_THAT_COUNT).bind(owner_id.as_str()).bind(3_i64).fetch_all(connection))?;
        rows.into_iter().map(KeyRow::into_record).collect()
    }

    /// Puts a key in front of those of its purpose. Two are accepted then, beside one that is
    /// announced; older ones retire, and one that was announced and has not signed yet. Answers
    /// which ones, and what every node must hear of.
    ///
    /// # Errors
    /// [`Error::Exists`] if the tenant has a key of this id, [`Error::Missing`] if there is no such
    /// tenant.
    pub async fn rotate_key(&self, owner_id: &OwnerId, rotation: &KeyRotation<'_>) -> Result<(Revoked, Vec<RetiredKey>), Error> {
        let now = rotation.event.at;
        transaction!(self, |connection, attempt| {
            connection.hold_tenant(owner_id).await?;
            let retired = connection.put_in_front(owner_id, rotation, now).await?;
            let mut event = rotation.event.clone();
            tell_retired(&mut event, &retired);
            let mark = if let Some(marking) = &rotation.marking {
                let mut marking = marking.clone();
                marking.trace = event.trace.clone();
                connection.mark(&marking, Some(event.kind), attempt).await?
            } else {
                let mark = connection.announce_revision(owner_id, now, attempt).await?;
                connection.record(&[Event::administered(owner_id, &event, attempt)]).await?;
                mark
            };
            (Revoked { sessions: Vec::new(), marks: mark.into_iter().collect() }, retired)
        })
    }

    /// Withdraws a key: nothing made with it is accepted any more. If it signs and another is
    /// announced, that one signs from now on.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no such tenant or key.
    pub async fn withdraw_key(
        &self,
        owner_id: &OwnerId,
        key_id: &KeyId,
        event: &AdministrationEvent,
    ) -> Result<(Revoked, Withdrawal), Error> {
        transaction!(self, |connection, attempt| {
            connection.hold_tenant(owner_id).await?;
            let withdrawal = connection.take_away(owner_id, key_id, event.at).await?;
            if matches!(withdrawal, Withdrawal::Already | Withdrawal::NoSuccessor) {
                return Ok((Revoked::default(), withdrawal));
            }
            let mark = connection.announce_revision(owner_id, event.at, attempt).await?;
            connection.record(&[Event::administered(owner_id, event, attempt)]).await?;
            (Revoked { sessions: Vec::new(), marks: mark.into_iter().collect() }, withdrawal)
        })
    }

    /// Exchanges the rows of keys that were announced and sign at `now`, so that servers of the
    /// version before sign with them too; answers what every node must hear of. Works for all
    /// tenants.
    pub async fn exchange_announced_keys(&self, now: Timestamp) -> Result<Vec<(OwnerId, Revoked)>, Error> {
        let due: Vec<(String,)> = on!(self, read, |connection| sqlx::query_as(
            "SELECT DISTINCT owner_id FROM (SELECT owner_id, signs_from FROM bo_signing_key \
                 WHERE announced = 1 AND signs_from <= $1 ORDER BY signs_from LIMIT $2) AS due",
        )
        .bind(now.0)
        .bind(EXCHANGED_AT_ONCE)
        .fetch_all(connection))?;
        let mut exchanged = Vec::with_capacity(due.len());
        for (owner_id,) in due {
            let owner_id = OwnerId::parse(&owner_id).map_err(|_| Error::Corrupt("owner id"))?;
            let revoked = transaction!(self, |connection, attempt| {
                connection.hold_tenant(&owner_id).await?;
                // No early return: what was written without an exchange is committed too.
                if connection.exchange(&owner_id, KeyPurpose::Access, now).await? {
                    let mark = connection.announce_revision(&owner_id, now, attempt).await?;
                    Revoked { sessions: Vec::new(), marks: mark.into_iter().collect() }
                } else {
                    Revoked::default()
                }
            })?;
            exchanged.push((owner_id, revoked));
        }
        Ok(exchanged)
    }
}

/// Adds the keys that retire early to a line of the audit trail. There may be hundreds that an
/// older server has left.
fn tell_retired(event: &mut AdministrationEvent, retired: &[RetiredKey]) {
    if let Some(Value::Object(details)) = &mut event.trace.details
        && !retired.is_empty()
    {
        let first = retired.iter().take(usize::try_from(REMEMBERED).unwrap_or(0));
        details.insert("retired".to_owned(), json!(first.collect::<Vec<_>>()));
    }
}

/// The statements, inside a transaction that has begun.
trait KeyRows {
    /// Holds the tenant's row until the transaction is over: its keys change one after another.
    async fn hold_tenant(&mut self, owner_id: &OwnerId) -> Result<(), Error>;
    /// The keys of a purpose that count.
    async fn keys_of(&mut self, owner_id: &OwnerId, purpose: KeyPurpose) -> Result<Vec<KeyRecord>, Error>;
    /// Exchanges the ends of an announced key that signs by now and the one before it; whether
    /// there was one.
    async fn exchange(&mut self, owner_id: &OwnerId, purpose: KeyPurpose, now: Timestamp) -> Result<bool, Error>;
    /// Writes a key's end; an announced one signs, or never will.
    async fn write_end(&mut self, owner_id: &OwnerId, key_id: &KeyId, retires_at: Option<Timestamp>) -> Result<(), Error>;
    /// Adds a key, with the ends of those before it; answers those that retire early.
    async fn put_in_front(&mut self, owner_id: &OwnerId, rotation: &KeyRotation<'_>, now: Timestamp) -> Result<Vec<RetiredKey>, Error>;
    /// Withdraws a key.
    async fn take_away(&mut self, owner_id: &OwnerId, key_id: &KeyId, now: Timestamp) -> Result<Withdrawal, Error>;
    /// Forgets keys that have retired long ago.
    async fn forget_retired(&mut self, owner_id: &OwnerId, purpose: KeyPurpose, now: Timestamp) -> Result<(), Error>;
}

both_connections!(KeyRows {
    async fn hold_tenant(&mut self, owner_id: &OwnerId) -> Result<(), Error> {
        let held = sqlx::query("UPDATE bo_project SET revision = revision WHERE owner_id = $1")
            .bind(owner_id.as_str())
            .execute(&mut *self)
            .await?;
        if held.rows_affected() == 0 { Err(Error::Missing("tenant")) } else { Ok(()) }
    }

    async fn keys_of(&mut self, owner_id: &OwnerId, purpose: KeyPurpose) -> Result<Vec<KeyRecord>, Error> {
        let rows: Vec<KeyRow> =
            sqlx::query_as(KEYS_THAT_COUNT).bind(owner_id.as_str()).bind(REMEMBERED).fetch_all(&mut *self).await?;
        let keys = rows.into_iter().map(KeyRow::into_record).collect::<Result<Vec<_>, _>>()?;
        Ok(keys.into_iter().filter(|key| key.purpose == purpose).collect())
    }

    async fn exchange(&mut self, owner_id: &OwnerId, purpose: KeyPurpose, now: Timestamp) -> Result<bool, Error> {
        let keys = self.keys_of(owner_id, purpose).await?;
        let successor = KeyRing::of(&keys, purpose).and_then(|ring| Some((ring.current, ring.successor?)));
        let due = successor.filter(|(_, next)| next.signs_from <= now);
        if let Some((current, next)) = due {
            self.write_end(owner_id, &current.key_id, Some(next.current_retires_at)).await?;
            self.write_end(owner_id, &next.key.key_id, None).await?;
        }
        // What an older server has overtaken is announced no more.
        sqlx::query("UPDATE bo_signing_key SET announced = 0 WHERE owner_id = $1 AND announced = 1 AND signs_from <= $2")
            .bind(owner_id.as_str())
            .bind(now.0)
            .execute(&mut *self)
            .await?;
        Ok(due.is_some())
    }

    async fn write_end(&mut self, owner_id: &OwnerId, key_id: &KeyId, retires_at: Option<Timestamp>) -> Result<(), Error> {
        sqlx::query("UPDATE bo_signing_key SET retires_at = $3, announced = 0 WHERE owner_id = $1 AND key_id = $2")
            .bind(owner_id.as_str())
            .bind(key_id.as_str())
            .bind(retires_at.map(Timestamp::millis))
            .execute(&mut *self)
            .await?;
        Ok(())
    }

    async fn put_in_front(
        &mut self,
        owner_id: &OwnerId,
        rotation: &KeyRotation<'_>,
        now: Timestamp,
    ) -> Result<Vec<RetiredKey>, Error> {
        let purpose = rotation.key.purpose;
        self.exchange(owner_id, purpose, now).await?;
        let keys = self.keys_of(owner_id, purpose).await?;
        let ring = KeyRing::of(&keys, purpose);
        // Keys are in the order of their making, whichever machine's clock says when that was.
        let newest = keys.iter().map(|key| key.created_at.millis() + 1).max().unwrap_or(0);
        let created_at = Timestamp(rotation.key.created_at.millis().max(newest));
        let (retires_at, signs_from) = match rotation.signs_from {
            Some(signs_from) => (Some(rotation.earlier_retire_at), Some(signs_from)),
            None => (None, None),
        };
        let announced = signs_from.is_some();
        let key = KeyRecord { created_at, retires_at, signs_from, announced, ..rotation.key.clone() };
        self.insert_key(owner_id, &key).await?;

        let mut retired = Vec::new();
        let current = ring.map(|ring| ring.current.key_id.clone());
        let mut stays = None;
        match (rotation.signs_from, ring.and_then(|ring| ring.earlier)) {
            // It is accepted until two others are.
            (Some(signs_from), Some((earlier, end))) if end > now => {
                stays = Some(earlier.key_id.clone());
                if end > signs_from {
                    self.write_end(owner_id, &earlier.key_id, Some(signs_from)).await?;
                    retired.push(RetiredKey { key_id: earlier.key_id.clone(), retires_at: signs_from });
                }
            }
            _ => {}
        }
        if let (Some(current), None) = (&current, rotation.signs_from) {
            self.write_end(owner_id, current, Some(rotation.earlier_retire_at)).await?;
        }
        let others: Vec<(String,)> = sqlx::query_as(
            "UPDATE bo_signing_key SET retires_at = $3, announced = 0 \
             WHERE owner_id = $1 AND purpose = $2 AND (retires_at IS NULL OR retires_at > $3) \
                 AND key_id <> $4 AND ($5 IS NULL OR key_id <> $5) AND ($6 IS NULL OR key_id <> $6) RETURNING key_id",
        )
        .bind(owner_id.as_str())
        .bind(purpose.as_str())
        .bind(now.0)
        .bind(key.key_id.as_str())
        .bind(current.as_ref().map(KeyId::as_str))
        .bind(stays.as_ref().map(KeyId::as_str))
        .fetch_all(&mut *self)
        .await?;
        for (key_id,) in others {
            let key_id = KeyId::parse(&key_id).map_err(|_| Error::Corrupt("key id"))?;
            retired.push(RetiredKey { key_id, retires_at: now });
        }
        self.forget_retired(owner_id, purpose, now).await?;
        Ok(retired)
    }

    async fn take_away(&mut self, owner_id: &OwnerId, key_id: &KeyId, now: Timestamp) -> Result<Withdrawal, Error> {
        let purpose: Option<(String,)> =
            sqlx::query_as("SELECT purpose FROM bo_signing_key WHERE owner_id = $1 AND key_id = $2")
                .bind(owner_id.as_str())
                .bind(key_id.as_str())
                .fetch_optional(&mut *self)
                .await?;
        let purpose = purpose.ok_or(Error::Missing("key"))?.0;
        let purpose = KeyPurpose::parse(&purpose).ok_or(Error::Corrupt("key purpose"))?;
        self.exchange(owner_id, purpose, now).await?;
        let keys = self.keys_of(owner_id, purpose).await?;
        let ring = KeyRing::of(&keys, purpose).ok_or(Error::Corrupt("a purpose without a current key"))?;
        let withdrawal = if ring.current.key_id == *key_id {
            let Some(next) = ring.successor else { return Ok(Withdrawal::NoSuccessor) };
            sqlx::query(
                "UPDATE bo_signing_key SET retires_at = NULL, signs_from = $3, announced = 0 WHERE owner_id = $1 AND key_id = $2",
            )
            .bind(owner_id.as_str())
            .bind(next.key.key_id.as_str())
            .bind(now.0)
            .execute(&mut *self)
            .await?;
            Withdrawal::Succeeded(next.key.key_id.clone())
        } else if keys.iter().any(|key| key.key_id == *key_id && key.retires_at.is_some_and(|at| now < at)) {
            Withdrawal::Withdrawn
        } else {
            return Ok(Withdrawal::Already);
        };
        self.write_end(owner_id, key_id, Some(now)).await?;
        Ok(withdrawal)
    }

    async fn forget_retired(&mut self, owner_id: &OwnerId, purpose: KeyPurpose, now: Timestamp) -> Result<(), Error> {
        sqlx::query(
            "DELETE FROM bo_signing_key WHERE owner_id = $1 AND purpose = $2 AND retires_at <= $3 AND key_id NOT IN ( \
                 SELECT key_id FROM bo_signing_key WHERE owner_id = $1 AND purpose = $2 \
                 ORDER BY CASE WHEN retires_at IS NULL THEN 0 ELSE 1 END, retires_at DESC, created_at DESC, key_id DESC LIMIT $4)",
        )
        .bind(owner_id.as_str())
        .bind(purpose.as_str())
        .bind(now.0)
        .bind(REMEMBERED)
        .execute(&mut *self)
        .await?;
        Ok(())
    }
});
