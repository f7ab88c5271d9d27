//! Keys: put in front, announced, retired behind, withdrawn, and forgotten in the end.

use std::time::Duration;

use bo_auth_core::identifier::KeyId;
use bo_auth_core::time::Timestamp;
use bo_auth_store::record::{KeyPurpose, KeyRecord, KeyRing, KeyRotation, RetiredKey, Revoked, Withdrawal};
use bo_auth_store::{Db, Error};

use crate::backend::each_backend;
use crate::fixture::{NOW, administration_event, key_record, later, owner, tenant_record};

async fn keys(db: &Db, owner_id: &str) -> Vec<KeyRecord> {
    db.list_keys(&owner(owner_id)).await.unwrap()
}

fn ids(keys: &[KeyRecord]) -> Vec<&str> {
    keys.iter().map(|key| key.key_id.as_str()).collect()
}

fn ends(keys: &[KeyRecord]) -> Vec<Option<Timestamp>> {
    keys.iter().map(|key| key.retires_at).collect()
}

/// What the keys of a purpose do at an instant, the newest first.
async fn states(db: &Db, purpose: KeyPurpose, now: Timestamp) -> Vec<String> {
    let keys = keys(db, "demo").await;
    let ring = KeyRing::of(&keys, purpose).unwrap();
    let of_purpose = keys.iter().filter(|key| key.purpose == purpose);
    of_purpose.map(|key| format!("{} {}", key.key_id, ring.standing(key, now).state.as_str())).collect()
}

async fn rotate_at(
    db: &Db,
    owner_id: &str,
    key: &KeyRecord,
    signs_from: Option<Timestamp>,
    earlier_retire_at: Timestamp,
) -> Result<(Revoked, Vec<RetiredKey>), Error> {
    let event = administration_event("key.rotated", key.created_at);
    let rotation = KeyRotation { key, signs_from, earlier_retire_at, event, marking: None };
    db.rotate_key(&owner(owner_id), &rotation).await
}

async fn rotate(db: &Db, owner_id: &str, key: &KeyRecord, earlier_retire_at: Timestamp) -> Vec<String> {
    let (_, retired) = rotate_at(db, owner_id, key, None, earlier_retire_at).await.unwrap();
    retired.iter().map(|retired| retired.key_id.to_string()).collect()
}

async fn withdraw(db: &Db, owner_id: &str, key_id: &str, at: Timestamp) -> Result<(Revoked, Withdrawal), Error> {
    let key_id = KeyId::parse(key_id).unwrap();
    db.withdraw_key(&owner(owner_id), &key_id, &administration_event("key.withdrawn", at)).await
}

#[tokio::test]
async fn two_keys_of_a_purpose_are_accepted_and_a_third_rotation_retires_the_oldest() {
    each_backend(|db| async move {
        db.insert_tenant(&tenant_record("demo"), NOW).await.unwrap();
        db.insert_tenant(&tenant_record("other"), NOW).await.unwrap();
        let key = |key_id, at| key_record(key_id, KeyPurpose::Stamp, later(at));
        assert!(rotate(&db, "demo", &key("k3", 10), later(100)).await.is_empty());
        let found = keys(&db, "demo").await;
        assert_eq!((ids(&found), ends(&found)), (vec!["k3", "k2", "k1"], vec![None, None, Some(later(100))]));
        assert!(keys(&db, "other").await.iter().all(|key| key.retires_at.is_none()));
        assert_eq!(rotate(&db, "demo", &key("k4", 20), later(200)).await, ["k1"]);
        let found = keys(&db, "demo").await;
        assert_eq!(ids(&found), ["k4", "k3", "k2", "k1"]);
        assert_eq!(ends(&found), [None, Some(later(200)), None, Some(later(20))], "k1 retires at once");
        assert_eq!(states(&db, KeyPurpose::Stamp, later(21)).await, ["k4 signing", "k3 accepted", "k1 retired"]);
        assert_eq!(ids(&db.find_tenant(&owner("demo")).await.unwrap().unwrap().keys).len(), 4, "three count, and k2");
    })
    .await;
}

