//! Users of a tenant: listed, added, read, changed, given a new password.

use std::sync::Arc;

use bo_auth_core::identifier::UserId;
use bo_auth_service::operator::user::{NewUser, UserChange};
use bo_auth_store::record::UserRecord;
use poem::Request;
use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};

use super::Frame;
use super::body::IDENTIFIER;
use super::caller::Caller;
use super::condition::if_match;
use super::page::{PageRequest, page};
use super::problem::{NOT_FOUND, Problem};
use super::reply::{NoContent, Reply, Success};
use crate::api::body::JsonBody;

/// The routes of users.
pub(super) struct Users(pub(super) Arc<Frame>);

/// A user.
#[derive(Object)]
#[oai(rename = "User", rename_all = "camelCase")]
pub(super) struct UserView {
    /// The id.
    user_id: String,
    /// The name to sign in with.
    account: String,
    /// The name for people.
    name: String,
    /// The mobile number.
    mobile: Option<String>,
    /// The name for push messages.
    push_name: Option<String>,
    /// The areas the user is confined to; empty for all.
    area_codes: Vec<String>,
    /// Whether the user is disabled.
    disabled: bool,
    /// When the user last changed (Unix ms).
    updated_at: i64,
}

page! {
    /// A page of users, in the order of their accounts.
    UserPage of UserView
}

/// A user who is to be added.
#[derive(Object)]
#[oai(rename = "NewUserRequest", rename_all = "camelCase")]
pub(super) struct NewUserBody {
    /// The name to sign in with; it cannot be changed.
    account: String,
    /// The password.
    password: String,
    /// The id; made where absent.
    user_id: Option<String>,
    /// The name for people; the account where absent.
    name: Option<String>,
    /// A mobile number, unique within the tenant.
    mobile: Option<String>,
    /// The name for push messages.
    push_name: Option<String>,
    /// The areas the user is confined to; none for all.
    area_codes: Option<Vec<String>>,
}

/// What is to change about a user; what is absent stays.
#[derive(Object)]
#[oai(rename = "UserChangeRequest", rename_all = "camelCase")]
pub(super) struct UserChangeBody {
    /// The name for people.
    name: Option<String>,
    /// A mobile number; null for none.
    mobile: Option<String>,
    /// The name for push messages; null for none.
    push_name: Option<String>,
    /// The areas the user is confined to; empty for all.
    area_codes: Option<Vec<String>>,
    /// Disable or enable the user. Disabling ends all of the user's sessions.
    disabled: Option<bool>,
}

/// A new password.
#[derive(Object)]
#[oai(rename = "PasswordRequest", rename_all = "camelCase")]
pub(super) struct PasswordBody {
    /// The password.
    password: String,
}

/// How many sessions have ended.
#[derive(Object)]
#[oai(rename = "EndedSessions", rename_all = "camelCase")]
pub(super) struct EndedView {
    /// Sessions that this call has ended. None of them is accepted any more, on any node.
    pub(super) ended_sessions: u64,
}

impl UserView {
    fn new(user: UserRecord) -> Self {
        Self {
            user_id: user.user_id.to_string(),
            account: user.account,
            name: user.name,
            mobile: user.mobile,
            push_name: user.push_name,
            area_codes: user.area_codes.iter().map(ToString::to_string).collect(),
            disabled: user.disabled,
            updated_at: user.updated_at.0,
        }
    }
}

#[OpenApi]
impl Users {
    /// List users
    #[oai(path = "/tenants/:ownerId/users", method = "get", operation_id = "listUsers")]
    async fn list(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        /// What their accounts begin with.
        account: Query<Option<String>>,
        limit: Query<Option<u32>>,
        cursor: Query<Option<String>>,
    ) -> Reply<UserPage> {
        self.page(request, &owner_id, account.0.as_deref(), (limit.0, cursor.0)).await.into()
    }

    /// Add a user
    #[oai(path = "/tenants/:ownerId/users", method = "post", operation_id = "addUser")]
    async fn add(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        body: JsonBody<NewUserBody>,
    ) -> Reply<UserView, 201> {
        self.insert(request, &owner_id, body).await.into()
    }

    /// Read a user
    #[oai(path = "/tenants/:ownerId/users/:userId", method = "get", operation_id = "readUser")]
    async fn read(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        #[oai(name = "userId")] user_id: Path<String>,
    ) -> Reply<UserView> {
        self.find(request, &owner_id, &user_id).await.map(|(_, user)| answer(user)).into()
    }

    /// Change a user
    ///
    /// In effect on every node when it is answered.
    #[oai(path = "/tenants/:ownerId/users/:userId", method = "patch", operation_id = "changeUser")]
    async fn change(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        #[oai(name = "userId")] user_id: Path<String>,
        body: JsonBody<UserChangeBody>,
    ) -> Reply<UserView> {
        self.update(request, (&owner_id, &user_id), body).await.into()
    }

