//! Ends: once, for the first reason given, with one event each, in their own tenant.

use bo_auth_core::session::EndReason;
use bo_auth_core::time::Timestamp;
use bo_auth_store::record::{EndOutcome, EndedSession};

use crate::backend::each_backend;
use crate::fixture::{Demo, NOW, ended, later, session_id, system, user};

#[tokio::test]
async fn a_session_ends_once_and_the_first_reason_stands() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let session_id = demo.open(NOW).await;
        let first = demo.ending(session_id, later(10));
        let outcomes = db.end_sessions(std::slice::from_ref(&first)).await.unwrap();
        let expected = EndedSession {
            owner_id: demo.owner_id.clone(),
            session_id,
            sys_id: system("app"),
            user_id: user("u1"),
            reason: EndReason::LoggedOut,
            ended_at: later(10),
            keep_until: later(600),
            event_id: first.event_id,
        };
        assert_eq!(outcomes, [EndOutcome::Ended(expected.clone())]);
        let mut second = demo.ending(session_id, later(20));
        second.reason = EndReason::Kicked;
        second.keep_until = later(9_000);
        let again = EndedSession { event_id: 0, ..expected.clone() };
        assert_eq!(db.end_sessions(&[second]).await.unwrap(), [EndOutcome::AlreadyEnded(again)]);
        assert_eq!(demo.find(session_id).await.ended, Some((later(10), EndReason::LoggedOut)));

        assert_eq!(demo.pending().await, [expected], "the outbox tells what the caller was told");
        let audited = demo.audited("session.ended").await;
        assert_eq!(audited.len(), 1);
        assert_eq!((audited[0].event_id, audited[0].reason, audited[0].at), (first.event_id, Some(EndReason::LoggedOut), later(10)));
        assert_eq!((audited[0].user_id.clone(), audited[0].sys_id.clone()), (Some(user("u1")), Some(system("app"))));
        assert_eq!(audited[0].trace, serde_json::json!({"address": "192.0.2.2"}));
    })
    .await;
}

#[tokio::test]
async fn a_batch_answers_each_in_its_place() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let other = Demo::named(db.clone(), "other").await;
        let sessions = demo.open_many(2).await;
        let theirs = other.open(NOW).await;
        db.end_sessions(&[demo.ending(sessions[1], later(5))]).await.unwrap();
        let batch = [
            demo.ending(session_id(NOW), later(10)),
            demo.ending(sessions[0], later(10)),
            demo.ending(sessions[1], later(10)),
            demo.ending(theirs, later(10)),
            demo.ending(sessions[0], later(11)),
        ];
        let outcomes = db.end_sessions(&batch).await.unwrap();
        assert_eq!(outcomes[0], EndOutcome::Unknown);
        assert_eq!((ended(&outcomes[1]).session_id, ended(&outcomes[1]).ended_at), (sessions[0], later(10)));
        let EndOutcome::AlreadyEnded(before) = &outcomes[2] else { panic!("it had ended before") };
        assert_eq!((before.session_id, before.ended_at), (sessions[1], later(5)));
        assert_eq!(outcomes[3], EndOutcome::Unknown, "another tenant's session is out of reach");
        assert_eq!(outcomes[4], EndOutcome::AlreadyEnded(ended(&outcomes[1]).clone()), "named twice, ended once");
        assert_eq!(other.find(theirs).await.ended, None);
        assert_eq!(demo.audited("session.ended").await.len(), 2);
        assert!(db.end_sessions(&[]).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_longest_memory_that_is_asked_for_is_kept() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let session = demo.open(NOW).await;
        let (short, mut long) = (demo.ending(session, later(10)), demo.ending(session, later(10)));
        long.keep_until = later(5_000);
        let outcomes = db.end_sessions(&[short, long]).await.unwrap();
        assert_eq!(ended(&outcomes[0]).keep_until, later(5_000));
        let late = demo.open(NOW).await;
        let outcomes = db.end_sessions(&[demo.ending(late, later(4_000))]).await.unwrap();
        assert_eq!(ended(&outcomes[0]).keep_until, later(4_000), "no earlier than its end");
    })
    .await;
}

