//! Users of a tenant: added, listed, disabled, given a new password.

use bo_auth_core::identifier::{AreaCode, OwnerId, UserId};
use bo_auth_core::password_rule::PasswordRule;
use bo_auth_core::random::alphanumeric;
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::settings::SystemSettings;
use bo_auth_core::text::account_form;
use bo_auth_core::time::Timestamp;
use bo_auth_store::record::{Actor, Administration, EndedSession, Revoked, TenantRecord, UserEnding, UserRecord};
use serde_json::json;

use super::{Change, NAME_TAKEN, Operator, bounds, refusal};
use crate::Error;
use crate::guesses::unlock_names;

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

/// What is to change about a user; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// The name for people.
    pub name: Option<String>,
    /// A mobile number, or none.
    pub mobile: Option<Option<String>>,
    /// The name for push messages, or none.
    pub push_name: Option<Option<String>>,
    /// The areas the user is confined to; empty for all.
    pub area_codes: Option<Vec<AreaCode>>,
    /// Whether the user is disabled.
    pub disabled: Option<bool>,
}

impl Operator {
    /// Adds a user.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the tenant is unknown, [`Error::Conflict`] where the account or mobile number is taken,
    /// [`Error::Refused`] where the account or password is not usable.
    pub async fn add_user(&self, owner_id: &OwnerId, new: NewUser, password: &str) -> Result<UserRecord, Error> {
        let tenant = self.get_tenant(owner_id).await?;
        let user = self.prepare_user(new)?;
        verify_password_rule(rule_of(&tenant)?, password, &user)?;
        self.verify_names_free(owner_id, &user).await?;
        let hash = self.hash(password).await?;
        let mut event = self.event("user.added", Some(json!({"account": user.account})));
        event.user_id = Some(user.user_id.clone());
        self.administer(owner_id, &Administration::AddUser(&user, &hash), None, &event, None).await?;
        Ok(user)
    }

    /// A new user's profile, with an id of its own where none is given.
    pub(crate) fn prepare_user(&self, new: NewUser) -> Result<UserRecord, Error> {
        let account = account_form(&new.account).into_owned();
        if account.is_empty() || account.len() > 128 || account.chars().any(char::is_control) {
            return Err(Error::Refused("an account has 1 to 128 bytes and no control characters".to_owned()));
        }
        bounds::area_codes(new.area_codes.len())?;
        let user_id = match new.user_id {
            Some(user_id) => user_id,
            None => UserId::parse(&alphanumeric(&*self.random, USER_ID_CHARACTERS))?,
        };
        let user = UserRecord {
            user_id,
            account,
            name: new.name,
            mobile: new.mobile.map(|mobile| account_form(&mobile).into_owned()),
            push_name: new.push_name,
            area_codes: new.area_codes,
            disabled: false,
            updated_at: self.now(),
        };
        Ok(user)
    }

    /// Up to `limit` users whose accounts follow `after`.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the tenant is unknown.
    pub async fn list_users(&self, owner_id: &OwnerId, after: Option<&str>, limit: i64) -> Result<Vec<UserRecord>, Error> {
        self.get_tenant(owner_id).await?;
        Ok(self.db.list_users(owner_id, after, limit).await?)
    }

    /// Disables or enables a user. Disabling ends all of the user's sessions in the same transaction.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is no such account.
    pub async fn set_user_disabled(&self, owner_id: &OwnerId, account: &str, disabled: bool) -> Result<(Change, Vec<EndedSession>), Error> {
        let user = self.get_user(owner_id, account).await?;
        self.change_user(owner_id, user, UserChange { disabled: Some(disabled), ..UserChange::default() }, None).await
    }

    /// Changes a user who has been read; only where the row is still so, if `unchanged_since` says when it was. Disabling
    /// ends all of the user's sessions in the same transaction.
    ///
    /// # Errors
    /// [`Error::Conflict`] where the mobile number is another user's, [`Error::NotFound`], [`Error::Stale`].
    pub async fn change_user(
        &self,
        owner_id: &OwnerId,
        mut user: UserRecord,
        change: UserChange,
        unchanged_since: Option<Timestamp>,
    ) -> Result<(Change, Vec<EndedSession>), Error> {
        bounds::area_codes(change.area_codes.as_ref().map_or(0, Vec::len))?;
        let changed: Vec<&str> = [
            ("name", change.name.is_some()),
            ("mobile", change.mobile.is_some()),
            ("pushName", change.push_name.is_some()),
            ("areaCodes", change.area_codes.is_some()),
            ("disabled", change.disabled.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, given)| given.then_some(name))
        .collect();
        let kind = match change.disabled {
            Some(true) => "user.disabled",
            Some(false) if user.disabled => "user.enabled",
            _ => "user.changed",
        };
        let mut event = self.event(kind, Some(json!({"changed": changed})));
        event.user_id = Some(user.user_id.clone());
        user.name = change.name.unwrap_or(user.name);
        if let Some(mobile) = change.mobile {
            user.mobile = mobile.map(|mobile| account_form(&mobile).into_owned());
            self.verify_mobile_free(owner_id, &user).await?;
        }
        user.push_name = change.push_name.unwrap_or(user.push_name);
        user.area_codes = change.area_codes.unwrap_or(user.area_codes);
        user.disabled = change.disabled.unwrap_or(user.disabled);
        let ending = (change.disabled == Some(true)).then(|| self.user_ending(owner_id, &user.user_id, EndReason::UserDisabled));
        let ended = self.db.change_user(owner_id, &user, unchanged_since, ending.as_ref(), &event).await.map_err(refusal)?;
        self.user_changed(owner_id, user.user_id, ended).await
    }

