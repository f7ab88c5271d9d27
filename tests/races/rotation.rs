//! Refreshes of one session at the same time.

use futures_util::future::join_all;

use crate::support::{Session, TestApp};

each_backend!(of_a_hundred_refreshes_one_rotates_and_all_answer_the_same, a_signed_out_session_takes_all_its_access_tokens_along);

/// A hundred refreshes with the same token, at once.
async fn refresh_a_hundred_times(session: &Session) -> Vec<Session> {
    let refreshes = (0..100).map(|_| {
        let session = session.clone();
        tokio::spawn(async move { session.refreshed().await })
    });
    join_all(refreshes).await.into_iter().map(Result::unwrap).collect()
}

async fn of_a_hundred_refreshes_one_rotates_and_all_answer_the_same(app: TestApp) {
    let user = app.with_tenant("rotation").await.with_user("li").await;
    let session = user.signed_in().await;
    let answers = refresh_a_hundred_times(&session).await;
    let next = &answers[0];
    assert_ne!(next.refresh_token, session.refresh_token);
    for answer in &answers {
        assert_eq!((&answer.refresh_token, answer.id), (&next.refresh_token, session.id));
        answer.assert_live().await;
    }
    assert_eq!(session.row().await.generation, 1, "one of them has rotated");

    let third = next.refreshed().await;
    assert_ne!(third.refresh_token, next.refresh_token);
    assert_eq!(next.refreshed().await.refresh_token, third.refresh_token, "the one before goes on answering the same");
    assert_eq!(session.refresh().send().await.error_code(), "SESSION_REUSE_DETECTED");
    third.assert_ended("SESSION_REUSE_DETECTED").await;
    assert_eq!(user.system.tenant.audited_ends(&user.id).await, 1);
}

async fn a_signed_out_session_takes_all_its_access_tokens_along(app: TestApp) {
    let user = app.with_tenant("rotation").await.with_user("li").await;
    let session = user.signed_in().await;
    let answers = refresh_a_hundred_times(&session).await;
    assert_eq!(session.logout().send().await.status, 200);
    for proofs in answers.iter().chain([&session]) {
        assert_eq!(proofs.current_user().send().await.error_code(), "SESSION_LOGGED_OUT");
    }
    assert_eq!(answers[0].refresh().send().await.error_code(), "SESSION_LOGGED_OUT");
}
