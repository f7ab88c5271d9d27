//! Marks over HTTP: all sessions of a system or a tenant are refused when the operator's call returns, nobody else's are, who
//! signs in next is welcome, and each session ends with one event.

use bo_auth_core::session::EndReason;
use bo_auth_core::time::Timestamp;
use bo_auth_service::operator::session::Target;
use bo_auth_service::operator::system::SystemChange;
use bo_auth_store::record::AuditFilter;
use serde_json::json;

use crate::support::{Tenant, TestApp};

each_backend!(
    all_of_a_system_end_and_no_others,
    all_of_a_tenant_end_and_no_others,
    a_user_who_signs_out_everywhere_may_sign_in_at_once,
    a_disabled_system_ends_its_sessions_with_that_reason,
);

/// The reasons with which sessions of the tenant have ended, as the audit trail has them; a session stands once.
async fn reasons(tenant: &Tenant) -> Vec<EndReason> {
    let filter = AuditFilter { kind: Some("session.ended".to_owned()), ..AuditFilter::default() };
    let trail = tenant.audit(&filter).await;
    let mut sessions: Vec<_> = trail.iter().map(|event| event.session_id).collect();
    sessions.sort_unstable();
    sessions.dedup();
    assert_eq!(sessions.len(), trail.len(), "one event for each session");
    trail.iter().filter_map(|event| event.reason).collect()
}

async fn all_of_a_system_end_and_no_others(app: TestApp) {
    let (tenant, stranger) = (app.with_tenant("acme").await, app.with_tenant("stranger").await);
    let user = tenant.with_user("li").await;
    let at_app = user.of(&tenant.with_system("app", json!({})).await);
    let (in_app, also_in_app, in_web) = (at_app.log_in().await, at_app.log_in().await, user.log_in().await);
    let theirs = stranger.with_user("li").await.log_in().await;

    let in_app_system = Target { sys_id: Some(at_app.system.sys_id.clone()), ..Target::default() };
    let operator = tenant.node.operator();
    let ended = operator.end_sessions(&tenant.owner_id, &in_app_system, None, EndReason::Kicked).await.unwrap();
    tenant.node.apply(ended.change).await;
    for session in [&in_app, &also_in_app] {
        session.assert_ended("SESSION_KICKED").await;
        assert_eq!(session.logout().send().await.status, 200, "who is signed out may say so");
    }
    in_web.assert_live().await;
    theirs.assert_live().await;
    let since = at_app.log_in().await;
    since.assert_live().await;
    since.refreshed().await.assert_live().await;

    app.service().finish_marks(Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(app.service().finish_marks(Timestamp(i64::MAX)).await.unwrap(), 0);
    assert_eq!(reasons(&tenant).await.len(), 2);
    assert_eq!(reasons(&stranger).await, []);
    in_web.assert_live().await;
    app.restart().await;
    in_app.assert_ended("SESSION_KICKED").await;
    in_web.assert_live().await;
}

async fn all_of_a_tenant_end_and_no_others(app: TestApp) {
    let (tenant, stranger) = (app.with_tenant("acme").await, app.with_tenant("stranger").await);
    let user = tenant.with_user("li").await;
    let at_app = user.of(&tenant.with_system("app", json!({})).await);
    let sessions = [user.signed_in().await, at_app.log_in().await, tenant.with_user("wang").await.log_in().await];
    let theirs = stranger.with_user("li").await.log_in().await;
    let (operator, all) = (tenant.node.operator(), Target::default());
    let ended = operator.end_sessions(&tenant.owner_id, &all, None, EndReason::Kicked).await.unwrap();
    tenant.node.apply(ended.change).await;
    assert!(ended.not_before.unwrap() >= app.now());
    // Before a single row has its end, and after a restart as well.
    for session in &sessions {
        assert_eq!(session.current_user().send().await.error_code(), "SESSION_KICKED");
        assert_eq!(session.refresh().send().await.error_code(), "SESSION_KICKED");
    }
    app.restart().await;
    for session in &sessions {
        session.assert_ended("SESSION_KICKED").await;
    }
    theirs.assert_live().await;
    let since = user.log_in().await;
    since.assert_live().await;
    app.service().finish_marks(Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(reasons(&tenant).await, [EndReason::Kicked; 3]);
    since.assert_live().await;
    theirs.assert_live().await;
}

async fn a_user_who_signs_out_everywhere_may_sign_in_at_once(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let (user, other) = (tenant.with_user("li").await, tenant.with_user("wang").await.log_in().await);
    for _ in 0..3 {
        // The clock stands still: all of it happens within one millisecond.
        let (session, second) = (user.log_in().await, user.log_in().await);
        assert_eq!(session.logout().query("scope", "all").send().await.status, 200);
        session.assert_ended("SESSION_LOGGED_OUT").await;
        second.assert_ended("SESSION_LOGGED_OUT").await;
    }
    user.log_in().await.assert_live().await;
    other.assert_live().await;
    assert_eq!(reasons(&tenant).await, [EndReason::LoggedOut; 6]);
}

async fn a_disabled_system_ends_its_sessions_with_that_reason(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let system = tenant.with_system("app", json!({})).await;
    let (session, in_web) = (user.of(&system).log_in().await, user.log_in().await);
    system.alter(SystemChange { disabled: Some(true), ..SystemChange::default() }).await;
    session.assert_ended("SYSTEM_DISABLED").await;
    in_web.assert_live().await;
    app.service().finish_marks(Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(reasons(&tenant).await, [EndReason::SystemDisabled]);
    tenant.set_disabled(true).await;
    in_web.assert_ended("TENANT_DISABLED").await;
    app.service().finish_marks(Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(reasons(&tenant).await.len(), 2);
    assert!(reasons(&tenant).await.contains(&EndReason::TenantDisabled));
}
