//! Every change is in the audit trail, with who made it and from where, and never with a secret.

use bo_auth_service::plugin::platform;
use bo_auth_store::plugin_record::NewPluginVersion;
use bo_auth_store::record::{Actor, AuditRecord};
use http::Method;
use serde_json::{Value, json};

use super::administrator::{Administrator, assert_problem};
use crate::support::{Tenant, TestApp};

each_backend!(every_change_is_in_the_trail, what_fails_is_not, changes_of_plugins_are_lines_like_others);
one_backend!(Local: old_lines_about_plugins_are_readable, what_is_offered_to_all_has_a_trail_of_its_own);

async fn every_change_is_in_the_trail(app: TestApp) {
    let platform = Administrator::of_platform(&app).await;
    let o = format!("acme-{}", platform.account());
    assert_eq!(platform.post("/tenants", &json!({"ownerId": o, "desKey": "hunter2!"})).await.status, 201);
    let path = format!("/tenants/{o}");
    let any = |method: Method, path: String, body: Value| {
        let request = platform.request(method, &path).header("If-Match", "*").json(&body);
        async move { assert!(request.send().await.status < 300, "{path}") }
    };
    any(Method::PATCH, path.clone(), json!({"name": "Acme", "settings": {"sessionLimit": 3}})).await;
    any(Method::POST, format!("{path}/systems"), json!({"sysId": "app"})).await;
    any(Method::PATCH, format!("{path}/systems/app"), json!({"settings": {"replay": "off"}})).await;
    any(Method::POST, format!("{path}/users"), json!({"userId": "u1", "account": "alice", "password": "secret-of-the-first-day"})).await;
    any(Method::PATCH, format!("{path}/users/u1"), json!({"mobile": "13800000000"})).await;
    any(Method::PUT, format!("{path}/users/u1/password"), json!({"password": "secret-of-the-second-day"})).await;
    any(Method::PATCH, format!("{path}/users/u1"), json!({"disabled": true})).await;
    any(Method::PATCH, format!("{path}/users/u1"), json!({"disabled": false})).await;
    any(Method::POST, format!("{path}/areas"), json!({"areas": [{"areaCode": "1", "name": "a"}]})).await;
    any(Method::POST, format!("{path}/keys/rotate"), json!({"purpose": "stamp", "desKey": "hunter2?"})).await;
    let keys = platform.all(&format!("{path}/keys"), 50).await;
    let old = keys.iter().find(|key| key["purpose"] == "stamp" && !key["retiresAt"].is_null()).unwrap();
    any(Method::DELETE, format!("{path}/keys/{}", old["keyId"].as_str().unwrap()), Value::Null).await;
    any(Method::PATCH, format!("{path}/systems/app"), json!({"disabled": true})).await;
    any(Method::PATCH, path.clone(), json!({"disabled": true})).await;
    any(Method::PATCH, path.clone(), json!({"disabled": false})).await;

    let mut events = platform.all(&format!("{path}/audit-events"), 3).await;
    // Ids of one instant follow no order of their own; the clock stands still here.
    events.sort_by_key(|event| event["kind"].as_str().unwrap().to_owned());
    let kinds: Vec<&str> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    let expected = [
        "areas.imported",
        "key.rotated",
        "key.withdrawn",
        "system.added",
        "system.changed",
        "system.disabled",
        "tenant.added",
        "tenant.changed",
        "tenant.disabled",
        "tenant.enabled",
        "user.added",
        "user.changed",
        "user.disabled",
        "user.enabled",
        "user.password-changed",
    ];
    assert_eq!(kinds, expected);
    for event in &events {
        assert_eq!((&event["actor"], &event["adminUserId"]), (&json!("admin"), &json!(platform.record.user.user_id)), "{event}");
        assert_eq!((&event["address"], &event["at"]), (&json!("127.0.0.1"), &json!(app.now().0)), "{event}");
        let text = event.to_string();
        assert!(["hunter2", "secret-of-the", "13800000000"].iter().all(|secret| !text.contains(secret)), "{event}");
    }
    let of = |kind: &str| events.iter().find(|event| event["kind"] == kind).unwrap();
    assert_eq!(of("tenant.changed")["details"], json!({"name": "Acme", "settings": {"sessionLimit": 3}}));
    assert_eq!(
        (&of("system.changed")["sysId"], &of("system.changed")["details"]),
        (&json!("app"), &json!({"settings": {"replay": "off"}}))
    );
    assert_eq!(of("user.changed")["details"], json!({"changed": ["mobile"]}));
    let about = platform.all(&format!("{path}/audit-events?userId=u1&kind=user.disabled"), 50).await;
    assert_eq!((about.len(), &about[0]["userId"]), (1, &json!("u1")));
}

