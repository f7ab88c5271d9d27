//! Group commit: everyone gets their own outcome, many share a commit, nobody's ending is lost.

use bo_auth_store::db::ending_queue::{EndingError, EndingQueue};
use bo_auth_store::record::EndOutcome;
use bo_auth_store::{Db, Error, NotPublished};
use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::backend::{Schema, each_backend};
use crate::fixture::{Demo, NOW, ended, later, session_id};

fn is_unavailable(error: &EndingError) -> bool {
    matches!(error, EndingError::NotEnded(error) if error.is_unavailable())
}

#[tokio::test]
async fn logouts_that_come_together_share_a_commit() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let sessions = demo.open_many(300).await;
        let queue = EndingQueue::start(db.clone());
        let logouts = sessions.iter().map(|session| queue.end(demo.ending(*session, later(400))));
        for (outcome, session) in join_all(logouts).await.into_iter().zip(&sessions) {
            assert_eq!(ended(&outcome.unwrap()).session_id, *session);
        }
        assert!(queue.commits() <= 10, "300 logouts took {} commits", queue.commits());
        assert_eq!(demo.pending().await.len(), 300);
    })
    .await;
}

#[tokio::test]
async fn everyone_gets_their_own_outcome() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let session = demo.open(NOW).await;
        let queue = EndingQueue::start(db.clone());
        let (first, second, unknown) = tokio::join!(
            queue.end(demo.ending(session, later(1))),
            queue.end(demo.ending(session, later(2))),
            queue.end(demo.ending(session_id(NOW), later(3))),
        );
        assert_eq!(ended(&first.unwrap()).ended_at, later(1));
        assert!(matches!(second.unwrap(), EndOutcome::AlreadyEnded(_)));
        assert_eq!(unknown.unwrap(), EndOutcome::Unknown);
        let alone = demo.open(NOW).await;
        ended(&queue.end(demo.ending(alone, later(4))).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_take_the_ending_back() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let sessions = demo.open_many(20).await;
        let queue = EndingQueue::start(db.clone());
        for session in &sessions {
            assert!(queue.end(demo.ending(*session, later(30))).now_or_never().is_none());
        }
        queue.drain().await;
        for session in sessions {
            assert!(demo.find(session).await.ended.is_some());
        }
        let late = queue.end(demo.ending(session_id(NOW), later(31))).await;
        assert!(late.is_err_and(|error| is_unavailable(&error)));
        queue.drain().await;
    })
    .await;
}

#[tokio::test]
async fn without_a_database_everyone_is_told() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let queue = EndingQueue::start(db.clone());
        db.close().await;
        for outcome in join_all((0..50).map(|_| queue.end(demo.ending(session_id(NOW), later(1))))).await {
            assert!(outcome.is_err_and(|error| is_unavailable(&error)));
        }
        queue.drain().await;
        assert_eq!(queue.commits(), 0);
    })
    .await;
}

#[tokio::test]
async fn one_bad_ending_does_not_spoil_the_others() {
    let schema = Schema::new().await;
    let db: Db = schema.open().await;
    let demo = Demo::new(db.clone()).await;
    let sessions = demo.open_many(3).await;
    let queue = EndingQueue::start(db.clone());
    let mut endings: Vec<_> = sessions.iter().map(|session| demo.ending(*session, later(30))).collect();
    // Postgres has no text with this character, and so refuses the batch.
    endings[1].trace.address = Some("\0".to_owned());
    let outcomes = join_all(endings.into_iter().map(|ending| queue.end(ending))).await;
    assert_eq!(ended(outcomes[0].as_ref().unwrap()).session_id, sessions[0]);
    assert!(matches!(outcomes[1], Err(EndingError::NotEnded(Error::Unstorable))));
    assert_eq!(ended(outcomes[2].as_ref().unwrap()).session_id, sessions[2]);
    assert_eq!(demo.find(sessions[1]).await.ended, None);
    db.close().await;
    schema.remove().await;
}

#[tokio::test]
async fn an_end_that_is_not_told_is_no_end_that_failed() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let sessions = demo.open_many(20).await;
        let untold = || async { Err(NotPublished::because("nobody listens")) };
        let queue = EndingQueue::start_telling(db.clone(), move |_| untold());
        let endings = sessions.iter().map(|session| queue.end(demo.ending(*session, later(30))));
        for outcome in join_all(endings).await {
            assert!(matches!(outcome, Err(EndingError::NotPublished(_))), "{outcome:?}");
        }
        for session in sessions {
            assert!(demo.find(session).await.ended.is_some());
        }
    })
    .await;
}
