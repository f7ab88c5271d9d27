//! What is answered is in effect: sessions that an administrator ends are dead on every node, and what is changed is so
//! everywhere.

use std::time::Duration;

use bo_auth_server::fault::FaultKind;
use http::Method;
use serde_json::{Value, json};

use super::administrator::{Administrator, assert_problem};
use crate::support::{TestApp, User};

each_backend!(
    a_session_is_ended_with_its_reason,
    many_sessions_are_ended_at_once,
    those_that_were_counted_end_and_no_others,
    a_password_that_is_set_ends_everything,
    what_is_disabled_is_refused_at_once,
    a_rotated_key_counts_at_once,
    stamps_are_counted_by_scheme_and_key,
);
one_backend!(Redis:
    it_holds_on_the_other_node,
    an_administrators_end_holds_on_the_other_node,
    sign_ins_of_that_moment_end_or_come_after,
);

async fn a_session_is_ended_with_its_reason(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let admin = Administrator::of_tenant(&app, &tenant).await;
    let user = tenant.with_user("li").await;
    let path = format!("/tenants/{}/sessions", tenant.owner_id);
    let remaining = user.signed_in().await;
    for (reason, query, code) in [
        ("KICKED", "", "SESSION_KICKED"),
        ("KICKED", "?reason=KICKED", "SESSION_KICKED"),
        ("LOGGED_OUT", "?reason=LOGGED_OUT", "SESSION_LOGGED_OUT"),
        ("PASSWORD_CHANGED", "?reason=PASSWORD_CHANGED", "SESSION_PASSWORD_CHANGED"),
        ("EXPIRED", "?reason=EXPIRED", "SESSION_EXPIRED"),
    ] {
        let session = user.signed_in().await;
        session.assert_live().await;
        for _ in 0..2 {
            let ended = admin.request(Method::DELETE, &format!("{path}/{}{query}", session.id)).send().await;
            assert_eq!(ended.status, 204, "{}", ended.text());
        }
        session.assert_ended(code).await;
        let listed = admin.all(&format!("{path}?ended=true"), 50).await;
        let listed = listed.iter().find(|listed| listed["sessionId"] == session.id.to_string()).unwrap();
        assert_eq!((&listed["endReason"], &listed["endedAt"]), (&json!(reason), &json!(app.now().0)));
    }
    remaining.assert_live().await;
    let live = admin.all(&path, 50).await;
    assert_eq!((live.len(), &live[0]["sessionId"]), (1, &json!(remaining.id.to_string())));
    // Another tenant's session is not there, whoever knows its id.
    let other = app.with_tenant("other").await.with_user("li").await.signed_in().await;
    assert_problem(&admin.request(Method::DELETE, &format!("{path}/{}", other.id)).send().await, 404, "NOT_FOUND");
    let refused = admin.request(Method::DELETE, &format!("{path}/{}?reason=REPLACED", remaining.id)).send().await;
    assert_problem(&refused, 400, "PARAMETER_INVALID");
    other.assert_live().await;
}

async fn many_sessions_are_ended_at_once(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let admin = Administrator::of_tenant(&app, &tenant).await;
    let system = tenant.with_system("app", json!({})).await;
    let (li, han) = (tenant.with_user("li").await, tenant.with_user("han").await);
    let path = format!("/tenants/{}/sessions/end", tenant.owner_id);
    let open = async |user: &User| user.signed_in().await;
    let (phone, tablet, colleague) = (open(&li).await, open(&li.of(&system)).await, open(&han).await);
    let answer = admin.post(&path, &json!({"userId": li.id})).await.json();
    assert_eq!((&answer["endedSessions"], &answer["notBefore"]), (&json!(2), &json!(null)));
    phone.assert_ended("SESSION_KICKED").await;
    tablet.assert_ended("SESSION_KICKED").await;
    colleague.assert_live().await;
    let (returned, elsewhere) = (open(&li).await, open(&han.of(&system)).await);
    let answer = admin.post(&path, &json!({"sysId": "app", "reason": "LOGGED_OUT"})).await;
    assert!(answer.json()["notBefore"].as_i64().is_some_and(|at| at >= app.now().0), "{}", answer.text());
    elsewhere.assert_ended("SESSION_LOGGED_OUT").await;
    returned.assert_live().await;
    let other = app.with_tenant("other").await.with_user("li").await.signed_in().await;
    assert_eq!(admin.post(&path, &json!({"all": true})).await.json()["endedSessions"], json!(null));
    for session in [&colleague, &returned] {
        session.assert_ended("SESSION_KICKED").await;
    }
    other.assert_live().await;
    assert_problem(&admin.post(&path, &json!({"userId": "nobody"})).await, 404, "NOT_FOUND");
    assert_problem(&admin.post(&path, &json!({"sysId": "tv"})).await, 404, "NOT_FOUND");
    open(&li).await.assert_live().await;
}

