//! Several plugins one after the other, `_nodejs=a,b`: each gets what the one before made of the envelope. All of them, or none:
//! where one fails, the envelope goes out as it was before the first.

use serde_json::Value;

use crate::context::Context;
use crate::failure::Failure;
use crate::plugins::Plugins;
use crate::registry::Plugin;
use crate::reserved;

/// The most plugins of one request.
const LONGEST: usize = 4;

/// The plugins of one request, in their order; none for an answer that is not shaped.
#[derive(Clone, Debug, Default)]
pub struct Chain(Vec<Plugin>);

impl Chain {
    /// The plugins.
    pub fn plugins(&self) -> &[Plugin] {
        &self.0
    }

    /// Whether the answer is not shaped.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What came of a chain.
#[derive(Debug)]
pub struct Shaped {
    /// What goes out.
    pub response: Value,
    /// The plugin that failed and why; then the response is the untouched envelope.
    pub failure: Option<(Plugin, Failure)>,
}

impl Plugins {
    /// The plugins that a value of `_nodejs` names, separated by commas, one to four; `None` where one of them is unknown.
    pub fn find_chain(&self, owner_id: Option<&str>, names: &str) -> Option<Chain> {
        let plugins: Option<Vec<Plugin>> = names.split(',').take(LONGEST + 1).map(|name| self.find(owner_id, name)).collect();
        plugins.filter(|plugins| plugins.len() <= LONGEST).map(Chain)
    }

    /// Runs a chain on an envelope, and counts the runs of tenants' plugins on their meters.
    pub async fn shape(&self, chain: &Chain, envelope: Value, context: &Context) -> Shaped {
        // A single plugin hands the envelope back where it fails; of several, the first has changed it by then.
        let original = (chain.0.len() > 1).then(|| envelope.clone());
        let mut response = envelope;
        for plugin in &chain.0 {
            let mut outcome = self.run(plugin, response, context).await;
            if let (None, Some(original)) = (&outcome.failure, &original)
                && !plugin.is_built_in()
            {
                // What the one before has renamed is a member like any other to this one, but not to the caller.
                outcome.failure = reserved::check(original, &outcome.response).err();
            }
            if !plugin.is_built_in() {
                plugin.meter().count(context.now_ms, outcome.took, outcome.failure.as_ref().map(|failure| failure.code));
            }
            if let Some(failure) = outcome.failure {
                metrics::counter!("bo_auth_plugin_failures_total", "code" => failure.code.as_str()).increment(1);
                return Shaped { response: original.unwrap_or(outcome.response), failure: Some((plugin.clone(), failure)) };
            }
            response = outcome.response;
        }
        Shaped { response, failure: None }
    }
}
