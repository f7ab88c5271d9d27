//! Logouts at the same time as something else.

use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::session::EndReason;
use bo_auth_core::time::Timestamp;
use bo_auth_service::{Error, TokenPair};
use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::Barrier;

use super::caller::{Caller, assert_ended_once, open, random_below, remembered};
use crate::support::{Session, TestApp, User, claims};

each_backend!(
    nothing_of_a_session_works_after_its_logout_whatever_a_refresh_does,
    a_hundred_logouts_of_one_session_end_it_once,
    a_login_beside_a_logout_is_untouched,
    a_login_beside_a_logout_of_all_lives_or_has_ended_wholly,
);

/// How many races are under way at a time.
const AT_ONCE: usize = 50;

/// On every backend.
const ROUNDS: usize = 10_000;

async fn nothing_of_a_session_works_after_its_logout_whatever_a_refresh_does(app: TestApp) {
    let tenant = app.with_tenant("race").await;
    let user = tenant.with_user("li").await.of(&tenant.with_system("app", json!({"replay": "off"})).await);
    let caller = Caller::new(&user.system);
    let (mut given, mut all) = (Vec::new(), Vec::new());
    while all.len() < ROUNDS {
        let sessions = open(&user, AT_ONCE).await;
        // The answer to every other session's first refresh was lost: what races there is its repetition.
        for session in sessions.iter().step_by(2) {
            caller.refresh(&session.refresh_token).await.unwrap();
        }
        let races: Vec<_> = sessions.iter().map(|session| tokio::spawn(race(caller.clone(), session.clone()))).collect();
        // Some calls see an earlier instant than others that overtake them.
        for _ in 0..random_below(100) {
            tokio::task::yield_now().await;
        }
        app.advance(Duration::from_secs(10));
        for (session, pair) in sessions.iter().zip(join_all(races).await) {
            given.extend(pair.unwrap().map(|pair| (session.id, pair)));
        }
        all.extend(sessions);
    }
    assert!(!given.is_empty() && given.len() < all.len(), "both orders have happened: {} of {}", given.len(), all.len());
    assert_ended_once(&tenant, &all).await;
    let remembered = remembered(&tenant).await;
    for (session_id, pair) in given {
        let expires_at = Timestamp::from_seconds(claims(&pair.access_token)["exp"].as_i64().unwrap());
        assert!(expires_at <= remembered[&session_id], "the end is remembered until the last access token has expired");
    }
}

/// One logout and one refresh, released together; the refreshed pair, if one was given.
async fn race(caller: Caller, session: Session) -> Option<TokenPair> {
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
    let generation = session.row().await.generation;
    caller.assert_signed_out(access, refresh).await;
    match refreshing.await.unwrap() {
        Ok(pair) => {
            assert_eq!(generation, 1, "a pair was given by a rotation before the end");
            caller.assert_signed_out(&pair.access_token, &pair.refresh_token).await;
            Some(pair)
        }
        Err(Error::SessionEnded(EndReason::LoggedOut)) => None,
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
