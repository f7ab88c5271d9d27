//! Every change is in the audit trail, with who made it and from where, and never with a secret.

use http::Method;
use serde_json::{Value, json};

use super::administrator::Administrator;
use crate::support::TestApp;

each_backend!(every_change_is_in_the_trail, what_fails_is_not);

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
    any(Method::POST, format!("{path}/users"), json!({"userId": "u1", "account": "alice", "password": "hunter2 hunter2"})).await;
    any(Method::PATCH, format!("{path}/users/u1"), json!({"mobile": "13800000000"})).await;
    any(Method::PUT, format!("{path}/users/u1/password"), json!({"password": "hunter2 hunter3"})).await;
    any(Method::PATCH, format!("{path}/users/u1"), json!({"disabled": true})).await;
    any(Method::PATCH, format!("{path}/users/u1"), json!({"disabled": false})).await;
    any(Method::PUT, format!("{path}/areas"), json!({"areas": [{"areaCode": "1", "name": "a"}]})).await;
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
        assert!(!event.to_string().contains("hunter2") && !event.to_string().contains("13800000000"), "{event}");
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
