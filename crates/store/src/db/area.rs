//! A tenant's administrative areas: rows of `bo_sys_area`, which form a tree as a rule and are not trusted to.

use std::collections::HashMap;

use bo_auth_core::area::AreaPath;
use bo_auth_core::identifier::{AreaCode, OwnerId};
use sqlx::types::Json;

use super::{Db, bounded, on};
use crate::Error;
use crate::record::AreaRecord;

impl Db {
    /// Adds areas, or replaces those of the same code: all or nothing. A code that is given twice counts as given last.
    pub async fn import_areas(&self, owner_id: &OwnerId, areas: &[AreaRecord]) -> Result<(), Error> {
        let distinct: HashMap<&AreaCode, &AreaRecord> = areas.iter().map(|area| (&area.area_code, area)).collect();
        let rows = Json(distinct.into_values().collect::<Vec<_>>());
        match self {
            Self::Postgres(pool) => bounded!(pool, |connection| sqlx::query(
                "INSERT INTO bo_sys_area (owner_id, area_code, parent_code, name) \
                 SELECT $1, area_code, parent_code, name \
                 FROM jsonb_to_recordset($2) AS area (area_code text, parent_code text, name text) ORDER BY area_code \
                 ON CONFLICT (owner_id, area_code) DO UPDATE SET parent_code = excluded.parent_code, name = excluded.name",
            )
            .bind(owner_id.as_str())
            .bind(&rows)
            .execute(connection))
            .map(|_| ()),
            Self::Sqlite { write, .. } => bounded!(write, |connection| sqlx::query(
                "INSERT INTO bo_sys_area (owner_id, area_code, parent_code, name) \
                 SELECT $1, value ->> 'area_code', value ->> 'parent_code', value ->> 'name' FROM json_each($2) WHERE true \
                 ON CONFLICT (owner_id, area_code) DO UPDATE SET parent_code = excluded.parent_code, name = excluded.name",
            )
            .bind(owner_id.as_str())
            .bind(&rows)
            .execute(connection))
            .map(|_| ()),
        }
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