async fn those_that_were_counted_end_and_no_others(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let admin = Administrator::of_tenant(&app, &tenant).await;
    let system = tenant.with_system("app", json!({})).await;
    let (li, han) = (tenant.with_user("li").await, tenant.with_user("han").await);
    let path = format!("/tenants/{}/sessions/end", tenant.owner_id);
    let open = async |user: &User| user.signed_in().await;
    let here = [open(&li.of(&system)).await, open(&li.of(&system)).await];
    let (elsewhere, colleague) = (open(&li).await, open(&han.of(&system)).await);
    let target = |more: Value| {
        let mut body = json!({"userId": li.id, "sysId": "app"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    app.advance(Duration::from_secs(1));
    let counted = admin.post(&path, &target(json!({"dryRun": true}))).await.json();
    assert_eq!((&counted["liveSessions"], &counted["more"], &counted["endedSessions"]), (&json!(2), &json!(false), &json!(null)));
    here[0].assert_live().await;
    let since = open(&li.of(&system)).await;
    let ended = admin.post(&path, &target(json!({"before": counted["before"]}))).await.json();
    assert_eq!((&ended["endedSessions"], &ended["notBefore"]), (&json!(2), &json!(null)));
    for session in &here {
        session.assert_ended("SESSION_KICKED").await;
    }
    for session in [&elsewhere, &colleague, &since] {
        session.assert_live().await;
    }
    // Without an instant, all that there are; a sign-in that comes after stays.
    let ended = admin.post(&path, &target(json!({}))).await.json();
    assert_eq!(ended["endedSessions"], 1);
    since.assert_ended("SESSION_KICKED").await;
    let again = open(&li.of(&system)).await;
    again.assert_live().await;
    app.restart().await;
    again.assert_live().await;
    here[0].assert_ended("SESSION_KICKED").await;

    // A system and the tenant likewise, by a mark that lies where it was counted.
    for body in [json!({"sysId": "app"}), json!({"all": true})] {
        let mut counting = body.clone();
        counting["dryRun"] = json!(true);
        app.advance(Duration::from_secs(1));
        let counted = admin.post(&path, &counting).await.json();
        let filter = if body["all"] == true { "" } else { "?sysId=app" };
        let live = admin.all(&format!("/tenants/{}/sessions{filter}", tenant.owner_id), 50).await;
        assert_eq!(counted["liveSessions"], live.len());
        let since = open(&han.of(&system)).await;
        let mut ending = body.clone();
        ending["before"] = counted["before"].clone();
        let ended = admin.post(&path, &ending).await.json();
        assert_eq!(ended["notBefore"], counted["before"]);
        colleague.assert_ended("SESSION_KICKED").await;
        since.assert_live().await;
        since.refreshed().await.assert_live().await;
    }
    elsewhere.assert_ended("SESSION_KICKED").await;
    // An instant that has yet to come locks nobody out.
    let ending = json!({"all": true, "before": app.now().0 + 86_400_000});
    assert_eq!(admin.post(&path, &ending).await.status, 200);
    open(&li).await.assert_live().await;
    assert_problem(&admin.post(&path, &json!({"userId": li.id, "sysId": "tv"})).await, 404, "NOT_FOUND");
    assert_problem(&admin.post(&path, &json!({"userId": "nobody", "sysId": "app", "dryRun": true})).await, 404, "NOT_FOUND");
    assert_problem(&admin.post(&path, &json!({"userId": li.id, "all": true})).await, 422, "BODY_INVALID");
}

/// A user's sessions in one system have no mark: whoever is signing in holds the user's row.
async fn sign_ins_of_that_moment_end_or_come_after(app: TestApp) {
    let second = app.second_node().await;
    let tenant = app.with_tenant("acme").await;
    let admin = Administrator::of_tenant(&app, &tenant).await;
    let system = tenant.with_system("app", json!({})).await;
    let li = tenant.with_user("li").await.of(&system);
    let path = format!("/tenants/{}/sessions/end", tenant.owner_id);
    let body = json!({"userId": li.id, "sysId": "app"});
    for _ in 0..5 {
        let before = li.signed_in().await;
        let mut signing_in = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let li = li.clone();
            signing_in.spawn(async move { li.signed_in().await });
        }
        let ended = admin.post(&path, &body).await;
        assert_eq!(ended.status, 200, "{}", ended.text());
        before.assert_ended("SESSION_KICKED").await;
        before.assert_ended_on(&second, "SESSION_KICKED").await;
        let sessions = signing_in.join_all().await;
        let rows = li.rows().await;
        for session in sessions {
            let row = rows.iter().find(|row| row.session_id == session.id).unwrap();
            // What the rows say is so on every node, and stays so.
            for node in [&app, &second] {
                let answer = session.current_user().on(node).send().await;
                let code = if row.ended.is_some() { "SESSION_KICKED" } else { "" };
                assert_eq!((answer.status == 200, answer.error_code()), (row.ended.is_none(), code.to_owned()));
            }
        }
    }
}

async fn a_password_that_is_set_ends_everything(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let admin = Administrator::of_tenant(&app, &tenant).await;
    let user = tenant.with_user("li").await;
    let session = user.log_in().await;
    let path = format!("/tenants/{}/users/{}/password", tenant.owner_id, user.id);
    let answer = admin.request(Method::PUT, &path).header("If-Match", "*").json(&json!({"password": "correct horse"})).send().await;
    assert_eq!(answer.json(), json!({"endedSessions": 1}), "{}", answer.text());
    session.assert_ended("SESSION_PASSWORD_CHANGED").await;
    user.login().send().await.assert_fault(FaultKind::LOGIN_FAILED);
    assert_eq!(user.login_with("correct horse").send().await.status, 200);
}

async fn what_is_disabled_is_refused_at_once(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let admin = Administrator::of_platform(&app).await;
    let user = tenant.with_user("li").await;
    let o = &tenant.owner_id;
    for (path, kind) in [
        (format!("/tenants/{o}/users/{}", user.id), FaultKind::USER_DISABLED),
        (format!("/tenants/{o}/systems/web"), FaultKind::SYSTEM_DISABLED),
        (format!("/tenants/{o}"), FaultKind::TENANT_DISABLED),
    ] {
        let session = user.log_in().await;
        let set = async |disabled: bool| {
            let answer = admin.request(Method::PATCH, &path).header("If-Match", "*").json(&json!({"disabled": disabled})).send().await;
            assert_eq!((answer.status, &answer.json()["disabled"]), (200, &json!(disabled)), "{}", answer.text());
        };
        set(true).await;
        session.current_user().send().await.assert_fault(kind);
        user.login().send().await.assert_fault(kind);
        session.refresh().send().await.assert_fault(kind);
        set(false).await;
        // The state is over, and what ended by it stays so: nobody hears of the state any more.
        session.assert_ended("SESSION_KICKED").await;
        assert_eq!(user.login().send().await.status, 200);
    }
}

async fn a_rotated_key_counts_at_once(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let admin = Administrator::of_tenant(&app, &tenant).await;
    let session = tenant.with_user("li").await.signed_in().await;
    session.assert_live().await;
    let rotate = json!({"purpose": "stamp", "desKey": "key two!", "overlapSeconds": 0});
    assert_eq!(admin.post(&format!("/tenants/{}/keys/rotate", tenant.owner_id), &rotate).await.status, 201);
    session.current_user().send().await.assert_fault(FaultKind::VERIFY_API_INVALID);
    let web = tenant.web();
    let plaintext = bo_auth_core::stamp::new_stamp_plaintext(&bo_auth_core::random::SystemRandom::default(), Some(app.now()));
    let request = session.current_user().header("XverifyApi", web.encrypt_under("key two!", &plaintext));
    assert_eq!(request.send().await.status, 200);
}

async fn stamps_are_counted_by_scheme_and_key(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let admin = Administrator::of_tenant(&app, &tenant).await;
    let session = tenant.with_user("li").await.signed_in().await;
    for _ in 0..3 {
        assert_eq!(session.current_user().send().await.status, 200);
    }
    // What is counted in memory is written when the server stops.
    app.restart().await;
    let uses = admin.all(&format!("/tenants/{}/stamp-usage", tenant.owner_id), 1).await;
    let keys = admin.all(&format!("/tenants/{}/keys", tenant.owner_id), 50).await;
    let stamp = keys.iter().find(|key| key["purpose"] == "stamp").unwrap();
    assert_eq!((uses.len(), &uses[0]["scheme"], &uses[0]["uses"]), (1, &json!("des-ecb-pkcs7"), &json!(3)));
    assert_eq!((&uses[0]["keyId"], &uses[0]["sysId"]), (&stamp["keyId"], &json!("web")));
    assert_eq!((&stamp["uses"], &stamp["lastUsedAt"]), (&uses[0]["uses"], &uses[0]["lastUsedAt"]));
}

async fn it_holds_on_the_other_node(app: TestApp) {
    let second = app.second_node().await;
    let tenant = app.with_tenant("acme").await;
    let admin = Administrator::of_platform(&app).await;
    let user = tenant.with_user("li").await;
    let o = &tenant.owner_id;
    let session = user.log_in().await;
    assert_eq!(session.current_user().on(&second).send().await.status, 200);
    assert_eq!(admin.request(Method::DELETE, &format!("/tenants/{o}/sessions/{}", session.id)).send().await.status, 204);
    session.assert_ended_on(&second, "SESSION_KICKED").await;
    for (path, kind) in [
        (format!("/tenants/{o}/systems/web"), FaultKind::SYSTEM_DISABLED),
        (format!("/tenants/{o}"), FaultKind::TENANT_DISABLED),
        (format!("/tenants/{o}/users/{}", user.id), FaultKind::USER_DISABLED),
    ] {
        // What is disabled has no session any more, also when it is enabled again.
        let session = user.log_in().await;
        assert_eq!(session.current_user().on(&second).send().await.status, 200);
        let set = |disabled: bool| admin.request(Method::PATCH, &path).header("If-Match", "*").json(&json!({"disabled": disabled}));
        assert_eq!(set(true).send().await.status, 200);
        session.current_user().on(&second).send().await.assert_fault(kind);
        assert_eq!(set(false).send().await.status, 200);
        session.assert_ended_on(&second, "SESSION_KICKED").await;
    }
    let session = user.log_in().await;
    assert_eq!(session.current_user().on(&second).send().await.status, 200);
    let rotate = json!({"purpose": "stamp", "desKey": "key two!", "overlapSeconds": 0});
    assert_eq!(admin.post(&format!("/tenants/{o}/keys/rotate"), &rotate).await.status, 201);
    session.current_user().on(&second).send().await.assert_fault(FaultKind::VERIFY_API_INVALID);
}

async fn an_administrators_end_holds_on_the_other_node(app: TestApp) {
    let second = app.second_node().await;
    let admin = Administrator::of_platform(&app).await;
    let request = admin.request(Method::GET, "/sessions/current").on(&second);
    assert_eq!(request.send().await.status, 200, "a session is one of all nodes");
    assert_eq!(admin.request(Method::DELETE, "/sessions/current").send().await.status, 204);
    assert_problem(&request.send().await, 401, "SESSION_LOGGED_OUT");
}