#[tokio::test]
async fn a_session_that_has_run_out_can_still_be_ended() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let session = demo.open(NOW).await;
        let mut ending = demo.ending(session, later(100_000));
        ending.reason = EndReason::Expired;
        assert_eq!(ended(&db.end_sessions(&[ending]).await.unwrap()[0]).reason, EndReason::Expired);
    })
    .await;
}

#[tokio::test]
async fn events_whose_ids_meet_are_both_written() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let sessions = demo.open_many(3).await;
        let mut endings: Vec<_> = sessions.iter().map(|session| demo.ending(*session, later(10))).collect();
        for ending in &mut endings {
            ending.event_id = 77;
        }
        db.end_sessions(&endings[..1]).await.unwrap();
        let outcomes = db.end_sessions(&endings[1..]).await.unwrap();
        let mut ids: Vec<_> = outcomes.iter().map(|outcome| ended(outcome).event_id).collect();
        ids.push(77);
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 3);
        let mut written: Vec<_> = demo.audited("session.ended").await.iter().map(|event| event.event_id).collect();
        written.sort_unstable();
        assert_eq!(written, ids);
        assert_eq!(demo.pending().await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn all_sessions_of_a_user_end_together_save_one() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let other = Demo::named(db.clone(), "other").await;
        let sessions = demo.open_many(3).await;
        let theirs = other.open(NOW).await;
        let mut ending = demo.user_ending(later(10));
        ending.except = Some(sessions[1]);
        let mut ended = db.end_user_sessions(&ending).await.unwrap().sessions;
        ended.sort_by_key(|session| session.session_id);
        assert_eq!(ended.iter().map(|session| session.session_id).collect::<Vec<_>>(), [sessions[0], sessions[2]]);
        assert_eq!(ended.iter().map(|session| session.keep_until).collect::<Vec<_>>(), [later(600), later(602)]);
        assert_eq!(demo.pending().await, ended);
        assert_eq!(db.end_user_sessions(&ending).await.unwrap().sessions, []);
        assert_eq!((demo.find(sessions[1]).await.ended, other.find(theirs).await.ended), (None, None));
        ending.except = None;
        assert_eq!(db.end_user_sessions(&ending).await.unwrap().sessions.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_proof_of_a_session_that_is_over_ends_no_others() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let other = Demo::named(db.clone(), "other").await;
        let sessions = demo.open_many(2).await;
        let mut ending = demo.user_ending(later(10));
        ending.while_live = Some(other.open(NOW).await);
        assert_eq!(db.end_user_sessions(&ending).await.unwrap().sessions, [], "another tenant's session proves nothing");
        ending.while_live = Some(sessions[0]);
        ending.at = later(3_600);
        assert_eq!(db.end_user_sessions(&ending).await.unwrap().sessions, [], "it has run out");
        ending.at = later(10);
        assert_eq!(db.end_user_sessions(&ending).await.unwrap().sessions.len(), 2);
        demo.open(later(20)).await;
        assert_eq!(db.end_user_sessions(&ending).await.unwrap().sessions, [], "it has ended");
    })
    .await;
}

#[tokio::test]
async fn what_must_be_remembered_is_listed_page_by_page() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let other = Demo::named(db.clone(), "other").await;
        let mut expected = Vec::new();
        for demo in [&demo, &other] {
            for session in demo.open_many(3).await {
                let outcomes = db.end_sessions(&[demo.ending(session, later(10))]).await.unwrap();
                expected.push(EndedSession { event_id: 0, ..ended(&outcomes[0]).clone() });
            }
        }
        demo.open(NOW).await;
        expected.sort_by_key(|session| (session.keep_until, session.owner_id.clone(), session.session_id));
        let list = async |keep_until_after, after, limit| db.list_ended_sessions(keep_until_after, after, limit).await.unwrap();
        let first = list(NOW, None, 4).await;
        assert_eq!(first, expected[..4]);
        assert_eq!(list(NOW, first.last(), 4).await, expected[4..]);
        assert_eq!(list(later(600), None, 9).await, expected[2..], "those kept until 600 exactly are not needed after it");
        assert_eq!(list(Timestamp(i64::MIN), None, 9).await, expected);
    })
    .await;
}
