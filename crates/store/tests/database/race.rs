//! Races over one session: one rotation wins, one end wins, and after an end nothing else does.

use bo_auth_core::session::EndReason;
use bo_auth_store::record::{EndOutcome, Rotation};
use futures_util::future::join_all;

use crate::backend::each_backend;
use crate::fixture::{Demo, NOW, later, rotating};

#[tokio::test]
async fn of_a_hundred_rotations_one_wins() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let session_id = demo.open(NOW).await;
        let racers = (0..100).map(|_| {
            let demo = demo.clone();
            let rotating = rotating(session_id, 0, later(1), (later(3_601), later(601)));
            tokio::spawn(async move { demo.db.rotate_session(&demo.owner_id, &rotating).await.unwrap() })
        });
        let mut won = 0;
        for rotation in join_all(racers).await {
            match rotation.unwrap() {
                Rotation::Rotated(session) => {
                    won += 1;
                    assert_eq!(session.generation, 1);
                }
                Rotation::Unchanged(session) => assert_eq!(session.generation, 1),
                Rotation::Unknown => panic!("the session is there"),
            }
        }
        assert_eq!(won, 1);
    })
    .await;
}

#[tokio::test]
async fn of_many_ends_one_wins() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let sessions = demo.open_many(5).await;
        // Every batch names every session, in an order of its own; one of the racers ends all that the user has.
        let racers = (0..16).map(|number| {
            let (demo, mut sessions) = (demo.clone(), sessions.clone());
            tokio::spawn(async move {
                if number == 7 {
                    return demo.db.end_user_sessions(&demo.user_ending(later(10))).await.unwrap().sessions.len();
                }
                sessions.rotate_left(number % 5);
                let batch: Vec<_> = sessions.iter().map(|session| demo.ending(*session, later(10))).collect();
                let outcomes = demo.db.end_sessions(&batch).await.unwrap();
                assert!(!outcomes.contains(&EndOutcome::Unknown));
                outcomes.iter().filter(|outcome| matches!(outcome, EndOutcome::Ended(_))).count()
            })
        });
        let ended: usize = join_all(racers).await.into_iter().map(Result::unwrap).sum();
        assert_eq!(ended, 5);
        assert_eq!((demo.audited("session.ended").await.len(), demo.pending().await.len()), (5, 5));
    })
    .await;
}

#[tokio::test]
async fn no_rotation_follows_an_end() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        for round in 0..20 {
            let session_id = demo.open(later(round)).await;
            let moving = {
                let demo = demo.clone();
                tokio::spawn(async move {
                    let mut rotations = 0;
                    loop {
                        let expiry = later(700 + u64::from(rotations));
                        let rotating = rotating(session_id, rotations, later(30), (later(3_630), expiry));
                        let rotation = demo.db.rotate_session(&demo.owner_id, &rotating).await;
                        match rotation.unwrap() {
                            Rotation::Rotated(_) => rotations += 1,
                            Rotation::Unchanged(session) => return (rotations, session),
                            Rotation::Unknown => panic!("the session is there"),
                        }
                    }
                })
            };
            tokio::task::yield_now().await;
            let outcomes = demo.db.end_sessions(&[demo.ending(session_id, later(40))]).await.unwrap();
            let ended = crate::fixture::ended(&outcomes[0]).clone();
            let (rotations, last) = moving.await.unwrap();
            assert_eq!(last.ended, Some((later(40), EndReason::LoggedOut)));
            assert_eq!(last.generation, rotations);
            let newest_token = if rotations == 0 { later(600 + round) } else { later(699 + u64::from(rotations)) };
            assert!(ended.keep_until >= newest_token, "every token that was handed out is remembered long enough");
        }
    })
    .await;
}

#[tokio::test]
async fn no_login_slips_past_a_new_password() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let logins = (0..12).map(|second| {
            let demo = demo.clone();
            tokio::spawn(async move { demo.db.open_session(&demo.owner_id, &Demo::new_session(later(second))).await.unwrap().is_some() })
        });
        let logins: Vec<_> = logins.collect();
        let ending = demo.user_ending(later(60));
        let ended = db.set_password(&demo.owner_id, &ending.user_id, "new hash", None, &ending).await.unwrap().sessions.len();
        let opened = join_all(logins).await.into_iter().filter(|login| *login.as_ref().unwrap()).count();
        assert_eq!(ended, opened, "whatever was opened with the old password has ended with it");
        assert!(db.list_live_sessions(&demo.owner_id, &ending.user_id, later(61)).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn two_devices_that_sign_each_other_out_do_not_both_stay() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        for round in 0..10 {
            let begun = round * 100;
            let devices = [demo.open(later(begun)).await, demo.open(later(begun)).await];
            let others = devices.map(|device| {
                let demo = demo.clone();
                tokio::spawn(async move {
                    let mut ending = demo.user_ending(later(begun + 60));
                    (ending.except, ending.while_live) = (Some(device), Some(device));
                    demo.db.end_user_sessions(&ending).await.unwrap().sessions.len()
                })
            });
            let ended: usize = join_all(others).await.into_iter().map(Result::unwrap).sum();
            assert_eq!(ended, 1);
            db.end_user_sessions(&demo.user_ending(later(begun + 61))).await.unwrap();
        }
    })
    .await;
}
