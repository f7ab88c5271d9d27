//! `bo-auth user`.

use bo_auth_core::identifier::{AreaCode, OwnerId, UserId};
use bo_auth_service::operator::user::NewUser;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Failure;
use super::output::{Output, table};
use super::password::PasswordSource;
use super::session::sessions_ended;
use super::stores::OperatorStores;
use super::tenant::state;
use crate::configuration::StoreOptions;

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Add a user to a tenant.
    Add(Add),
    /// List the users of a tenant.
    List(List),
    /// Disable a user and end all of the user's sessions. `--undo` enables the user again.
    Disable(Disable),
    /// Set a user's password and end all of the user's sessions.
    SetPassword(SetPassword),
    /// Forget a user's failed sign-ins, so that no delay and no captcha is left of them.
    Unlock(Unlock),
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Id of the tenant.
    #[arg(long)]
    owner: OwnerId,
    /// Name to sign in with.
    #[arg(long)]
    account: String,
    /// Id of the user; made where absent.
    #[arg(long)]
    id: Option<UserId>,
    /// Name for people; the account where absent.
    #[arg(long)]
    name: Option<String>,
    /// Mobile number.
    #[arg(long)]
    mobile: Option<String>,
    /// Name for push messages.
    #[arg(long)]
    push_name: Option<String>,
    /// An area the user is confined to; may be repeated. None for all.
    #[arg(long = "area", value_name = "CODE")]
    areas: Vec<AreaCode>,
    #[command(flatten)]
    password: PasswordSource,
    #[command(flatten)]
    stores: StoreOptions,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Id of the tenant.
    #[arg(long)]
    owner: OwnerId,
    /// Begin behind this account.
    #[arg(long)]
    after: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    #[command(flatten)]
    stores: StoreOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Disable {
    /// Id of the tenant.
    #[arg(long)]
    owner: OwnerId,
    /// Name the user signs in with.
    #[arg(long)]
    account: String,
    /// Enable the user again.
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    stores: StoreOptions,
}

#[derive(Debug, Args)]
pub(crate) struct SetPassword {
    /// Id of the tenant.
    #[arg(long)]
    owner: OwnerId,
    /// Name the user signs in with.
    #[arg(long)]
    account: String,
    #[command(flatten)]
    password: PasswordSource,
    #[command(flatten)]
    stores: StoreOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Unlock {
    /// Id of the tenant.
    #[arg(long)]
    owner: OwnerId,
    /// Name the user signs in with.
    #[arg(long)]
    account: String,
    #[command(flatten)]
    stores: StoreOptions,
}

impl User {
    pub(crate) async fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Add(command) => command.run(output).await,
            Self::List(command) => command.run(output).await,
            Self::Disable(command) => command.run(output).await,
            Self::SetPassword(command) => command.run(output).await,
            Self::Unlock(command) => command.run(output).await,
        }
    }
}

impl Add {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let password = self.password.read()?;
        let stores = OperatorStores::open(self.stores).await?;
        let new = NewUser {
            user_id: self.id,
            name: self.name.unwrap_or_else(|| self.account.clone()),
            account: self.account,
            mobile: self.mobile,
            push_name: self.push_name,
            area_codes: self.areas,
        };
        let user = stores.operator.add_user(&self.owner, new, password.as_str()).await;
        let user = user.map_err(|error| Failure::of_secret(error, &password.shown_line()))?;
        output.result(&json!({"userId": user.user_id, "userName": user.account, "password": password.shown()}), || {
            let shown = password.shown_line();
            format!("user {} ({}) of tenant {}{shown}", user.account, user.user_id, self.owner)
        })
    }
}

impl List {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let stores = OperatorStores::open(self.stores).await?;
        let users = stores.operator.list_users(&self.owner, self.after.as_deref(), i64::from(self.limit)).await?;
        let result: Vec<Value> = users
            .iter()
            .map(|user| json!({"userId": user.user_id, "userName": user.account, "name": user.name, "mobile": user.mobile, "pushName": user.push_name, "areaCodes": user.area_codes, "disabled": user.disabled}))
            .collect();
        output.result(&result, || {
            let row = |user: &bo_auth_store::record::UserRecord| {
                [user.account.clone(), user.user_id.to_string(), user.name.clone(), state(user.disabled).to_owned()]
            };
            table(["ACCOUNT", "USER", "NAME", "STATE"], &users.iter().map(row).collect::<Vec<_>>())
        })
    }
}

impl Disable {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let stores = OperatorStores::open(self.stores).await?;
        let (change, ended) = stores.operator.set_user_disabled(&self.owner, &self.account, !self.undo).await?;
        let told = stores.tell(&[change], output).await;
        output.result(&json!({"userName": self.account, "disabled": !self.undo, "endedSessions": ended.len()}), || {
            format!("user {} is {}; {}", self.account, state(!self.undo), sessions_ended(ended.len()))
        })?;
        told
    }
}

impl SetPassword {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let password = self.password.read()?;
        let stores = OperatorStores::open(self.stores).await?;
        let set = stores.operator.set_password(&self.owner, &self.account, password.as_str()).await;
        let (change, ended) = set.map_err(|error| Failure::of_secret(error, &password.shown_line()))?;
        let told = stores.tell(&[change], output).await;
        output.result(&json!({"userName": self.account, "password": password.shown(), "endedSessions": ended.len()}), || {
            let shown = password.shown_line();
            format!("user {} has a new password; {}{shown}", self.account, sessions_ended(ended.len()))
        })?;
        told
    }
}

impl Unlock {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let stores = OperatorStores::open(self.stores).await?;
        let change = stores.operator.unlock_user(&self.owner, &self.account).await?;
        stores.tell(&[change], output).await?;
        output.result(&json!({"userName": self.account, "unlocked": true}), || {
            format!("the failed sign-ins of user {} are forgotten", self.account)
        })
    }
}
