//! Users: found by id, account and mobile number within their tenant; a new password and being disabled end everything.

use bo_auth_core::identifier::AreaCode;
use bo_auth_core::session::EndReason;
use bo_auth_store::Error;
use bo_auth_store::record::UserRecord;

use crate::backend::each_backend;
use crate::fixture::{Demo, HASH, NOW, administration_event, later, owner, user, user_record};

#[tokio::test]
async fn a_user_is_found_by_id_account_and_mobile_within_the_tenant() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        Demo::named(db.clone(), "other").await;
        let mut added = user_record("u2");
        added.mobile = Some("13800000000".to_owned());
        added.area_codes = vec![AreaCode::parse("440106").unwrap()];
        db.insert_user(&demo.owner_id, &added, "other hash", NOW).await.unwrap();
        assert_eq!(db.find_user(&demo.owner_id, &user("u2")).await.unwrap(), Some(added.clone()));
        let by_account = db.find_credentials(&demo.owner_id, "u2@example").await.unwrap().unwrap();
        assert_eq!((by_account.user, by_account.password_hash.as_str()), (added.clone(), "other hash"));
        let by_mobile = db.find_credentials_by_mobile(&demo.owner_id, "13800000000").await.unwrap().unwrap();
        assert_eq!(by_mobile.user, added);
        let other = owner("other");
        assert_eq!(db.find_user(&other, &user("u2")).await.unwrap(), None);
        assert!(db.find_credentials(&other, "u2@example").await.unwrap().is_none());
        assert!(db.find_credentials_by_mobile(&other, "13800000000").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn ids_accounts_and_mobile_numbers_are_unique_within_the_tenant() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let mut first = user_record("u2");
        first.mobile = Some("13800000000".to_owned());
        db.insert_user(&demo.owner_id, &first, HASH, NOW).await.unwrap();
        let mut same_account = user_record("u3");
        same_account.account = "u1@example".to_owned();
        let mut same_mobile = user_record("u4");
        same_mobile.mobile = first.mobile.clone();
        for taken in [user_record("u1"), same_account, same_mobile.clone()] {
            assert!(matches!(db.insert_user(&demo.owner_id, &taken, HASH, NOW).await, Err(Error::Exists("user"))));
        }
        assert!(matches!(db.insert_user(&owner("none"), &first, HASH, NOW).await, Err(Error::Missing("tenant"))));
        let other = Demo::named(db.clone(), "other").await;
        db.insert_user(&other.owner_id, &same_mobile, HASH, NOW).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn users_are_listed_page_by_page() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        Demo::named(db.clone(), "other").await;
        for user_id in ["u3", "u2"] {
            db.insert_user(&demo.owner_id, &user_record(user_id), HASH, NOW).await.unwrap();
        }
        let first = db.list_users(&demo.owner_id, None, 2).await.unwrap();
        assert_eq!(first.iter().map(|found| found.user_id.as_str()).collect::<Vec<_>>(), ["u1", "u2"]);
        let second = db.list_users(&demo.owner_id, Some(&first[1].account), 2).await.unwrap();
        assert_eq!(second.iter().map(|found| found.user_id.as_str()).collect::<Vec<_>>(), ["u3"]);
    })
    .await;
}

#[tokio::test]
async fn a_new_password_ends_every_session_with_it() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let other = Demo::named(db.clone(), "other").await;
        let sessions = demo.open_many(3).await;
        let untouched = other.open(NOW).await;
        let mut ending = demo.user_ending(later(60));
        ending.reason = EndReason::PasswordChanged;
        let mut ended = db.set_password(&demo.owner_id, &user("u1"), "new hash", None, &ending).await.unwrap().sessions;
        ended.sort_by_key(|session| session.session_id);
        assert_eq!(ended.iter().map(|session| session.session_id).collect::<Vec<_>>(), sessions);
        assert_eq!(demo.pending().await, ended);
        assert_eq!(db.find_credentials(&demo.owner_id, "u1@example").await.unwrap().unwrap().password_hash, "new hash");
        assert_eq!(db.find_user(&demo.owner_id, &user("u1")).await.unwrap().unwrap().updated_at, later(60));
        for session_id in sessions {
            assert_eq!(demo.find(session_id).await.ended, Some((later(60), EndReason::PasswordChanged)));
        }
        assert_eq!(other.find(untouched).await.ended, None);
        assert_eq!(demo.audited("user.password-changed").await.len(), 1);
        assert_eq!(demo.audited("session.ended").await.len(), 3);
        let unknown = db.set_password(&demo.owner_id, &user("none"), "x", None, &ending).await;
        assert!(matches!(unknown, Err(Error::Missing("user"))));
    })
    .await;
}

#[tokio::test]
async fn a_disabled_user_has_no_session_and_gets_none() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let session_id = demo.open(NOW).await;
        let mut ending = demo.user_ending(later(60));
        ending.reason = EndReason::UserDisabled;
        let ended = demo.set_disabled(true, later(60), Some(&ending)).await;
        assert_eq!(ended.iter().map(|session| session.session_id).collect::<Vec<_>>(), [session_id]);
        assert!(db.find_user(&demo.owner_id, &user("u1")).await.unwrap().unwrap().disabled);
        assert_eq!(db.open_session(&demo.owner_id, &Demo::new_session(later(61))).await.unwrap(), None);
        assert_eq!(demo.audited("user.disabled").await.len(), 1);

        assert_eq!(demo.set_disabled(false, later(61), None).await, []);
        assert!(!db.find_user(&demo.owner_id, &user("u1")).await.unwrap().unwrap().disabled);
        demo.open(later(62)).await;
        assert!(demo.find(session_id).await.ended.is_some(), "an end is never taken back");
        let nobody = UserRecord { user_id: user("none"), ..db.find_user(&demo.owner_id, &user("u1")).await.unwrap().unwrap() };
        let event = administration_event("user.disabled", later(63));
        let changed = |since| db.change_user(&demo.owner_id, &nobody, since, None, &event);
        assert!(matches!(changed(None).await, Err(Error::Missing("user"))));
        assert!(matches!(changed(Some(NOW)).await, Err(Error::Changed("user"))));
    })
    .await;
}

#[tokio::test]
async fn a_hash_is_renewed_only_while_it_is_the_same() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let renew = |old: &'static str, new: &'static str| {
            let (db, owner_id) = (db.clone(), demo.owner_id.clone());
            async move { db.set_password_hash(&owner_id, &user("u1"), old, new).await.unwrap() }
        };
        assert!(renew(HASH, "renewed").await);
        assert!(!renew(HASH, "too late").await);
        assert_eq!(db.find_credentials(&demo.owner_id, "u1@example").await.unwrap().unwrap().password_hash, "renewed");
        assert_eq!(db.open_session(&demo.owner_id, &Demo::new_session(NOW)).await.unwrap(), None, "checked against the old hash");
    })
    .await;
}
