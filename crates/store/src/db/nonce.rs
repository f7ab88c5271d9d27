//! Accepted stamps of a single node, so that a restart does not accept them again: rows of `bo_nonce`, each a batch of
//! 16-byte digests. With Postgres the shared cache keeps them, and these functions have nothing to work on.

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::time::Timestamp;

use super::{Db, bounded};
use crate::Error;

/// The length of one digest.
const DIGEST_BYTES: usize = 16;

#[derive(sqlx::FromRow)]
struct NonceRow {
    #[sqlx(try_from = "String")]
    owner_id: OwnerId,
    expires_at: i64,
    digests: Vec<u8>,
}

impl Db {
    /// Keeps a batch of digests, one behind the other.
    ///
    /// # Errors
    /// [`Error::Configuration`] with Postgres, [`Error::Corrupt`] where the bytes are not whole digests.
    pub async fn insert_nonces(&self, owner_id: &OwnerId, expires_at: Timestamp, digests: &[u8]) -> Result<(), Error> {
        let Self::Sqlite { write, .. } = self else { return Err(not_here()) };
        if !digests.len().is_multiple_of(DIGEST_BYTES) {
            return Err(Error::Corrupt("batch of nonces"));
        }
        bounded!(write, |connection| sqlx::query(
            "INSERT INTO bo_nonce (owner_id, batch_id, expires_at, digests) \
             SELECT $1, coalesce(max(batch_id), 0) + 1, $2, $3 FROM bo_nonce WHERE owner_id = $1",
        )
        .bind(owner_id.as_str())
        .bind(expires_at.0)
        .bind(digests)
        .execute(connection))?;
        Ok(())
    }

    /// Every batch that counts at `now`. Works for all tenants.
    ///
    /// # Errors
    /// [`Error::Configuration`] with Postgres.
    pub async fn load_nonces(&self, now: Timestamp) -> Result<Vec<(OwnerId, Timestamp, Vec<u8>)>, Error> {
        let Self::Sqlite { read, .. } = self else { return Err(not_here()) };
        let rows: Vec<NonceRow> =
            bounded!(read, |connection| sqlx::query_as("SELECT owner_id, expires_at, digests FROM bo_nonce WHERE expires_at > $1",)
                .bind(now.0)
                .fetch_all(connection))?;
        Ok(rows.into_iter().map(|row| (row.owner_id, Timestamp(row.expires_at), row.digests)).collect())
    }
}

fn not_here() -> Error {
    Error::Configuration("with Postgres, accepted stamps are kept in the shared cache".to_owned())
}
