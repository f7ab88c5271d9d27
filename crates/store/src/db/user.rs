//! Users of a tenant: rows of `bo_user`.

use std::hash::{DefaultHasher, Hash, Hasher};

use bo_auth_core::identifier::{AreaCode, OwnerId, UserId};
use bo_auth_core::session::SessionId;
use bo_auth_core::text::{NAME_FORMS, stored_forms};
use bo_auth_core::time::Timestamp;
use futures_util::TryFutureExt;
use sqlx::types::Json;

use super::administration::{AdministrationRows, changed};
use super::ending::UserSessions;
use super::event::{Event, EventLog, PASSWORD_CHANGED, event_id_of};
use super::not_before::Marks;
use super::{Db, on, transaction};
use crate::Error;
use crate::record::{AdministrationEvent, Credentials, Revoked, UserEnding, UserRecord};

#[derive(sqlx::FromRow)]
pub(super) struct UserRow {
    #[sqlx(try_from = "String")]
    user_id: UserId,
    account: String,
    name: String,
    mobile: Option<String>,
    push_name: Option<String>,
    #[sqlx(json)]
    area_codes: Vec<AreaCode>,
    disabled_at: Option<i64>,
    updated_at: i64,
}

impl UserRow {
    pub(super) fn into_record(self) -> UserRecord {
        UserRecord {
            user_id: self.user_id,
            account: self.account,
            name: self.name,
            mobile: self.mobile,
            push_name: self.push_name,
            area_codes: self.area_codes,
            disabled: self.disabled_at.is_some(),
            updated_at: Timestamp(self.updated_at),
        }
    }
}

#[derive(sqlx::FromRow)]
struct CredentialsRow {
    #[sqlx(flatten)]
    user: UserRow,
    password_hash: String,
}

impl CredentialsRow {
    fn into_record(self) -> Credentials {
        Credentials { user: self.user.into_record(), password_hash: self.password_hash }
    }
}

/// Binds the forms of a name.
macro_rules! bind_forms {
    ($query:expr, $forms:expr) => {
        $forms.iter().fold($query, |query, form| query.bind(form.as_str()))
    };
}

impl Db {
    /// Adds a user.
    ///
    /// # Errors
    /// [`Error::Exists`] where the tenant has one of this id, account or mobile number; [`Error::Missing`] where there
    /// is no such tenant.
    pub async fn insert_user(&self, owner_id: &OwnerId, user: &UserRecord, password_hash: &str, now: Timestamp) -> Result<(), Error> {
        transaction!(self, |connection, _attempt| { connection.insert_user(owner_id, user, password_hash, now).await? })
    }

