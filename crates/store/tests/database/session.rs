//! Sessions: opened, found, listed, rotated, within their tenant.

use std::time::Duration;

use bo_auth_core::session::SessionId;
use bo_auth_core::time::Timestamp;
use bo_auth_store::Error;
use bo_auth_store::record::{AuditFilter, RefreshedBy, RequestTrace, Rotating, Rotation, SessionRecord};

use crate::backend::each_backend;
use crate::fixture::{Demo, NOW, later, owner, rotating, session_id, user};

#[tokio::test]
async fn a_session_is_found_as_it_was_opened() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let new = Demo::new_session(NOW);
        assert_eq!(db.open_session(&demo.owner_id, &new).await.unwrap(), Some(Vec::new()));
        assert_eq!(demo.find(new.session.session_id).await, new.session);
        assert_eq!(db.find_session(&owner("other"), new.session.session_id).await.unwrap(), None);
        let started = demo.audited("session.started").await;
        assert_eq!((started.len(), started[0].event_id, started[0].session_id), (1, new.event_id, Some(new.session.session_id)));
        assert_eq!(started[0].trace, serde_json::json!({"address": "192.0.2.1", "first_share_user_id": "u2"}));
        assert!(demo.pending().await.is_empty());
        assert!(matches!(db.open_session(&demo.owner_id, &new).await, Err(Error::Exists("session"))));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_opened_for_whom_the_password_no_longer_fits() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let mut new = Demo::new_session(NOW);
        new.password_hash = "another".to_owned();
        assert_eq!(db.open_session(&demo.owner_id, &new).await.unwrap(), None);
        assert_eq!(db.find_session(&demo.owner_id, new.session.session_id).await.unwrap(), None);
        let mut unknown = Demo::new_session(NOW);
        unknown.session.user_id = user("none");
        assert_eq!(db.open_session(&demo.owner_id, &unknown).await.unwrap(), None);
        assert_eq!(db.open_session(&owner("other"), &Demo::new_session(NOW)).await.unwrap(), None);
        assert!(demo.audited("session.started").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn live_sessions_are_listed_the_newest_first() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let other = Demo::named(db.clone(), "other").await;
        let sessions = demo.open_many(3).await;
        other.open(NOW).await;
        db.end_sessions(&[demo.ending(sessions[1], later(10))]).await.unwrap();
        let live = async |now| -> Vec<SessionId> {
            let found = db.list_live_sessions(&demo.owner_id, &user("u1"), now).await.unwrap();
            found.iter().map(|session| session.session_id).collect()
        };
        assert_eq!(live(later(20)).await, [sessions[2], sessions[0]]);
        assert_eq!(live(later(3_601)).await, [sessions[2]], "the first has run out at 3600");
        assert_eq!(live(later(3_602)).await, []);
    })
    .await;
}

#[tokio::test]
async fn an_operator_lists_sessions_page_by_page() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let other = Demo::named(db.clone(), "other").await;
        let sessions = demo.open_many(4).await;
        other.open(NOW).await;
        db.end_sessions(&[demo.ending(sessions[2], later(10))]).await.unwrap();
        let list = async |user_id: Option<&str>, live_only, before, limit| -> Vec<SessionId> {
            let user_id = user_id.map(user);
            let found = db.list_sessions(&demo.owner_id, user_id.as_ref(), live_only, before, limit).await.unwrap();
            found.iter().map(|session| session.session_id).collect()
        };
        assert_eq!(list(None, false, None, 3).await, [sessions[3], sessions[2], sessions[1]]);
        assert_eq!(list(None, false, Some(sessions[1]), 3).await, [sessions[0]]);
        assert_eq!(list(Some("u1"), true, None, 9).await, [sessions[3], sessions[1], sessions[0]]);
        assert_eq!(list(Some("u2"), false, None, 9).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_rotation_moves_to_the_next_generation_and_prolongs() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let session_id = demo.open(NOW).await;
        let rotate = async |generation, at: Timestamp| {
            let ends = (at.plus(Duration::from_hours(1)), at.plus(Duration::from_mins(10)));
            db.rotate_session(&demo.owner_id, &rotating(session_id, generation, at, ends)).await.unwrap()
        };
        let Rotation::Rotated(rotated) = rotate(0, later(100)).await else { panic!("the first rotation succeeds") };
        assert_eq!((rotated.generation, rotated.refreshed_at, rotated.idle_expires_at), (1, later(100), later(3_700)));
        assert_eq!(demo.find(session_id).await, rotated);
        assert_eq!(rotate(0, later(101)).await, Rotation::Unchanged(rotated.clone()), "generation 0 is over");
        assert_eq!(rotate(2, later(101)).await, Rotation::Unchanged(rotated.clone()), "generation 2 is not yet");
        assert_eq!(rotate(1, later(3_700)).await, Rotation::Unchanged(rotated), "run out for want of a refresh");
        let Rotation::Rotated(rotated) = rotate(1, later(3_699)).await else { panic!("just in time") };
        assert_eq!(rotate(2, later(7_200)).await, Rotation::Unchanged(rotated), "its lifetime is over");
    })
    .await;
}

