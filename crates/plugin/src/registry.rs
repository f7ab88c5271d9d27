//! Which plugins there are: each tenant's own, below them those that are offered to every tenant, and the built-ins.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rhai::AST;

use crate::breaker::Breakers;
use crate::compiling::CompileError;
use crate::meter::Meter;
use crate::name::PluginName;

/// Who holds the plugins that are offered to every tenant.
pub const PLATFORM: &str = "bo-platform";

/// A plugin that was found: cheap to clone, and unaffected by what is published after it was found.
#[derive(Clone, Debug)]
pub struct Plugin(Arc<Version>);

#[derive(Debug)]
struct Version {
    name: PluginName,
    owner_id: Option<Arc<str>>,
    number: i64,
    program: Program,
    meter: Meter,
    breakers: Breakers,
}

/// What a version consists of.
#[derive(Debug)]
enum Program {
    Ready(Box<AST>),
    /// A stored source that this version of the engine does not take.
    Broken(CompileError),
    /// Switched off, and no good version is left: the name is still known.
    Off,
}

impl Plugin {
    pub(crate) fn built_in(name: PluginName, program: AST) -> Self {
        Self::new(name, None, 0, Program::Ready(Box::new(program)))
    }

    /// A version of an owner's plugin: its program, or why its source does not compile.
    pub(crate) fn of_owner(name: PluginName, owner_id: &str, number: i64, program: Result<AST, CompileError>) -> Self {
        let program = program.map_or_else(Program::Broken, |program| Program::Ready(Box::new(program)));
        Self::new(name, Some(owner_id.into()), number, program)
    }

    /// A plugin that is switched off.
    pub(crate) fn switched_off(name: PluginName, owner_id: &str) -> Self {
        Self::new(name, Some(owner_id.into()), 0, Program::Off)
    }

    fn new(name: PluginName, owner_id: Option<Arc<str>>, number: i64, program: Program) -> Self {
        Self(Arc::new(Version { name, owner_id, number, program, meter: Meter::default(), breakers: Breakers::default() }))
    }

    /// The plugin's name.
    pub fn name(&self) -> &str {
        self.0.name.as_str()
    }

    /// Whose plugin it is; `None` for a built-in.
    pub fn owner_id(&self) -> Option<&Arc<str>> {
        self.0.owner_id.as_ref()
    }

    /// The number of the version; 0 for a built-in.
    pub fn version(&self) -> i64 {
        self.0.number
    }

    /// Whether the plugin came with the binary.
    pub fn is_built_in(&self) -> bool {
        self.0.owner_id.is_none()
    }

    /// Whether it was switched off and has no good version left.
    pub fn is_switched_off(&self) -> bool {
        matches!(self.0.program, Program::Off)
    }

    /// Why its source does not compile, if it does not.
    pub fn compile_error(&self) -> Option<&CompileError> {
        match &self.0.program {
            Program::Broken(error) => Some(error),
            Program::Ready(_) | Program::Off => None,
        }
    }

    /// What its runs are counted by.
    pub fn meter(&self) -> &Meter {
        &self.0.meter
    }

    /// Where it stands back, since it failed there too often.
    pub fn breakers(&self) -> &Breakers {
        &self.0.breakers
    }

    pub(crate) fn program(&self) -> Result<&AST, String> {
        match &self.0.program {
            Program::Ready(program) => Ok(program),
            Program::Broken(error) => Err(error.to_string()),
            Program::Off => Err("the plugin is switched off".to_owned()),
        }
    }
}

/// A plugin of an owner as it is published: which version answers, and which some of the requests.
#[derive(Debug)]
pub struct Published {
    active: Plugin,
    canary: Option<(Plugin, u8)>,
    stand_in: Option<Plugin>,
    turns: AtomicU32,
}

impl Published {
    /// `canary` answers so many of a hundred requests.
    pub const fn new(active: Plugin, canary: Option<(Plugin, u8)>) -> Self {
        Self { active, canary, stand_in: None, turns: AtomicU32::new(0) }
    }

    /// The same, with the version that answers where the active one stands back.
    #[must_use]
    pub fn with_stand_in(self, stand_in: Option<Plugin>) -> Self {
        Self { stand_in, ..self }
    }

    /// The versions for the next request, each for where those before it stand back. The canary's
    /// share is met in every hundred, spread evenly.
    fn pick(&self) -> impl Iterator<Item = &Plugin> {
        let canary = self.canary.as_ref().filter(|(_, share)| {
            let turn = self.turns.fetch_add(1, Ordering::Relaxed) % 100;
            let share = u32::from(*share);
            turn * share % 100 < share
        });
        canary.map(|(canary, _)| canary).into_iter().chain([&self.active]).chain(&self.stand_in)
    }

