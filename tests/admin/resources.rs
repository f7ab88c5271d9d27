//! Tenants, systems, users, areas and keys: added, read back, changed, and never with a secret in them.

use bo_auth_core::identifier::OwnerId;
use http::Method;
use serde_json::{Value, json};

use super::administrator::{Administrator, assert_problem};
use crate::support::TestApp;

each_backend!(
    a_tenant_is_made_whole_over_the_api,
    users_are_added_and_changed,
    areas_are_imported_in_both_forms,
    keys_are_rotated_and_withdrawn
);

async fn a_tenant_is_made_whole_over_the_api(app: TestApp) {
    let admin = Administrator::of_platform(&app).await;
    let o = format!("acme-{}", admin.account());
    let added = admin.post("/tenants", &json!({"ownerId": o, "name": "Acme", "algorithm": "ES256", "settings": {"sessionLimit": 2}})).await;
    assert_eq!(added.status, 201, "{}", added.text());
    let tenant = &added.json()["tenant"];
    assert_eq!(added.json()["desKey"].as_str().unwrap().len(), 8);
    assert_eq!((&tenant["ownerId"], &tenant["name"], &tenant["defaultSysId"]), (&json!(o), &json!("Acme"), &json!("web")));
    assert_eq!((&tenant["settings"], &tenant["disabled"]), (&json!({"sessionLimit": 2}), &json!(false)));
    let path = format!("/tenants/{o}");
    assert_eq!(admin.read(&path).await, *tenant);

    let system =
        admin.post(&format!("{path}/systems"), &json!({"sysId": "app", "name": "App", "settings": {"accessTokenSeconds": 60}})).await;
    assert_eq!((system.status, &system.json()["isDefault"]), (201, &json!(false)), "{}", system.text());
    assert_problem(&admin.post(&format!("{path}/systems"), &json!({"sysId": "app"})).await, 409, "CONFLICT");
    assert_problem(&admin.post(&format!("{path}/systems"), &json!({"sysId": "x", "settings": {"output": "octal"}})).await, 422, "REFUSED");
    let etag = system.header("etag").unwrap();
    let changed =
        admin.patch(&format!("{path}/systems/app"), etag, &json!({"settings": {"accessTokenSeconds": null, "replay": "off"}})).await;
    assert_eq!(changed.json()["settings"], json!({"replay": "off"}), "{}", changed.text());
    assert_problem(&admin.get(&format!("{path}/systems/tv")).await, 404, "NOT_FOUND");

    let etag = admin.get(&path).await.header("etag").unwrap().to_owned();
    assert_problem(&admin.patch(&path, &etag, &json!({"defaultSysId": "tv"})).await, 422, "REFUSED");
    // What suits the tenant must suit its systems too.
    assert_problem(&admin.patch(&path, &etag, &json!({"settings": {"sessionSeconds": 0}})).await, 422, "REFUSED");
    let changed = admin.patch(&path, &etag, &json!({"defaultSysId": "app", "name": "Acme 2", "settings": {"sessionLimit": null}})).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    assert_eq!((&changed.json()["defaultSysId"], &changed.json()["settings"]), (&json!("app"), &json!({})));
    assert_eq!(admin.read(&format!("{path}/systems/app")).await["isDefault"], true);
    let user = json!({"account": "alice", "password": "correct horse"});
    assert_eq!(admin.post(&format!("{path}/users"), &user).await.status, 201);
    let stored = app.service().db.find_tenant(&OwnerId::parse(&o).unwrap()).await.unwrap().unwrap();
    assert_eq!((stored.name.as_str(), stored.systems.len()), ("Acme 2", 2));
}

async fn users_are_added_and_changed(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let admin = Administrator::of_tenant(&app, &tenant).await;
    let users = format!("/tenants/{}/users", tenant.owner_id);
    let body = json!({"userId": "u1", "account": "alice", "password": "correct horse", "name": "爱丽丝", "mobile": "13800000000", "areaCodes": ["440000"]});
    let added = admin.post(&users, &body).await;
    assert_eq!(added.status, 201, "{}", added.text());
    let expected = json!({"userId": "u1", "account": "alice", "name": "爱丽丝", "mobile": "13800000000", "pushName": null,
        "areaCodes": ["440000"], "disabled": false, "updatedAt": app.now().0});
    assert_eq!(added.json(), expected);
    assert!(!added.text().contains("argon2") && !added.text().contains("horse"));
    assert_problem(&admin.post(&users, &json!({"account": "alice", "password": "correct horse"})).await, 409, "CONFLICT");
    assert_problem(
        &admin.post(&users, &json!({"account": "bob", "password": "correct horse", "mobile": "13800000000"})).await,
        409,
        "CONFLICT",
    );
    assert_eq!(admin.post(&users, &json!({"account": "bob", "password": "correct horse"})).await.status, 201);

    let one = format!("{users}/u1");
    let etag = added.header("etag").unwrap();
    let changed = admin.patch(&one, etag, &json!({"name": "Alice", "mobile": null, "pushName": "小爱", "areaCodes": []})).await;
    let (now, changed_at) = (app.now().0, changed.json()["updatedAt"].as_i64().unwrap());
    assert!(changed_at > now, "the clock stands still, and what has changed is later");
    let expected = json!({"userId": "u1", "account": "alice", "name": "Alice", "mobile": null, "pushName": "小爱",
        "areaCodes": [], "disabled": false, "updatedAt": changed_at});
    assert_eq!(changed.json(), expected);
    assert_eq!(admin.read(&one).await, expected);
    let bob = admin.all(&format!("{users}?account=bob"), 10).await[0]["userId"].as_str().unwrap().to_owned();
    let mobile = admin.request(Method::PATCH, &one).header("If-Match", "*").json(&json!({"mobile": "13900000000"})).send().await;
    assert_eq!(mobile.status, 200);
    let taken = admin.request(Method::PATCH, &format!("{users}/{bob}")).header("If-Match", "*").json(&json!({"mobile": "13900000000"}));
    assert_problem(&taken.send().await, 409, "CONFLICT");
    for unknown in ["nobody", "a%20b"] {
        assert_problem(&admin.get(&format!("{users}/{unknown}")).await, 404, "NOT_FOUND");
        let password = admin.request(Method::PUT, &format!("{users}/{unknown}/password")).json(&json!({"password": "correct horse"}));
        assert_problem(&password.send().await, 404, "NOT_FOUND");
    }
}

