//! Response plugins as the service runs them: which versions a node has in memory, what they did, what is recorded for trying
//! drafts on; and what an administrator does with them. Nothing of it writes to the database while a request waits.

pub mod desk;
pub mod refusal;

mod activity;
pub(crate) mod catalogue;
mod redaction;
mod schema;
mod statistics;
mod switches;
mod trail;
mod trial;

use bo_auth_core::identifier::OwnerId;
use bo_auth_plugin::{Chain, Context, PLATFORM, Shaped};
use bo_auth_store::admission::{AdmissionRequest, Rate};
use serde_json::Value;

pub use activity::PluginActivity;
pub use desk::{Findings, PluginDesk, PluginOverview, StoredVersion, VersionState};
pub use redaction::redact;
pub use refusal::PluginRefusal;
pub use schema::{ResponseSchemas, SchemaProblem};
pub use statistics::{RunStatistics, VersionStatistics};
pub use trial::{PublishWarning, Subject, Trial, compiled, run_on};

use crate::call::per_minute;
use crate::operator::Author;
use crate::{Error, Service};

/// How often a minute an owner's plugins may be changed, and how often tried or checked, over the admin API.
const CHANGES_PER_MINUTE: u32 = 120;

/// How many of them may come at once: an administrator's tool may bring all of its scripts.
const CHANGES_AT_ONCE: u32 = 60;
const TRIALS_PER_MINUTE: u32 = 600;

/// The owner of the plugins that are offered to every tenant. No tenant can have this id.
///
/// # Panics
/// Never: the text is an identifier.
pub fn platform() -> OwnerId {
    #[expect(clippy::expect_used, reason = "the text is a constant; a test looks at it")]
    OwnerId::parse(PLATFORM).expect("an identifier")
}

impl Service {
    /// Shapes an answer, and keeps what is to be known of it: failures, and the answer itself where it is recorded.
    pub async fn shape(&self, chain: &Chain, envelope: Value, context: &Context) -> Shaped {
        self.plugin_activity.record_sample(&envelope, context, &*self.random);
        let shaped = self.plugins.shape(chain, envelope, context).await;
        if let Some((plugin, failure)) = &shaped.failure {
            self.plugin_activity.record_failure(plugin, failure, context, &*self.random);
        }
        shaped
    }

    /// Counts a change of an owner's plugins: each is stored for long, and compiled on every node.
    ///
    /// # Errors
    /// [`Error::RateLimited`]; [`Error::Unavailable`].
    pub async fn admit_plugin_change(&self, owner_id: &OwnerId) -> Result<(), Error> {
        let rates = [Rate::per_minute("plugin-changes", "", CHANGES_PER_MINUTE, CHANGES_AT_ONCE)];
        self.admit(owner_id, &AdmissionRequest { nonce: None, rates: &rates }, self.clock.now()).await
    }

    /// Counts a check or a test of a source: each is compiled.
    ///
    /// # Errors
    /// [`Error::RateLimited`]; [`Error::Unavailable`].
    pub async fn admit_plugin_trial(&self, owner_id: &OwnerId) -> Result<(), Error> {
        let rates = [per_minute("plugin-trials", "", TRIALS_PER_MINUTE)];
        self.admit(owner_id, &AdmissionRequest { nonce: None, rates: &rates }, self.clock.now()).await
    }

    /// What is to be done with plugins here, in nobody's name.
    pub fn plugin_desk(&self) -> PluginDesk<'_> {
        PluginDesk {
            db: &self.db,
            revocations: Some(&self.revocations),
            plugins: &self.plugins,
            clock: &*self.clock,
            random: &*self.random,
            by: Author::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_platforms_owner_is_an_identifier() {
        assert_eq!(super::platform().as_str(), "bo-platform");
    }
}
