//! Logins at the same time: under a limit of sessions, and beside a change of the password.

use bo_auth_core::session::EndReason;
use futures_util::future::{join_all, select_all};
use serde_json::json;

use super::caller::assert_ended_once;
use crate::support::TestApp;

each_backend!(of_many_logins_as_many_stay_as_the_limit_allows, no_login_outlives_the_password_it_was_made_with);

async fn of_many_logins_as_many_stay_as_the_limit_allows(app: TestApp) {
    let tenant = app.with_tenant("limit").await;
    let user = tenant.with_user("li").await.of(&tenant.with_system("app", json!({"sessionLimit": 3})).await);
    let logins = (0..60).map(|_| {
        let user = user.clone();
        tokio::spawn(async move { user.signed_in().await })
    });
    let sessions: Vec<_> = join_all(logins).await.into_iter().map(Result::unwrap).collect();
    let (mut live, mut ended) = (Vec::new(), Vec::new());
    for session in sessions {
        match session.row().await.ended {
            None => live.push(session),
            Some((_, reason)) => {
                assert_eq!(reason, EndReason::Replaced);
                ended.push(session);
            }
        }
    }
    assert_eq!((live.len(), ended.len()), (3, 57));
    for session in &live {
        session.assert_live().await;
    }
    for session in &ended {
        assert_eq!(session.current_user().send().await.error_code(), "SESSION_REPLACED");
        assert_eq!(session.refresh().send().await.error_code(), "SESSION_REPLACED");
    }
    assert_ended_once(&tenant, &ended).await;
}

async fn no_login_outlives_the_password_it_was_made_with(app: TestApp) {
    let tenant = app.with_tenant("limit").await;
    // Logins that come too late fail, and must not be answered with a captcha for it.
    let user = tenant.with_user("li").await.of(&tenant.with_system("app", json!({"captchaAfterFailures": 1_000})).await);
    let logins = (0..40).map(|_| {
        let user = user.clone();
        tokio::spawn(async move {
            let answer = user.login().send().await;
            (answer.status == 200).then(|| crate::support::Session::from_answer(user, &answer))
        })
    });
    let (first, _, others) = select_all(logins).await;
    let (change, _) = tenant.node.operator().set_password(&tenant.owner_id, "li", "another horse").await.unwrap();
    tenant.node.apply(change).await;
    let opened: Vec<_> = join_all(others).await.into_iter().chain([first]).filter_map(Result::unwrap).collect();
    for session in &opened {
        session.assert_ended("SESSION_PASSWORD_CHANGED").await;
    }
    assert_ended_once(&tenant, &opened).await;
    // Those that failed must not delay what is asked next.
    tenant.node.apply(tenant.node.operator().unlock_user(&tenant.owner_id, "li").await.unwrap()).await;
    assert_eq!(user.login().send().await.error_code(), "LOGIN_FAILED");
    assert_eq!(user.login_with("another horse").send().await.status, 200);
}
