//! The limit of concurrent sessions: the oldest gives way, and racing logins do not get past it.

use bo_auth_core::session::EndReason;
use bo_auth_store::record::Actor;
use futures_util::future::join_all;

use crate::backend::each_backend;
use crate::fixture::{Demo, NOW, later, system, user};

#[tokio::test]
async fn the_oldest_session_of_the_user_and_system_gives_way() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let mut elsewhere = Demo::new_session(NOW);
        elsewhere.session.sys_id = system("web");
        db.open_session(&demo.owner_id, &elsewhere).await.unwrap();
        let sessions = demo.open_many(3).await;
        let mut new = Demo::new_session(later(60));
        new.limit = Some(2);
        let mut replaced = db.open_session(&demo.owner_id, &new).await.unwrap().unwrap();
        replaced.sort_by_key(|session| session.session_id);
        assert_eq!(replaced.iter().map(|session| session.session_id).collect::<Vec<_>>(), sessions[..2]);
        assert!(replaced.iter().all(|session| session.reason == EndReason::Replaced && session.ended_at == later(60)));
        assert_eq!(demo.find(sessions[0]).await.ended, Some((later(60), EndReason::Replaced)));
        assert_eq!(demo.find(sessions[2]).await.ended, None);
        assert_eq!(demo.find(elsewhere.session.session_id).await.ended, None);
        assert_eq!(demo.pending().await, replaced);
        let audited = demo.audited("session.ended").await;
        assert_eq!(audited.len(), 2);
        assert!(audited.iter().all(|event| event.actor == Actor::Service && event.reason == Some(EndReason::Replaced)));
    })
    .await;
}

#[tokio::test]
async fn a_session_that_has_run_out_does_not_count() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let (old, young) = (demo.open(NOW).await, demo.open(later(3_000)).await);
        let mut new = Demo::new_session(later(3_600));
        new.limit = Some(2);
        assert_eq!(db.open_session(&demo.owner_id, &new).await.unwrap(), Some(Vec::new()));
        assert_eq!((demo.find(old).await.ended, demo.find(young).await.ended), (None, None));
    })
    .await;
}

#[tokio::test]
async fn a_limit_of_one_leaves_the_newest_alone() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        // Opened by a node whose clock is ahead: the session that is being opened stays all the same.
        let ahead = demo.open(later(30)).await;
        let mut new = Demo::new_session(NOW);
        new.limit = Some(1);
        let replaced = db.open_session(&demo.owner_id, &new).await.unwrap().unwrap();
        assert_eq!(replaced.iter().map(|session| session.session_id).collect::<Vec<_>>(), [ahead]);
        assert_eq!(demo.find(new.session.session_id).await.ended, None);
    })
    .await;
}

#[tokio::test]
async fn racing_logins_do_not_get_past_the_limit() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let logins = (0..24).map(|second| {
            let mut new = Demo::new_session(later(second));
            new.limit = Some(3);
            let demo = demo.clone();
            tokio::spawn(async move { demo.db.open_session(&demo.owner_id, &new).await.unwrap().unwrap().len() })
        });
        let replaced: usize = join_all(logins).await.into_iter().map(Result::unwrap).sum();
        let live = db.list_live_sessions(&demo.owner_id, &user("u1"), later(60)).await.unwrap();
        assert_eq!((live.len(), replaced), (3, 21));
        assert_eq!(demo.pending().await.len(), 21);
    })
    .await;
}