    /// Set a user's password
    ///
    /// Ends all of the user's sessions with the reason `PASSWORD_CHANGED`. The `ETag` is the user's.
    #[oai(path = "/tenants/:ownerId/users/:userId/password", method = "put", operation_id = "setPassword")]
    async fn set_password(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        #[oai(name = "userId")] user_id: Path<String>,
        body: JsonBody<PasswordBody>,
    ) -> Reply<EndedView> {
        self.renew_password(request, (&owner_id, &user_id), body).await.into()
    }

    /// Unlock a user
    ///
    /// Forgets the user's failed sign-ins, so that no delay and no captcha is left of them.
    #[oai(path = "/tenants/:ownerId/users/:userId/unlock", method = "post", operation_id = "unlockUser")]
    async fn unlock(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        #[oai(name = "userId")] user_id: Path<String>,
    ) -> NoContent {
        self.forget_failures(request, &owner_id, &user_id).await.into()
    }
}

fn answer(user: UserRecord) -> Success<UserView> {
    let updated_at = user.updated_at;
    Success::at(UserView::new(user), updated_at)
}

/// A user of the caller's tenant.
pub(super) async fn find_user(caller: &Caller, user_id: &str) -> Result<UserRecord, Problem> {
    caller.operator.get_tenant(&caller.owner_id).await?;
    let not_found = || Problem::of(NOT_FOUND);
    let user_id = UserId::parse(user_id).map_err(|_| not_found())?;
    caller.operator.db.find_user(&caller.owner_id, &user_id).await?.ok_or_else(not_found)
}

impl Users {
    async fn page(
        &self,
        request: &Request,
        owner_id: &str,
        prefix: Option<&str>,
        (limit, cursor): (Option<u32>, Option<String>),
    ) -> Result<Success<UserPage>, Problem> {
        let caller = self.0.caller(request, owner_id).await?;
        let page = PageRequest::read("users", limit, cursor.as_deref())?;
        caller.operator.get_tenant(&caller.owner_id).await?;
        let users = caller.operator.db.find_users(&caller.owner_id, prefix.unwrap_or_default(), page.after.as_deref(), page.rows()).await?;
        let (users, next) = page.cut(users, |last| last.account.clone());
        let views: Vec<UserView> = users.into_iter().map(UserView::new).collect();
        Ok(Success::of((views, next).into()))
    }

    async fn find(&self, request: &Request, owner_id: &str, user_id: &str) -> Result<(Caller, UserRecord), Problem> {
        let caller = self.0.caller(request, owner_id).await?;
        let user = find_user(&caller, user_id).await?;
        Ok((caller, user))
    }

    async fn insert(&self, request: &Request, owner_id: &str, body: JsonBody<NewUserBody>) -> Result<Success<UserView>, Problem> {
        let caller = self.0.caller(request, owner_id).await?;
        let mut members = self.0.read(request, body).await?;
        let (account, password) = (members.required_text("account"), members.required_text("password"));
        let new = NewUser {
            user_id: members.parsed("userId", IDENTIFIER, |text| UserId::parse(text).ok()),
            name: members.name("name").unwrap_or_else(|| account.clone()),
            mobile: members.clearable("mobile").flatten(),
            push_name: members.clearable("pushName").flatten(),
            area_codes: members.area_codes("areaCodes").unwrap_or_default(),
            account,
        };
        members.finish()?;
        let added = caller.operator.add_user(&caller.owner_id, new, &password).await?;
        let user = find_user(&caller, added.user_id.as_str()).await;
        Ok(answer(user.map_err(Problem::after_change)?))
    }

    async fn update(
        &self,
        request: &Request,
        (owner_id, user_id): (&str, &str),
        body: JsonBody<UserChangeBody>,
    ) -> Result<Success<UserView>, Problem> {
        let (caller, user) = self.find(request, owner_id, user_id).await?;
        let unchanged_since = if_match(request, user.updated_at)?;
        let mut members = self.0.read(request, body).await?;
        let change = UserChange {
            name: members.name("name"),
            mobile: members.clearable("mobile"),
            push_name: members.clearable("pushName"),
            area_codes: members.area_codes("areaCodes"),
            disabled: members.boolean("disabled"),
        };
        members.finish()?;
        caller.operator.change_user(&caller.owner_id, user, change, Some(unchanged_since)).await?;
        Ok(answer(find_user(&caller, user_id).await.map_err(Problem::after_change)?))
    }

    async fn forget_failures(&self, request: &Request, owner_id: &str, user_id: &str) -> Result<Success<()>, Problem> {
        let (caller, user) = self.find(request, owner_id, user_id).await?;
        caller.operator.unlock(&caller.owner_id, &user).await?;
        Ok(Success::of(()))
    }

    async fn renew_password(
        &self,
        request: &Request,
        (owner_id, user_id): (&str, &str),
        body: JsonBody<PasswordBody>,
    ) -> Result<Success<EndedView>, Problem> {
        let (caller, user) = self.find(request, owner_id, user_id).await?;
        let unchanged_since = if_match(request, user.updated_at)?;
        let mut members = self.0.read(request, body).await?;
        let password = members.required_text("password");
        members.finish()?;
        let (_, ended) = caller.operator.set_password_of(&caller.owner_id, user, &password, Some(unchanged_since)).await?;
        Ok(Success::of(EndedView { ended_sessions: ended.len() as u64 }))
    }
}