async fn areas_are_imported_in_both_forms(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let admin = Administrator::of_tenant(&app, &tenant).await;
    let path = format!("/tenants/{}/areas", tenant.owner_id);
    let csv = |text: &str| admin.request(Method::POST, &path).body("text/csv; charset=utf-8", text);
    assert_eq!(csv("code,parent,name\n440000,,广东省\n440100,440000,广州市\n").send().await.json(), json!({"imported": 2}));
    let body = json!({"areas": [{"areaCode": "110000", "parentCode": null, "name": "北京市"}, {"areaCode": "110101", "parentCode": "110000", "name": "东城区"}]});
    assert_eq!(admin.request(Method::POST, &path).json(&body).send().await.json(), json!({"imported": 2}));
    assert_eq!(csv("440100,,广州\n").send().await.status, 200);
    let listed = admin.all(&path, 2).await;
    let rows: Vec<String> = listed.iter().map(|area| format!("{} {} {}", area["areaCode"], area["parentCode"], area["name"])).collect();
    assert_eq!(
        rows,
        ["\"110000\" null \"北京市\"", "\"110101\" \"110000\" \"东城区\"", "\"440000\" null \"广东省\"", "\"440100\" null \"广州\""]
    );
    let refused = csv("1,,a\n1,,b\n").send().await;
    assert_problem(&refused, 422, "REFUSED");
    assert_eq!(refused.json()["detail"], "line 2: the code stands in line 1 already");
    for (areas, status, code) in [
        (json!([{"areaCode": "1", "parentCode": "2", "name": "a"}]), 422, "REFUSED"),
        (json!([{"areaCode": "1", "parentCode": "2", "name": "a"}, {"areaCode": "2", "parentCode": "1", "name": "b"}]), 422, "REFUSED"),
        (json!([{"areaCode": "1", "name": "a"}, {"areaCode": "1", "name": "b"}]), 422, "REFUSED"),
        (json!([{"areaCode": "a b", "name": "a"}]), 422, "BODY_INVALID"),
        (json!([{"areaCode": "1"}]), 422, "BODY_INVALID"),
        (json!([1]), 422, "BODY_INVALID"),
        (Value::Null, 422, "BODY_INVALID"),
    ] {
        let answer = admin.request(Method::POST, &path).json(&json!({"areas": areas})).send().await;
        assert_problem(&answer, status, code);
    }
    assert_eq!(admin.all(&path, 200).await, listed, "what is refused changes nothing");
}

async fn keys_are_rotated_and_withdrawn(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let admin = Administrator::of_tenant(&app, &tenant).await;
    let path = format!("/tenants/{}/keys", tenant.owner_id);
    let before = admin.all(&path, 200).await;
    let current = |keys: &[Value], purpose: &str| {
        let found = keys.iter().find(|key| key["purpose"] == purpose && key["retiresAt"].is_null()).unwrap();
        found["keyId"].as_str().unwrap().to_owned()
    };
    for (purpose, days, secret) in [("stamp", 30, true), ("stamp-mac", 30, true), ("access", 1, false), ("refresh", 90, false)] {
        let old = current(&before, purpose);
        assert_problem(&admin.request(Method::DELETE, &format!("{path}/{old}")).send().await, 409, "CONFLICT");
        let rotated = admin.post(&format!("{path}/rotate"), &json!({"purpose": purpose})).await;
        assert_eq!(rotated.status, 201, "{}", rotated.text());
        let rotated = rotated.json();
        assert_eq!((&rotated["key"]["purpose"], rotated["secret"].is_string()), (&json!(purpose), secret));
        assert_eq!(rotated["earlierRetireAt"], app.now().0 + days * 86_400_000);
        let keys = admin.all(&path, 200).await;
        assert_eq!(current(&keys, purpose), rotated["key"]["keyId"]);
        let retired = keys.iter().find(|key| key["keyId"] == old.as_str()).unwrap();
        assert_eq!(retired["retiresAt"], rotated["earlierRetireAt"]);
        assert_eq!(admin.request(Method::DELETE, &format!("{path}/{old}")).send().await.status, 204);
        // What is withdrawn stays so.
        assert_eq!(admin.request(Method::DELETE, &format!("{path}/{old}")).send().await.status, 204);
    }
    let given = admin.post(&format!("{path}/rotate"), &json!({"purpose": "stamp", "desKey": "given-it", "overlapSeconds": 0})).await.json();
    assert_eq!((&given["secret"], &given["earlierRetireAt"]), (&json!("given-it"), &json!(app.now().0)));
    let listed = admin.get(&path).await;
    assert!(!listed.text().contains("given-it") && !listed.text().contains("sealed") && !listed.text().contains("secret"));
}
