//! A tenant's administrative areas: rows of `bo_sys_area`, which form a tree as a rule and are not trusted to.

use std::collections::HashMap;

use bo_auth_core::area::AreaPath;
use bo_auth_core::identifier::{AreaCode, OwnerId};
use sqlx::types::Json;
use sqlx::{PgConnection, SqliteConnection};

use super::{Db, on, transaction};
use crate::Error;
use crate::record::AreaRecord;

#[derive(sqlx::FromRow)]
struct AreaRow {
    #[sqlx(try_from = "String")]
    area_code: AreaCode,
    parent_code: Option<String>,
    name: String,
}

impl AreaRow {
    fn into_record(self) -> Result<AreaRecord, Error> {
        let parent_code = self.parent_code.map(AreaCode::try_from).transpose().map_err(|_| Error::Corrupt("area code"))?;
        Ok(AreaRecord { area_code: self.area_code, parent_code, name: self.name })
    }
}

/// Where areas are written, inside a transaction that has begun.
pub(super) trait AreaRows {
    /// Adds areas, or replaces those of the same code.
    async fn import_areas(&mut self, owner_id: &OwnerId, areas: &[AreaRecord]) -> Result<(), Error>;
}

impl AreaRows for PgConnection {
    async fn import_areas(&mut self, owner_id: &OwnerId, areas: &[AreaRecord]) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO bo_sys_area (owner_id, area_code, parent_code, name) \
             SELECT $1, area_code, parent_code, name \
             FROM jsonb_to_recordset($2) AS area (area_code text, parent_code text, name text) ORDER BY area_code \
             ON CONFLICT (owner_id, area_code) DO UPDATE SET parent_code = excluded.parent_code, name = excluded.name",
        )
        .bind(owner_id.as_str())
        .bind(distinct(areas))
        .execute(self)
        .await?;
        Ok(())
    }
}

impl AreaRows for SqliteConnection {
    async fn import_areas(&mut self, owner_id: &OwnerId, areas: &[AreaRecord]) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO bo_sys_area (owner_id, area_code, parent_code, name) \
             SELECT $1, value ->> 'area_code', value ->> 'parent_code', value ->> 'name' FROM json_each($2) WHERE true \
             ON CONFLICT (owner_id, area_code) DO UPDATE SET parent_code = excluded.parent_code, name = excluded.name",
        )
        .bind(owner_id.as_str())
        .bind(distinct(areas))
        .execute(self)
        .await?;
        Ok(())
    }
}

/// One row a code; the last one counts.
fn distinct(areas: &[AreaRecord]) -> Json<Vec<&AreaRecord>> {
    let distinct: HashMap<&AreaCode, &AreaRecord> = areas.iter().map(|area| (&area.area_code, area)).collect();
    Json(distinct.into_values().collect())
}

impl Db {
    /// Adds areas, or replaces those of the same code: all or nothing. A code that is given twice counts as given last.
    pub async fn import_areas(&self, owner_id: &OwnerId, areas: &[AreaRecord]) -> Result<(), Error> {
        transaction!(self, |connection, _attempt| { connection.import_areas(owner_id, areas).await? })
    }

    /// Up to `limit` areas behind `after` in the order of their codes: all of them, or those right within `parent`, which
    /// is `None` for the outermost.
    pub async fn list_areas(
        &self,
        owner_id: &OwnerId,
        parent: Option<Option<&AreaCode>>,
        after: Option<&AreaCode>,
        limit: i64,
    ) -> Result<Vec<AreaRecord>, Error> {
        let outermost = parent == Some(None);
        let rows: Vec<AreaRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT area_code, parent_code, name FROM bo_sys_area \
             WHERE owner_id = $1 AND area_code > $2 AND ($3 IS NULL OR parent_code = $3) AND (NOT $4 OR parent_code IS NULL) \
             ORDER BY area_code LIMIT $5",
        )
        .bind(owner_id.as_str())
        .bind(after.map_or("", AreaCode::as_str))
        .bind(parent.flatten().map(AreaCode::as_str))
        .bind(outermost)
        .bind(limit)
        .fetch_all(connection))?;
        rows.into_iter().map(AreaRow::into_record).collect()
    }

    /// How many areas a tenant has.
    pub async fn count_areas(&self, owner_id: &OwnerId) -> Result<i64, Error> {
        on!(self, read, |connection| sqlx::query_scalar("SELECT count(*) FROM bo_sys_area WHERE owner_id = $1")
            .bind(owner_id.as_str())
            .fetch_one(connection))
    }

    /// An area and those around it, at most 16 and none twice: rows that form a circle end where it closes.
    pub async fn find_area_path(&self, owner_id: &OwnerId, area_code: &AreaCode) -> Result<Option<AreaPath>, Error> {
        let codes: Vec<String> = on!(self, read, |connection| sqlx::query_scalar(
            "WITH RECURSIVE path (area_code, parent_code, depth) AS ( \
                 SELECT area_code, parent_code, 1 FROM bo_sys_area WHERE owner_id = $1 AND area_code = $2 \
                 UNION ALL \
                 SELECT area.area_code, area.parent_code, path.depth + 1 \
                 FROM path JOIN bo_sys_area AS area ON area.owner_id = $1 AND area.area_code = path.parent_code \
                 WHERE path.depth < 16) \
             SELECT area_code FROM path ORDER BY depth",
        )
        .bind(owner_id.as_str())
        .bind(area_code.as_str())
        .fetch_all(connection))?;
        let mut path = Vec::with_capacity(codes.len());
        for code in codes {
            let code = AreaCode::parse(&code).map_err(|_| Error::Corrupt("area code"))?;
            if path.contains(&code) {
                break;
            }
            path.push(code);
        }
        Ok((!path.is_empty()).then_some(AreaPath(path)))
    }
}
