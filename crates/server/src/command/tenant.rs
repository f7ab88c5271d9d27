//! `bo-auth tenant`.

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_core::random::alphanumeric;
use bo_auth_core::signing_key::Algorithm;
use bo_auth_service::operator::tenant::{DES_KEY_CHARACTERS, NewTenant};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::Failure;
use super::output::{Output, table};
use super::stores::OperatorStores;
use super::system::Setting;
use crate::configuration::StoreOptions;

#[derive(Debug, Subcommand)]
pub(crate) enum Tenant {
    /// Add a tenant with its first system and its keys.
    Add(Add),
    /// List tenants.
    List(List),
    /// Disable a tenant and end all of its sessions: nothing of it is answered any more. `--undo` enables it again.
    Disable(Disable),
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Id of the tenant, sent as `XownerId`.
    #[arg(long)]
    owner: OwnerId,
    /// Name for people; the id where absent.
    #[arg(long)]
    name: Option<String>,
    /// Id of its first system, which becomes the default one.
    #[arg(long, default_value = "web")]
    sys: SystemId,
    /// Name of the first system; its id where absent.
    #[arg(long)]
    sys_name: Option<String>,
    /// DES key that frontends encrypt with; made and printed where absent.
    #[arg(long, env = "BO_AUTH_DES_KEY", hide_env_values = true)]
    des_key: Option<String>,
    /// How access tokens are signed: HS256, RS256, ES256 or EdDSA.
    #[arg(long, default_value = "HS256", value_parser = parse_algorithm)]
    algorithm: Algorithm,
    /// A setting that its systems inherit, such as `accessTokenSeconds=900`; may be repeated.
    #[arg(long = "setting", value_name = "NAME=VALUE")]
    settings: Vec<Setting>,
    #[command(flatten)]
    stores: StoreOptions,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Begin behind this tenant.
    #[arg(long)]
    after: Option<OwnerId>,
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
    /// Enable it again.
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    stores: StoreOptions,
}

impl Tenant {
    pub(crate) async fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Add(command) => command.run(output).await,
            Self::List(command) => command.run(output).await,
            Self::Disable(command) => command.run(output).await,
        }
    }
}

impl Add {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let stores = OperatorStores::open(self.stores).await?;
        let new = NewTenant {
            name: self.name.unwrap_or_else(|| self.owner.to_string()),
            system: (self.sys.clone(), self.sys_name.unwrap_or_else(|| self.sys.to_string())),
            settings: Value::Object(self.settings.into_iter().map(Setting::into_member).collect::<Map<_, _>>()),
            algorithm: self.algorithm,
            owner_id: self.owner,
        };
        let made = alphanumeric(&*stores.operator.random, DES_KEY_CHARACTERS);
        let des_key = self.des_key.as_deref().unwrap_or(&made);
        let added = stores.operator.add_tenant(&new, Some(des_key)).await;
        added.map_err(|error| Failure::of_secret(error, &format!("\nDES key (shown once): {des_key}")))?;
        let told = stores.tell(&[bo_auth_service::operator::Change { owner_id: new.owner_id.clone(), user_id: None }], output).await;
        output.result(&json!({"ownerId": new.owner_id, "sysId": new.system.0, "desKey": des_key}), || {
            format!(
                "tenant {} with system {}\nDES key (shown once; it goes into the frontend's bundle): {des_key}\nnext: bo-auth user add --owner {} --account NAME",
                new.owner_id, new.system.0, new.owner_id
            )
        })?;
        told
    }
}

impl List {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let stores = OperatorStores::open(self.stores).await?;
        let tenants = stores.operator.list_tenants(self.after.as_ref(), i64::from(self.limit)).await?;
        let result: Vec<Value> = tenants
            .iter()
            .map(|tenant| json!({"ownerId": tenant.owner_id, "name": tenant.name, "defaultSysId": tenant.default_sys_id, "disabled": tenant.disabled, "settings": tenant.settings}))
            .collect();
        output.result(&result, || {
            let row = |tenant: &bo_auth_store::record::TenantRecord| {
                [tenant.owner_id.to_string(), tenant.name.clone(), tenant.default_sys_id.to_string(), state(tenant.disabled).to_owned()]
            };
            table(["OWNER", "NAME", "DEFAULT SYSTEM", "STATE"], &tenants.iter().map(row).collect::<Vec<_>>())
        })
    }
}

impl Disable {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let stores = OperatorStores::open(self.stores).await?;
        let change = stores.operator.set_tenant_disabled(&self.owner, !self.undo).await?;
        stores.tell(&[change], output).await?;
        output.result(&json!({"ownerId": self.owner, "disabled": !self.undo}), || format!("tenant {} is {}", self.owner, state(!self.undo)))
    }
}

pub(crate) const fn state(disabled: bool) -> &'static str {
    if disabled { "disabled" } else { "enabled" }
}

pub(crate) fn parse_algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::parse(text).ok_or_else(|| "it is one of HS256, RS256, ES256, EdDSA".to_owned())
}