async fn what_fails_is_not(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let admin = Administrator::of_tenant(&app, &tenant).await;
    let user = tenant.with_user("li").await;
    let path = format!("/tenants/{}", tenant.owner_id);
    let trail = async || admin.all(&format!("{path}/audit-events"), 100).await;
    let before = trail().await;
    for (method, at, etag, body) in [
        (Method::PATCH, path.clone(), "\"0\"", json!({"name": "x"})),
        (Method::PATCH, path.clone(), "*", json!({"settings": {"sessionSeconds": -1}})),
        (Method::POST, format!("{path}/systems"), "*", json!({"sysId": "web"})),
        (Method::POST, format!("{path}/users"), "*", json!({"account": "li", "password": "correct horse"})),
        (Method::PUT, format!("{path}/users/{}/password", user.id), "*", json!({"password": "x".repeat(2_000)})),
        (Method::POST, format!("{path}/keys/rotate"), "*", json!({"purpose": "stamp", "desKey": ""})),
    ] {
        let answer = admin.request(method, &at).header("If-Match", etag).json(&body).send().await;
        assert!((400..500).contains(&answer.status), "{at}: {}", answer.text());
    }
    assert_eq!(trail().await, before);
    // An end that is repeated is one event, with the administrator and the reason.
    let session = user.signed_in().await;
    for _ in 0..3 {
        let ended = admin.request(Method::DELETE, &format!("{path}/sessions/{}", session.id)).send().await;
        assert_eq!(ended.status, 204);
    }
    let ends = admin.all(&format!("{path}/audit-events?kind=session.ended&sessionId={}", session.id), 10).await;
    assert_eq!((ends.len(), &ends[0]["reason"], &ends[0]["actor"]), (1, &json!("KICKED"), &json!("admin")));
    assert_eq!(ends[0]["adminUserId"], json!(admin.record.user.user_id));
}

const SCRIPT: &str = "fn process(response, ctx) { response }";

/// What an administrator does with a plugin, from the draft to its withdrawal.
async fn whole_life(admin: &Administrator, base: &str) {
    let change = async |method: Method, path: &str, body: Value| {
        let answer = admin.request(method, &format!("{base}{path}")).header("If-Match", "*").json(&body).send().await;
        assert!(answer.status < 300, "{path}: {}", answer.text());
    };
    for source in [SCRIPT, "fn process(response, ctx) { response.camel() }"] {
        change(Method::POST, "/mine/versions", json!({"source": source})).await;
    }
    change(Method::POST, "/mine/publish", json!({"version": 1})).await;
    change(Method::POST, "/mine/publish", json!({"version": 2, "canarySharePercent": 5})).await;
    change(Method::POST, "/mine/rollback", json!({})).await;
    change(Method::DELETE, "/mine", Value::Null).await;
    change(Method::PUT, "/recording", json!({"enabled": true, "maximum": 7})).await;
    change(Method::PUT, "/recording", json!({"enabled": false})).await;
}

