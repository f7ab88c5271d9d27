//! How an answer is shaped, as far as its tenant and system are known: from then on their plugins and settings hold for
//! refusals too, whoever refuses (contract 1.7).

use std::sync::Arc;

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_plugin::Chain;

use crate::Service;
use crate::call::{RequestFacts, Shaping};
use crate::tenant::{System, Tenant};

impl Service {
    /// How the answer to a request is shaped that no use case has seen: by the tenant and the system that it names.
    pub async fn shaping_of(&self, facts: &RequestFacts<'_>) -> Shaping {
        // Whoever names nobody is looked for nowhere.
        let tenant = if facts.owner_id.is_some() { self.find_tenant(facts.owner_id).await.ok() } else { None };
        self.shaping_by(tenant, facts).await
    }

    /// The same for an answer that must cost next to nothing, since it refuses a flood or a store does not answer: from memory
    /// alone, and by built-ins alone.
    pub async fn shaping_from_memory(&self, facts: &RequestFacts<'_>) -> Shaping {
        let owner_id = facts.owner_id.and_then(|text| OwnerId::parse(text).ok()).filter(|owner_id| !owner_id.is_reserved());
        let tenant = match owner_id {
            Some(owner_id) => self.tenants.prepared(&owner_id).await,
            None => None,
        };
        let mut shaping = self.shaping_by(tenant, facts).await;
        if !shaping.plugins.is_built_in() {
            shaping.plugins = Chain::default();
        }
        shaping
    }

    async fn shaping_by(&self, tenant: Option<Arc<Tenant>>, facts: &RequestFacts<'_>) -> Shaping {
        let mut shaping = Shaping::default();
        let Some(tenant) = tenant else {
            let found = facts.plugin.and_then(|names| self.plugins.find_chain(None, names));
            shaping.plugins = found.unwrap_or_default();
            // The status is known without the tenant: neither a flood nor a store that is away changes it.
            shaping.legacy_status200 = facts.owner_id.is_some_and(|owner_id| self.answers_200(owner_id, facts.sys_id));
            return shaping;
        };
        self.shape_by_tenant(&tenant, facts, &mut shaping).await;
        let sys_id = facts.sys_id.map(SystemId::parse).transpose();
        if let Some(system) = sys_id.ok().and_then(|sys_id| tenant.named_system(sys_id.as_ref())) {
            self.shape_by_system(&tenant, system, facts, &mut shaping);
        }
        shaping
    }

    /// The tenant is known: its plugins serve where the request names one. Answers whether the name is known too.
    pub(crate) async fn shape_by_tenant(&self, tenant: &Tenant, facts: &RequestFacts<'_>, shaping: &mut Shaping) -> bool {
        shaping.owner_id = Some(tenant.owner_id.shared());
        self.follow_plugins(tenant).await;
        let named = facts.plugin.map(|names| self.plugins.find_chain(Some(tenant.owner_id.as_str()), names));
        let is_known = !matches!(named, Some(None));
        shaping.plugins = named.flatten().unwrap_or_default();
        is_known
    }

    /// The system is known: its plugin serves where the request names none.
    pub(crate) fn shape_by_system(&self, tenant: &Tenant, system: &System, facts: &RequestFacts<'_>, shaping: &mut Shaping) {
        shaping.sys_id = Some(system.sys_id.shared());
        shaping.legacy_status200 = system.settings.legacy_status200;
        shaping.origin_allowed = facts.origin.map(|origin| system.lists_origin(origin));
        if let (None, Some(names)) = (facts.plugin, &system.settings.default_plugin) {
            let found = self.plugins.find_chain(Some(tenant.owner_id.as_str()), names);
            shaping.plugins = found.unwrap_or_default();
        }
    }
}
