//! Administrators: rows of `bo_admin` beside their users.

use bo_auth_core::identifier::{OwnerId, UserId};

use super::user::UserRow;
use super::{Db, on};
use crate::Error;
use crate::record::{AdminReach, AdminRecord};

#[derive(sqlx::FromRow)]
struct AdminRow {
    #[sqlx(flatten)]
    user: UserRow,
    reach_owner_id: Option<String>,
}

impl AdminRow {
    fn into_record(self) -> Result<AdminRecord, Error> {
        let reached = self.reach_owner_id.map(OwnerId::try_from).transpose().map_err(|_| Error::Corrupt("owner id"))?;
        Ok(AdminRecord { user: self.user.into_record(), reach: reached.map_or(AdminReach::Platform, AdminReach::Tenant) })
    }
}

impl Db {
    /// An administrator.
    pub async fn find_admin(&self, owner_id: &OwnerId, user_id: &UserId) -> Result<Option<AdminRecord>, Error> {
        let row: Option<AdminRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT u.user_id, u.account, u.name, u.mobile, u.push_name, u.area_codes, u.disabled_at, u.updated_at, a.reach_owner_id \
             FROM bo_admin AS a JOIN bo_user AS u ON u.owner_id = a.owner_id AND u.user_id = a.user_id \
             WHERE a.owner_id = $1 AND a.user_id = $2",
        )
        .bind(owner_id.as_str())
        .bind(user_id.as_str())
        .fetch_optional(connection))?;
        row.map(AdminRow::into_record).transpose()
    }

    /// Up to `limit` administrators whose accounts follow `after`, in the order of their accounts.
    pub async fn list_admins(&self, owner_id: &OwnerId, after: Option<&str>, limit: i64) -> Result<Vec<AdminRecord>, Error> {
        let rows: Vec<AdminRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT u.user_id, u.account, u.name, u.mobile, u.push_name, u.area_codes, u.disabled_at, u.updated_at, a.reach_owner_id \
             FROM bo_admin AS a JOIN bo_user AS u ON u.owner_id = a.owner_id AND u.user_id = a.user_id \
             WHERE a.owner_id = $1 AND u.account > $2 ORDER BY u.account LIMIT $3",
        )
        .bind(owner_id.as_str())
        .bind(after.unwrap_or_default())
        .bind(limit)
        .fetch_all(connection))?;
        rows.into_iter().map(AdminRow::into_record).collect()
    }
}
