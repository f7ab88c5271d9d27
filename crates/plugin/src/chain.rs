//! Several plugins one after the other, `_nodejs=a,b`: each gets what the one before made of the envelope. All of them, or none:
//! where one fails, the envelope goes out as it was before the first.

use serde_json::Value;

use crate::breaker::{Admission, Place};
use crate::context::Context;
use crate::failure::{Failure, FailureCode};
use crate::plugins::Plugins;
use crate::registry::Plugin;
use crate::reserved;
use crate::veil::Veil;

/// The most plugins of one request.
const LONGEST: usize = 4;

/// The plugins of one request, in their order; none for an answer that is not shaped.
#[derive(Clone, Debug, Default)]
pub struct Chain(Vec<Link>);

/// What one name stands for: never empty, each for where those before it stand back.
type Link = Vec<Plugin>;

impl Chain {
    /// The plugins that run unless one of them stands back.
    pub fn plugins(&self) -> Vec<Plugin> {
        self.0.iter().filter_map(|link| link.first()).cloned().collect()
    }

    /// Whether the answer is not shaped.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether nothing of it is a script of a tenant's or the platform's.
    pub fn is_built_in(&self) -> bool {
        self.0.iter().flatten().all(Plugin::is_built_in)
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

/// Where an answer's runs count, and whose they are. Only an answer of success weighs: what a
/// request is refused with, anybody can ask for.
struct Weighing<'a> {
    place: Option<Place>,
    user_id: Option<&'a str>,
    now_ms: i64,
}

impl<'a> Weighing<'a> {
    fn of(envelope: &Value, context: &'a Context) -> Self {
        let is_success = envelope.get("success").and_then(Value::as_bool) == Some(true);
        let user_id = context.user_id.as_deref().filter(|_| is_success);
        Self { place: Place::of(context), user_id, now_ms: context.now_ms }
    }

    fn admit(&self, plugin: &Plugin) -> Admission {
        match &self.place {
            _ if plugin.is_built_in() => Admission::Usual,
            _ if plugin.is_switched_off() => Admission::Refused,
            Some(place) => plugin.breakers().admit(place, self.user_id, self.now_ms),
            None => Admission::Usual,
        }
    }

    fn count(&self, plugin: &Plugin, failure: Option<FailureCode>, admission: Admission) {
        if let Some((place, user_id)) = self.place.as_ref().zip(self.user_id) {
            plugin.breakers().count(place, user_id, self.now_ms, failure, admission);
        }
    }
}

impl Plugins {
    /// The plugins that a value of `_nodejs` names, separated by commas, one to four; `None` where one of them is unknown.
    pub fn find_chain(&self, owner_id: Option<&str>, names: &str) -> Option<Chain> {
        let links = names.split(',').take(LONGEST + 1).map(|name| Some(self.find_all(owner_id, name)).filter(|link| !link.is_empty()));
        links.collect::<Option<Vec<Link>>>().filter(|links| links.len() <= LONGEST).map(Chain)
    }

    /// Runs a chain on an envelope, and counts the runs of tenants' plugins on their meters.
    pub async fn shape(&self, chain: &Chain, envelope: Value, context: &Context) -> Shaped {
        let weighing = Weighing::of(&envelope, context);
        // A single plugin hands the envelope back where it fails; of several, the first has changed it by then.
        let mut response = envelope;
        let original = (chain.0.len() > 1).then(|| response.clone());
        // For all of them at once: to the second, a token may go by a name that the first gave it.
        let is_mixed = original.is_some() && !chain.is_built_in();
        let veil = if is_mixed { Veil::over(&mut response) } else { Veil::default() };
        let veiled = is_mixed.then(|| response.clone());
        for link in &chain.0 {
            match self.shape_by(link, response, veiled.as_ref(), &weighing, context).await {
                Shaped { response: shaped, failure: None } => response = shaped,
                Shaped { response, failure: Some((plugin, failure)) } => {
                    metrics::counter!("bo_auth_plugin_failures_total", "code" => failure.code.as_str()).increment(1);
                    return Shaped { response: original.unwrap_or(response), failure: Some((plugin, failure)) };
                }
            }
        }
        veil.lift(&mut response);
        Shaped { response, failure: None }
    }

    /// Has the first of a link answer that does not stand back. Where one is on trial and fails, the next does.
    async fn shape_by(&self, link: &Link, envelope: Value, original: Option<&Value>, weighing: &Weighing<'_>, context: &Context) -> Shaped {
        let mut response = envelope;
        for plugin in link {
            let admission = weighing.admit(plugin);
            if admission == Admission::Refused {
                continue;
            }
            let before = (admission == Admission::Trial && original.is_some()).then(|| response.clone());
            let mut outcome = self.run(plugin, response, context).await;
            if let (None, Some(original)) = (&outcome.failure, original)
                && !plugin.is_built_in()
            {
                // What the one before has renamed is a member like any other to this one, but not to the caller.
                outcome.failure = reserved::check(original, &outcome.response).err();
            }
            if !plugin.is_built_in() {
                plugin.meter().count(outcome.took, outcome.failure.is_some());
                weighing.count(plugin, outcome.failure.as_ref().map(|failure| failure.code), admission);
            }
            match outcome.failure {
                Some(_) if admission == Admission::Trial => response = before.unwrap_or(outcome.response),
                failure => return Shaped { response: outcome.response, failure: failure.map(|failure| (plugin.clone(), failure)) },
            }
        }
        let off = || Failure::new(FailureCode::SwitchedOff, "the plugin failed too often here and is switched off");
        Shaped { response, failure: link.first().map(|plugin| (plugin.clone(), off())) }
    }
}
