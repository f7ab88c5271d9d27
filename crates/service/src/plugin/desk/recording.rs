//! Whether a tenant's answers are recorded, to try drafts on.

use bo_auth_core::identifier::OwnerId;
use serde_json::json;

use super::PluginDesk;
use crate::Error;
use crate::plugin::refusal::PluginRefusal;

/// Recorded answers an owner can ask for.
const MOST_SAMPLES: i64 = 200;

impl PluginDesk<'_> {
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
        self.announce(&mark).await?;
        Ok(())
    }
}
