//! What an administrator does with plugins: store a draft, publish it, roll back, withdraw. Each change is one transaction with
//! its line of the audit trail, decided on a revision that nobody may have changed in the meantime.

use bo_auth_core::digest::sha256_hex;
use bo_auth_core::identifier::OwnerId;
use bo_auth_core::random::Random;
use bo_auth_core::settings::{ResponseSchema, SystemSettings};
use bo_auth_core::time::{Clock, Timestamp};
use bo_auth_plugin::{CompileError, PLATFORM, PluginName, Plugins};
use bo_auth_store::Db;
use bo_auth_store::plugin_record::{Canary, NewPluginVersion, PluginMove, PluginRecord, PluginVersionRecord};
use bo_auth_store::record::{Actor, AuditRecord, NotBefore};
use bo_auth_store::revocation::Revocations;
use serde::Serialize;
use serde_json::{Value, json};

use super::refusal::PluginRefusal;
use super::schema::{ResponseSchemas, SchemaProblem};
use super::trail::event;
use crate::Error;
use crate::operator::Author;

/// Words that stand in the place of a name in the admin API's paths.
const RESERVED_NAMES: [&str; 2] = ["check", "recording"];
/// The longest source that is stored, in bytes.
const SOURCE_BYTES: usize = 64 << 10;
/// The longest note, in bytes.
const NOTE_BYTES: usize = 1_000;
/// The longest name of an author, in bytes.
const AUTHOR_BYTES: usize = 200;
/// How often a change is decided anew that the caller did not bind to a revision.
const ATTEMPTS: u32 = 5;
/// Recorded answers an owner can ask for.
const MOST_SAMPLES: i64 = 200;

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

/// A plugin in a list: an owner's own, or what is offered to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginOverview {
    /// Its name.
    pub name: String,
    /// Whether a built-in has this name.
    pub built_in: bool,
    /// Whether it is the platform's, offered to every tenant.
    pub platform: bool,
    /// Its row; none for a built-in.
    pub record: Option<PluginRecord>,
    /// Runs in the last 24 hours.
    pub runs: i64,
    /// Those of them that failed.
    pub failures: i64,
}

/// How a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VersionState {
    /// It answers.
    Active,
    /// It answers some of the requests.
    Canary,
    /// It failed too often.
    SwitchedOff,
    /// It answered once.
    Retired,
    /// It has never answered every request.
    Draft,
}

impl VersionState {
    /// How a version of a plugin stands.
    pub fn of(version: &PluginVersionRecord, plugin: &PluginRecord) -> Self {
        if plugin.active_version == Some(version.version) {
            Self::Active
        } else if plugin.canary.is_some_and(|canary| canary.version == version.version) {
            Self::Canary
        } else if version.switched_off_at.is_some() {
            Self::SwitchedOff
        } else if version.published_at.is_some() {
            Self::Retired
        } else {
            Self::Draft
        }
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Canary => "canary",
            Self::SwitchedOff => "switched-off",
            Self::Retired => "retired",
            Self::Draft => "draft",
        }
    }
}

/// What is to be done with a plugin.
#[derive(Debug, Clone, Copy)]
enum Step {
    Publish { version: i64, share_percent: Option<u8> },
    RollBack { to: Option<i64> },
    Withdraw,
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
    /// An owner's plugins, those of the platform that it does not shadow, and the built-ins, by name.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is no such tenant; [`Error::Unavailable`].
    pub async fn list(&self, owner_id: &OwnerId) -> Result<Vec<PluginOverview>, Error> {
        self.verify_owner(owner_id).await?;
        let since = self.clock.now().minus(std::time::Duration::from_hours(24));
        let mut listed: Vec<PluginOverview> = Vec::new();
        for (owner, is_platform) in [(owner_id.clone(), owner_id.as_str() == PLATFORM), (super::platform(), true)] {
            let counts = self.db.sum_plugin_runs(&owner, since).await?;
            for record in self.db.list_plugins(&owner, None, 1_000).await? {
                let is_known = listed.iter().any(|plugin| plugin.name == record.name);
                let is_offered = owner == *owner_id || record.active_version.is_some();
                if is_known || !is_offered {
                    continue;
                }
                let (runs, failures) =
                    counts.iter().find(|(name, ..)| *name == record.name).map_or((0, 0), |(_, runs, failures)| (*runs, *failures));
                let built_in = self.plugins.built_ins().iter().any(|plugin| plugin.name() == record.name);
                listed.push(PluginOverview {
                    name: record.name.clone(),
                    built_in,
                    platform: is_platform,
                    record: Some(record),
                    runs,
                    failures,
                });
            }
        }
        for plugin in self.plugins.built_ins() {
            if !listed.iter().any(|known| known.name == plugin.name()) {
                let name = plugin.name().to_owned();
                listed.push(PluginOverview { name, built_in: true, platform: true, record: None, runs: 0, failures: 0 });
            }
        }
        listed.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(listed)
    }

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

