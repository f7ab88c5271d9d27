//! Stopped and started again on the same data: sessions, their ends and used GUIDs are as they were.

use std::time::Duration;

use bo_auth_server::fault::FaultKind;
use bo_auth_store::record::AuditFilter;

use crate::support::TestApp;

each_backend!(
    sessions_and_their_ends_outlive_a_restart,
    used_guids_outlive_a_restart,
    uses_of_stamps_are_counted_across_restarts,
    a_stop_finishes_what_was_begun,
);

async fn sessions_and_their_ends_outlive_a_restart(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let (live, ended, reused) = (user.log_in().await, user.log_in().await, user.log_in().await);
    let live = live.refreshed().await;
    assert_eq!(ended.logout().send().await.status, 200);
    let latest = reused.refreshed().await.refreshed().await;
    assert_eq!(reused.refresh().send().await.error_code(), "SESSION_REUSE_DETECTED");
    let rows = user.rows().await;
    let trail = tenant.audit(&AuditFilter::default()).await;
    for _ in 0..2 {
        app.restart().await;
        assert_eq!(user.rows().await, rows);
        assert_eq!(tenant.audit(&AuditFilter::default()).await, trail);
        ended.assert_ended("SESSION_LOGGED_OUT").await;
        latest.assert_ended("SESSION_REUSE_DETECTED").await;
        live.assert_live().await;
        assert_eq!(ended.logout().send().await.status, 200);
        app.advance(Duration::from_mins(1));
    }
    live.refreshed().await.assert_live().await;
}

async fn used_guids_outlive_a_restart(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let request = session.current_user();
    assert_eq!(request.send().await.status, 200);
    for _ in 0..2 {
        app.restart().await;
        request.send().await.assert_fault(FaultKind::VERIFY_API_REPLAYED);
    }
    session.assert_live().await;
}

async fn uses_of_stamps_are_counted_across_restarts(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    let key = tenant.mac_key().await;
    for round in 1..=2 {
        for _ in 0..3 {
            assert_eq!(session.current_user().send().await.status, 200);
        }
        assert_eq!(session.current_user().signed(&key, &format!("nonce-of-the-round-{round}")).send().await.status, 200);
        session.current_user().header("XverifyApi", "***").send().await.assert_fault(FaultKind::VERIFY_API_INVALID);
        app.restart().await;
        let mut uses = app.service().db.list_stamp_uses(&tenant.owner_id).await.unwrap();
        uses.sort_by(|one, other| one.scheme.cmp(&other.scheme));
        let counted: Vec<(&str, &str, i64)> =
            uses.iter().map(|counted| (counted.scheme.as_str(), counted.sys_id.as_str(), counted.uses)).collect();
        assert_eq!(counted, [("des-ecb-pkcs7", "web", 3 * round), ("hmac-v2", "web", round)]);
    }
}

async fn a_stop_finishes_what_was_begun(app: TestApp) {
    let user = app.with_tenant("acme").await.with_user("li").await;
    let mut sessions = Vec::new();
    for _ in 0..8 {
        sessions.push(user.signed_in().await);
    }
    let mut calls = tokio::task::JoinSet::new();
    for session in sessions.clone() {
        calls.spawn(async move { session.logout().try_send().await });
    }
    let report = app.stop().await;
    assert_eq!(report.cut, 0);
    let answered = calls.join_all().await.into_iter().flatten().filter(|answer| answer.status == 200).count();
    app.start_again().await;
    let mut ended = 0;
    for session in &sessions {
        ended += usize::from(session.row().await.ended.is_some());
    }
    // Whoever was answered has signed out; an answer may be lost, a logout that was answered never.
    assert!(answered <= ended, "{answered} answers, {ended} ends");
}
