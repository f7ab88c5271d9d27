//! Administrators: users of the tenant that is reserved for them, added and disabled from the command line.

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_core::password_rule::PasswordRule;
use bo_auth_core::signing_key::Algorithm;
use bo_auth_store::record::{AdminReach, AdminRecord, Administration, EndedSession};
use serde_json::json;

use super::tenant::NewTenant;
use super::user::{NewUser, UserChange, verify_password_rule};
use super::{Change, Operator};
use crate::Error;
use crate::admin::{Admin, CONSOLE};

/// Administrators reach more than users do, and are fewer: their passwords can be asked to be longer.
const PASSWORD_RULE: PasswordRule = PasswordRule { min_length: 10, refuse_common: true };

/// An administrator who is to be added.
#[derive(Debug, Clone)]
pub struct NewAdmin {
    /// The name to sign in with.
    pub account: String,
    /// The name for people.
    pub name: String,
    /// What the administrator may reach.
    pub reach: AdminReach,
}

impl Operator {
    /// Adds an administrator, and the tenant that is reserved for them with the first one.
    ///
    /// # Errors
    /// [`Error::Conflict`] where the account is taken, [`Error::NotFound`] where there is no such tenant to reach,
    /// [`Error::Refused`] where the account or password is not usable.
    pub async fn add_admin(&self, new: NewAdmin, password: &str) -> Result<(AdminRecord, Change), Error> {
        if let AdminReach::Tenant(reached) = &new.reach {
            self.get_tenant(reached).await?;
        }
        let user = NewUser { user_id: None, account: new.account, name: new.name, mobile: None, push_name: None, area_codes: Vec::new() };
        let admin = AdminRecord { user: self.prepare_user(user)?, reach: new.reach };
        verify_password_rule(PASSWORD_RULE, password, &admin.user)?;
        let taken = || Error::Conflict("there is an administrator of this account already".to_owned());
        self.verify_names_free(&OwnerId::admin(), &admin.user).await.map_err(|error| match error {
            Error::Conflict(_) => taken(),
            other => other,
        })?;
        let hash = self.hash(password).await?;
        self.make_admin_tenant().await?;
        let mut event = self.event("admin.added", Some(json!({"account": admin.user.account, "role": admin.reach.role()})));
        event.user_id = Some(admin.user.user_id.clone());
        let owner_id = OwnerId::admin();
        let added = Administration::AddAdmin(&admin, &hash);
        let change = self.administer(&owner_id, &added, None, &event, None).await.map_err(|error| match error {
            Error::Conflict(_) => taken(),
            other => other,
        })?;
        Ok((admin, change))
    }

    /// Up to `limit` administrators whose accounts follow `after`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn list_admins(&self, after: Option<&str>, limit: i64) -> Result<Vec<AdminRecord>, Error> {
        Ok(self.db.list_admins(&OwnerId::admin(), after, limit).await?)
    }

    /// Disables or enables an administrator. Disabling ends all of their sessions in the same transaction.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is no such account.
    pub async fn set_admin_disabled(&self, account: &str, disabled: bool) -> Result<(Change, Vec<EndedSession>), Error> {
        let user = self.get_admin(account).await?.user;
        let change = UserChange { disabled: Some(disabled), ..UserChange::default() };
        self.change_user(&OwnerId::admin(), user, change, None).await
    }

    /// Forgets all failed sign-ins under an administrator's account.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such account.
    pub async fn unlock_admin(&self, account: &str) -> Result<Change, Error> {
        let user = self.get_admin(account).await?.user;
        self.unlock(&OwnerId::admin(), &user).await
    }

    /// Gives an administrator a new password. All of their sessions end in the same transaction.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is no such account, [`Error::Refused`] where the password is not usable.
    pub async fn set_admin_password(&self, account: &str, password: &str) -> Result<(Change, Vec<EndedSession>), Error> {
        let user = self.get_admin(account).await?.user;
        verify_password_rule(PASSWORD_RULE, password, &user)?;
        self.replace_password(&OwnerId::admin(), user.user_id, password, None, None).await
    }

    /// Gives an administrator the new password of their own choice. Their other sessions end in the same transaction.
    ///
    /// # Errors
    /// [`Error::Refused`] if the password is not usable.
    pub(crate) async fn change_own_password(&self, admin: &Admin, password: &str) -> Result<(Change, Vec<EndedSession>), Error> {
        let user = &admin.record.user;
        verify_password_rule(PASSWORD_RULE, password, user)?;
        let except = Some(admin.session.session_id);
        self.replace_password(&OwnerId::admin(), user.user_id.clone(), password, None, except).await
    }

    /// The administrator of an account.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is none.
    pub async fn get_admin(&self, account: &str) -> Result<AdminRecord, Error> {
        let owner_id = OwnerId::admin();
        let unknown = || Error::NotFound("there is no administrator of this account; `bo-auth admin list` shows them".to_owned());
        let credentials = self.db.find_credentials(&owner_id, account).await?.ok_or_else(unknown)?;
        self.db.find_admin(&owner_id, &credentials.user.user_id).await?.ok_or_else(unknown)
    }

    /// Makes the tenant that is reserved for administrators where it is not there yet. Its sessions are short.
    async fn make_admin_tenant(&self) -> Result<(), Error> {
        let owner_id = OwnerId::admin();
        if self.db.find_tenant(&owner_id).await?.is_some() {
            return Ok(());
        }
        let new = NewTenant {
            owner_id: owner_id.clone(),
            name: "Administrators".to_owned(),
            system: (SystemId::parse(CONSOLE)?, "Console".to_owned()),
            algorithm: Algorithm::HS256,
            settings: json!({"sessionSeconds": 8 * 3_600, "sessionIdleSeconds": 1_800, "accessTokenSeconds": 60}),
        };
        let (record, _) = self.prepare_tenant(&new, None).await?;
        let event = self.event("tenant.added", None);
        match self.administer(&owner_id, &Administration::AddTenant(&record), None, &event, None).await {
            // Another command may have made it at the same time. Whoever has not heard of it hears of the administrator.
            Ok(_) | Err(Error::Conflict(_) | Error::DoneNotEverywhere(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
