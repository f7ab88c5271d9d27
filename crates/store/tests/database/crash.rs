//! A transaction whose caller goes away in the middle has happened whole or not at all.

use std::time::Duration;

use bo_auth_store::Db;
use bo_auth_store::record::NewSession;

use crate::backend::each_backend;
use crate::fixture::{Demo, NOW, administration_event, later, owner, user};

/// Lets go of a future after each of these delays: before it began, somewhere in it, and after its end.
fn delays() -> impl Iterator<Item = Duration> {
    (0..40).map(|step| Duration::from_micros(step * 40))
}

/// Waits until nothing of callers who have left is under way: each holds the user's row while it is.
async fn settle(db: &Db) {
    let found = db.find_user(&owner("demo"), &user("u1")).await.unwrap().unwrap();
    let event = administration_event("user.changed", NOW);
    db.change_user(&owner("demo"), &found, None, None, &event).await.unwrap();
}

#[tokio::test]
async fn a_login_that_was_dropped_is_whole_or_absent() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let mut opened: Vec<NewSession> = Vec::new();
        for (delay, second) in delays().zip(0..) {
            let mut new = Demo::new_session(later(second));
            new.limit = Some(1);
            // What came of it is looked at below.
            let _ = tokio::time::timeout(delay, db.open_session(&demo.owner_id, &new)).await;
            opened.push(new);
        }
        settle(&db).await;
        let started: Vec<_> = demo.audited("session.started").await.into_iter().filter_map(|event| event.session_id).collect();
        let mut there = Vec::new();
        for new in &opened {
            if db.find_session(&demo.owner_id, new.session.session_id).await.unwrap().is_some() {
                there.push(new.session.session_id);
            }
        }
        assert_eq!(started, there);
        assert!(db.list_live_sessions(&demo.owner_id, &user("u1"), later(60)).await.unwrap().len() <= 1);
        assert_eq!(demo.pending().await.len(), there.len().saturating_sub(1), "each but the last was replaced, and that is told");
    })
    .await;
}

#[tokio::test]
async fn an_end_that_was_dropped_is_told_exactly_if_it_happened() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let sessions = demo.open_many(40).await;
        for (delay, session) in delays().zip(&sessions) {
            let _ = tokio::time::timeout(delay, db.end_sessions(&[demo.ending(*session, later(60))])).await;
        }
        // A statement of a caller who has left may still be under way: asking again settles it.
        let outcomes = db.end_sessions(&sessions.iter().map(|session| demo.ending(*session, later(61))).collect::<Vec<_>>()).await.unwrap();
        assert_eq!(outcomes.len(), 40);
        let told: Vec<_> = demo.pending().await.into_iter().map(|session| (session.session_id, session.ended_at)).collect();
        let mut audited: Vec<_> =
            demo.audited("session.ended").await.into_iter().map(|event| (event.session_id.unwrap(), event.at)).collect();
        audited.sort_unstable();
        let mut ended = Vec::new();
        for session in sessions {
            ended.push((session, demo.find(session).await.ended.unwrap().0));
        }
        assert_eq!((&told, &audited), (&ended, &ended));
    })
    .await;
}

#[tokio::test]
async fn a_new_password_that_was_dropped_has_ended_all_or_none() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let mut current = crate::fixture::HASH.to_owned();
        for (delay, second) in delays().zip(0..) {
            let mut new = Demo::new_session(later(second));
            new.password_hash.clone_from(&current);
            assert!(db.open_session(&demo.owner_id, &new).await.unwrap().is_some());
            let hash = format!("hash {second}");
            let ending = demo.user_ending(later(second));
            let _ = tokio::time::timeout(delay, db.set_password(&demo.owner_id, &user("u1"), &hash, None, &ending)).await;
            settle(&db).await;
            current = db.find_credentials(&demo.owner_id, "u1@example").await.unwrap().unwrap().password_hash;
            let ended = demo.find(new.session.session_id).await.ended.is_some();
            assert_eq!(current == hash, ended, "after {delay:?}");
        }
    })
    .await;
}
