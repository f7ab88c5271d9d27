//! `bo-auth admin`.

use bo_auth_core::identifier::OwnerId;
use bo_auth_service::operator::admin::NewAdmin;
use bo_auth_store::record::{AdminReach, AdminRecord};
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
pub(crate) enum Admin {
    /// Add an administrator: of the whole platform, or of one tenant.
    Add(Add),
    /// List administrators.
    List(List),
    /// Disable an administrator and end all of their sessions. `--undo` enables them again.
    Disable(Disable),
    /// Set an administrator's password and end all of their sessions.
    SetPassword(SetPassword),
    /// Forget an administrator's failed sign-ins: no delay and no captcha is left.
    Unlock(Unlock),
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Name to sign in with.
    #[arg(long)]
    account: String,
    /// Name for people; the account where absent.
    #[arg(long)]
    name: Option<String>,
    /// The one tenant to reach; all of them where absent.
    #[arg(long)]
    owner: Option<OwnerId>,
    #[command(flatten)]
    password: PasswordSource,
    #[command(flatten)]
    stores: StoreOptions,
}

#[derive(Debug, Args)]
pub(crate) struct List {
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
    /// Name the administrator signs in with.
    #[arg(long)]
    account: String,
    /// Enable the administrator again.
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    stores: StoreOptions,
}

#[derive(Debug, Args)]
pub(crate) struct SetPassword {
    /// Name the administrator signs in with.
    #[arg(long)]
    account: String,
    #[command(flatten)]
    password: PasswordSource,
    #[command(flatten)]
    stores: StoreOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Unlock {
    /// Name the administrator signs in with.
    #[arg(long)]
    account: String,
    #[command(flatten)]
    stores: StoreOptions,
}

impl Admin {
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
        let name = self.name.unwrap_or_else(|| self.account.clone());
        let new = NewAdmin { account: self.account, name, reach: self.owner.map_or(AdminReach::Platform, AdminReach::Tenant) };
        let added = stores.operator.add_admin(new, password.as_str()).await;
        let (admin, change) = added.map_err(|error| Failure::of_secret(error, &password.shown_line()))?;
        let told = stores.tell(&[change], output).await;
        let mut result = describe(&admin);
        result["password"] = json!(password.shown());
        output.result(&result, || {
            let shown = password.shown_line();
            format!("administrator {} reaches {}{shown}", admin.user.account, reach(&admin))
        })?;
        told
    }
}

impl List {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let stores = OperatorStores::open(self.stores).await?;
        let admins = stores.operator.list_admins(self.after.as_deref(), i64::from(self.limit)).await?;
        output.result(&admins.iter().map(describe).collect::<Vec<_>>(), || {
            let row = |admin: &AdminRecord| {
                [admin.user.account.clone(), admin.user.name.clone(), reach(admin), state(admin.user.disabled).to_owned()]
            };
            table(["ACCOUNT", "NAME", "REACHES", "STATE"], &admins.iter().map(row).collect::<Vec<_>>())
        })
    }
}

impl Disable {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let stores = OperatorStores::open(self.stores).await?;
        let (change, ended) = stores.operator.set_admin_disabled(&self.account, !self.undo).await?;
        stores.tell(&[change], output).await?;
        output.result(&json!({"account": self.account, "disabled": !self.undo, "endedSessions": ended.len()}), || {
            format!("administrator {} is {}; {}", self.account, state(!self.undo), sessions_ended(ended.len()))
        })
    }
}

impl SetPassword {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let password = self.password.read()?;
        let stores = OperatorStores::open(self.stores).await?;
        let set = stores.operator.set_admin_password(&self.account, password.as_str()).await;
        let (change, ended) = set.map_err(|error| Failure::of_secret(error, &password.shown_line()))?;
        let told = stores.tell(&[change], output).await;
        output.result(&json!({"account": self.account, "password": password.shown(), "endedSessions": ended.len()}), || {
            let shown = password.shown_line();
            format!("administrator {} has a new password; {}{shown}", self.account, sessions_ended(ended.len()))
        })?;
        told
    }
}

impl Unlock {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let stores = OperatorStores::open(self.stores).await?;
        let change = stores.operator.unlock_admin(&self.account).await?;
        stores.tell(&[change], output).await?;
        output.result(&json!({"account": self.account, "unlocked": true}), || {
            format!("the failed sign-ins of administrator {} are forgotten", self.account)
        })
    }
}

fn reach(admin: &AdminRecord) -> String {
    match &admin.reach {
        AdminReach::Platform => "all tenants".to_owned(),
        AdminReach::Tenant(owner_id) => format!("tenant {owner_id}"),
    }
}

fn describe(admin: &AdminRecord) -> Value {
    let owner_id = match &admin.reach {
        AdminReach::Platform => None,
        AdminReach::Tenant(owner_id) => Some(owner_id),
    };
    json!({"userId": admin.user.user_id, "account": admin.user.account, "name": admin.user.name, "role": admin.reach.role(),
        "ownerId": owner_id, "disabled": admin.user.disabled})
}
