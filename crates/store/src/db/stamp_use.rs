//! How often stamps of which kind were accepted: rows of `bo_stamp_use`, the report that says when DES can go.

use bo_auth_core::identifier::{KeyId, OwnerId, SystemId};
use bo_auth_core::time::Timestamp;
use sqlx::types::Json;

use super::{Db, bounded, on, retried};
use crate::Error;
use crate::record::StampUse;

#[derive(sqlx::FromRow)]
struct StampUseRow {
    #[sqlx(try_from = "String")]
    owner_id: OwnerId,
    #[sqlx(try_from = "String")]
    sys_id: SystemId,
    scheme: String,
    #[sqlx(try_from = "String")]
    key_id: KeyId,
    uses: i64,
    last_used_at: i64,
}

impl Db {
    /// Adds to the counts, all or nothing. Works for all tenants.
    pub async fn add_stamp_uses(&self, uses: &[StampUse]) -> Result<(), Error> {
        if uses.is_empty() {
            return Ok(());
        }
        let rows = Json(uses);
        retried!(|attempt| match self {
            Self::Postgres(pool) => bounded!(pool, |connection| sqlx::query(
                "INSERT INTO bo_stamp_use (owner_id, sys_id, scheme, key_id, uses, last_used_at) \
                 SELECT \"ownerId\", \"sysId\", scheme, \"keyId\", sum(uses)::bigint, max(\"lastUsedAt\") \
                 FROM jsonb_to_recordset($1) \
                     AS counted (\"ownerId\" text, \"sysId\" text, scheme text, \"keyId\" text, uses bigint, \"lastUsedAt\" bigint) \
                 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4 \
                 ON CONFLICT (owner_id, sys_id, scheme, key_id) DO UPDATE \
                 SET uses = bo_stamp_use.uses + excluded.uses, \
                     last_used_at = greatest(bo_stamp_use.last_used_at, excluded.last_used_at)",
            )
            .bind(rows)
            .execute(connection))
            .map(|_| ()),
            Self::Sqlite { write, .. } => bounded!(write, |connection| sqlx::query(
                "INSERT INTO bo_stamp_use (owner_id, sys_id, scheme, key_id, uses, last_used_at) \
                 SELECT value ->> 'ownerId', value ->> 'sysId', value ->> 'scheme', value ->> 'keyId', \
                        sum(value ->> 'uses'), max(value ->> 'lastUsedAt') \
                 FROM json_each($1) WHERE true GROUP BY 1, 2, 3, 4 \
                 ON CONFLICT (owner_id, sys_id, scheme, key_id) DO UPDATE \
                 SET uses = bo_stamp_use.uses + excluded.uses, \
                     last_used_at = max(bo_stamp_use.last_used_at, excluded.last_used_at)",
            )
            .bind(rows)
            .execute(connection))
            .map(|_| ()),
        })
    }

    /// A tenant's counts.
    pub async fn list_stamp_uses(&self, owner_id: &OwnerId) -> Result<Vec<StampUse>, Error> {
        let rows: Vec<StampUseRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT owner_id, sys_id, scheme, key_id, uses, last_used_at FROM bo_stamp_use \
             WHERE owner_id = $1 ORDER BY sys_id, scheme, key_id",
        )
        .bind(owner_id.as_str())
        .fetch_all(connection))?;
        let record = |row: StampUseRow| StampUse {
            owner_id: row.owner_id,
            sys_id: row.sys_id,
            scheme: row.scheme,
            key_id: row.key_id,
            uses: row.uses,
            last_used_at: Timestamp(row.last_used_at),
        };
        Ok(rows.into_iter().map(record).collect())
    }
}
