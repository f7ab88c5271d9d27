//! `bo-auth key`.

use std::time::Duration;

use bo_auth_core::identifier::{KeyId, OwnerId};
use bo_auth_core::signing_key::Algorithm;
use bo_auth_service::operator::key::Replacement;
use bo_auth_store::record::KeyPurpose;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::Failure;
use super::output::{Output, table};
use super::stores::OperatorStores;
use super::tenant::parse_algorithm;
use crate::configuration::StoreOptions;

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// List a tenant's keys, and how often each stamp key was used.
    List(List),
    /// Put a new key in front of the current one, which stays accepted for a while.
    Rotate(Rotate),
    /// Withdraw a key that a rotation has left accepted: nothing made with it is accepted by any node when this returns.
    Withdraw(Withdraw),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Id of the tenant.
    #[arg(long)]
    owner: OwnerId,
    #[command(flatten)]
    stores: StoreOptions,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Purpose {
    /// DES key of `XverifyApi` and of passwords on their way.
    Stamp,
    /// HMAC key of the second version of `XverifyApi`.
    StampMac,
    /// Signing key of access tokens.
    Access,
    /// Key of refresh tokens.
    Refresh,
}

#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// Id of the tenant.
    #[arg(long)]
    owner: OwnerId,
    /// Which key.
    purpose: Purpose,
    /// How access tokens are signed from now on: HS256, RS256, ES256 or EdDSA.
    #[arg(long, default_value = "HS256", value_parser = parse_algorithm)]
    algorithm: Algorithm,
    /// The new DES key; made and printed where absent.
    #[arg(long, env = "BO_AUTH_DES_KEY", hide_env_values = true)]
    des_key: Option<String>,
    /// For how many seconds earlier keys are still accepted; 0 withdraws them at once. The default lets what they have
    /// made run out: 30 days for stamps, a day for access tokens, 90 days for refresh tokens.
    #[arg(long, value_name = "SECONDS")]
    overlap: Option<u64>,
    #[command(flatten)]
    stores: StoreOptions,
}

impl Key {
    pub(crate) async fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::List(command) => command.run(output).await,
            Self::Rotate(command) => command.run(output).await,
            Self::Withdraw(command) => command.run(output).await,
        }
    }
}

impl List {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let stores = OperatorStores::open(self.stores).await?;
        let (keys, uses) = stores.operator.list_keys(&self.owner).await?;
        let uses_of = |key_id| {
            let of_key = uses.iter().filter(move |used| used.key_id == key_id);
            (of_key.clone().map(|used| used.uses).sum::<i64>(), of_key.map(|used| used.last_used_at).max())
        };
        let result: Vec<Value> = keys
            .iter()
            .map(|key| {
                let (count, last) = uses_of(key.key_id.clone());
                json!({"keyId": key.key_id, "purpose": key.purpose.as_str(), "algorithm": key.algorithm, "createdAt": key.created_at.to_string(),
                    "retiresAt": key.retires_at.map(|at| at.to_string()), "uses": count, "lastUsedAt": last.map(|at| at.to_string())})
            })
            .collect();
        output.result(&json!({"keys": result, "stampUses": uses}), || {
            let rows: Vec<_> = keys
                .iter()
                .map(|key| {
                    let (count, last) = uses_of(key.key_id.clone());
                    let is_stamp = matches!(key.purpose, KeyPurpose::Stamp | KeyPurpose::StampMac);
                    [
                        key.key_id.to_string(),
                        key.purpose.as_str().to_owned(),
                        key.algorithm.clone(),
                        key.created_at.to_string(),
                        key.retires_at.map_or_else(|| "current".to_owned(), |at| format!("until {at}")),
                        if is_stamp { count.to_string() } else { String::new() },
                        last.map_or_else(String::new, |at| at.to_string()),
                    ]
                })
                .collect();
            table(["KEY", "PURPOSE", "ALGORITHM", "MADE", "ACCEPTED", "USES", "LAST USED"], &rows)
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    /// Id of the tenant.
    #[arg(long)]
    owner: OwnerId,
    /// The key, as `key list` prints it.
    key: KeyId,
    #[command(flatten)]
    stores: StoreOptions,
}

impl Withdraw {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let stores = OperatorStores::open(self.stores).await?;
        let (change, by_this_call) = stores.operator.withdraw_key(&self.owner, &self.key).await?;
        stores.tell(&[change], output).await?;
        output.result(&json!({"keyId": self.key, "withdrawn": by_this_call}), || {
            if by_this_call { format!("key {} is withdrawn", self.key) } else { "nothing to do: it had been withdrawn before".to_owned() }
        })
    }
}

impl Rotate {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let stores = OperatorStores::open(self.stores).await?;
        let replacement = match self.purpose {
            Purpose::Stamp => Replacement::Stamp(self.des_key.as_deref()),
            Purpose::StampMac => Replacement::StampMac,
            Purpose::Access => Replacement::Access(self.algorithm),
            Purpose::Refresh => Replacement::Refresh,
        };
        let overlap = self.overlap.map_or_else(|| replacement.usual_overlap(), Duration::from_secs);
        let rotated = stores.operator.rotate_key(&self.owner, replacement, overlap).await?;
        let told = stores.tell(std::slice::from_ref(&rotated.change), output).await;
        let key = &rotated.key;
        let result = json!({"keyId": key.key_id, "purpose": key.purpose.as_str(), "algorithm": key.algorithm, "secret": rotated.secret,
            "earlierKeysRetireAt": rotated.earlier_retire_at.to_string()});
        output.result(&result, || {
            let secret = rotated.secret.as_ref().map_or_else(String::new, |secret| format!("\nkey (shown once): {secret}"));
            format!(
                "{} key {} is current; earlier ones are accepted until {}{secret}",
                key.purpose.as_str(),
                key.key_id,
                rotated.earlier_retire_at
            )
        })?;
        told
    }
}
