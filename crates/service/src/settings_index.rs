//! What of all systems' settings must be known where no call of the system has come to it: for a preflight, which names no
//! tenant (contract 1.2), and for what is refused before or outside every operation (contract 1.6).

use std::collections::{HashMap, HashSet};

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_core::settings::SystemSettings;
use bo_auth_store::record::SettingsRecord;

/// Origins and statuses of all systems, in memory.
#[derive(Debug, Default)]
pub(crate) struct SettingsIndex {
    /// Each origin that an enabled system lists, with the headers that such systems allow it, in lower case.
    origins: HashMap<String, HashSet<String>>,
    /// The systems that want HTTP 200 always, by tenant; a tenant's default one stands here as `None` too.
    status_200: HashMap<OwnerId, Vec<Option<SystemId>>>,
}

impl SettingsIndex {
    /// Of these systems. Where settings cannot be read, the system's own calls say so.
    pub(crate) fn of(records: Vec<SettingsRecord>) -> Self {
        let mut index = Self::default();
        for record in records {
            let documents = [&record.tenant_settings, &record.system_settings];
            match SystemSettings::from_documents(&documents) {
                Ok(settings) => index.add(record, settings),
                Err(error) => {
                    let (owner_id, sys_id) = (&record.owner_id, &record.sys_id);
                    tracing::warn!(%owner_id, %sys_id, %error, "settings of a system cannot be read");
                }
            }
        }
        index
    }

    fn add(&mut self, record: SettingsRecord, settings: SystemSettings) {
        if settings.legacy_status200 {
            let systems = self.status_200.entry(record.owner_id).or_default();
            systems.extend(record.is_default.then_some(None));
            systems.push(Some(record.sys_id));
        }
        if record.disabled {
            return;
        }
        for origin in settings.allowed_origins {
            let headers = self.origins.entry(origin).or_default();
            headers.extend(settings.allowed_headers.iter().map(|name| name.to_ascii_lowercase()));
        }
    }

    /// Whether a system lists the origin.
    pub(crate) fn lists(&self, origin: &str) -> bool {
        self.origins.contains_key(origin)
    }

    /// Which of the headers that a preflight asks for pages of the origin may send beside those that every page may, each
    /// behind a comma; `None` if no system lists the origin. Any tenant may list an origin, so that all that is listed for
    /// it could be more than a browser takes.
    pub(crate) fn headers_of(&self, origin: &str, requested: &str) -> Option<String> {
        let listed = self.origins.get(origin)?;
        let names = requested.split(',').map(|name| name.trim().to_ascii_lowercase());
        let allowed = names.filter(|name| listed.contains(name));
        Some(allowed.flat_map(|name| [", ".to_owned(), name]).collect())
    }

    /// Whether the system that a request names, or its tenant's default one, wants HTTP 200 always.
    pub(crate) fn answers_200(&self, owner_id: &str, sys_id: Option<&str>) -> bool {
        if self.status_200.is_empty() {
            return false;
        }
        let systems = OwnerId::parse(owner_id).ok().and_then(|owner_id| self.status_200.get(&owner_id));
        systems.is_some_and(|systems| systems.iter().any(|system| system.as_ref().map(SystemId::as_str) == sys_id))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn record(owner: &str, sys: &str, is_default: bool, disabled: bool, settings: Value) -> SettingsRecord {
        SettingsRecord {
            owner_id: OwnerId::parse(owner).unwrap(),
            sys_id: SystemId::parse(sys).unwrap(),
            is_default,
            disabled,
            tenant_settings: json!({}),
            system_settings: settings,
        }
    }

    #[test]
    fn a_preflight_knows_the_headers_of_all_systems_of_an_origin() {
        let home = "https://app.example";
        let index = SettingsIndex::of(vec![
            record("a", "web", true, false, json!({"allowedOrigins": [home], "allowedHeaders": ["X-App", "X-Build"]})),
            record("b", "web", true, false, json!({"allowedOrigins": [home], "allowedHeaders": ["x-app", "X-Shop"]})),
            record("c", "web", true, true, json!({"allowedOrigins": [home, "https://gone.example"], "allowedHeaders": ["X-Gone"]})),
            record("d", "web", true, false, json!({"noSuchSetting": 1})),
            record("e", "web", true, false, json!({"allowedOrigins": ["https://e.example"]})),
        ]);
        let of_home = |requested| index.headers_of(home, requested);
        assert_eq!(of_home("x-app, x-other,X-Shop,x-gone").as_deref(), Some(", x-app, x-shop"));
        assert_eq!(of_home("").as_deref(), Some(""), "what nobody asks for is not said, however much is listed");
        assert_eq!(index.headers_of("https://e.example", "x-app").as_deref(), Some(""));
        assert_eq!(index.headers_of("https://gone.example", "x-gone"), None);
        assert!(index.lists(home) && !index.lists("https://gone.example"));
    }

    #[test]
    fn a_system_is_known_by_its_name_and_as_the_default() {
        let always = json!({"legacyStatus200": true});
        let index = SettingsIndex::of(vec![
            record("a", "web", true, false, always.clone()),
            record("a", "app", false, false, json!({})),
            record("b", "web", true, false, json!({})),
            record("b", "tv", false, true, always),
        ]);
        for (owner, sys, expected) in [
            ("a", None, true),
            ("a", Some("web"), true),
            ("a", Some("app"), false),
            ("a", Some("nowhere"), false),
            ("b", None, false),
            ("b", Some("tv"), true),
            ("c", None, false),
            ("../a", None, false),
        ] {
            assert_eq!(index.answers_200(owner, sys), expected, "{owner} {sys:?}");
        }
    }
}
