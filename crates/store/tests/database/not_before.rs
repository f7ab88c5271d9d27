//! Not-before marks: they lie behind every session that is there, whatever the clocks say, refuse no other scope's, bound
//! what is opened after them, and end each session with one event.

use std::time::Duration;

use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_store::record::{Marking, NewSession, NotBefore, Scope, TenantRecord};
use bo_auth_store::{Db, Error};
use futures_util::future::join_all;

use crate::backend::each_backend;
use crate::fixture::{Demo, HASH, NOW, change_system, change_tenant, later, marking, owner, session_id, system, user, user_record};

fn kicking(demo: &Demo, scope: Scope, second: u64) -> Marking {
    marking(&demo.owner_id, scope, EndReason::Kicked, later(second))
}

async fn mark(demo: &Demo, scope: Scope, second: u64) -> NotBefore {
    let mut revoked = demo.db.end_all(&kicking(demo, scope, second)).await.unwrap();
    assert_eq!((revoked.sessions.len(), revoked.marks.len()), (0, 1));
    revoked.marks.remove(0)
}

/// Opens a session of this user and system.
async fn open(demo: &Demo, user_id: &str, sys_id: &str, second: u64) -> SessionId {
    let mut new = Demo::new_session(later(second));
    (new.session.user_id, new.session.sys_id) = (user(user_id), system(sys_id));
    demo.db.open_session(&demo.owner_id, &new).await.unwrap().unwrap();
    new.session.session_id
}

async fn reason(demo: &Demo, session_id: SessionId) -> Option<EndReason> {
    demo.find(session_id).await.ended.map(|(_, reason)| reason)
}

/// Ends what marks refuse, some at a time; answers how many sessions that were.
async fn finish(db: &Db, portion: i64) -> usize {
    let mut total = 0;
    for pending in db.pending_marks(later(1_000_000), later(1_000_000), 100).await.unwrap() {
        assert!(db.claim_mark(&pending.mark, later(1_000_000), later(1_000_030)).await.unwrap());
        assert!(!db.claim_mark(&pending.mark, later(1_000_001), later(1_000_031)).await.unwrap(), "somebody has it");
        let mut after = None;
        loop {
            let (ended, next) = db.end_marked_sessions(&pending, after.as_ref(), portion, later(100)).await.unwrap();
            total += ended.len();
            if next.is_none() {
                break;
            }
            after = next;
        }
        db.remove_mark(&pending.mark).await.unwrap();
    }
    total
}

#[tokio::test]
async fn a_mark_refuses_its_own_scope_and_nothing_else() {
    each_backend(|db| async move {
        let (demo, other) = (Demo::new(db.clone()).await, Demo::named(db.clone(), "other").await);
        db.insert_user(&demo.owner_id, &user_record("u2"), HASH, NOW).await.unwrap();
        let [u1_app, u1_web, u2_app] =
            [open(&demo, "u1", "app", 1).await, open(&demo, "u1", "web", 2).await, open(&demo, "u2", "app", 3).await];
        let theirs = open(&other, "u1", "app", 1).await;

        mark(&demo, Scope::System(system("app")), 10).await;
        let all =
            async || [reason(&demo, u1_app).await, reason(&demo, u1_web).await, reason(&demo, u2_app).await, reason(&other, theirs).await];
        let kicked = Some(EndReason::Kicked);
        assert_eq!(all().await, [kicked, None, kicked, None]);
        assert_eq!(db.list_live_sessions(&demo.owner_id, &user("u1"), later(11)).await.unwrap().len(), 1);
        assert_eq!(db.list_sessions(&demo.owner_id, None, true, None, 10).await.unwrap().len(), 1);
        assert_eq!(db.list_sessions(&demo.owner_id, None, false, None, 10).await.unwrap().len(), 3);

        let later_one = open(&demo, "u2", "app", 20).await;
        mark(&demo, Scope::User(user("u1")), 30).await;
        assert_eq!(all().await, [kicked, kicked, kicked, None]);
        assert_eq!(reason(&demo, later_one).await, None);
        mark(&demo, Scope::Tenant, 40).await;
        assert_eq!((reason(&demo, later_one).await, reason(&other, theirs).await), (kicked, None));
        assert!(matches!(db.end_all(&kicking(&demo, Scope::System(system("none")), 50)).await, Err(Error::Missing("system"))));
        assert!(matches!(db.end_all(&kicking(&demo, Scope::User(user("none")), 50)).await, Err(Error::Missing("user"))));
    })
    .await;
}

#[tokio::test]
async fn a_mark_lies_behind_what_a_faster_clock_has_opened_and_bounds_what_a_slower_one_opens() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        for (number, scope) in [Scope::Tenant, Scope::System(system("app")), Scope::User(user("u1"))].into_iter().enumerate() {
            let base = 1_000 * (number as u64 + 1);
            let ahead = open(&demo, "u1", "app", base + 2).await;
            let made = mark(&demo, scope, base).await;
            assert_eq!(made.not_before, later(base + 2).plus(Duration::from_millis(1)));
            assert_eq!(reason(&demo, ahead).await, Some(EndReason::Kicked));
            let new = Demo::new_session(later(base + 1));
            let refused = db.open_session(&demo.owner_id, &new).await;
            assert!(matches!(refused, Err(Error::BeganTooEarly(at)) if at == made.not_before), "{refused:?}");
            assert!(db.find_session(&demo.owner_id, new.session.session_id).await.unwrap().is_none());
            let mut new = NewSession { session: new.session.clone(), ..new };
            new.session.session_id = session_id(made.not_before);
            db.open_session(&demo.owner_id, &new).await.unwrap().unwrap();
            assert_eq!(reason(&demo, new.session.session_id).await, None, "in the mark's own millisecond");
        }
    })
    .await;
}

