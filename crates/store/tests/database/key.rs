//! Keys: put in front, retired behind, withdrawn, and left out in the end.

use std::time::Duration;

use bo_auth_core::identifier::KeyId;
use bo_auth_core::time::Timestamp;
use bo_auth_store::record::{Administration, KeyPurpose, KeyRecord, Revoked};
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

fn ends(keys: &[KeyRecord]) -> Vec<Option<Timestamp>> {
    keys.iter().map(|key| key.retires_at).collect()
}

async fn rotate(db: &Db, owner_id: &str, key: &KeyRecord, earlier_retire_at: Timestamp) -> Result<Revoked, Error> {
    db.administer(&owner(owner_id), &Administration::RotateKey(key, earlier_retire_at), None, key.created_at, None, None).await
}

async fn withdraw(db: &Db, owner_id: &str, key_id: &str, at: Timestamp) -> Result<Revoked, Error> {
    let key_id = KeyId::parse(key_id).unwrap();
    db.administer(&owner(owner_id), &Administration::WithdrawKey(&key_id), None, at, None, None).await
}

#[tokio::test]
async fn a_new_key_retires_those_of_its_purpose() {
    each_backend(|db| async move {
        db.insert_tenant(&tenant_record("demo"), NOW).await.unwrap();
        db.insert_tenant(&tenant_record("other"), NOW).await.unwrap();
        rotate(&db, "demo", &key_record("k3", KeyPurpose::Stamp, later(10)), later(100)).await.unwrap();
        let found = keys(&db, "demo").await;
        assert_eq!(ids(&found), ["k3", "k2", "k1"]);
        assert_eq!(ends(&found), [None, None, Some(later(100))]);
        assert!(keys(&db, "other").await.iter().all(|key| key.retires_at.is_none()));
        rotate(&db, "demo", &key_record("k4", KeyPurpose::Stamp, later(20)), later(200)).await.unwrap();
        let found = keys(&db, "demo").await;
        assert_eq!(ids(&found), ["k4", "k3", "k2", "k1"]);
        assert_eq!(ends(&found), [None, Some(later(200)), None, Some(later(100))], "an end is not moved later");
        rotate(&db, "demo", &key_record("k5", KeyPurpose::Stamp, later(30)), later(50)).await.unwrap();
        let earlier = Some(later(50));
        assert_eq!(ends(&keys(&db, "demo").await), [None, earlier, earlier, None, earlier], "but earlier");
    })
    .await;
}

#[tokio::test]
async fn a_key_that_retired_long_ago_is_left_out() {
    each_backend(|db| async move {
        db.insert_tenant(&tenant_record("demo"), NOW).await.unwrap();
        for (key_id, days) in [("k3", 10), ("k4", 60)] {
            let new = key_record(key_id, KeyPurpose::Stamp, later(days * DAY));
            rotate(&db, "demo", &new, new.created_at.plus(Duration::from_secs(DAY))).await.unwrap();
        }
        // k1 retired on day 11, 49 days before the newest; k3 retires on day 61.
        assert_eq!(ids(&keys(&db, "demo").await), ["k4", "k3", "k2"]);
    })
    .await;
}

#[tokio::test]
async fn a_key_with_a_successor_is_withdrawn_from_its_tenant_alone() {
    each_backend(|db| async move {
        for owner_id in ["demo", "other"] {
            db.insert_tenant(&tenant_record(owner_id), NOW).await.unwrap();
            assert!(matches!(withdraw(&db, owner_id, "k1", later(5)).await, Err(Error::Missing("key"))), "it is the current one");
            rotate(&db, owner_id, &key_record("k3", KeyPurpose::Stamp, later(10)), later(100)).await.unwrap();
        }
        let revision = db.tenant_revision(&owner("demo")).await.unwrap();
        let withdrawn = withdraw(&db, "demo", "k1", later(20)).await.unwrap();
        let revisions: Vec<_> = withdrawn.marks.iter().map(|mark| mark.revision).collect();
        assert_eq!((withdrawn.sessions.len(), revisions), (0, vec![revision + 1]), "every node hears of it");
        for again in ["k1", "k3", "none"] {
            assert!(matches!(withdraw(&db, "demo", again, later(30)).await, Err(Error::Missing("key"))), "{again}");
        }
        assert!(matches!(withdraw(&db, "none", "k1", later(30)).await, Err(Error::Missing("key"))));
        assert_eq!(db.tenant_revision(&owner("demo")).await.unwrap(), revision + 1, "nothing was written");
        assert_eq!(ends(&keys(&db, "demo").await), [None, None, Some(later(20))]);
        assert_eq!(ends(&keys(&db, "other").await), [None, None, Some(later(100))]);
    })
    .await;
}

#[tokio::test]
async fn a_key_needs_its_tenant_and_an_id_of_its_own() {
    each_backend(|db| async move {
        db.insert_tenant(&tenant_record("demo"), NOW).await.unwrap();
        let again = key_record("k2", KeyPurpose::Stamp, NOW);
        assert!(matches!(rotate(&db, "demo", &again, NOW).await, Err(Error::Exists("key"))));
        assert!(matches!(rotate(&db, "none", &again, NOW).await, Err(Error::Missing("tenant"))));
        let found = keys(&db, "demo").await;
        assert_eq!((ids(&found), ends(&found)), (vec!["k2", "k1"], vec![None, None]), "nothing was written");
    })
    .await;
}
