//! What an administrator does with plugins: store a draft, publish it, roll back, withdraw. Each change is one transaction with
//! its line of the audit trail, decided on a revision that nobody may have changed in the meantime.
//! Here stands the desk itself, with what every step needs; the steps are a subject a file.

mod draft;
mod overview;
mod publishing;
mod recording;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::random::Random;
use bo_auth_core::time::{Clock, Timestamp};
use bo_auth_plugin::{PLATFORM, PluginName, Plugins};
use bo_auth_store::plugin_record::{PluginRecord, PluginVersionRecord};
use bo_auth_store::record::{Actor, AuditRecord, NotBefore};
use bo_auth_store::revocation::Revocations;
use bo_auth_store::{Db, NotPublished};
use serde_json::Value;

pub use draft::{Findings, StoredVersion};
pub use overview::{PluginOverview, VersionState};

use super::refusal::PluginRefusal;
use super::trail::event;
use crate::Error;
use crate::operator::Author;

/// The place where plugins are worked on: of a server, or of a command.
#[derive(Clone)]
pub struct PluginDesk<'a> {
    /// The truth.
    pub db: &'a Db,
    /// How nodes hear of a change; `None` where a server finds it by itself.
    pub revocations: Option<&'a Revocations>,
    /// Compiles and runs.
    pub plugins: &'a Plugins,
    /// The present instant.
    pub clock: &'a dyn Clock,
    /// Random bytes.
    pub random: &'a dyn Random,
    /// Who acts.
    pub by: Author,
}

impl PluginDesk<'_> {
    /// One of an owner's own plugins.
    ///
    /// # Errors
    /// [`PluginRefusal::Unknown`]; [`Error::Unavailable`].
    pub async fn find(&self, owner_id: &OwnerId, name: &str) -> Result<PluginRecord, Error> {
        let found = self.db.find_plugin(owner_id, name).await?;
        Ok(found.ok_or_else(|| PluginRefusal::Unknown(shown(name)))?)
    }

    /// One version, with its source.
    ///
    /// # Errors
    /// [`PluginRefusal::UnknownVersion`]; [`Error::Unavailable`].
    pub async fn version(&self, owner_id: &OwnerId, name: &str, version: i64) -> Result<PluginVersionRecord, Error> {
        let found = self.db.find_plugin_version(owner_id, name, version).await?;
        Ok(found.ok_or(PluginRefusal::UnknownVersion(version))?)
    }

    /// Tells every node of a change that is committed. Where that cannot be done they find it by themselves, within a second.
    pub(super) async fn announce(&self, mark: &NotBefore) -> Result<(), NotPublished> {
        let Some(revocations) = self.revocations else { return Ok(()) };
        revocations.announce_all(&[], std::slice::from_ref(mark)).await?;
        if let Err(error) = self.db.remove_mark(mark).await {
            tracing::debug!(%error, "a mark that everyone knows stays for a server to remove");
        }
        Ok(())
    }

    async fn verify_owner(&self, owner_id: &OwnerId) -> Result<(), Error> {
        if owner_id.as_str() != PLATFORM && self.db.find_tenant(owner_id).await?.is_none() {
            return Err(Error::Refused(format!("there is no tenant `{owner_id}`; `bo-auth tenant list` shows those there are")));
        }
        Ok(())
    }

    fn event(&self, kind: &str, details: Value, now: Timestamp) -> AuditRecord {
        event(kind, Actor::Admin, &self.by, details, now, self.random)
    }
}

/// A name as it may stand in a text.
fn shown(name: &str) -> String {
    PluginName::parse(name).map_or_else(|| "…".to_owned(), |name| name.to_string())
}
