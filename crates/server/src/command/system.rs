//! `bo-auth system`.

use std::str::FromStr;

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_service::operator::system::SystemChange;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Failure;
use super::output::{Output, table};
use super::stores::OperatorStores;
use super::tenant::state;
use crate::configuration::StoreOptions;

#[derive(Debug, Subcommand)]
pub(crate) enum System {
    /// Add a system to a tenant.
    Add(Add),
    /// List the systems of a tenant.
    List(List),
    /// Change a system's name, state or settings.
    Set(Set),
}

/// A setting and its value: JSON, or else a text.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    name: String,
    value: Value,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("a setting is written NAME=VALUE")?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        Ok(Self { name: name.to_owned(), value })
    }
}

impl Setting {
    pub(crate) fn into_member(self) -> (String, Value) {
        (self.name, self.value)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Id of the tenant.
    #[arg(long)]
    owner: OwnerId,
    /// Id of the system, sent as `XsysId`.
    #[arg(long)]
    sys: SystemId,
    /// Name for people; the id where absent.
    #[arg(long)]
    name: Option<String>,
    /// A setting, such as `allowPlainPassword=true` or `allowedOrigins=["https://app.example"]`; may be repeated.
    #[arg(long = "setting", value_name = "NAME=VALUE")]
    settings: Vec<Setting>,
    #[command(flatten)]
    stores: StoreOptions,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Id of the tenant.
    #[arg(long)]
    owner: OwnerId,
    #[command(flatten)]
    stores: StoreOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Id of the tenant.
    #[arg(long)]
    owner: OwnerId,
    /// Id of the system.
    #[arg(long)]
    sys: SystemId,
    /// Name for people.
    #[arg(long)]
    name: Option<String>,
    /// Disable it and end all of its sessions: its calls are refused.
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
    /// Enable it again.
    #[arg(long)]
    enable: bool,
    /// Make it the system of calls without `XsysId`.
    #[arg(long)]
    default: bool,
    /// A setting, such as `legacyStatus200=true`; `NAME=null` takes one back; may be repeated.
    #[arg(long = "setting", value_name = "NAME=VALUE")]
    settings: Vec<Setting>,
    #[command(flatten)]
    stores: StoreOptions,
}

impl System {
    pub(crate) async fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Add(command) => command.run(output).await,
            Self::List(command) => command.run(output).await,
            Self::Set(command) => command.run(output).await,
        }
    }
}

impl Add {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let stores = OperatorStores::open(self.stores).await?;
        let name = self.name.unwrap_or_else(|| self.sys.to_string());
        let settings = self.settings.into_iter().map(Setting::into_member).collect();
        let change = stores.operator.add_system(&self.owner, self.sys.clone(), name, settings).await?;
        stores.tell(&[change], output).await?;
        output.result(&json!({"ownerId": self.owner, "sysId": self.sys}), || format!("system {} of tenant {}", self.sys, self.owner))
    }
}

impl List {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let stores = OperatorStores::open(self.stores).await?;
        let tenant = stores.operator.get_tenant(&self.owner).await?;
        let is_default = |sys_id: &SystemId| *sys_id == tenant.default_sys_id;
        let result: Vec<Value> = tenant
            .systems
            .iter()
            .map(|system| json!({"sysId": system.sys_id, "name": system.name, "default": is_default(&system.sys_id), "disabled": system.disabled, "settings": system.settings}))
            .collect();
        output.result(&result, || {
            let rows: Vec<_> = tenant
                .systems
                .iter()
                .map(|system| {
                    let default = if is_default(&system.sys_id) { "default" } else { "" };
                    [
                        system.sys_id.to_string(),
                        system.name.clone(),
                        default.to_owned(),
                        state(system.disabled).to_owned(),
                        system.settings.to_string(),
                    ]
                })
                .collect();
            table(["SYSTEM", "NAME", "", "STATE", "SETTINGS"], &rows)
        })
    }
}

impl Set {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let stores = OperatorStores::open(self.stores).await?;
        let change = SystemChange {
            name: self.name,
            disabled: (self.disable || self.enable).then_some(self.disable),
            settings: self.settings.into_iter().map(Setting::into_member).collect(),
            make_default: self.default,
        };
        let change = stores.operator.change_system(&self.owner, &self.sys, change).await?;
        stores.tell(&[change], output).await?;
        output.result(&json!({"ownerId": self.owner, "sysId": self.sys}), || {
            format!("system {} of tenant {} is changed", self.sys, self.owner)
        })
    }
}