#[tokio::test]
async fn what_an_older_server_has_left_is_bounded_and_tidied_up() {
    each_backend(|db| async move {
        db.insert_tenant(&tenant_record("demo"), NOW).await.unwrap();
        for number in 0..40_u64 {
            let mut key = key_record(&format!("old-{number:02}"), KeyPurpose::Stamp, later(number));
            key.retires_at = Some(later(1_000_000 + number));
            db.insert_key(&owner("demo"), &key).await.unwrap();
        }
        let record = db.find_tenant(&owner("demo")).await.unwrap().unwrap();
        let stamps = record.keys.iter().filter(|key| key.purpose == KeyPurpose::Stamp);
        assert_eq!(stamps.map(|key| key.key_id.as_str()).collect::<Vec<_>>(), ["old-39", "old-38", "k1"]);
        let ring = KeyRing::of(&record.keys, KeyPurpose::Stamp).unwrap();
        assert_eq!((ring.current.key_id.as_str(), ring.earlier.unwrap().0.key_id.as_str()), ("k1", "old-39"));
        let new = key_record("new", KeyPurpose::Stamp, later(100));
        assert_eq!(rotate(&db, "demo", &new, later(200)).await.len(), 40);
        let kept = keys(&db, "demo").await;
        assert_eq!(kept.iter().filter(|key| key.purpose == KeyPurpose::Stamp).count(), 16);
        let states = states(&db, KeyPurpose::Stamp, later(101)).await;
        assert_eq!((states[0].as_str(), states[15].as_str()), ("new signing", "k1 accepted"));
        assert_eq!(keys(&db, "demo").await.iter().filter(|key| key.purpose == KeyPurpose::Access).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_announced_key_signs_at_its_instant_and_its_row_follows() {
    each_backend(|db| async move {
        db.insert_tenant(&tenant_record("demo"), NOW).await.unwrap();
        let key = |key_id, at| key_record(key_id, KeyPurpose::Access, later(at));
        rotate(&db, "demo", &key("k3", 10), later(500)).await;
        let (_, retired) = rotate_at(&db, "demo", &key("k4", 20), Some(later(100)), later(300)).await.unwrap();
        let early = RetiredKey { key_id: KeyId::parse("k2").unwrap(), retires_at: later(100) };
        assert_eq!(retired, [early], "until two others are accepted");
        let purpose = KeyPurpose::Access;
        assert_eq!(states(&db, purpose, later(99)).await, ["k4 announced", "k3 signing", "k2 accepted"]);
        assert_eq!(states(&db, purpose, later(100)).await, ["k4 signing", "k3 accepted", "k2 retired"]);
        // A server of the version before signs with the newest key that has no end.
        let signs_before = |keys: &[KeyRecord]| {
            let mut without_end = keys.iter().filter(|key| key.purpose == purpose && key.retires_at.is_none());
            without_end.next().unwrap().key_id.to_string()
        };
        assert_eq!(signs_before(&keys(&db, "demo").await), "k3");
        assert!(db.exchange_announced_keys(later(99)).await.unwrap().is_empty());
        let revision = db.tenant_revision(&owner("demo")).await.unwrap();
        let exchanged = db.exchange_announced_keys(later(100)).await.unwrap();
        let [(of, revoked)] = &exchanged[..] else { panic!("{exchanged:?}") };
        assert_eq!((of.as_str(), revoked.marks[0].revision), ("demo", revision + 1), "every node hears of it");
        assert!(db.exchange_announced_keys(later(101)).await.unwrap().is_empty(), "once");
        let found = keys(&db, "demo").await;
        assert_eq!(signs_before(&found), "k4");
        assert_eq!(states(&db, purpose, later(299)).await, ["k4 signing", "k3 accepted", "k2 retired"]);
        assert_eq!(states(&db, purpose, later(300)).await, ["k4 signing", "k3 retired", "k2 retired"]);
    })
    .await;
}

#[tokio::test]
async fn the_next_rotation_takes_the_place_of_an_announced_key() {
    each_backend(|db| async move {
        db.insert_tenant(&tenant_record("demo"), NOW).await.unwrap();
        let (purpose, key) = (KeyPurpose::Access, |key_id, at| key_record(key_id, KeyPurpose::Access, later(at)));
        rotate_at(&db, "demo", &key("k3", 10), Some(later(100)), later(300)).await.unwrap();
        let (_, retired) = rotate_at(&db, "demo", &key("k4", 20), Some(later(120)), later(320)).await.unwrap();
        assert_eq!(retired, [RetiredKey { key_id: KeyId::parse("k3").unwrap(), retires_at: later(20) }]);
        assert_eq!(states(&db, purpose, later(110)).await, ["k4 announced", "k3 retired", "k2 signing"]);
        // Whoever cannot wait signs with another one at once.
        let retired = rotate(&db, "demo", &key("k5", 30), later(200)).await;
        assert_eq!(retired, ["k4"]);
        assert_eq!(states(&db, purpose, later(130)).await, ["k5 signing", "k4 retired", "k3 retired", "k2 accepted"]);
        // One that has signed counts as the one before, though its row was not exchanged yet.
        rotate_at(&db, "demo", &key("k6", 210), Some(later(310)), later(500)).await.unwrap();
        assert_eq!(rotate(&db, "demo", &key("k7", 320), later(400)).await, ["k5"]);
        assert_eq!(states(&db, purpose, later(330)).await[..3], ["k7 signing", "k6 accepted", "k5 retired"]);
    })
    .await;
}

#[tokio::test]
async fn a_key_is_withdrawn_from_its_tenant_alone() {
    each_backend(|db| async move {
        for owner_id in ["demo", "other"] {
            db.insert_tenant(&tenant_record(owner_id), NOW).await.unwrap();
            assert_eq!(withdraw(&db, owner_id, "k1", later(5)).await.unwrap().1, Withdrawal::NoSuccessor);
            rotate(&db, owner_id, &key_record("k3", KeyPurpose::Stamp, later(10)), later(100)).await;
        }
        let revision = db.tenant_revision(&owner("demo")).await.unwrap();
        let (withdrawn, what) = withdraw(&db, "demo", "k1", later(20)).await.unwrap();
        let revisions: Vec<_> = withdrawn.marks.iter().map(|mark| mark.revision).collect();
        assert_eq!((what, revisions), (Withdrawal::Withdrawn, vec![revision + 1]), "every node hears of it");
        assert_eq!(withdraw(&db, "demo", "k1", later(30)).await.unwrap().1, Withdrawal::Already);
        assert_eq!(withdraw(&db, "demo", "k3", later(30)).await.unwrap().1, Withdrawal::NoSuccessor);
        assert!(matches!(withdraw(&db, "demo", "none", later(30)).await, Err(Error::Missing("key"))));
        assert!(matches!(withdraw(&db, "none", "k1", later(30)).await, Err(Error::Missing("tenant"))));
        assert_eq!(db.tenant_revision(&owner("demo")).await.unwrap(), revision + 1, "nothing was written");
        assert_eq!(ends(&keys(&db, "demo").await), [None, None, Some(later(20))]);
        assert_eq!(ends(&keys(&db, "other").await), [None, None, Some(later(100))]);
    })
    .await;
}

#[tokio::test]
async fn an_announced_key_signs_at_once_if_the_signing_one_is_withdrawn() {
    each_backend(|db| async move {
        db.insert_tenant(&tenant_record("demo"), NOW).await.unwrap();
        let key = |key_id, at| key_record(key_id, KeyPurpose::Access, later(at));
        rotate_at(&db, "demo", &key("k3", 10), Some(later(100)), later(300)).await.unwrap();
        let (_, what) = withdraw(&db, "demo", "k2", later(20)).await.unwrap();
        assert_eq!(what, Withdrawal::Succeeded(KeyId::parse("k3").unwrap()));
        assert_eq!(states(&db, KeyPurpose::Access, later(20)).await, ["k3 signing", "k2 retired"]);
        // One that is announced may be withdrawn itself.
        rotate_at(&db, "demo", &key("k4", 30), Some(later(130)), later(300)).await.unwrap();
        assert_eq!(withdraw(&db, "demo", "k4", later(40)).await.unwrap().1, Withdrawal::Withdrawn);
        assert_eq!(states(&db, KeyPurpose::Access, later(200)).await, ["k4 retired", "k3 signing", "k2 retired"]);
        assert!(db.exchange_announced_keys(later(200)).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_key_needs_its_tenant_and_an_id_of_its_own() {
    each_backend(|db| async move {
        db.insert_tenant(&tenant_record("demo"), NOW).await.unwrap();
        let again = key_record("k2", KeyPurpose::Stamp, NOW);
        assert!(matches!(rotate_at(&db, "demo", &again, None, NOW).await, Err(Error::Exists("key"))));
        assert!(matches!(rotate_at(&db, "none", &again, None, NOW).await, Err(Error::Missing("tenant"))));
        let found = keys(&db, "demo").await;
        assert_eq!((ids(&found), ends(&found)), (vec!["k2", "k1"], vec![None, None]), "nothing was written");
    })
    .await;
}

#[tokio::test]
async fn keys_are_in_the_order_of_their_making_whatever_the_clocks_say() {
    each_backend(|db| async move {
        db.insert_tenant(&tenant_record("demo"), NOW).await.unwrap();
        let behind = Timestamp(NOW.millis() - 60_000);
        rotate(&db, "demo", &key_record("k3", KeyPurpose::Stamp, behind), behind.plus(Duration::from_hours(1))).await;
        assert_eq!(states(&db, KeyPurpose::Stamp, NOW).await, ["k3 signing", "k1 accepted"]);
    })
    .await;
}
