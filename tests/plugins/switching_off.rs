//! A plugin that fails too often is switched off: back to its last good version, or to none, and nobody is signed out less for
//! it. Failures are kept with their place.

use bo_auth_store::record::AuditFilter;
use serde_json::json;

use super::saying;
use crate::support::{Session, TestApp};

each_backend!(it_goes_back_to_the_last_good_version, without_a_good_version_the_name_stays_known, failures_are_kept_with_line_and_column,);

one_backend!(Local:
    below_a_failing_plugin_the_built_in_of_its_name_answers,
    runs_are_counted,
);

const FAILING: &str = "fn process(response, ctx) {\n    throw \"no rows\";\n}";
const SIGNED_OUT: &str = r#"{"code":0,"success":true,"message":"退出成功"}"#;

/// Calls until the plugin has failed once too often.
async fn fail(session: &Session, plugin: &str) {
    for call in 0..20 {
        let answer = session.current_user().query("_nodejs", plugin).send().await;
        assert_eq!((answer.status, answer.header("x-plugin-error")), (200, Some("exception")), "call {call}");
    }
}

async fn it_goes_back_to_the_last_good_version(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    tenant.publish("mine", &saying("good")).await;
    tenant.publish("mine", FAILING).await;
    fail(&session, "mine").await;
    let service = app.service();
    service.switch_off_failing_plugins().await.unwrap();
    let answer = session.current_user().query("_nodejs", "mine").send().await;
    assert_eq!((answer.header("x-plugin-error"), &answer.json()["message"]), (None, &json!("good")));
    let record = service.plugin_desk().find(&tenant.owner_id, "mine").await.unwrap();
    assert_eq!((record.active_version, record.switched_off.unwrap().code.as_str()), (Some(1), "exception"));
    let filter = AuditFilter { kind: Some("plugin.switched-off".to_owned()), ..AuditFilter::default() };
    let trail = service.db.list_audit_events(&tenant.owner_id, &filter, None, 5).await.unwrap();
    let traces: Vec<_> = trail.iter().map(|event| event.trace.clone()).collect();
    assert_eq!(traces, [json!({"details": {"plugin": "mine", "version": 2, "code": "exception", "canary": false, "activeVersion": 1}})]);
}

async fn without_a_good_version_the_name_stays_known(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    tenant.publish("mine", FAILING).await;
    fail(&session, "mine").await;
    app.service().switch_off_failing_plugins().await.unwrap();
    app.restart().await;
    let answer = session.logout().query("_nodejs", "mine").send().await;
    answer.assert_body(SIGNED_OUT);
    assert_eq!(answer.header("x-plugin-error"), Some("switched_off"));
    session.assert_ended("SESSION_LOGGED_OUT").await;
    // The next version begins anew.
    let session = tenant.with_user("wu").await.signed_in().await;
    tenant.publish("mine", &saying("mended")).await;
    assert_eq!(session.current_user().query("_nodejs", "mine").send().await.json()["message"], "mended");
}

async fn below_a_failing_plugin_the_built_in_of_its_name_answers(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    tenant.publish("common-data-under", FAILING).await;
    fail(&session, "common-data-under").await;
    for _ in 0..2 {
        let answer = session.current_user().query("_nodejs", "common-data-under").send().await;
        assert_eq!(answer.header("x-plugin-error"), None);
        assert!(answer.json()["data"]["user_name"].is_string());
        app.service().switch_off_failing_plugins().await.unwrap();
    }
}

async fn failures_are_kept_with_line_and_column(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    tenant.publish("mine", FAILING).await;
    session.logout().query("_nodejs", "mine").send().await.assert_body(SIGNED_OUT);
    let service = app.service();
    service.save_plugin_activity().await.unwrap();
    let failures = service.db.list_plugin_failures(&tenant.owner_id, "mine", None, 10).await.unwrap();
    let [failure] = &failures[..] else { panic!("{failures:?}") };
    assert_eq!((failure.version, failure.code.as_str(), failure.message.as_str()), (1, "exception", "line 2: no rows"));
    assert_eq!((failure.line, failure.column), (Some(2), Some(5)));
    assert_eq!((failure.route.as_str(), failure.sys_id.as_deref()), ("/bo/api/v3/auth/token/logout", Some("web")));
}

async fn runs_are_counted(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    tenant.publish("mine", r#"fn process(response, ctx) { if ctx.params._fail == "yes" { throw 1 } response }"#).await;
    for fail in ["no", "yes", "no", "no"] {
        session.current_user().query("_nodejs", "mine").query("_fail", fail).send().await;
    }
    let service = app.service();
    service.save_plugin_activity().await.unwrap();
    let desk = service.plugin_desk();
    let record = desk.find(&tenant.owner_id, "mine").await.unwrap();
    let statistics = desk.statistics(&tenant.owner_id, &record, 1).await.unwrap();
    assert_eq!((statistics.active.runs, statistics.active.failures, statistics.canary), (4, 1, None));
    assert_eq!(statistics.active.buckets.iter().map(|bucket| bucket.runs).sum::<i64>(), 4);
    let listed = desk.list(&tenant.owner_id).await.unwrap();
    let counted = listed.iter().find(|plugin| plugin.name == "mine").map(|plugin| (plugin.runs, plugin.failures));
    assert_eq!(counted, Some((4, 1)));
}