    /// A user's profile.
    pub async fn find_user(&self, owner_id: &OwnerId, user_id: &UserId) -> Result<Option<UserRecord>, Error> {
        let row: Option<UserRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT user_id, account, name, mobile, push_name, area_codes, disabled_at, updated_at \
             FROM bo_user WHERE owner_id = $1 AND user_id = $2",
        )
        .bind(owner_id.as_str())
        .bind(user_id.as_str())
        .fetch_optional(connection))?;
        Ok(row.map(UserRow::into_record))
    }

    /// The user who signs in with this account, with the password's hash. An account that was stored in another form than
    /// accounts have now is found too, if nobody has the one that was typed.
    pub async fn find_credentials(&self, owner_id: &OwnerId, account: &str) -> Result<Option<Credentials>, Error> {
        let forms = stored_forms(account);
        let rows: Vec<CredentialsRow> = on!(self, read, |connection| bind_forms!(
            sqlx::query_as(
                "SELECT user_id, account, name, mobile, push_name, area_codes, disabled_at, updated_at, password_hash \
                 FROM bo_user WHERE owner_id = $1 AND account IN ($2, $3, $4, $5, $6, $7)",
            )
            .bind(owner_id.as_str()),
            &forms
        )
        .fetch_all(connection))?;
        Ok(first_of(&forms, rows, |user| Some(&user.account)))
    }

    /// The user who signs in with this mobile number, with the password's hash; as [`Db::find_credentials`].
    pub async fn find_credentials_by_mobile(&self, owner_id: &OwnerId, mobile: &str) -> Result<Option<Credentials>, Error> {
        let forms = stored_forms(mobile);
        let rows: Vec<CredentialsRow> = on!(self, read, |connection| bind_forms!(
            sqlx::query_as(
                "SELECT user_id, account, name, mobile, push_name, area_codes, disabled_at, updated_at, password_hash \
                 FROM bo_user WHERE owner_id = $1 AND mobile IN ($2, $3, $4, $5, $6, $7)",
            )
            .bind(owner_id.as_str()),
            &forms
        )
        .fetch_all(connection))?;
        Ok(first_of(&forms, rows, |user| user.mobile.as_ref()))
    }

    /// Up to `limit` users whose accounts follow `after`, in the order of their accounts.
    pub async fn list_users(&self, owner_id: &OwnerId, after: Option<&str>, limit: i64) -> Result<Vec<UserRecord>, Error> {
        let rows: Vec<UserRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT user_id, account, name, mobile, push_name, area_codes, disabled_at, updated_at \
             FROM bo_user WHERE owner_id = $1 AND account > $2 ORDER BY account LIMIT $3",
        )
        .bind(owner_id.as_str())
        .bind(after.unwrap_or_default())
        .bind(limit)
        .fetch_all(connection))?;
        Ok(rows.into_iter().map(UserRow::into_record).collect())
    }

    /// Up to `limit` users whose accounts begin with `prefix` and follow `after`, in the order of their accounts.
    pub async fn find_users(&self, owner_id: &OwnerId, prefix: &str, after: Option<&str>, limit: i64) -> Result<Vec<UserRecord>, Error> {
        let rows: Vec<UserRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT user_id, account, name, mobile, push_name, area_codes, disabled_at, updated_at \
             FROM bo_user WHERE owner_id = $1 AND account > $2 AND account >= $3 AND substr(account, 1, length($3)) = $3 \
             ORDER BY account LIMIT $4",
        )
        .bind(owner_id.as_str())
        .bind(after.unwrap_or_default())
        .bind(prefix)
        .bind(limit)
        .fetch_all(connection))?;
        Ok(rows.into_iter().map(UserRow::into_record).collect())
    }

    /// Gives a user a new password and ends the user's sessions, in one transaction; answers those, and the mark.
    ///
    /// # Errors
    /// [`Error::Missing`] where the tenant has no such user, [`Error::Changed`] where the row is not of `unchanged_since` any more.
    pub async fn set_password(
        &self,
        owner_id: &OwnerId,
        user_id: &UserId,
        password_hash: &str,
        unchanged_since: Option<Timestamp>,
        ending: &UserEnding,
    ) -> Result<Revoked, Error> {
        transaction!(self, |connection, attempt| {
            let done = sqlx::query(
                "UPDATE bo_user SET password_hash = $3, \
                     updated_at = CASE WHEN updated_at >= $4 THEN updated_at + 1 ELSE $4 END \
                 WHERE owner_id = $1 AND user_id = $2 AND ($5 IS NULL OR updated_at = $5)",
            )
            .bind(owner_id.as_str())
            .bind(user_id.as_str())
            .bind(password_hash)
            .bind(ending.at.0)
            .bind(unchanged_since.map(Timestamp::millis))
            .execute(&mut *connection)
            .await?;
            changed(done.rows_affected(), unchanged_since, "user")?;
            connection.record(&[user_event(PASSWORD_CHANGED, ending, attempt)]).await?;
            connection.end_sessions_of(ending, attempt).await?
        })
    }

    /// Replaces a user's profile, save for account and password, and whether the user is disabled; where an ending is
    /// given, it ends the user's sessions in the same transaction. Answers those, and the mark.
    ///
    /// # Errors
    /// [`Error::Missing`] where the tenant has no such user, [`Error::Changed`] where the row is not of `unchanged_since`
    /// any more, [`Error::Exists`] where the mobile number is another user's.
    pub async fn change_user(
        &self,
        owner_id: &OwnerId,
        user: &UserRecord,
        unchanged_since: Option<Timestamp>,
        ending: Option<&UserEnding>,
        event: &AdministrationEvent,
    ) -> Result<Revoked, Error> {
        transaction!(self, |connection, attempt| {
            let done = sqlx::query(
                "UPDATE bo_user SET name = $3, mobile = $4, push_name = $5, area_codes = $6, \
                     disabled_at = CASE WHEN $7 THEN coalesce(disabled_at, $8) END, \
                     updated_at = CASE WHEN updated_at >= $8 THEN updated_at + 1 ELSE $8 END \
                 WHERE owner_id = $1 AND user_id = $2 AND ($9 IS NULL OR updated_at = $9)",
            )
            .bind(owner_id.as_str())
            .bind(user.user_id.as_str())
            .bind(&user.name)
            .bind(user.mobile.as_deref())
            .bind(user.push_name.as_deref())
            .bind(Json(&user.area_codes))
            .bind(user.disabled)
            .bind(event.at.0)
            .bind(unchanged_since.map(Timestamp::millis))
            .execute(&mut *connection)
            .await
            .map_err(|error| Error::of_insert(error, "user", "tenant"))?;
            changed(done.rows_affected(), unchanged_since, "user")?;
            connection.record(&[Event::administered(owner_id, event, attempt)]).await?;
            match ending {
                Some(ending) => connection.end_sessions_of(ending, attempt).await?,
                // Nodes remember profiles: they hear of it as of a mark that refuses no session.
                None => {
                    Revoked { sessions: Vec::new(), marks: vec![connection.announce_user(owner_id, &user.user_id, event, attempt).await?] }
                }
            }
        })
    }

    /// Replaces a password's hash by another of the same password; false where it is not `old_hash` any more.
    pub async fn set_password_hash(&self, owner_id: &OwnerId, user_id: &UserId, old_hash: &str, new_hash: &str) -> Result<bool, Error> {
        on!(self, write, |connection| sqlx::query(
            "UPDATE bo_user SET password_hash = $4 WHERE owner_id = $1 AND user_id = $2 AND password_hash = $3"
        )
        .bind(owner_id.as_str())
        .bind(user_id.as_str())
        .bind(old_hash)
        .bind(new_hash)
        .execute(connection)
        .map_ok(|done| done.rows_affected() > 0))
    }
}

/// The row of the first form that has one.
fn first_of(forms: &[String; NAME_FORMS], rows: Vec<CredentialsRow>, name: fn(&UserRecord) -> Option<&String>) -> Option<Credentials> {
    let records = rows.into_iter().map(CredentialsRow::into_record);
    records.min_by_key(|found| forms.iter().position(|form| name(&found.user) == Some(form)))
}

/// What an administrator did to a user. Its id takes the place of random bits from a hash of the user's.
fn user_event<'a>(kind: &'static str, ending: &'a UserEnding, attempt: u32) -> Event<'a> {
    let mut hasher = DefaultHasher::new();
    (&ending.owner_id, &ending.user_id, kind).hash(&mut hasher);
    let seed = SessionId::from_number((hasher.finish() >> 1).cast_signed());
    Event {
        owner_id: ending.owner_id.as_str(),
        id: event_id_of(ending.at, seed, attempt),
        kind,
        sys_id: None,
        user_id: Some(ending.user_id.as_str()),
        session_id: None,
        reason: None,
        actor: ending.actor.as_str(),
        trace: &ending.trace,
        at: ending.at,
        payload: None,
    }
}
