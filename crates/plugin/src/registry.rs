//! Which plugins there are: each tenant's own, and the built-ins below them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rhai::AST;

use crate::name::PluginName;

/// A plugin that was found: cheap to clone, and unaffected by what is published after it was found.
#[derive(Clone, Debug)]
pub struct Plugin(Arc<Version>);

#[derive(Debug)]
struct Version {
    name: PluginName,
    built_in: bool,
    program: Result<AST, String>,
}

impl Plugin {
    /// A tenant's plugin: its program, or why its source does not compile.
    pub(crate) fn of_tenant(name: PluginName, program: Result<AST, String>) -> Self {
        Self(Arc::new(Version { name, built_in: false, program }))
    }

    pub(crate) fn built_in(name: PluginName, program: AST) -> Self {
        Self(Arc::new(Version { name, built_in: true, program: Ok(program) }))
    }

    /// The plugin's name.
    pub fn name(&self) -> &str {
        self.0.name.as_str()
    }

    /// Whether the plugin came with the binary.
    pub fn is_built_in(&self) -> bool {
        self.0.built_in
    }

    pub(crate) fn program(&self) -> Result<&AST, &str> {
        self.0.program.as_ref().map_err(String::as_str)
    }
}

/// Every plugin by its name. Publishing replaces a version in one step: a reader sees the old one or the new one.
pub(crate) struct Registry {
    built_ins: Vec<Plugin>,
    tenants: RwLock<HashMap<Box<str>, HashMap<PluginName, Plugin>>>,
}

impl Registry {
    pub(crate) fn new(built_ins: Vec<Plugin>) -> Self {
        Self { built_ins, tenants: RwLock::default() }
    }

    /// The tenant's own plugin of this name, or else the built-in.
    pub(crate) fn find(&self, owner_id: Option<&str>, name: &str) -> Option<Plugin> {
        self.of_tenant(owner_id, name).or_else(|| self.built_ins.iter().find(|plugin| plugin.name() == name).cloned())
    }

    pub(crate) fn publish(&self, owner_id: &str, plugin: Plugin) {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        tenants.entry(owner_id.into()).or_default().insert(plugin.0.name.clone(), plugin);
    }

    pub(crate) fn withdraw(&self, owner_id: &str, name: &str) -> bool {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        let Some(own) = tenants.get_mut(owner_id) else { return false };
        let Some(name) = PluginName::parse(name) else { return false };
        let withdrawn = own.remove(&name).is_some();
        if own.is_empty() {
            tenants.remove(owner_id);
        }
        withdrawn
    }

    fn of_tenant(&self, owner_id: Option<&str>, name: &str) -> Option<Plugin> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let own = tenants.get(owner_id?)?;
        own.get(&PluginName::parse(name)?).cloned()
    }
}
