//! Lists come in pages that nothing shifts: what is added meanwhile is neither shown twice nor hides anything.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Value, json};

use super::administrator::{Administrator, assert_problem};
use crate::support::TestApp;

each_backend!(every_list_is_whole_in_pages_of_any_size, what_is_added_meanwhile_moves_nothing);

fn key(item: &Value) -> String {
    let names = ["eventId", "sessionId", "keyId", "areaCode", "userId", "sysId", "ownerId"];
    let name = names.into_iter().find(|name| item.get(*name).is_some_and(Value::is_string)).unwrap();
    item[name].as_str().unwrap().to_owned()
}

async fn every_list_is_whole_in_pages_of_any_size(app: TestApp) {
    let admin = Administrator::of_platform(&app).await;
    let tenant = app.with_tenant("acme").await;
    app.with_tenant("other").await;
    tenant.with_areas().await;
    for account in ["a", "ab", "abc", "b", "Z"] {
        tenant.with_user(account).await.signed_in().await;
    }
    for system in ["app", "tv"] {
        tenant.with_system(system, json!({})).await;
    }
    let o = &tenant.owner_id;
    for (path, count) in [
        ("/tenants".to_owned(), 2),
        (format!("/tenants/{o}/systems"), 3),
        (format!("/tenants/{o}/users"), 5),
        (format!("/tenants/{o}/areas"), 5),
        (format!("/tenants/{o}/sessions"), 5),
        (format!("/tenants/{o}/keys"), 4),
        // One for the tenant, the areas, each user and session and each system.
        (format!("/tenants/{o}/audit-events"), 14),
    ] {
        let whole: Vec<String> = admin.all(&path, 200).await.iter().map(key).collect();
        assert_eq!((whole.len(), whole.iter().collect::<BTreeSet<_>>().len()), (count, count), "{path}: {whole:?}");
        for limit in 1..=4 {
            assert_eq!(admin.all(&path, limit).await.iter().map(key).collect::<Vec<_>>(), whole, "{path} by {limit}");
        }
    }
    let accounts = |users: Vec<Value>| users.iter().map(|user| user["account"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(accounts(admin.all(&format!("/tenants/{o}/users?account=a"), 2).await), ["a", "ab", "abc"]);
    assert_eq!(accounts(admin.all(&format!("/tenants/{o}/users?account=ab"), 1).await), ["ab", "abc"]);
    assert_eq!(accounts(admin.all(&format!("/tenants/{o}/users?account=%25"), 1).await), [""; 0]);
    let codes = async |query: &str| admin.all(&format!("/tenants/{o}/areas?{query}"), 1).await.iter().map(key).collect::<Vec<_>>();
    assert_eq!(codes("parentCode=440000").await, ["440100", "440300"]);
    assert_eq!(codes("parentCode=").await, ["110000", "440000"]);
    let sessions = async |query: &str| admin.all(&format!("/tenants/{o}/sessions?{query}"), 1).await.len();
    assert_eq!((sessions("userId=id-ab").await, sessions("sysId=web").await, sessions("sysId=tv").await), (1, 5, 0));
    let other = admin.request(Method::GET, &format!("/tenants/{o}/users")).query("limit", "1").send().await.json();
    let cursor = other["nextCursor"].as_str().unwrap();
    let elsewhere = admin.request(Method::GET, &format!("/tenants/{o}/systems")).query("cursor", cursor).send().await;
    assert_problem(&elsewhere, 400, "PARAMETER_INVALID");
}

async fn what_is_added_meanwhile_moves_nothing(app: TestApp) {
    let admin = Administrator::of_platform(&app).await;
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("m").await;
    for account in ["c", "f", "i"] {
        tenant.with_user(account).await;
    }
    let mut sessions = Vec::new();
    for _ in 0..4 {
        sessions.push(user.signed_in().await.id.to_string());
        app.advance(std::time::Duration::from_millis(1));
    }
    sessions.reverse();
    let o = &tenant.owner_id;
    let first = admin.read(&format!("/tenants/{o}/users?limit=2")).await;
    let newest = admin.read(&format!("/tenants/{o}/sessions?limit=2")).await;
    for account in ["a", "d", "g"] {
        tenant.with_user(account).await;
    }
    user.signed_in().await;
    let rest = admin.read(&format!("/tenants/{o}/users?limit=9&cursor={}", first["nextCursor"].as_str().unwrap())).await;
    let seen: Vec<&str> = [&first, &rest]
        .into_iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|user| user["account"].as_str().unwrap())
        .collect();
    assert_eq!(seen, ["c", "f", "g", "i", "m"]);
    let older = admin.read(&format!("/tenants/{o}/sessions?limit=9&cursor={}", newest["nextCursor"].as_str().unwrap())).await;
    let seen: Vec<String> = [&newest, &older].into_iter().flat_map(|page| page["items"].as_array().unwrap()).map(key).collect();
    assert_eq!(seen.len(), 4);
    let ids: Vec<&str> = [&newest, &older]
        .into_iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|item| item["sessionId"].as_str().unwrap())
        .collect();
    assert_eq!(ids, sessions);
}
