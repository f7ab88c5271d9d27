//! Every refusal is a problem document (RFC 9457), also the framework's own; none repeats what was sent.

use http::Method;
use serde_json::{Value, json};

use super::administrator::{Administrator, assert_problem};
use crate::support::TestApp;

one_backend!(Local: the_frameworks_refusals_are_problems, every_mistake_in_a_body_is_named, no_value_is_repeated, a_change_says_of_which_state_it_is);
one_backend!(Redis: an_outage_is_a_problem);

async fn the_frameworks_refusals_are_problems(app: TestApp) {
    let admin = Administrator::of_platform(&app).await;
    for path in ["", "/", "/nowhere", "/tenants/a/b/c", "/sessions/current/"] {
        assert_problem(&admin.get(path).await, 404, "ROUTE_UNKNOWN");
    }
    assert_problem(&app.bare_request(Method::GET, "/admin").send().await, 404, "ROUTE_UNKNOWN");
    assert_problem(&app.bare_request(Method::GET, "/admin/api/v2/tenants").send().await, 404, "ROUTE_UNKNOWN");
    for (method, path, allow) in [
        (Method::PUT, "/tenants", "GET, POST, HEAD"),
        (Method::DELETE, "/tenants/x", "GET, PATCH, HEAD"),
        (Method::HEAD, "/sessions", "POST"),
    ] {
        let answer = admin.request(method.clone(), path).send().await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {path}");
        if method != Method::HEAD {
            assert_problem(&answer, 405, "METHOD_NOT_ALLOWED");
        }
    }
    for (name, value) in [("limit", "0"), ("limit", "201"), ("limit", "x"), ("limit", "-1"), ("cursor", "!")] {
        let answer = admin.request(Method::GET, "/tenants").query(name, value).send().await;
        assert_problem(&answer, 400, "PARAMETER_INVALID");
        assert_eq!(answer.json()["errors"][0]["name"], name);
    }
    let post = || admin.request(Method::POST, "/tenants");
    assert_problem(&post().body("application/json", "{").send().await, 400, "BAD_REQUEST");
    assert_problem(&post().body("application/json", "[]").send().await, 400, "BAD_REQUEST");
    assert_problem(&post().body("text/plain", "{}").send().await, 415, "MEDIA_TYPE_UNSUPPORTED");
    let large = format!("{{\"name\": \"{}\"}}", "x".repeat(70_000));
    assert_problem(&post().body("application/json", large).send().await, 413, "PAYLOAD_TOO_LARGE");
}

async fn every_mistake_in_a_body_is_named(app: TestApp) {
    let admin = Administrator::of_platform(&app).await;
    let names = |answer: &Value| -> Vec<String> {
        answer["errors"].as_array().unwrap().iter().map(|error| error["name"].as_str().unwrap().to_owned()).collect()
    };
    let body = json!({"ownerId": "a b", "name": 5, "algorithm": "none", "settings": [], "surprise": 1});
    let answer = admin.post("/tenants", &body).await;
    assert_problem(&answer, 422, "BODY_INVALID");
    assert_eq!(names(&answer.json()), ["/ownerId", "/name", "/algorithm", "/settings", "/surprise"]);
    let answer = admin.post("/tenants", &json!({})).await;
    assert_problem(&answer, 422, "BODY_INVALID");
    assert_eq!(names(&answer.json()), ["/ownerId"]);
    let tenant = app.with_tenant("acme").await;
    let users = format!("/tenants/{}/users", tenant.owner_id);
    let answer = admin.post(&users, &json!({"account": "", "password": null, "areaCodes": ["a b"], "mobile": " "})).await;
    assert_eq!(names(&answer.json()), ["/account", "/password", "/mobile", "/areaCodes"]);
    // What is right by itself and wrong in this place.
    let refused = admin.post("/tenants", &json!({"ownerId": "x", "settings": {"sessionSecond": 5}})).await;
    assert_problem(&refused, 422, "REFUSED");
    assert!(refused.json()["detail"].as_str().unwrap().contains("settings document"), "{}", refused.text());
    assert_problem(&admin.post("/tenants", &json!({"ownerId": tenant.owner_id})).await, 409, "CONFLICT");
    assert_problem(&admin.post(&users, &json!({"account": "li", "password": "x".repeat(2_000)})).await, 422, "REFUSED");
    let end = format!("/tenants/{}/sessions/end", tenant.owner_id);
    for body in [json!({}), json!({"all": false}), json!({"all": true, "userId": "x"})] {
        assert_problem(&admin.post(&end, &body).await, 422, "BODY_INVALID");
    }
    for reason in ["REUSE_DETECTED", "USER_DISABLED", "kicked"] {
        assert_problem(&admin.post(&end, &json!({"all": true, "reason": reason})).await, 422, "BODY_INVALID");
    }
}