    /// Stores a source as the next version, a draft; one that is the newest version's already is not stored again.
    ///
    /// # Errors
    /// [`PluginRefusal::Name`], [`PluginRefusal::TooLong`], [`PluginRefusal::Busy`]; [`Error::Refused`] where there is no such
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
        let compile_error = self.plugins.check(source).await.map_err(PluginRefusal::from)?;
        let digest = sha256_hex(source.as_bytes());
        let newest = self.db.list_plugin_versions(owner_id, name.as_str(), None, 1).await?.pop();
        if let Some(newest) = newest.filter(|newest| newest.digest == digest) {
            return Ok(StoredVersion { version: newest.version, digest, unchanged: true, compile_error });
        }
        let now = self.clock.now();
        let new = NewPluginVersion { source: source.to_owned(), digest: digest.clone(), author: author.to_owned(), note: note.to_owned() };
        let event = self.event("plugin.stored", json!({"plugin": name.as_str(), "digest": digest, "author": author}), now);
        let version = self.db.insert_plugin_version(owner_id, name.as_str(), &new, &event, now).await?;
        Ok(StoredVersion { version, digest, unchanged: false, compile_error })
    }

    /// Makes a version answer: every request, or where there is a share, so many of a hundred.
    ///
    /// # Errors
    /// [`PluginRefusal::Unknown`], [`PluginRefusal::UnknownVersion`], [`PluginRefusal::DoesNotCompile`],
    /// [`PluginRefusal::Stale`], [`PluginRefusal::NothingActive`], [`PluginRefusal::Share`]; [`Error::Unavailable`].
    pub async fn publish(
        &self,
        owner_id: &OwnerId,
        name: &str,
        version: i64,
        share_percent: Option<u8>,
        expected: Option<i64>,
        author: &str,
    ) -> Result<PluginRecord, Error> {
        if share_percent.is_some_and(|share| !(1..=99).contains(&share)) {
            return Err(PluginRefusal::Share.into());
        }
        let stored = self.version(owner_id, name, version).await?;
        if let Some(error) = self.plugins.check(&stored.source).await.map_err(PluginRefusal::from)? {
            return Err(PluginRefusal::DoesNotCompile(error).into());
        }
        let kind = if share_percent.is_some() { "plugin.canary" } else { "plugin.published" };
        let details = json!({"plugin": name, "version": version, "sharePercent": share_percent, "author": author});
        self.change(owner_id, name, expected, kind, details, Step::Publish { version, share_percent }).await
    }

    /// What a version, or a draft, would break for generated clients of the owner's systems; nothing, where it does not compile.
    ///
    /// # Errors
    /// [`PluginRefusal::Busy`]; [`Error::Unavailable`].
    pub async fn schema_problems(
        &self,
        owner_id: &OwnerId,
        name: &str,
        source: &str,
        schemas: &ResponseSchemas,
    ) -> Result<Vec<SchemaProblem>, Error> {
        let plugin = self.plugins.prepare(owner_id.as_str(), name, 0, source).await.map_err(PluginRefusal::from)?;
        let declared = self.declared_schemas(owner_id).await?;
        Ok(schemas.problems_of(self.plugins, &plugin, &declared).await)
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

    /// Makes an earlier version answer every request: the named one, or else the one before the active that was published and
    /// not switched off. A canary ends with it; without a name, where there is a canary, that is all that ends.
    ///
    /// # Errors
    /// [`PluginRefusal::Unknown`], [`PluginRefusal::UnknownVersion`], [`PluginRefusal::DoesNotCompile`],
    /// [`PluginRefusal::Stale`], [`PluginRefusal::NothingBefore`]; [`Error::Unavailable`].
    pub async fn roll_back(
        &self,
        owner_id: &OwnerId,
        name: &str,
        to: Option<i64>,
        expected: Option<i64>,
        author: &str,
    ) -> Result<PluginRecord, Error> {
        if let Some(version) = to {
            let stored = self.version(owner_id, name, version).await?;
            if let Some(error) = self.plugins.check(&stored.source).await.map_err(PluginRefusal::from)? {
                return Err(PluginRefusal::DoesNotCompile(error).into());
            }
        }
        let details = json!({"plugin": name, "version": to, "author": author});
        self.change(owner_id, name, expected, "plugin.rolled-back", details, Step::RollBack { to }).await
    }

    /// Takes a plugin away: what lies below its name answers again, or nothing does. Its versions stay.
    ///
    /// # Errors
    /// [`PluginRefusal::Unknown`], [`PluginRefusal::Stale`]; [`Error::Unavailable`].
    pub async fn withdraw(&self, owner_id: &OwnerId, name: &str, expected: Option<i64>, author: &str) -> Result<PluginRecord, Error> {
        let details = json!({"plugin": name, "author": author});
        self.change(owner_id, name, expected, "plugin.withdrawn", details, Step::Withdraw).await
    }

    /// Sets how many answers of a tenant are recorded, redacted; `None` ends it and removes what was recorded. Where a number is
    /// `expected`, only if it is still the one.
    ///
    /// # Errors
    /// [`PluginRefusal::Samples`], [`PluginRefusal::Stale`]; [`Error::Refused`] where there is no such tenant;
    /// [`Error::Unavailable`].
    pub async fn set_recording(
        &self,
        owner_id: &OwnerId,
        samples: Option<i64>,
        expected: Option<Option<i64>>,
        author: &str,
    ) -> Result<(), Error> {
        if samples.is_some_and(|samples| !(1..=MOST_SAMPLES).contains(&samples)) {
            return Err(PluginRefusal::Samples.into());
        }
        self.verify_owner(owner_id).await?;
        let now = self.clock.now();
        let event = self.event("plugin.recording", json!({"enabled": samples.is_some(), "samples": samples, "author": author}), now);
        let mark = self.db.set_plugin_samples(owner_id, samples, expected, &event).await.map_err(|error| match error {
            bo_auth_store::Error::Changed(_) => Error::from(PluginRefusal::Stale),
            other => Error::from(other),
        })?;
        self.announce(&mark).await;
        Ok(())
    }

    /// Tells every node of a change that is committed. Where that cannot be done they find it by themselves, within a second.
    pub(super) async fn announce(&self, mark: &NotBefore) {
        let Some(revocations) = self.revocations else { return };
        let told = async {
            revocations.announce_all(&[], std::slice::from_ref(mark)).await?;
            self.db.remove_mark(mark).await
        };
        if let Err(error) = told.await {
            tracing::warn!(%error, "other nodes could not be told of a plugin's change; they look for it by themselves");
        }
    }

    /// Decides on the row as it is and changes it, unless it has changed by then; what is decided on no particular revision is
    /// decided again.
    async fn change(
        &self,
        owner_id: &OwnerId,
        name: &str,
        expected: Option<i64>,
        kind: &str,
        details: Value,
        step: Step,
    ) -> Result<PluginRecord, Error> {
        for _ in 0..ATTEMPTS {
            let record = self.find(owner_id, name).await?;
            if expected.is_some_and(|expected| expected != record.revision) {
                break;
            }
            let change = self.decide(owner_id, &record, step).await?;
            let mut details = details.clone();
            details["activeVersion"] = json!(change.active_version);
            details["before"] = json!(record.active_version);
            let now = self.clock.now();
            if let Some(mark) = self.db.move_plugin(owner_id, name, &change, &self.event(kind, details, now), now).await? {
                self.announce(&mark).await;
                return self.find(owner_id, name).await;
            }
        }
        Err(PluginRefusal::Stale.into())
    }

    /// What a step makes of a plugin's row.
    async fn decide(&self, owner_id: &OwnerId, record: &PluginRecord, step: Step) -> Result<PluginMove, Error> {
        let unchanged = PluginMove {
            revision: record.revision,
            active_version: record.active_version,
            canary: None,
            switched_off: None,
            published: None,
            failed: None,
        };
        Ok(match step {
            Step::Publish { version, share_percent: None } | Step::RollBack { to: Some(version) } => full(record, version),
            Step::Publish { version, share_percent: Some(share_percent) } => {
                record.active_version.filter(|active| *active != version).ok_or(PluginRefusal::NothingActive)?;
                PluginMove { canary: Some(Canary { version, share_percent }), switched_off: record.switched_off.clone(), ..unchanged }
            }
            // Without a name, where there is a canary, that is all that ends.
            Step::RollBack { to: None } if record.canary.is_some() && record.active_version.is_some() => unchanged,
            Step::RollBack { to: None } => {
                let before = record.active_version.unwrap_or(i64::MAX);
                let good = self.db.find_good_plugin_version(owner_id, &record.name, before).await?;
                full(record, good.ok_or(PluginRefusal::NothingBefore)?)
            }
            Step::Withdraw => PluginMove { active_version: None, ..unchanged },
        })
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

/// One version for every request.
fn full(record: &PluginRecord, version: i64) -> PluginMove {
    PluginMove {
        revision: record.revision,
        active_version: Some(version),
        canary: None,
        switched_off: None,
        published: Some(version),
        failed: None,
    }
}
