//! Two servers on one Postgres and Redis: what one has answered holds on the other at once.

use futures_util::future::join_all;

use super::caller::{assert_ended_once, open};
use crate::support::{Session, TestApp};

one_backend!(Redis: a_logout_on_one_node_holds_on_the_other_at_once, a_refresh_on_one_node_does_not_outlive_a_logout_on_the_other);

const ROUNDS: usize = 1_000;
const AT_ONCE: usize = 20;

async fn a_logout_on_one_node_holds_on_the_other_at_once(app: TestApp) {
    let (user, other) = (app.with_tenant("nodes").await.with_user("li").await, app.second_node().await);
    let mut all = Vec::new();
    while all.len() < ROUNDS {
        let sessions = open(&user, AT_ONCE).await;
        let rounds = sessions.iter().zip(0..).map(|(session, number)| {
            let (session, here, there) = if number % 2 == 0 { (session.clone(), &app, &other) } else { (session.clone(), &other, &app) };
            let [logout, verify, refresh] = [session.logout().on(here), session.current_user().on(there), session.refresh().on(there)];
            let seen = session.current_user().on(there);
            tokio::spawn(async move {
                assert_eq!(seen.send().await.status, 200, "the other node knows the session");
                assert_eq!(logout.send().await.status, 200);
                assert_eq!(verify.send().await.error_code(), "SESSION_LOGGED_OUT");
                assert_eq!(refresh.send().await.error_code(), "SESSION_LOGGED_OUT");
            })
        });
        for round in join_all(rounds).await {
            round.unwrap();
        }
        all.extend(sessions);
    }
    assert_ended_once(&user.system.tenant, &all).await;
}

async fn a_refresh_on_one_node_does_not_outlive_a_logout_on_the_other(app: TestApp) {
    let (user, other) = (app.with_tenant("nodes").await.with_user("li").await, app.second_node().await);
    let (mut refreshed, mut all) = (0, Vec::new());
    while all.len() < ROUNDS {
        let sessions = open(&user, AT_ONCE).await;
        let races = sessions.iter().map(|session| {
            let (session, other, app) =
                (session.clone(), session.refresh().on(&other), [session.logout(), session.current_user().on(&other)]);
            tokio::spawn(race(session, other, app))
        });
        for pair in join_all(races).await {
            let Some(pair) = pair.unwrap() else { continue };
            refreshed += 1;
            for node in [&app, &other] {
                assert_eq!(pair.current_user().on(node).send().await.error_code(), "SESSION_LOGGED_OUT");
                assert_eq!(pair.refresh().on(node).send().await.error_code(), "SESSION_LOGGED_OUT");
            }
        }
        all.extend(sessions);
    }
    assert!(0 < refreshed && refreshed < ROUNDS, "both orders have happened: {refreshed}");
    assert_ended_once(&user.system.tenant, &all).await;
}

/// A refresh there and a logout here at once; the refreshed pair, if it was given.
async fn race(
    session: Session,
    refresh: crate::support::TestRequest,
    [logout, verify]: [crate::support::TestRequest; 2],
) -> Option<Session> {
    let refreshing = tokio::spawn(async move { refresh.send().await });
    assert_eq!(logout.send().await.status, 200);
    assert_eq!(verify.send().await.error_code(), "SESSION_LOGGED_OUT");
    let answer = refreshing.await.unwrap();
    if answer.status == 200 {
        return Some(Session::from_answer(session.user, &answer));
    }
    assert_eq!(answer.error_code(), "SESSION_LOGGED_OUT");
    None
}
