//! Users of a tenant: added, listed, disabled, given a new password.

use bo_auth_core::identifier::{AreaCode, OwnerId, UserId};
use bo_auth_core::random::alphanumeric;
use bo_auth_core::session::EndReason;
use bo_auth_store::record::{Actor, EndedSession, RequestTrace, Revoked, UserEnding, UserRecord};

use super::{Change, Operator};
use crate::Error;

/// Characters of a generated user id.
const USER_ID_CHARACTERS: usize = 16;

/// A user that is to be added.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The id; generated where absent.
    pub user_id: Option<UserId>,
    /// The name to sign in with.
    pub account: String,
    /// The name for people.
    pub name: String,
    /// A mobile number.
    pub mobile: Option<String>,
    /// The name for push messages.
    pub push_name: Option<String>,
    /// The areas the user is confined to; empty for all.
    pub area_codes: Vec<AreaCode>,
}

impl Operator {
    /// Adds a user.
    ///
    /// # Errors
    /// [`Error::Refused`] where the tenant is unknown, the account or mobile number is taken, or the password is not
    /// usable.
    pub async fn add_user(&self, owner_id: &OwnerId, new: NewUser, password: &str) -> Result<UserRecord, Error> {
        self.get_tenant(owner_id).await?;
        if new.account.is_empty() || new.account.len() > 128 || new.account.chars().any(char::is_control) {
            return Err(Error::Refused("an account has 1 to 128 bytes and no control characters".to_owned()));
        }
        let user_id = match new.user_id {
            Some(user_id) => user_id,
            None => UserId::parse(&alphanumeric(&*self.random, USER_ID_CHARACTERS))?,
        };
        let user = UserRecord {
            user_id,
            account: new.account,
            name: new.name,
            mobile: new.mobile,
            push_name: new.push_name,
            area_codes: new.area_codes,
            disabled: false,
            updated_at: self.now(),
        };
        let hash = self.hash(password)?;
        self.db.insert_user(owner_id, &user, &hash, self.now()).await.map_err(|error| match error {
            bo_auth_store::Error::Exists(_) => Error::Refused("the user id, account or mobile number is taken".to_owned()),
            other => other.into(),
        })?;
        Ok(user)
    }

    /// Up to `limit` users whose accounts follow `after`.
    ///
    /// # Errors
    /// [`Error::Refused`] where the tenant is unknown.
    pub async fn list_users(&self, owner_id: &OwnerId, after: Option<&str>, limit: i64) -> Result<Vec<UserRecord>, Error> {
        self.get_tenant(owner_id).await?;
        Ok(self.db.list_users(owner_id, after, limit).await?)
    }

    /// Disables or enables a user. Disabling ends all of the user's sessions in the same transaction.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is no such account.
    pub async fn set_user_disabled(&self, owner_id: &OwnerId, account: &str, disabled: bool) -> Result<(Change, Vec<EndedSession>), Error> {
        let user_id = self.get_user(owner_id, account).await?.user_id;
        let ending = disabled.then(|| self.user_ending(owner_id, &user_id, EndReason::UserDisabled));
        let ended = self.db.set_user_disabled(owner_id, &user_id, disabled, ending.as_ref()).await?;
        self.user_changed(owner_id, user_id, ended).await
    }

    /// Gives a user a new password. All of the user's sessions end in the same transaction.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is no such account, or the password is not usable.
    pub async fn set_password(&self, owner_id: &OwnerId, account: &str, password: &str) -> Result<(Change, Vec<EndedSession>), Error> {
        let user_id = self.get_user(owner_id, account).await?.user_id;
        let hash = self.hash(password)?;
        let ending = self.user_ending(owner_id, &user_id, EndReason::PasswordChanged);
        let ended = self.db.set_password(owner_id, &user_id, &hash, &ending).await?;
        self.user_changed(owner_id, user_id, ended).await
    }

    pub(crate) async fn get_user(&self, owner_id: &OwnerId, account: &str) -> Result<UserRecord, Error> {
        self.get_tenant(owner_id).await?;
        let found = self.db.find_credentials(owner_id, account).await?;
        let credentials = found
            .ok_or_else(|| Error::Refused(format!("tenant `{owner_id}` has no user with this account; `bo-auth user list` shows them")))?;
        Ok(credentials.user)
    }

    pub(crate) fn user_ending(&self, owner_id: &OwnerId, user_id: &UserId, reason: EndReason) -> UserEnding {
        UserEnding {
            owner_id: owner_id.clone(),
            user_id: user_id.clone(),
            except: None,
            while_live: None,
            reason,
            actor: Actor::Admin,
            at: self.now(),
            // The row itself knows when its last access token expires.
            keep_until: self.now(),
            trace: RequestTrace::default(),
        }
    }

    pub(crate) async fn user_changed(
        &self,
        owner_id: &OwnerId,
        user_id: UserId,
        revoked: Revoked,
    ) -> Result<(Change, Vec<EndedSession>), Error> {
        let change = Change { owner_id: owner_id.clone(), user_id: Some(user_id) };
        self.publish(&change, &revoked).await?;
        Ok((change, revoked.sessions))
    }

    fn hash(&self, password: &str) -> Result<String, Error> {
        self.hasher.hash(password.as_bytes(), &*self.random).map_err(|error| Error::Refused(error.to_string()))
    }
}
