//! Which plugins there are: each tenant's own, below them those that are offered to every tenant, and the built-ins.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rhai::AST;

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
        Self(Arc::new(Version { name, owner_id, number, program, meter: Meter::default() }))
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
    turns: AtomicU32,
}

impl Published {
    /// `canary` answers so many of a hundred requests.
    pub const fn new(active: Plugin, canary: Option<(Plugin, u8)>) -> Self {
        Self { active, canary, turns: AtomicU32::new(0) }
    }

    /// The version for the next request: the canary's share is met in every hundred, spread evenly.
    fn pick(&self) -> &Plugin {
        let Some((canary, share)) = self.canary.as_ref().filter(|(canary, _)| !canary.meter().is_tripped()) else { return &self.active };
        let turn = self.turns.fetch_add(1, Ordering::Relaxed) % 100;
        let share = u32::from(*share);
        if turn * share % 100 < share { canary } else { &self.active }
    }

    fn versions(&self) -> impl Iterator<Item = &Plugin> {
        [&self.active].into_iter().chain(self.canary.iter().map(|(canary, _)| canary))
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

    /// The tenant's own plugin of this name, or else the platform's, or else the built-in. One that failed too often stands
    /// back for what lies below it, where there is something.
    pub(crate) fn find(&self, owner_id: Option<&str>, name: &str) -> Option<Plugin> {
        let mut failing = None;
        if let Some(owner_id) = owner_id {
            for owner_id in [owner_id, PLATFORM] {
                match self.of_owner(owner_id, name) {
                    Some(found) if found.is_switched_off() || found.meter().is_tripped() => failing = failing.or(Some(found)),
                    Some(found) => return Some(found),
                    None => {}
                }
            }
        }
        self.built_ins.iter().find(|plugin| plugin.name() == name).cloned().or(failing)
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

    fn of_owner(&self, owner_id: &str, name: &str) -> Option<Plugin> {
        let owners = self.owners.read().unwrap_or_else(PoisonError::into_inner);
        Some(owners.get(owner_id)?.get(&PluginName::parse(name)?)?.pick().clone())
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
            let picked: Vec<i64> = (0..300).map(|_| published.pick().version()).collect();
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
        assert_eq!(registry.find(Some("demo"), "mine").unwrap().version(), 2);
        assert_eq!(registry.find(Some("other"), "mine").unwrap().version(), 1);
        assert!(registry.find(None, "mine").is_none(), "nothing is known of a tenant yet");
    }
}