async fn no_value_is_repeated(app: TestApp) {
    let admin = Administrator::of_platform(&app).await;
    let tenant = app.with_tenant("acme").await;
    let o = &tenant.owner_id;
    for (method, path, body) in [
        (Method::POST, "/sessions".to_owned(), json!({"account": "hunter2\n", "password": "hunter2"})),
        (Method::POST, "/sessions".to_owned(), json!({"account": "x", "password": ["hunter2"]})),
        (Method::POST, "/tenants".to_owned(), json!({"ownerId": "hunter2 ", "desKey": {"hunter2": 1}, "algorithm": "hunter2"})),
        (
            Method::POST,
            format!("/tenants/{o}/users"),
            json!({"account": "a", "password": 2, "mobile": ["hunter2"], "areaCodes": "hunter2"}),
        ),
        (Method::POST, format!("/tenants/{o}/keys/rotate"), json!({"purpose": "hunter2", "overlapSeconds": "hunter2"})),
    ] {
        let answer = admin.request(method, &path).json(&body).send().await;
        assert!((400..500).contains(&answer.status) && !answer.text().contains("hunter2"), "{path}: {}", answer.text());
    }
    let answer = admin.request(Method::GET, "/tenants").query("limit", "hunter2").send().await;
    assert!(answer.status == 400 && !answer.text().contains("hunter2"), "{}", answer.text());
}

async fn a_change_says_of_which_state_it_is(app: TestApp) {
    let admin = Administrator::of_platform(&app).await;
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let o = &tenant.owner_id;
    for path in [format!("/tenants/{o}"), format!("/tenants/{o}/systems/web"), format!("/tenants/{o}/users/{}", user.id)] {
        let first = admin.get(&path).await;
        let etag = first.header("etag").unwrap().to_owned();
        let body = json!({"name": "changed"});
        assert_problem(&admin.request(Method::PATCH, &path).json(&body).send().await, 428, "PRECONDITION_REQUIRED");
        assert_problem(&admin.patch(&path, "\"0\"", &body).await, 412, "PRECONDITION_FAILED");
        assert_problem(&admin.patch(&path, &format!("W/{etag}"), &body).await, 412, "PRECONDITION_FAILED");
        assert_eq!(admin.read(&path).await, first.json(), "{path}: nothing has changed");
        let changed = admin.patch(&path, &etag, &body).await;
        assert_eq!((changed.status, &changed.json()["name"]), (200, &json!("changed")), "{}", changed.text());
        // The clock stands still, and the state is another one all the same.
        assert_ne!(changed.header("etag").unwrap(), etag);
        assert_problem(&admin.patch(&path, &etag, &json!({"name": "late"})).await, 412, "PRECONDITION_FAILED");
        let next = changed.header("etag").unwrap();
        assert_eq!(admin.patch(&path, next, &json!({})).await.json()["name"], "changed");
    }
    // Of many at the same time one succeeds.
    let path = format!("/tenants/{o}/systems/web");
    let etag = admin.get(&path).await.header("etag").unwrap().to_owned();
    let attempts = (0..8).map(|number| {
        let (admin, path, etag) = (admin.clone(), path.clone(), etag.clone());
        tokio::spawn(async move { admin.patch(&path, &etag, &json!({"name": format!("by {number}")})).await.status })
    });
    let mut statuses = Vec::new();
    for attempt in attempts.collect::<Vec<_>>() {
        statuses.push(attempt.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
}

async fn an_outage_is_a_problem(app: TestApp) {
    let admin = Administrator::of_platform(&app).await;
    app.service().db.close().await;
    let answer = admin.get("/tenants").await;
    assert_problem(&answer, 503, "UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), Some("1"));
}
