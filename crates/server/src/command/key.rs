//! `bo-auth key`.

use std::time::Duration;

use bo_auth_core::identifier::{KeyId, OwnerId};
use bo_auth_core::signing_key::Algorithm;
use bo_auth_service::operator::key::{ListedKey, Replacement, RotatedKey, RotationOptions};
use bo_auth_store::record::{KeyPurpose, KeyState, Withdrawal};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::Failure;
use super::output::{Output, table};
use super::stores::OperatorStores;
use super::tenant::parse_algorithm;
use crate::configuration::StoreOptions;

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// List a tenant's keys: which is announced, signs, is accepted or has retired, and how often each stamp key was used.
    List(List),
    /// Put a new key in front of the current one, which stays accepted for a while. A new RS256, ES256 or EdDSA key is
    /// announced in the key set for 16 minutes before it signs. Two keys of each purpose are accepted at most: older ones
    /// retire.
    Rotate(Rotate),
    /// Withdraw a key: nothing made with it is accepted by any node when this returns. If it signs and another is
    /// announced, that one signs from now on.
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
    /// How access tokens are signed from then on: HS256, RS256, ES256 or EdDSA; as the current key does if absent.
    #[arg(long, value_parser = parse_algorithm)]
    algorithm: Option<Algorithm>,
    /// The new DES key; made and printed where absent.
    #[arg(long, env = "BO_AUTH_DES_KEY", hide_env_values = true)]
    des_key: Option<String>,
    /// For how many seconds the key before it is still accepted once the new one signs; 0 withdraws earlier keys at once,
    /// and lets the new one sign at once. The default lets what they have made run out: 30 days for stamps, a day for access
    /// tokens, 90 days for refresh tokens.
    #[arg(long, value_name = "SECONDS")]
    overlap: Option<u64>,
    /// In an emergency: let a new RS256, ES256 or EdDSA key sign at once. Verifiers that keep the key set refuse new tokens
    /// until they read it again, which may take fifteen minutes.
    #[arg(long)]
    now: bool,
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
        let describe = |listed: &ListedKey| {
            let (key, standing) = (&listed.key, &listed.standing);
            let (count, last) = uses_of(key.key_id.clone());
            json!({
                "keyId": key.key_id,
                "purpose": key.purpose.as_str(),
                "algorithm": key.algorithm,
                "state": standing.state.as_str(),
                "createdAt": key.created_at.to_string(),
                "signsFrom": standing.signs_from.to_string(),
                "retiresAt": standing.retires_at.map(|at| at.to_string()),
                "uses": count,
                "lastUsedAt": last.map(|at| at.to_string()),
            })
        };
        let result: Vec<Value> = keys.iter().map(describe).collect();
        output.result(&json!({"keys": result, "stampUses": uses}), || {
            let row = |listed: &ListedKey| {
                let key = &listed.key;
                let (count, last) = uses_of(key.key_id.clone());
                let is_stamp = matches!(key.purpose, KeyPurpose::Stamp | KeyPurpose::StampMac);
                [
                    key.key_id.to_string(),
                    key.purpose.as_str().to_owned(),
                    key.algorithm.clone(),
                    key.created_at.to_string(),
                    state_of(listed),
                    if is_stamp { count.to_string() } else { String::new() },
                    last.map_or_else(String::new, |at| at.to_string()),
                ]
            };
            let columns = ["KEY", "PURPOSE", "ALGORITHM", "MADE", "STATE", "USES", "LAST USED"];
            table(columns, &keys.iter().map(row).collect::<Vec<_>>())
        })
    }
}

/// What a key does, with the instant at which it changes.
fn state_of(listed: &ListedKey) -> String {
    let standing = &listed.standing;
    let word = standing.state.as_str();
    match (standing.state, standing.retires_at) {
        (KeyState::Announced, _) => format!("{word}, signs from {}", standing.signs_from),
        (KeyState::Signing | KeyState::Accepted, Some(at)) => format!("{word} until {at}"),
        (KeyState::Retired, Some(at)) => format!("{word} {at}"),
        (_, None) => word.to_owned(),
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
        let (change, withdrawal) = stores.operator.withdraw_key(&self.owner, &self.key).await?;
        stores.tell(&[change], output).await?;
        let successor = match &withdrawal {
            Withdrawal::Succeeded(key_id) => Some(key_id),
            _ => None,
        };
        let withdrawn = withdrawal != Withdrawal::Already;
        output.result(&json!({"keyId": self.key, "withdrawn": withdrawn, "signingKeyId": successor}), || match successor {
            Some(next) => format!("key {} is withdrawn; {next}, which was announced, signs from now on", self.key),
            None if withdrawn => format!("key {} is withdrawn", self.key),
            None => "nothing to do: it had been withdrawn before".to_owned(),
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
        let options = RotationOptions { overlap: self.overlap.map(Duration::from_secs), now: self.now };
        let rotated = stores.operator.rotate_key(&self.owner, replacement, options).await?;
        let told = stores.tell(std::slice::from_ref(&rotated.change), output).await;
        let key = &rotated.key;
        let result = json!({
            "keyId": key.key_id,
            "purpose": key.purpose.as_str(),
            "algorithm": key.algorithm,
            "secret": rotated.secret,
            "signsFrom": rotated.signs_from.map(|at| at.to_string()),
            "earlierKeysRetireAt": rotated.earlier_retire_at.to_string(),
            "unknownToVerifiers": rotated.is_unknown_to_verifiers,
            "retired": rotated.retired.iter().map(|retired| {
                json!({"keyId": retired.key_id, "retiresAt": retired.retires_at.to_string()})
            }).collect::<Vec<_>>(),
        });
        if rotated.is_unknown_to_verifiers {
            output.remark("verifiers that keep the key set refuse new tokens until they read it again, within fifteen minutes");
        }
        output.result(&result, || in_words(&rotated))?;
        told
    }
}

/// What a rotation has done.
fn in_words(rotated: &RotatedKey) -> String {
    let key = &rotated.key;
    let what = format!("{} key {} ({})", key.purpose.as_str(), key.key_id, key.algorithm);
    let first = match rotated.signs_from {
        Some(signs_from) => format!("{what} is announced and signs from {signs_from}"),
        None => format!("{what} is current"),
    };
    let mut lines = vec![format!("{first}; the one before it is accepted until {}", rotated.earlier_retire_at)];
    let early = rotated.retired.iter().take(16);
    lines.extend(early.map(|retired| format!("key {} retires early, at {}", retired.key_id, retired.retires_at)));
    let more = rotated.retired.len().checked_sub(16).filter(|more| *more > 0);
    lines.extend(more.map(|more| format!("{more} more keys retire early")));
    lines.extend(rotated.secret.iter().map(|secret| format!("key (shown once): {secret}")));
    lines.join("\n")
}
