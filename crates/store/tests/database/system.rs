//! Systems: added, replaced, and never another tenant's.

use bo_auth_store::record::SystemRecord;
use bo_auth_store::{Db, Error};
use serde_json::json;

use crate::backend::each_backend;
use crate::fixture::{NOW, change_system, later, owner, system, system_record, tenant_record};

async fn find(db: &Db, owner_id: &str, sys_id: &str) -> Option<SystemRecord> {
    let tenant = db.find_tenant(&owner(owner_id)).await.unwrap().unwrap();
    tenant.systems.into_iter().find(|found| found.sys_id == system(sys_id))
}

#[tokio::test]
async fn a_system_is_added_and_replaced() {
    each_backend(|db| async move {
        db.insert_tenant(&tenant_record("demo"), NOW).await.unwrap();
        db.insert_tenant(&tenant_record("other"), NOW).await.unwrap();
        db.insert_system(&owner("demo"), &system_record("new"), later(1)).await.unwrap();
        assert!(find(&db, "other", "new").await.is_none());
        let changed =
            SystemRecord { sys_id: system("app"), name: "改名".to_owned(), settings: json!({}), disabled: true, updated_at: NOW };
        change_system(&db, &owner("demo"), &changed, later(2)).await.unwrap();
        let found = find(&db, "demo", "app").await.unwrap();
        assert_eq!((found.name.as_str(), found.settings, found.disabled), ("改名", json!({}), true));
        assert!(!find(&db, "other", "app").await.unwrap().disabled);
        change_system(&db, &owner("demo"), &system_record("app"), later(3)).await.unwrap();
        assert!(!find(&db, "demo", "app").await.unwrap().disabled);
    })
    .await;
}

#[tokio::test]
async fn a_system_needs_its_tenant_and_a_name_of_its_own() {
    each_backend(|db| async move {
        db.insert_tenant(&tenant_record("demo"), NOW).await.unwrap();
        assert!(matches!(db.insert_system(&owner("demo"), &system_record("app"), NOW).await, Err(Error::Exists("system"))));
        assert!(matches!(db.insert_system(&owner("none"), &system_record("app"), NOW).await, Err(Error::Missing("tenant"))));
        assert!(matches!(change_system(&db, &owner("demo"), &system_record("none"), NOW).await, Err(Error::Missing("system"))));
    })
    .await;
}
