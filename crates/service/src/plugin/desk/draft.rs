//! Drafts: stored as versions that answer nothing yet, and what they would break for generated clients.

use bo_auth_core::digest::sha256_hex;
use bo_auth_core::identifier::OwnerId;
use bo_auth_core::settings::{ResponseSchema, SystemSettings};
use bo_auth_plugin::{CompileError, PluginName};
use bo_auth_store::plugin_record::NewPluginVersion;
use serde_json::json;

use super::PluginDesk;
use crate::Error;
use crate::plugin::refusal::PluginRefusal;
use crate::plugin::schema::{ResponseSchemas, SchemaProblem};
use crate::plugin::trial::{PublishWarning, run_on};

/// Words that stand in the place of a name in the admin API's paths.
const RESERVED_NAMES: [&str; 2] = ["check", "recording"];
/// How many plugins an owner may have.
const PLUGINS: usize = 100;
/// How many versions are kept, of all of them together. Beyond these go drafts that never answered, then those that answered
/// longest ago.
const VERSIONS: i64 = 1_000;
/// The longest source that is stored, in bytes.
const SOURCE_BYTES: usize = 64 << 10;
/// The longest note, in bytes.
const NOTE_BYTES: usize = 1_000;
/// The longest name of an author, in bytes.
const AUTHOR_BYTES: usize = 200;

/// How many recorded answers a version is tried on before it is published.
const RECORDED: i64 = 20;

/// What was found when a version was tried before it is published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// What generated clients of the owner's systems could not read.
    pub schema_problems: Vec<SchemaProblem>,
    /// The answers on which it fails.
    pub warnings: Vec<PublishWarning>,
}

/// A version that is stored now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVersion {
    /// Its number.
    pub version: i64,
    /// SHA-256 of the source.
    pub digest: String,
    /// Whether the newest version had this source already, so that nothing was stored.
    pub unchanged: bool,
    /// Why it cannot be published.
    pub compile_error: Option<CompileError>,
}

impl PluginDesk<'_> {
    /// Stores a source as the next version, a draft; one that is the newest version's already is not stored again.
    ///
    /// # Errors
    /// [`PluginRefusal::Name`], [`PluginRefusal::TooLong`], [`PluginRefusal::TooMany`], [`PluginRefusal::Busy`]; [`Error::Refused`] where there is no such
    /// tenant; [`Error::Unavailable`].
    pub async fn store(&self, owner_id: &OwnerId, name: &str, source: &str, author: &str, note: &str) -> Result<StoredVersion, Error> {
        let name = PluginName::parse(name).filter(|name| !RESERVED_NAMES.contains(&name.as_str())).ok_or(PluginRefusal::Name)?;
        for (what, text, longest) in [("source", source, SOURCE_BYTES), ("note", note, NOTE_BYTES), ("author", author, AUTHOR_BYTES)] {
            // Postgres holds no NUL in a text.
            if text.len() > longest || text.contains('\0') {
                return Err(PluginRefusal::TooLong(what).into());
            }
        }
        self.verify_owner(owner_id).await?;
        if self.db.find_plugin(owner_id, name.as_str()).await?.is_none() {
            let present = self.db.list_plugins(owner_id, None, i64::try_from(PLUGINS).unwrap_or(i64::MAX)).await?;
            if present.len() >= PLUGINS {
                return Err(PluginRefusal::TooMany(PLUGINS).into());
            }
        }
        let compile_error = self.plugins.check(owner_id.as_str(), source).await.map_err(PluginRefusal::from)?;
        let digest = sha256_hex(source.as_bytes());
        let newest = self.db.list_plugin_versions(owner_id, name.as_str(), None, 1).await?.pop();
        if let Some(newest) = newest.filter(|newest| newest.digest == digest) {
            return Ok(StoredVersion { version: newest.version, digest, unchanged: true, compile_error });
        }
        let now = self.clock.now();
        let new = NewPluginVersion { source: source.to_owned(), digest: digest.clone(), author: author.to_owned(), note: note.to_owned() };
        let event = self.event("plugin.stored", json!({"plugin": name.as_str(), "digest": digest, "author": author}), now);
        let version = self.db.insert_plugin_version(owner_id, name.as_str(), &new, &event, now).await?;
        self.db.remove_plugin_versions(owner_id, VERSIONS).await?;
        Ok(StoredVersion { version, digest, unchanged: false, compile_error })
    }

    /// What publishing a version or a draft would lead to. It is tried on what a test tries it on: the answers of the published
    /// document, and those that were recorded for the owner. Nothing is found if it does not compile.
    ///
    /// # Errors
    /// [`PluginRefusal::Busy`]; [`Error::Unavailable`].
    pub async fn try_before_publishing(
        &self,
        owner_id: &OwnerId,
        name: &str,
        source: &str,
        schemas: &ResponseSchemas,
    ) -> Result<Findings, Error> {
        let plugin = self.plugins.prepare(owner_id.as_str(), name, 0, source).await.map_err(PluginRefusal::from)?;
        if plugin.compile_error().is_some() {
            return Ok(Findings::default());
        }
        let mut trials = Vec::new();
        for subject in schemas.examples() {
            let subject = subject.clone().of(owner_id);
            let trial = run_on(self.plugins, &plugin, None, &subject).await;
            trials.push((subject, trial));
        }
        let schema_problems = schemas.problems_of(&trials, &self.declared_schemas(owner_id).await?);
        for subject in self.recorded(owner_id, RECORDED).await? {
            let trial = run_on(self.plugins, &plugin, None, &subject).await;
            trials.push((subject, trial));
        }
        Ok(Findings { schema_problems, warnings: PublishWarning::of(&trials) })
    }

    /// What the systems of an owner declare; of the platform's plugins, which may serve any, all there is.
    async fn declared_schemas(&self, owner_id: &OwnerId) -> Result<Vec<ResponseSchema>, Error> {
        let Some(tenant) = self.db.find_tenant(owner_id).await? else {
            return Ok(vec![ResponseSchema::Camel, ResponseSchema::Snake]);
        };
        let mut declared = Vec::new();
        for system in &tenant.systems {
            let settings = SystemSettings::from_documents(&[&tenant.settings, &system.settings])?;
            if !declared.contains(&settings.response_schema) {
                declared.push(settings.response_schema);
            }
        }
        Ok(declared)
    }
}