#[tokio::test]
async fn what_has_ended_or_is_another_tenants_is_not_rotated() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let other = Demo::named(db.clone(), "other").await;
        let session = demo.open(NOW).await;
        let rotate = async |demo: &Demo, session| {
            let rotating = rotating(session, 0, later(1), (later(3_601), later(601)));
            db.rotate_session(&demo.owner_id, &rotating).await.unwrap()
        };
        assert_eq!(rotate(&other, session).await, Rotation::Unknown);
        assert_eq!(rotate(&demo, session_id(NOW)).await, Rotation::Unknown);
        db.end_sessions(&[demo.ending(session, later(1))]).await.unwrap();
        assert_eq!(rotate(&demo, session).await, Rotation::Unchanged(demo.find(session).await));
        assert_eq!(demo.find(session).await.generation, 0);
    })
    .await;
}

#[tokio::test]
async fn the_row_knows_its_longest_access_token() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let other = Demo::named(db.clone(), "other").await;
        let (first, second) = (demo.open(NOW).await, demo.open(NOW).await);
        assert!(db.extend_access(&demo.owner_id, first, later(900)).await.unwrap());
        assert!(db.extend_access(&demo.owner_id, first, later(800)).await.unwrap(), "an earlier expiry takes nothing back");
        assert!(!db.extend_access(&other.owner_id, second, later(9_000)).await.unwrap());
        let outcomes = db.end_sessions(&[demo.ending(first, later(10)), demo.ending(second, later(10))]).await.unwrap();
        assert_eq!(crate::fixture::ended(&outcomes[0]).keep_until, later(900));
        assert_eq!(crate::fixture::ended(&outcomes[1]).keep_until, later(600));
        assert!(!db.extend_access(&demo.owner_id, first, later(9_000)).await.unwrap(), "nothing is handed out any more");
    })
    .await;
}

#[tokio::test]
async fn who_has_moved_a_session_on_is_known_of_its_present_generation() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let other = Demo::named(db.clone(), "other").await;
        let session_id = demo.open(NOW).await;
        let found = async |demo: &Demo, generation| db.find_refreshed_by(&demo.owner_id, session_id, generation).await.unwrap();
        assert_eq!(found(&demo, 0).await, None, "nobody has yet");
        let rotating = rotating(session_id, 0, later(1), (later(3_601), later(601)));
        let by = Rotating { address: Some("192.0.2.1"), user_agent: Some("agent"), ..rotating };
        let Rotation::Rotated(session) = db.rotate_session(&demo.owner_id, &by).await.unwrap() else { panic!("it is live") };
        let expected = RefreshedBy { address: Some("192.0.2.1".to_owned()), user_agent: Some("agent".to_owned()) };
        assert_eq!(found(&demo, 1).await, Some(expected));
        for (demo, generation) in [(&demo, 0), (&demo, 2), (&other, 1)] {
            assert_eq!(found(demo, generation).await, None);
        }
        // Its replay is written down once for each generation.
        let trace = RequestTrace { address: Some("192.0.2.2".to_owned()), ..RequestTrace::default() };
        let replayed = async |session: &SessionRecord| db.record_replay(&demo.owner_id, session, later(2), &trace).await.unwrap();
        assert!(replayed(&session).await);
        assert!(!replayed(&session).await);
        let again = Rotating { from_generation: 1, refreshed_at: later(2), ..rotating };
        let Rotation::Rotated(next) = db.rotate_session(&demo.owner_id, &again).await.unwrap() else { panic!("it is live") };
        assert!(!replayed(&session).await, "it has moved on");
        assert!(replayed(&next).await);
        db.end_sessions(&[demo.ending(session_id, later(3))]).await.unwrap();
        assert!(!replayed(&next).await);
        let filter = AuditFilter { kind: Some("session.refresh-replayed".to_owned()), ..AuditFilter::default() };
        assert_eq!(db.list_audit_events(&demo.owner_id, &filter, None, 10).await.unwrap().len(), 2);
    })
    .await;
}
