//! Tenants: added whole, found, listed, disabled, and never each other's.

use bo_auth_core::time::Timestamp;
use bo_auth_store::Error;
use bo_auth_store::record::TenantRecord;
use serde_json::json;

use crate::backend::each_backend;
use crate::fixture::{NOW, change_system, change_tenant, later, owner, system, tenant_record};

#[tokio::test]
async fn a_tenant_is_found_as_it_was_added() {
    each_backend(|db| async move {
        let added = tenant_record("demo");
        db.insert_tenant(&added, NOW).await.unwrap();
        let found = db.find_tenant(&owner("demo")).await.unwrap().unwrap();
        assert_eq!((&found.owner_id, &found.name, &found.default_sys_id), (&added.owner_id, &added.name, &added.default_sys_id));
        assert_eq!((&found.settings, found.disabled), (&added.settings, false));
        let systems: Vec<_> = found.systems.iter().map(|system| (system.sys_id.as_str(), &system.settings, system.disabled)).collect();
        assert_eq!(systems, [("app", &json!({"sessionLimit": 2}), false), ("web", &json!({"sessionLimit": 2}), false)]);
        let keys: Vec<_> = found.keys.iter().map(|key| (key.key_id.as_str(), key.purpose, key.sealed.as_slice())).collect();
        let expected = [("k2", added.keys[1].purpose, [0, 1, 255].as_slice()), ("k1", added.keys[0].purpose, &[0, 1, 255])];
        assert_eq!(keys, expected, "the newest key is first");
        assert!(db.find_tenant(&owner("other")).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_tenant_is_added_whole_or_not_at_all() {
    each_backend(|db| async move {
        db.insert_tenant(&tenant_record("demo"), NOW).await.unwrap();
        assert!(matches!(db.insert_tenant(&tenant_record("demo"), NOW).await, Err(Error::Exists("tenant"))));
        let mut twice = tenant_record("twice");
        twice.systems[1].sys_id = system("app");
        assert!(matches!(db.insert_tenant(&twice, NOW).await, Err(Error::Exists("system"))));
        assert!(db.find_tenant(&owner("twice")).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn tenants_are_listed_page_by_page() {
    each_backend(|db| async move {
        for owner_id in ["c", "a", "B", "d"] {
            db.insert_tenant(&tenant_record(owner_id), NOW).await.unwrap();
        }
        let first = db.list_tenants(None, 3).await.unwrap();
        assert_eq!(first.iter().map(|tenant| tenant.owner_id.as_str()).collect::<Vec<_>>(), ["B", "a", "c"]);
        assert!(first.iter().all(|tenant| tenant.systems.len() == 2 && tenant.keys.is_empty()));
        let second = db.list_tenants(Some(&first[2].owner_id), 3).await.unwrap();
        assert_eq!(second.iter().map(|tenant| tenant.owner_id.as_str()).collect::<Vec<_>>(), ["d"]);
        assert!(db.list_tenants(Some(&second[0].owner_id), 3).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_tenant_is_changed_alone() {
    each_backend(|db| async move {
        db.insert_tenant(&tenant_record("demo"), NOW).await.unwrap();
        db.insert_tenant(&tenant_record("other"), NOW).await.unwrap();
        let (settings, default_sys_id) = (json!({"output": "hex"}), system("web"));
        let changed = TenantRecord { name: "改名".to_owned(), settings, default_sys_id, disabled: true, ..tenant_record("demo") };
        change_tenant(&db, &changed, later(1)).await.unwrap();
        let found = db.find_tenant(&owner("demo")).await.unwrap().unwrap();
        assert_eq!((found.disabled, found.settings, found.default_sys_id), (true, json!({"output": "hex"}), system("web")));
        assert_eq!((found.name.as_str(), found.systems.len(), found.keys.len()), ("改名", 2, 2), "its systems and keys stay");
        change_tenant(&db, &TenantRecord { disabled: false, ..changed }, later(2)).await.unwrap();
        assert!(!db.find_tenant(&owner("demo")).await.unwrap().unwrap().disabled);
        let other = db.find_tenant(&owner("other")).await.unwrap().unwrap();
        assert_eq!((other.disabled, other.settings, other.default_sys_id), (false, tenant_record("other").settings, system("app")));
        assert_eq!((other.name, other.revision), (tenant_record("other").name, 0));
    })
    .await;
}

#[tokio::test]
async fn what_is_not_there_cannot_be_changed() {
    each_backend(|db| async move {
        db.insert_tenant(&tenant_record("demo"), NOW).await.unwrap();
        let without_default = TenantRecord { default_sys_id: system("none"), ..tenant_record("demo") };
        let none = tenant_record("none");
        for tenant in [TenantRecord { disabled: true, ..none.clone() }, none, without_default] {
            assert!(matches!(change_tenant(&db, &tenant, NOW).await, Err(Error::Missing("tenant"))));
        }
        let found = db.find_tenant(&owner("demo")).await.unwrap().unwrap();
        assert_eq!((found.default_sys_id, found.revision), (system("app"), 0), "nothing was written");
    })
    .await;
}

#[tokio::test]
async fn settings_say_what_is_default_and_what_is_enabled() {
    each_backend(|db| async move {
        for owner_id in ["demo", "disabled"] {
            db.insert_tenant(&tenant_record(owner_id), NOW).await.unwrap();
        }
        change_tenant(&db, &TenantRecord { disabled: true, ..tenant_record("disabled") }, NOW).await.unwrap();
        let mut web = tenant_record("demo").systems.remove(1);
        web.disabled = true;
        change_system(&db, &owner("demo"), &web, NOW).await.unwrap();
        let mut listed = db.list_settings().await.unwrap();
        listed.sort_by_key(|record| (record.owner_id.to_string(), record.sys_id.to_string()));
        let states: Vec<_> = listed.iter().map(|record| (record.sys_id.as_str(), record.is_default, record.disabled)).collect();
        assert_eq!(states, [("app", true, false), ("web", false, true), ("app", true, true), ("web", false, true)]);
        assert_eq!(listed[0].tenant_settings, json!({"allowedOrigins": ["https://app.example"]}));
        assert_eq!(listed[0].system_settings, json!({"sessionLimit": 2}));
    })
    .await;
}

#[tokio::test]
async fn the_database_has_a_clock_and_answers() {
    each_backend(|db| async move {
        let health = db.health().await.unwrap();
        assert!(health.is_writable && health.now > Timestamp(1_700_000_000_000), "{health:?}");
        assert!(["sqlite", "postgres"].contains(&db.engine()));
    })
    .await;
}
