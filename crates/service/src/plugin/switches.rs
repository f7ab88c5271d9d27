//! Where versions stand back since they failed too often, and where they answer again: written down,
//! told to the other nodes and to the administrator.

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::time::Timestamp;
use bo_auth_plugin::{FailureCode, Place, Plugin, Published, Switch, Tripped};
use bo_auth_store::plugin_record::PluginSwitch;
use bo_auth_store::record::Actor;
use metrics::counter;
use serde_json::json;

use super::trail::event;
use crate::operator::Author;
use crate::{Error, Service};

impl Service {
    /// Writes down where a version began to stand back on this node, and where it answers again.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; what could not be written is written the next time.
    pub async fn switch_plugins(&self) -> Result<(), Error> {
        let mut has_changed = false;
        for plugin in self.plugins.versions() {
            for switch in plugin.breakers().untold() {
                has_changed |= self.write_switch(&plugin, &switch).await?;
            }
        }
        if has_changed { self.refresh_plugins().await } else { Ok(()) }
    }

    /// Answers whether there is something new to read.
    async fn write_switch(&self, plugin: &Plugin, switch: &Switch) -> Result<bool, Error> {
        let Some(owner_id) = plugin.owner_id().and_then(|text| OwnerId::parse(text).ok()) else { return Ok(false) };
        let now = self.clock.now();
        let Place { owner_id: tenant_id, sys_id, route } = &switch.place;
        let code = switch.tripped.map(|tripped| tripped.code.as_str());
        let row = PluginSwitch {
            name: plugin.name().to_owned(),
            version: plugin.version(),
            tenant_id: tenant_id.as_ref().to_owned(),
            sys_id: sys_id.as_ref().to_owned(),
            route: route.clone().into_owned(),
            code: code.unwrap_or_default().to_owned(),
            at: switch.tripped.map_or(now, |tripped| Timestamp(tripped.at_ms)),
        };
        // Whose answers they are goes without saying, but for what is offered to every tenant.
        let of_tenant = Some(&row.tenant_id).filter(|tenant_id| *tenant_id != owner_id.as_str());
        let details = json!({
            "plugin": row.name, "version": row.version, "ownerId": of_tenant, "sysId": row.sys_id, "route": row.route, "code": code,
        });
        let kind = if code.is_some() { "plugin.switched-off" } else { "plugin.switched-on" };
        let event = event(kind, Actor::Service, &Author::default(), details, now, &*self.random);
        let written = match code {
            Some(_) => self.db.switch_plugin_off(&owner_id, &row, &event).await?,
            None => self.db.switch_plugin_on(&owner_id, &row, &event).await?,
        };
        plugin.breakers().tell(switch);
        let Some(mark) = written else { return Ok(true) };
        if let Err(error) = self.plugin_desk().announce(&mark).await {
            tracing::warn!(%error, "other nodes look for a plugin's change by themselves");
        }
        counter!("bo_auth_plugin_switches_total", "to" => if code.is_some() { "off" } else { "on" }).increment(1);
        let (name, version, tenant, system, route) = (&row.name, row.version, &row.tenant_id, &row.sys_id, &row.route);
        if let Some(code) = code {
            tracing::warn!(
                plugin = name,
                version,
                tenant,
                system,
                route,
                code,
                "a response plugin failed too often; it stands back here until trial runs succeed"
            );
        } else {
            tracing::info!(plugin = name, version, tenant, system, route, "a response plugin that stood back answers again");
        }
        Ok(true)
    }

    /// Lets versions stand back where other nodes, or this one before it started, have found that they must.
    pub(super) fn take_over_switches(&self, published: &[Published], switches: &[PluginSwitch]) {
        let now_ms = self.clock.now().millis();
        for plugin in published.iter().flat_map(Published::versions) {
            let own = switches.iter().filter(|off| off.name == plugin.name() && off.version == plugin.version());
            let told: Vec<(Place, Tripped)> = own
                .map(|off| {
                    let place = Place {
                        owner_id: off.tenant_id.as_str().into(),
                        sys_id: off.sys_id.as_str().into(),
                        route: off.route.clone().into(),
                    };
                    // A newer node may have written a code that this one does not know.
                    let code = FailureCode::ALL.into_iter().find(|code| code.as_str() == off.code);
                    (place, Tripped { code: code.unwrap_or(FailureCode::Exception), at_ms: off.at.millis() })
                })
                .collect();
            plugin.breakers().take_over(&told, now_ms);
        }
    }
}
