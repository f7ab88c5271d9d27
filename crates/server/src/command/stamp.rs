//! `bo-auth stamp`: what a frontend computes, for curl.

use std::path::PathBuf;

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_core::random::{SystemRandom, alphanumeric};
use bo_auth_core::stamp::{SignedRequest, StampKey, StampMacKey, encrypt_stamp, new_stamp_plaintext, sign_stamp_v2};
use bo_auth_core::time::{Clock, SystemClock};
use bo_auth_service::tenant::System;
use bo_auth_store::record::{KeyPurpose, TenantRecord};
use clap::Args;
use serde_json::json;

use super::Failure;
use super::output::Output;
use super::stores::OperatorStores;
use crate::configuration::StoreOptions;

/// Characters of a nonce of the second version.
const NONCE_CHARACTERS: usize = 32;

#[derive(Debug, Args)]
pub(crate) struct Stamp {
    /// Id of the tenant.
    #[arg(long)]
    owner: OwnerId,
    /// Id of the system whose cipher is used; the default system where absent.
    #[arg(long)]
    sys: Option<SystemId>,
    /// Leave the time out: the value does not grow old, and still counts once.
    #[arg(long)]
    no_time: bool,
    /// Encrypt the password in this file (`-` for standard input) for a login's body, instead of making a stamp.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Make a stamp of the second version for a request with this method.
    #[arg(long, value_name = "METHOD", requires = "path")]
    sign: Option<String>,
    /// The request's path and query, as they are sent.
    #[arg(long, value_name = "PATH?QUERY")]
    path: Option<String>,
    /// File with the request's body.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// A further X header of the request, such as `XfilterAreaCode: 440100`; may be repeated. `XownerId` and `XsysId` follow
    /// from --owner and --sys.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    #[command(flatten)]
    stores: StoreOptions,
}

impl Stamp {
    pub(crate) async fn run(self, output: Output) -> Result<(), Failure> {
        let stores = OperatorStores::open(self.stores.clone()).await?;
        let tenant = stores.operator.get_tenant(&self.owner).await?;
        let value = match &self.sign {
            Some(method) => self.sign(&stores, method).await?,
            None => self.encrypt(&stores, &tenant).await?,
        };
        let name = if self.password_file.is_some() { "password" } else { "XverifyApi" };
        output.result(&json!({name: value}), || value.clone())
    }

    async fn encrypt(&self, stores: &OperatorStores, tenant: &TenantRecord) -> Result<String, Failure> {
        let sys_id = self.sys.as_ref().unwrap_or(&tenant.default_sys_id);
        let found = tenant.systems.iter().find(|system| system.sys_id == *sys_id);
        let record = found.ok_or_else(|| Failure::of(format!("tenant {} has no system {sys_id}", self.owner)))?;
        let system = System::assemble(&tenant.settings, record)?;
        let (key, secret) = stores.operator.current_secret(&self.owner, KeyPurpose::Stamp).await?;
        let key = StampKey::new(key.key_id, &secret)?;
        let plaintext = match &self.password_file {
            Some(path) => read_text(path)?.trim_end_matches(['\r', '\n']).to_owned(),
            None => new_stamp_plaintext(&SystemRandom::default(), (!self.no_time).then(|| SystemClock.now())),
        };
        Ok(encrypt_stamp(&plaintext, &key, &system.stamp_rules))
    }

    async fn sign(&self, stores: &OperatorStores, method: &str) -> Result<String, Failure> {
        let (key, secret) = stores.operator.current_secret(&self.owner, KeyPurpose::StampMac).await?;
        let key = StampMacKey::new(key.key_id, &secret)?;
        let body = match &self.body {
            Some(path) => std::fs::read(path).map_err(|error| Failure::of(format!("{}: {error}", path.display())))?,
            None => Vec::new(),
        };
        let (path, query) =
            self.path.as_deref().unwrap_or_default().split_once('?').unwrap_or((self.path.as_deref().unwrap_or_default(), ""));
        let mut headers = vec![("XownerId", self.owner.as_str())];
        headers.extend(self.sys.as_ref().map(|sys_id| ("XsysId", sys_id.as_str())));
        for header in &self.headers {
            let (name, value) = header.split_once(':').ok_or_else(|| Failure::of("a header is written NAME: VALUE".to_owned()))?;
            headers.push((name.trim(), value.trim()));
        }
        let request = SignedRequest { method, path, query, body: &body, headers: &headers };
        let nonce = alphanumeric(&SystemRandom::default(), NONCE_CHARACTERS);
        Ok(sign_stamp_v2(&key, &request, SystemClock.now(), &nonce))
    }
}

fn read_text(path: &std::path::Path) -> Result<String, Failure> {
    if path.as_os_str() == "-" {
        return Ok(std::io::read_to_string(std::io::stdin())?);
    }
    std::fs::read_to_string(path).map_err(|error| Failure::of(format!("{}: {error}", path.display())))
}