    /// Forgets all failed sign-ins under the user's account and mobile number, so that neither delay nor captcha is left
    /// of them. Answers what a server must hear of whose memory holds them.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such account.
    pub async fn unlock_user(&self, owner_id: &OwnerId, account: &str) -> Result<Change, Error> {
        let user = self.get_user(owner_id, account).await?;
        self.unlock(owner_id, &user).await
    }

    /// The same for a user who has been read.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn unlock(&self, owner_id: &OwnerId, user: &UserRecord) -> Result<Change, Error> {
        if let Some(cache) = &self.cache {
            unlock_names(cache, owner_id, user).await?;
        }
        let mut event = self.event("user.unlocked", None);
        event.user_id = Some(user.user_id.clone());
        self.db.record_event(owner_id, &event).await?;
        Ok(Change { owner_id: owner_id.clone(), user_id: Some(user.user_id.clone()) })
    }

    /// Gives a user a new password. All of the user's sessions end in the same transaction.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is no such account, [`Error::Refused`] where the password is not usable.
    pub async fn set_password(&self, owner_id: &OwnerId, account: &str, password: &str) -> Result<(Change, Vec<EndedSession>), Error> {
        let user = self.get_user(owner_id, account).await?;
        self.set_password_of(owner_id, user, password, None).await
    }

    /// The same for a user who has been read; only where the row is still so, if `unchanged_since` says when it was.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is no such user, [`Error::Refused`] where the password is not usable, [`Error::Stale`].
    pub async fn set_password_of(
        &self,
        owner_id: &OwnerId,
        user: UserRecord,
        password: &str,
        unchanged_since: Option<Timestamp>,
    ) -> Result<(Change, Vec<EndedSession>), Error> {
        let tenant = self.get_tenant(owner_id).await?;
        verify_password_rule(rule_of(&tenant)?, password, &user)?;
        self.replace_password(owner_id, user.user_id, password, unchanged_since, None).await
    }

    /// Writes a password that may be set. All of the user's sessions end with it, but for `except`.
    pub(crate) async fn replace_password(
        &self,
        owner_id: &OwnerId,
        user_id: UserId,
        password: &str,
        unchanged_since: Option<Timestamp>,
        except: Option<SessionId>,
    ) -> Result<(Change, Vec<EndedSession>), Error> {
        let hash = self.hash(password).await?;
        let ending = UserEnding { except, ..self.user_ending(owner_id, &user_id, EndReason::PasswordChanged) };
        let ended = self.db.set_password(owner_id, &user_id, &hash, unchanged_since, &ending).await.map_err(refusal)?;
        self.user_changed(owner_id, user_id, ended).await
    }

    /// Account and mobile number must be nobody's, in whichever form an older version may have stored them.
    pub(crate) async fn verify_names_free(&self, owner_id: &OwnerId, user: &UserRecord) -> Result<(), Error> {
        if self.db.find_credentials(owner_id, &user.account).await?.is_some() {
            return Err(Error::Conflict(NAME_TAKEN.to_owned()));
        }
        self.verify_mobile_free(owner_id, user).await
    }

    async fn verify_mobile_free(&self, owner_id: &OwnerId, user: &UserRecord) -> Result<(), Error> {
        let Some(mobile) = &user.mobile else { return Ok(()) };
        let found = self.db.find_credentials_by_mobile(owner_id, mobile).await?;
        match found.filter(|found| found.user.user_id != user.user_id) {
            Some(_) => Err(Error::Conflict(NAME_TAKEN.to_owned())),
            None => Ok(()),
        }
    }

    pub(crate) async fn get_user(&self, owner_id: &OwnerId, account: &str) -> Result<UserRecord, Error> {
        self.get_tenant(owner_id).await?;
        let found = self.db.find_credentials(owner_id, account).await?;
        let credentials = found
            .ok_or_else(|| Error::NotFound(format!("tenant `{owner_id}` has no user with this account; `bo-auth user list` shows them")))?;
        Ok(credentials.user)
    }

    pub(crate) fn user_ending(&self, owner_id: &OwnerId, user_id: &UserId, reason: EndReason) -> UserEnding {
        UserEnding {
            owner_id: owner_id.clone(),
            user_id: user_id.clone(),
            sys_id: None,
            before: None,
            except: None,
            while_live: None,
            reason,
            actor: Actor::Admin,
            at: self.now(),
            // The row itself knows when its last access token expires.
            keep_until: self.now(),
            trace: self.trace(None),
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

    pub(crate) async fn hash(&self, password: &str) -> Result<String, Error> {
        match &self.running {
            Some(service) => service.passwords.hash_new(password.as_bytes().to_vec()).await,
            None => self.hasher.hash(password.as_bytes(), &*self.random).map_err(|error| Error::Refused(error.to_string())),
        }
    }
}

/// What the tenant asks of passwords. They are a user's in all systems: what a system of its own asks for does not count.
fn rule_of(tenant: &TenantRecord) -> Result<PasswordRule, Error> {
    let settings = SystemSettings::from_documents(&[&tenant.settings])?;
    Ok(PasswordRule { min_length: settings.password_min_length, refuse_common: settings.password_refuse_common })
}

/// Whether the user may have this password.
pub(super) fn verify_password_rule(rule: PasswordRule, password: &str, user: &UserRecord) -> Result<(), Error> {
    let mut names = vec![user.account.as_str()];
    names.extend(user.mobile.as_deref());
    rule.verify(password, &names).map_err(|error| Error::Refused(error.to_string()))
}