async fn changes_of_plugins_are_lines_like_others(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let admin = Administrator::of_tenant(&app, &tenant).await;
    let path = format!("/tenants/{}", tenant.owner_id);
    whole_life(&admin, &format!("{path}/plugins")).await;
    let events = admin.all(&format!("{path}/audit-events"), 100).await;
    let plugins: Vec<&Value> = events.iter().filter(|event| event["kind"].as_str().unwrap().starts_with("plugin.")).collect();
    for event in &plugins {
        assert_eq!((&event["adminUserId"], &event["address"]), (&json!(admin.record.user.user_id), &json!("127.0.0.1")), "{event}");
        assert_eq!(event["details"]["author"], json!(admin.account()), "{event}");
    }
    let of =
        |kind: &str| -> Vec<Value> { plugins.iter().filter(|event| event["kind"] == kind).map(|event| event["details"].clone()).collect() };
    let author = admin.account();
    assert_eq!(of("plugin.published"), [json!({"plugin": "mine", "version": 1, "author": author, "activeVersion": 1})]);
    let canary = json!({"plugin": "mine", "version": 2, "sharePercent": 5, "author": author, "activeVersion": 1, "before": 1});
    assert_eq!(of("plugin.canary"), [canary]);
    assert_eq!(of("plugin.rolled-back"), [json!({"plugin": "mine", "author": author, "activeVersion": 1, "before": 1})]);
    assert_eq!(of("plugin.withdrawn"), [json!({"plugin": "mine", "author": author, "before": 1})]);
    let mut recording = of("plugin.recording");
    recording.sort_by_key(|details| details["enabled"].as_bool());
    let (off, on) = (json!({"enabled": false, "author": author}), json!({"enabled": true, "samples": 7, "author": author}));
    assert_eq!(recording, [off, on]);
    assert!(of("plugin.stored").len() == 2 && of("plugin.stored").iter().all(|details| details["digest"].as_str().unwrap().len() == 64));

    // What the service does by itself is a line of its own.
    switched_off(&app, &tenant).await;
    let events = admin.all(&format!("{path}/audit-events?kind=plugin.switched-off"), 10).await;
    let details = json!({"plugin": "failing", "version": 1, "sysId": "web", "route": "/bo/api/v3/auth/user/current", "code": "exception"});
    assert_eq!((&events[0]["details"], &events[0]["actor"], &events[0]["adminUserId"]), (&details, &json!("service"), &Value::Null));
}

async fn switched_off(app: &TestApp, tenant: &Tenant) {
    tenant.publish("failing", "fn process(response, ctx) { throw 1 }").await;
    for account in ["li", "wu", "xu"] {
        let session = tenant.with_user(account).await.signed_in().await;
        for _ in 0..7 {
            session.current_user().query("_nodejs", "failing").send().await;
        }
    }
    app.service().switch_plugins().await.unwrap();
}

async fn old_lines_about_plugins_are_readable(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let admin = Administrator::of_tenant(&app, &tenant).await;
    let new = NewPluginVersion { source: SCRIPT.into(), digest: "d".into(), author: "li".into(), note: String::new() };
    // As they were written before all lines had one shape.
    let trace = json!({"plugin": "mine", "version": 2, "author": "li"});
    let event = AuditRecord {
        event_id: app.now().0,
        kind: "plugin.published".into(),
        sys_id: None,
        user_id: None,
        session_id: None,
        reason: None,
        actor: Actor::Admin,
        trace: trace.clone(),
        at: app.now(),
    };
    app.service().db.insert_plugin_version(&tenant.owner_id, "mine", &new, &event, app.now()).await.unwrap();
    let events = admin.all(&format!("/tenants/{}/audit-events?kind=plugin.published", tenant.owner_id), 10).await;
    assert_eq!((&events[0]["details"], &events[0]["adminUserId"]), (&trace, &Value::Null));
}

async fn what_is_offered_to_all_has_a_trail_of_its_own(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let (own, admin) = (Administrator::of_tenant(&app, &tenant).await, Administrator::of_platform(&app).await);
    whole_life(&admin, "/tenants/platform/plugins").await;
    let events = admin.all("/tenants/platform/audit-events", 3).await;
    assert_eq!(events.len(), 8, "{events:?}");
    assert!(events.iter().all(|event| event["adminUserId"] == json!(admin.record.user.user_id)));
    assert_problem(&own.get("/tenants/platform/audit-events").await, 403, "ROLE_FORBIDDEN");
    assert_problem(&admin.get(&format!("/tenants/{}/audit-events", platform())).await, 404, "NOT_FOUND");
}
