//! A plugin that fails too often stands back, where it fails and nowhere else, and comes back by itself. No stranger and no single
//! user can bring that about for others, and nobody is signed out less for it. Failures are kept with their place.

use std::time::Duration;

use bo_auth_store::plugin_record::PluginSwitch;
use bo_auth_store::record::AuditFilter;
use http::Method;
use serde_json::{Value, json};

use super::saying;
use crate::support::{Session, System, Tenant, TestApp, route};

each_backend!(
    it_goes_back_to_the_last_good_version,
    it_is_tried_again_and_comes_back,
    without_a_good_version_the_name_stays_known,
    no_stranger_switches_a_plugin_off,
    failures_are_kept_with_line_and_column,
);

one_backend!(Local:
    no_signed_in_user_switches_a_plugin_off_for_others,
    it_is_off_on_its_route_and_system_alone,
    below_a_failing_plugin_the_built_in_of_its_name_answers,
    what_is_published_begins_anew,
    runs_are_counted,
);

const FAILING: &str = "fn process(response, ctx) {\n    throw \"no rows\";\n}";
/// It wants what only answers of success have.
const SHAPE: &str = r#"fn process(response, ctx) { response.data.extra = 1; response.set("message", "shaped " + response.data.userId) }"#;
const SIGNED_OUT: &str = r#"{"code":0,"success":true,"message":"退出成功"}"#;

/// Sessions of so many users as it takes to switch a plugin off.
async fn sessions(system: &System) -> Vec<Session> {
    let mut sessions = Vec::new();
    for account in ["one", "two", "three"] {
        sessions.push(system.tenant.with_user(account).await.of(system).signed_in().await);
    }
    sessions
}

/// Calls until the plugin has failed once too often.
async fn fail(sessions: &[Session], plugin: &str) {
    for call in 0..20 {
        let session = &sessions[call % sessions.len()];
        let answer = session.current_user().query("_nodejs", plugin).send().await;
        assert_eq!((answer.status, answer.header("x-plugin-error")), (200, Some("exception")), "call {call}");
    }
}

async fn message(session: &Session, plugin: &str) -> Value {
    let answer = session.current_user().query("_nodejs", plugin).send().await;
    assert_eq!(answer.header("x-plugin-error"), None);
    answer.json()["message"].clone()
}

/// Where a plugin stands back, as an administrator's list has it.
async fn switches(app: &TestApp, tenant: &Tenant, plugin: &str) -> Vec<PluginSwitch> {
    let listed = app.service().plugin_desk().list(&tenant.owner_id).await.unwrap();
    listed.into_iter().find(|listed| listed.name == plugin).unwrap().switches
}

async fn trail(tenant: &Tenant, kind: &str) -> Vec<Value> {
    let filter = AuditFilter { kind: Some(kind.to_owned()), ..AuditFilter::default() };
    tenant.audit(&filter).await.into_iter().map(|event| event.trace).collect()
}

async fn it_goes_back_to_the_last_good_version(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let sessions = sessions(&tenant.web()).await;
    tenant.publish("mine", &saying("good")).await;
    tenant.publish("mine", FAILING).await;
    fail(&sessions, "mine").await;
    app.service().switch_plugins().await.unwrap();
    assert_eq!(message(&sessions[0], "mine").await, "good");
    let switches = switches(&app, &tenant, "mine").await;
    let [off] = &switches[..] else { panic!("{switches:?}") };
    assert_eq!((off.version, off.sys_id.as_str(), off.route.as_str(), off.code.as_str()), (2, "web", route::CURRENT_USER, "exception"));
    let details = json!({"plugin": "mine", "version": 2, "sysId": "web", "route": route::CURRENT_USER, "code": "exception"});
    assert_eq!(trail(&tenant, "plugin.switched-off").await, [json!({"details": details})]);
}

