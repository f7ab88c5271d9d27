//! Logouts at the same time as something else.

use std::sync::Arc;

use bo_auth_core::session::EndReason;
use bo_auth_service::Error;
use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::Barrier;

use super::caller::{Caller, assert_ended_once, open, random_below};
use crate::support::{Backend, Session, TestApp, User};

each_backend!(
    nothing_of_a_session_works_after_its_logout_whatever_a_refresh_does,
    a_hundred_logouts_of_one_session_end_it_once,
    a_login_beside_a_logout_is_untouched,
    a_login_beside_a_logout_of_all_lives_or_has_ended_wholly,
);

/// How many races are under way at a time.
const AT_ONCE: usize = 50;

const fn rounds(backend: Backend) -> usize {
    match backend {
        // The cache differs from `Local`, and has no part in this race.
        Backend::Sqlite => 2_000,
        Backend::Local | Backend::Redis => 10_000,
    }
}

/// How a race came out: whether the refresh was answered with a pair.
#[derive(Default)]
struct Outcomes {
    refreshed: usize,
    refused: usize,
}

async fn nothing_of_a_session_works_after_its_logout_whatever_a_refresh_does(app: TestApp) {
    let tenant = app.with_tenant("race").await;
    let user = tenant.with_user("li").await.of(&tenant.with_system("app", json!({"replay": "off"})).await);
    let caller = Caller::new(&user.system);
    let (mut outcomes, mut all) = (Outcomes::default(), Vec::new());
    while all.len() < rounds(app.backend()) {
        let sessions = open(&user, AT_ONCE).await;
        let races = sessions.iter().map(|session| tokio::spawn(race(caller.clone(), session.clone())));
        for refreshed in join_all(races).await {
            if refreshed.unwrap() { outcomes.refreshed += 1 } else { outcomes.refused += 1 }
        }
        all.extend(sessions);
    }
    assert!(outcomes.refreshed > 0 && outcomes.refused > 0, "both orders have happened");
    assert_ended_once(&user.system.tenant, &all).await;
}

/// One logout and one refresh, released together; whether the refresh came first.
async fn race(caller: Caller, session: Session) -> bool {
    let (access, refresh) = (session.access_token.as_str(), session.refresh_token.as_str());
    let barrier = Arc::new(Barrier::new(2));
    let refreshing = {
        let (caller, refresh, barrier) = (caller.clone(), refresh.to_owned(), Arc::clone(&barrier));
        tokio::spawn(async move {
            barrier.wait().await;
            caller.refresh(&refresh).await
        })
    };
    barrier.wait().await;
    for _ in 0..random_below(4) {
        tokio::task::yield_now().await;
    }
    let receipt = caller.logout(access, refresh).await.unwrap();
    assert_eq!((receipt.sessions, receipt.already_ended), (1, false));
    // The refresh may still be under way.
    caller.assert_signed_out(access, refresh).await;
    match refreshing.await.unwrap() {
        Ok(pair) => {
            caller.assert_signed_out(&pair.access_token, &pair.refresh_token).await;
            true
        }
        Err(Error::SessionEnded(EndReason::LoggedOut)) => false,
        Err(other) => panic!("{other:?}"),
    }
}

async fn a_hundred_logouts_of_one_session_end_it_once(app: TestApp) {
    let user = app.with_tenant("race").await.with_user("li").await;
    let session = user.log_in().await;
    let logouts = (0..100).map(|_| {
        let logout = session.logout().header("Prefer", "return=representation");
        tokio::spawn(async move { logout.send().await })
    });
    let mut firsts = 0;
    for answer in join_all(logouts).await {
        let answer = answer.unwrap().json();
        assert_eq!((&answer["code"], &answer["data"]["reason"]), (&0.into(), &"LOGGED_OUT".into()), "{answer}");
        if answer["data"]["alreadyEnded"] == false {
            firsts += 1;
            assert_eq!(answer["data"]["sessions"], 1);
        }
    }
    assert_eq!(firsts, 1, "one of them has ended it");
    session.assert_ended("SESSION_LOGGED_OUT").await;
    assert_ended_once(&user.system.tenant, &[session]).await;
}

/// Logins over the wire and logouts of earlier sessions, together.
async fn beside(user: &User, scope: &'static str) -> (Vec<Session>, Vec<Session>) {
    let earlier = open(user, 40).await;
    let logouts = earlier.iter().step_by(if scope == "all" { 10 } else { 1 }).map(|session| {
        let logout = session.logout().query("scope", scope);
        tokio::spawn(async move { assert_eq!(logout.send().await.status, 200) })
    });
    let logouts: Vec<_> = logouts.collect();
    let logins = (0..40).map(|_| {
        let user = user.clone();
        tokio::spawn(async move { user.log_in().await })
    });
    let logins: Vec<_> = logins.collect();
    for logout in logouts {
        logout.await.unwrap();
    }
    (earlier, join_all(logins).await.into_iter().map(Result::unwrap).collect())
}

async fn a_login_beside_a_logout_is_untouched(app: TestApp) {
    let user = app.with_tenant("race").await.with_user("li").await;
    let (earlier, opened) = beside(&user, "local").await;
    for session in &earlier {
        session.assert_ended("SESSION_LOGGED_OUT").await;
    }
    for session in &opened {
        session.assert_live().await;
    }
    assert_ended_once(&user.system.tenant, &earlier).await;
}

async fn a_login_beside_a_logout_of_all_lives_or_has_ended_wholly(app: TestApp) {
    let user = app.with_tenant("race").await.with_user("li").await;
    let (mut ended, opened) = beside(&user, "all").await;
    for session in &ended {
        session.assert_ended("SESSION_LOGGED_OUT").await;
    }
    for session in opened {
        if session.row().await.ended.is_some() {
            session.assert_ended("SESSION_LOGGED_OUT").await;
            ended.push(session);
        } else {
            session.assert_live().await;
        }
    }
    assert_ended_once(&user.system.tenant, &ended).await;
}