    /// Every version that may answer.
    pub fn versions(&self) -> impl Iterator<Item = &Plugin> {
        [&self.active].into_iter().chain(self.canary.iter().map(|(canary, _)| canary)).chain(&self.stand_in)
    }
}

type OfOwner = HashMap<PluginName, Published>;

/// Every plugin by its name. Publishing replaces an owner's plugins in one step: a reader sees the old ones or the new ones.
pub(crate) struct Registry {
    built_ins: Vec<Plugin>,
    owners: RwLock<HashMap<Box<str>, OfOwner>>,
}

impl Registry {
    pub(crate) fn new(built_ins: Vec<Plugin>) -> Self {
        Self { built_ins, owners: RwLock::default() }
    }

    /// What a name stands for, each for where those before it stand back: the tenant's own plugin,
    /// the platform's, the built-in. Empty if the name is unknown.
    pub(crate) fn find(&self, owner_id: Option<&str>, name: &str) -> Vec<Plugin> {
        let mut found = Vec::new();
        if let (Some(owner_id), Some(name)) = (owner_id, PluginName::parse(name)) {
            let owners = self.owners.read().unwrap_or_else(PoisonError::into_inner);
            for owner_id in [owner_id, PLATFORM] {
                let published = owners.get(owner_id).and_then(|own| own.get(&name));
                found.extend(published.into_iter().flat_map(Published::pick).cloned());
            }
        }
        found.extend(self.built_ins.iter().find(|plugin| plugin.name() == name).cloned());
        found
    }

    pub(crate) fn built_ins(&self) -> &[Plugin] {
        &self.built_ins
    }

    /// Puts one plugin in the place of the one before.
    pub(crate) fn publish(&self, owner_id: &str, plugin: Plugin) {
        let mut owners = self.owners.write().unwrap_or_else(PoisonError::into_inner);
        owners.entry(owner_id.into()).or_default().insert(plugin.0.name.clone(), Published::new(plugin, None));
    }

    /// Puts all plugins of an owner in the place of those before.
    pub(crate) fn replace(&self, owner_id: &str, published: Vec<Published>) {
        let plugins: OfOwner = published.into_iter().map(|published| (published.active.0.name.clone(), published)).collect();
        let mut owners = self.owners.write().unwrap_or_else(PoisonError::into_inner);
        if plugins.is_empty() {
            owners.remove(owner_id);
        } else {
            owners.insert(owner_id.into(), plugins);
        }
    }

    pub(crate) fn withdraw(&self, owner_id: &str, name: &str) -> bool {
        let mut owners = self.owners.write().unwrap_or_else(PoisonError::into_inner);
        let Some(own) = owners.get_mut(owner_id) else { return false };
        let Some(name) = PluginName::parse(name) else { return false };
        let withdrawn = own.remove(&name).is_some();
        if own.is_empty() {
            owners.remove(owner_id);
        }
        withdrawn
    }

    /// A version that is in memory already.
    pub(crate) fn version(&self, owner_id: &str, name: &PluginName, number: i64) -> Option<Plugin> {
        let owners = self.owners.read().unwrap_or_else(PoisonError::into_inner);
        owners.get(owner_id)?.get(name)?.versions().find(|plugin| plugin.version() == number && !plugin.is_switched_off()).cloned()
    }

    /// Every version of every owner that can run.
    pub(crate) fn versions(&self) -> Vec<Plugin> {
        let owners = self.owners.read().unwrap_or_else(PoisonError::into_inner);
        owners
            .values()
            .flat_map(HashMap::values)
            .flat_map(Published::versions)
            .filter(|plugin| !plugin.is_switched_off())
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(number: i64) -> Plugin {
        Plugin::of_owner(PluginName::parse("mine").unwrap(), "demo", number, Ok(AST::empty()))
    }

    #[test]
    fn a_canary_gets_exactly_its_share_spread_evenly() {
        for share in [1_u8, 5, 33, 50, 99] {
            let published = Published::new(plugin(1), Some((plugin(2), share)));
            let picked: Vec<i64> = (0..300).map(|_| published.pick().next().unwrap().version()).collect();
            for hundred in picked.chunks(100) {
                assert_eq!(hundred.iter().filter(|version| **version == 2).count(), usize::from(share));
            }
        }
    }

    #[test]
    fn a_tenants_plugin_goes_before_the_platforms() {
        let registry = Registry::new(vec![]);
        registry.publish(PLATFORM, plugin(1));
        registry.publish("demo", plugin(2));
        let found = |owner_id| registry.find(owner_id, "mine").iter().map(Plugin::version).collect::<Vec<_>>();
        assert_eq!((found(Some("demo")), found(Some("other"))), (vec![2, 1], vec![1]));
        assert!(found(None).is_empty(), "nothing is known of a tenant yet");
    }
}
