//! Which version answers: published, rolled back, withdrawn. Each is decided on the row as it is, and anew where that has changed.

use bo_auth_core::identifier::OwnerId;
use bo_auth_store::plugin_record::{Canary, PluginMove, PluginRecord};
use serde_json::{Value, json};

use super::PluginDesk;
use crate::Error;
use crate::plugin::refusal::PluginRefusal;

/// How often a change is decided anew that the caller did not bind to a revision.
const ATTEMPTS: u32 = 5;

/// What is to be done with a plugin.
#[derive(Debug, Clone, Copy)]
enum Step {
    Publish { version: i64, share_percent: Option<u8> },
    RollBack { to: Option<i64> },
    Withdraw,
}

impl PluginDesk<'_> {
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
        if let Some(error) = self.plugins.check(owner_id.as_str(), &stored.source).await.map_err(PluginRefusal::from)? {
            return Err(PluginRefusal::DoesNotCompile(error).into());
        }
        let kind = if share_percent.is_some() { "plugin.canary" } else { "plugin.published" };
        let details = json!({"plugin": name, "version": version, "sharePercent": share_percent, "author": author});
        self.change(owner_id, name, expected, kind, details, Step::Publish { version, share_percent }).await
    }

    /// Makes an earlier version answer every request: the named one, or else the one that answered before the active did and
    /// was not switched off. A canary ends with it; without a name, if there is a canary, that is all that ends.
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
            if let Some(error) = self.plugins.check(owner_id.as_str(), &stored.source).await.map_err(PluginRefusal::from)? {
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
                self.announce(&mark).await?;
                return self.find(owner_id, name).await.map_err(Error::after_commit);
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
                // Whoever goes back once more goes to what answered before that one did: its time stays as it was.
                let good = self.db.find_good_plugin_version(owner_id, &record.name, record.active_version).await?;
                PluginMove { published: None, ..full(record, good.ok_or(PluginRefusal::NothingBefore)?) }
            }
            // What answered until now is what answered last.
            Step::Withdraw => PluginMove { active_version: None, published: record.active_version, ..unchanged },
        })
    }
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