async fn it_is_tried_again_and_comes_back(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let sessions = sessions(&tenant.web()).await;
    tenant.publish("mine", &saying("good")).await;
    let mended = app.now().millis() + 45_000;
    let source = format!(r#"fn process(response, ctx) {{ if ctx.now_ms < {mended} {{ throw 1 }} response.set("message", "back") }}"#);
    tenant.publish("mine", &source).await;
    fail(&sessions, "mine").await;
    let service = app.service();
    service.switch_plugins().await.unwrap();
    // The first trial is in vain; whoever meets it gets what the good version makes.
    app.advance(Duration::from_secs(30));
    for session in &sessions {
        assert_eq!(message(session, "mine").await, "good");
    }
    app.advance(Duration::from_secs(10));
    assert_eq!(message(&sessions[0], "mine").await, "good");
    service.switch_plugins().await.unwrap();
    assert_eq!(switches(&app, &tenant, "mine").await.len(), 1);
    // The next is not.
    app.advance(Duration::from_mins(1));
    for session in &sessions {
        assert_eq!(message(session, "mine").await, "back");
    }
    assert_eq!(message(&sessions[0], "mine").await, "good", "a trial has one run of each user");
    app.advance(Duration::from_secs(10));
    for _ in 0..10 {
        assert_eq!(message(&sessions[0], "mine").await, "back");
    }
    service.switch_plugins().await.unwrap();
    assert!(switches(&app, &tenant, "mine").await.is_empty());
    assert_eq!(trail(&tenant, "plugin.switched-off").await.len(), 1);
    let details = json!({"plugin": "mine", "version": 2, "sysId": "web", "route": route::CURRENT_USER});
    assert_eq!(trail(&tenant, "plugin.switched-on").await, [json!({"details": details})]);
    assert_eq!(message(&sessions[0], "mine").await, "back");
}

async fn without_a_good_version_the_name_stays_known(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let sessions = sessions(&tenant.web()).await;
    tenant.publish("mine", FAILING).await;
    fail(&sessions, "mine").await;
    app.service().switch_plugins().await.unwrap();
    app.restart().await;
    let answer = sessions[0].current_user().query("_nodejs", "mine").send().await;
    assert_eq!((answer.status, answer.header("x-plugin-error")), (200, Some("switched_off")));
    let answer = sessions[0].logout().query("_nodejs", "mine").send().await;
    answer.assert_body(SIGNED_OUT);
    assert_eq!(answer.header("x-plugin-error"), Some("exception"), "on another route it is not off");
    sessions[0].assert_ended("SESSION_LOGGED_OUT").await;
    tenant.publish("mine", &saying("mended")).await;
    assert_eq!(message(&sessions[1], "mine").await, "mended");
}

/// The attack: no stamp, no token, an expired one, a wrong password; each answer lacks what the script wants.
async fn no_stranger_switches_a_plugin_off(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let system = tenant.web();
    let session = tenant.with_user("li").await.signed_in().await;
    tenant.publish("mine", SHAPE).await;
    for _ in 0..25 {
        for request in [
            system.request(Method::GET, route::CURRENT_USER).without("XverifyApi"),
            system.request(Method::GET, route::CURRENT_USER),
            system.request(Method::GET, route::CURRENT_USER).header("Authorization", "Bearer x"),
            system.request(Method::GET, "/bo/api/v3/nothing"),
            session.user.login_with("wrong"),
        ] {
            let answer = request.query("_nodejs", "mine").send().await;
            assert_eq!(answer.header("x-plugin-error"), Some("exception"), "{}", answer.text());
        }
    }
    app.service().switch_plugins().await.unwrap();
    assert_eq!(message(&session, "mine").await, "shaped id-li");
    assert!(switches(&app, &tenant, "mine").await.is_empty() && trail(&tenant, "plugin.switched-off").await.is_empty());
}

/// The attack: a user names a plugin where it does not belong, has it meet refusals, and has it fail where it does belong.
async fn no_signed_in_user_switches_a_plugin_off_for_others(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let (attacker, victim) = (tenant.with_user("wu").await.signed_in().await, tenant.with_user("li").await);
    let source =
        r#"fn process(response, ctx) { if ctx.params._fail == "yes" { throw 1 } response.set("message", response.data.user.userId) }"#;
    tenant.publish("mine", source).await;
    for _ in 0..30 {
        for request in [
            attacker.list(),
            attacker.current_user(),
            attacker.current_user().header("XfilterAreaCode", "999999"),
            attacker.refresh().query("_fail", "yes"),
            attacker.user.login().query("_fail", "yes"),
        ] {
            let answer = request.query("_nodejs", "mine").send().await;
            assert_eq!(answer.header("x-plugin-error"), Some("exception"), "{}", answer.text());
        }
    }
    app.service().switch_plugins().await.unwrap();
    let answer = victim.login().query("_nodejs", "mine").send().await;
    assert_eq!((answer.header("x-plugin-error"), &answer.json()["message"]), (None, &json!("id-li")));
    assert!(switches(&app, &tenant, "mine").await.is_empty());
}

async fn it_is_off_on_its_route_and_system_alone(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let there = sessions(&tenant.web()).await;
    let app_system = tenant.with_system("app", json!({})).await;
    let elsewhere = there[0].user.of(&app_system).signed_in().await;
    tenant.publish("mine", r#"fn process(response, ctx) { if ctx.sys_id == "web" { throw 1 } response.set("message", "here") }"#).await;
    fail(&there, "mine").await;
    let off = there[0].current_user().query("_nodejs", "mine").send().await;
    assert_eq!(off.header("x-plugin-error"), Some("switched_off"));
    let listed = there[0].list().query("_nodejs", "mine").send().await;
    assert_eq!(listed.header("x-plugin-error"), Some("exception"));
    assert_eq!(message(&elsewhere, "mine").await, "here");
}

async fn below_a_failing_plugin_the_built_in_of_its_name_answers(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let sessions = sessions(&tenant.web()).await;
    tenant.publish("common-data-under", FAILING).await;
    fail(&sessions, "common-data-under").await;
    for _ in 0..2 {
        let answer = sessions[0].current_user().query("_nodejs", "common-data-under").send().await;
        assert_eq!(answer.header("x-plugin-error"), None);
        assert!(answer.json()["data"]["user_name"].is_string());
        app.service().switch_plugins().await.unwrap();
    }
}

async fn what_is_published_begins_anew(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let sessions = sessions(&tenant.web()).await;
    let version = tenant.publish("mine", FAILING).await;
    fail(&sessions, "mine").await;
    app.service().switch_plugins().await.unwrap();
    tenant.publish_version("mine", version, None).await;
    let answer = sessions[0].current_user().query("_nodejs", "mine").send().await;
    assert_eq!(answer.header("x-plugin-error"), Some("exception"));
    assert!(switches(&app, &tenant, "mine").await.is_empty());
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