#[tokio::test]
async fn every_session_that_a_mark_refuses_ends_with_one_event() {
    each_backend(|db| async move {
        let (demo, other) = (Demo::new(db.clone()).await, Demo::named(db.clone(), "other").await);
        let sessions = demo.open_many(25).await;
        let theirs = other.open(NOW).await;
        let signed_out = demo.ending(sessions[3], later(30));
        db.end_sessions(std::slice::from_ref(&signed_out)).await.unwrap();
        let made = mark(&demo, Scope::Tenant, 40).await;
        let stays = demo.open(later(41)).await;
        assert_eq!(finish(&db, 7).await, 24);
        assert_eq!(finish(&db, 7).await, 0);
        let audited = demo.audited("session.ended").await;
        assert_eq!(audited.len(), 25);
        for (number, session_id) in sessions.iter().enumerate() {
            let events: Vec<_> = audited.iter().filter(|event| event.session_id == Some(*session_id)).collect();
            let expected = if number == 3 { EndReason::LoggedOut } else { EndReason::Kicked };
            assert_eq!((events.len(), events[0].reason), (1, Some(expected)));
        }
        assert_eq!(demo.pending().await.len(), 25, "and the outbox tells each");
        assert_eq!((demo.find(stays).await.ended, other.find(theirs).await.ended), (None, None));
        assert_eq!(demo.audited("tenant.signed-out").await.first().map(|event| event.event_id), Some(made.event_id));
    })
    .await;
}

#[tokio::test]
async fn a_mark_and_logins_at_the_same_time_agree_on_who_was_first() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        for round in 0..10 {
            let scope = [Scope::Tenant, Scope::System(system("app")), Scope::User(user("u1"))][round % 3].clone();
            let base = 1_000 * (round as u64 + 1);
            let logins = (0..8u64).map(|number| {
                let demo = demo.clone();
                tokio::spawn(async move {
                    // Clocks that are ahead and behind.
                    let new = Demo::new_session(later(base + number));
                    (new.session.session_id, demo.db.open_session(&demo.owner_id, &new).await)
                })
            });
            let logins: Vec<_> = logins.collect();
            let made = mark(&demo, scope, base + 4).await;
            for login in join_all(logins).await {
                let (session_id, outcome) = login.unwrap();
                match outcome {
                    Ok(Some(_)) => assert_eq!(reason(&demo, session_id).await.is_some(), session_id.began() < made.not_before),
                    Err(Error::BeganTooEarly(at)) => assert!(session_id.began() < at && at == made.not_before),
                    other => panic!("{other:?}"),
                }
            }
            finish(&db, 100).await;
            let live = db.list_sessions(&demo.owner_id, None, true, None, 100).await.unwrap();
            assert!(live.iter().all(|session| session.session_id.began() >= made.not_before));
            db.end_user_sessions(&demo.user_ending(later(base + 500))).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_disabled_system_or_tenant_lets_nobody_in_and_keeps_its_sessions_ended() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let first = demo.open(NOW).await;
        let tenant = db.find_tenant(&demo.owner_id).await.unwrap().unwrap();
        let mut app = tenant.systems.iter().find(|found| found.sys_id == system("app")).unwrap().clone();
        app.disabled = true;
        change_system(&db, &demo.owner_id, &app, later(10)).await.unwrap();
        assert_eq!(db.open_session(&demo.owner_id, &Demo::new_session(later(11))).await.unwrap(), None);
        app.disabled = false;
        change_system(&db, &demo.owner_id, &app, later(12)).await.unwrap();
        assert_eq!(reason(&demo, first).await, Some(EndReason::SystemDisabled), "enabling does not bring it back");
        let second = demo.open(later(13)).await;
        change_tenant(&db, &TenantRecord { disabled: true, ..tenant.clone() }, later(20)).await.unwrap();
        assert_eq!(db.open_session(&demo.owner_id, &Demo::new_session(later(21))).await.unwrap(), None);
        change_tenant(&db, &tenant, later(22)).await.unwrap();
        assert_eq!(reason(&demo, second).await, Some(EndReason::TenantDisabled));
        assert_eq!(finish(&db, 10).await, 2);
        let reasons: Vec<_> = demo.audited("session.ended").await.iter().map(|event| event.reason).collect();
        assert_eq!(reasons, [Some(EndReason::SystemDisabled), Some(EndReason::TenantDisabled)]);
        for kind in ["system.disabled", "system.changed", "tenant.disabled", "tenant.changed"] {
            assert_eq!(demo.audited(kind).await.len(), 1, "{kind}");
        }
        let changed = db.find_tenant(&demo.owner_id).await.unwrap().unwrap();
        assert_eq!((changed.revision - tenant.revision, db.tenant_revision(&demo.owner_id).await.unwrap()), (4, changed.revision));
        assert_eq!(db.tenant_revision(&owner("nobody")).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_session_that_a_mark_refuses_ends_no_others() {
    each_backend(|db| async move {
        let demo = Demo::new(db.clone()).await;
        let over = demo.open(NOW).await;
        mark(&demo, Scope::Tenant, 10).await;
        let since = demo.open(later(20)).await;
        let mut ending = demo.user_ending(later(30));
        ending.while_live = Some(over);
        assert!(db.end_user_sessions(&ending).await.unwrap().is_empty(), "its row has no end yet, but it is over");
        assert_eq!(reason(&demo, since).await, None);
    })
    .await;
}
