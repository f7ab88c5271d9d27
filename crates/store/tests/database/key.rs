//! Keys: added in front, retired behind, left out and removed in the end.

use std::time::Duration;

use bo_auth_core::identifier::KeyId;
use bo_auth_store::record::{KeyPurpose, KeyRecord};
use bo_auth_store::{Db, Error};

use crate::backend::each_backend;
use crate::fixture::{NOW, key_record, later, owner, tenant_record};

const DAY: u64 = 86_400;

async fn keys(db: &Db, owner_id: &str) -> Vec<KeyRecord> {
    db.find_tenant(&owner(owner_id)).await.unwrap().unwrap().keys
}

fn ids(keys: &[KeyRecord]) -> Vec<&str> {
    keys.iter().map(|key| key.key_id.as_str()).collect()
}

#[tokio::test]
async fn a_new_key_retires_those_of_its_purpose() {
    each_backend(|db| async move {
        db.insert_tenant(&tenant_record("demo"), NOW).await.unwrap();
        db.insert_tenant(&tenant_record("other"), NOW).await.unwrap();
        let new = key_record("k3", KeyPurpose::Stamp, later(10));
        db.insert_key(&owner("demo"), &new).await.unwrap();
        assert_eq!(db.retire_keys(&owner("demo"), KeyPurpose::Stamp, &new.key_id, later(100)).await.unwrap(), 1);
        assert_eq!(
            db.retire_keys(&owner("demo"), KeyPurpose::Stamp, &new.key_id, later(200)).await.unwrap(),
            0,
            "an end is not moved later"
        );
        let found = keys(&db, "demo").await;
        assert_eq!(ids(&found), ["k3", "k2", "k1"]);
        assert_eq!(found.iter().map(|key| key.retires_at).collect::<Vec<_>>(), [None, None, Some(later(100))]);
        assert!(keys(&db, "other").await.iter().all(|key| key.retires_at.is_none()));
        assert_eq!(db.retire_keys(&owner("demo"), KeyPurpose::Stamp, &new.key_id, later(50)).await.unwrap(), 1, "but earlier");
        assert_eq!(keys(&db, "demo").await.last().unwrap().retires_at, Some(later(50)));
    })
    .await;
}

#[tokio::test]
async fn a_key_that_retired_long_ago_is_left_out() {
    each_backend(|db| async move {
        db.insert_tenant(&tenant_record("demo"), NOW).await.unwrap();
        for (key_id, days) in [("k3", 10), ("k4", 60)] {
            let new = key_record(key_id, KeyPurpose::Stamp, later(days * DAY));
            db.insert_key(&owner("demo"), &new).await.unwrap();
            let retires_at = new.created_at.plus(Duration::from_secs(DAY));
            db.retire_keys(&owner("demo"), KeyPurpose::Stamp, &new.key_id, retires_at).await.unwrap();
        }
        // k1 retired on day 11, 49 days before the newest; k3 retires on day 61.
        assert_eq!(ids(&keys(&db, "demo").await), ["k4", "k3", "k2"]);
    })
    .await;
}

#[tokio::test]
async fn a_key_is_removed_from_its_tenant_alone() {
    each_backend(|db| async move {
        db.insert_tenant(&tenant_record("demo"), NOW).await.unwrap();
        db.insert_tenant(&tenant_record("other"), NOW).await.unwrap();
        let key_id = KeyId::parse("k1").unwrap();
        assert!(db.delete_key(&owner("demo"), &key_id).await.unwrap());
        assert!(!db.delete_key(&owner("demo"), &key_id).await.unwrap());
        assert_eq!(ids(&keys(&db, "demo").await), ["k2"]);
        assert_eq!(ids(&keys(&db, "other").await), ["k2", "k1"]);
        let again = key_record("k2", KeyPurpose::Refresh, NOW);
        assert!(matches!(db.insert_key(&owner("demo"), &again).await, Err(Error::Exists("key"))));
        assert!(matches!(db.insert_key(&owner("none"), &again).await, Err(Error::Missing("tenant"))));
    })
    .await;
}
