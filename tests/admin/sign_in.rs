//! Administrators sign in: sessions of their own, the console's cookie, lockout, and what ends it all.

use std::time::Duration;

use bo_auth_server::fault::FaultKind;
use bo_auth_store::record::{AdminReach, AuditFilter};
use http::Method;
use serde_json::json;

use super::administrator::{Administrator, assert_problem};
use crate::support::{TestApp, route};

each_backend!(
    a_session_is_opened_used_and_ended,
    a_session_ends_by_itself,
    guessing_is_held_up,
    what_ends_an_administrator_ends_the_session,
    an_administrator_changes_their_own_password,
    the_trail_of_administrators_is_for_those_of_the_platform,
);
one_backend!(Local:
    the_console_has_a_cookie_that_no_other_site_can_use,
    a_foreign_cookie_hides_no_session_of_the_console,
    nobody_has_been_made_an_administrator,
    the_reserved_tenant_is_no_tenant,
    it_can_be_switched_off,
);

async fn a_session_is_opened_used_and_ended(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let admin = Administrator::add(&app, AdminReach::Tenant(tenant.owner_id.clone())).await;
    let answer = admin.sign_in_with(&admin.password()).send().await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let opened = answer.json();
    let who = json!({"userId": admin.record.user.user_id, "account": admin.account(), "name": format!("name of {}", admin.account()),
        "role": "tenant", "ownerId": tenant.owner_id});
    assert_eq!(opened["admin"], who);
    let now = app.now().0;
    assert_eq!((&opened["expiresAt"], &opened["idleExpiresAt"]), (&json!(now + 8 * 3_600_000), &json!(now + 1_800_000)));
    let signed_in = Administrator { token: opened["token"].as_str().map(str::to_owned), ..admin.clone() };
    assert_eq!(signed_in.read("/sessions/current").await, who);
    let elsewhere = admin.signed_in().await;

    assert_eq!(signed_in.request(Method::DELETE, "/sessions/current").send().await.status, 204);
    assert_problem(&signed_in.get("/sessions/current").await, 401, "SESSION_LOGGED_OUT");
    assert_eq!(elsewhere.get("/sessions/current").await.status, 200, "another session goes on");
    let whole = opened["token"].as_str().unwrap();
    let cut = &whole[..whole.len() - 6];
    for token in ["", "x", "1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", cut] {
        let answer = admin.bare(Method::GET, "/sessions/current").header("Authorization", format!("Bearer {token}")).send().await;
        assert_problem(&answer, 401, "TOKEN_INVALID");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    // Tokens of users are no tokens of administrators, and the other way round.
    let session = tenant.with_user("li").await.signed_in().await;
    let with = |token: &str| admin.bare(Method::GET, "/tenants").header("Authorization", format!("Bearer {token}"));
    assert_problem(&with(&session.access_token).send().await, 401, "TOKEN_INVALID");
    let current = session.current_user().header("Authorization", format!("Bearer {}", elsewhere.token.as_ref().unwrap()));
    current.send().await.assert_fault(FaultKind::TOKEN_INVALID);
}

async fn a_session_ends_by_itself(app: TestApp) {
    let idle = Administrator::of_platform(&app).await;
    app.advance(Duration::from_mins(29));
    assert_eq!(idle.get("/sessions/current").await.status, 200);
    app.advance(Duration::from_mins(29));
    assert_eq!(idle.get("/sessions/current").await.status, 200, "what is used does not run idle");
    app.advance(Duration::from_mins(31));
    assert_problem(&idle.get("/sessions/current").await, 401, "SESSION_EXPIRED");
    let busy = idle.signed_in().await;
    for _ in 0..23 {
        app.advance(Duration::from_mins(20));
        assert_eq!(busy.get("/sessions/current").await.status, 200);
    }
    app.advance(Duration::from_mins(20));
    assert_problem(&busy.get("/sessions/current").await, 401, "SESSION_EXPIRED");
}

async fn guessing_is_held_up(app: TestApp) {
    let admin = Administrator::add(&app, AdminReach::Platform).await;
    for _ in 0..3 {
        assert_problem(&admin.sign_in_with("wrong").send().await, 401, "LOGIN_FAILED");
    }
    // From now on the right password alone does not help.
    assert_problem(&admin.sign_in_with(&admin.password()).send().await, 401, "CAPTCHA_REQUIRED");
    let guid = bo_auth_core::stamp::new_stamp_plaintext(&bo_auth_core::random::SystemRandom::default(), None);
    let picture = admin.get(&format!("/captchas/{guid}")).await;
    assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/png")));
    let body = json!({"account": admin.account(), "password": admin.password(), "verifyGuid": guid, "verifyCode": "-----"});
    assert_problem(&admin.post("/sessions", &body).await, 401, "CAPTCHA_INVALID");
    assert_problem(&admin.get("/captchas/a%20b").await, 400, "PARAMETER_INVALID");
    app.advance(Duration::from_mins(16));
    // Where failures are counted by another clock than the test's they are still remembered.
    if app.backend() != crate::support::Backend::Redis {
        assert_eq!(admin.sign_in_with(&admin.password()).send().await.status, 201);
    }
    let unknown = json!({"account": format!("{}-unknown", admin.account()), "password": "wrong"});
    assert_problem(&admin.post("/sessions", &unknown).await, 401, "LOGIN_FAILED");
}

async fn what_ends_an_administrator_ends_the_session(app: TestApp) {
    let operator = app.node.operator();
    let admin = Administrator::of_platform(&app).await;
    app.node.apply(operator.set_admin_disabled(admin.account(), true).await.unwrap().0).await;
    assert_problem(&admin.get("/tenants").await, 403, "USER_DISABLED");
    assert_problem(&admin.sign_in_with(&admin.password()).send().await, 403, "USER_DISABLED");
    app.node.apply(operator.set_admin_disabled(admin.account(), false).await.unwrap().0).await;
    assert_problem(&admin.get("/tenants").await, 401, "SESSION_KICKED");
    let again = admin.signed_in().await;
    app.node.apply(operator.set_admin_password(admin.account(), "correct horse").await.unwrap().0).await;
    assert_problem(&again.get("/tenants").await, 401, "SESSION_PASSWORD_CHANGED");
    assert_problem(&admin.sign_in_with(&admin.password()).send().await, 401, "LOGIN_FAILED");
    assert_eq!(admin.sign_in_with("correct horse").send().await.status, 201);
    // It is all in the trail of the reserved tenant.
    let owner_id = bo_auth_core::identifier::OwnerId::admin();
    let filter = AuditFilter { user_id: Some(admin.record.user.user_id.clone()), ..AuditFilter::default() };
    let events = app.service().db.list_audit_events(&owner_id, &filter, None, 100).await.unwrap();
    let kinds: Vec<&str> = events.iter().rev().map(|event| event.kind.as_str()).collect();
    for kind in ["admin.added", "session.started", "user.disabled", "session.ended", "user.enabled", "user.password-changed"] {
        assert!(kinds.contains(&kind), "{kind} in {kinds:?}");
    }
}

async fn the_console_has_a_cookie_that_no_other_site_can_use(app: TestApp) {
    let admin = Administrator::add(&app, AdminReach::Platform).await;
    let answer = admin.sign_in_with(&admin.password()).send().await;
    let token = answer.json()["token"].as_str().unwrap().to_owned();
    let cookie = answer.header("set-cookie").unwrap();
    assert_eq!(cookie, format!("bo_console={token}; Path=/admin; Max-Age=28800; HttpOnly; SameSite=Strict"));
    let with_cookie = |method, path| admin.bare(method, path).header("Cookie", format!("theme=dark; bo_console={token}"));
    assert_eq!(with_cookie(Method::GET, "/sessions/current").send().await.status, 200);
    // A form or a script of another origin cannot send the header without asking first, and is refused then.
    let body = json!({"ownerId": "by-cookie"});
    assert_problem(&with_cookie(Method::POST, "/tenants").json(&body).send().await, 403, "CROSS_SITE");
    let other = with_cookie(Method::POST, "/tenants").json(&body).header("X-Requested-With", "XMLHttpRequest");
    assert_problem(&other.send().await, 403, "CROSS_SITE");
    let console = with_cookie(Method::POST, "/tenants").json(&body).header("X-Requested-With", "bo-console");
    assert_eq!(console.send().await.status, 201);
    let tenant = app.with_tenant("acme").await;
    tenant.with_system("app", json!({"allowedOrigins": ["https://app.example"]})).await;
    let preflight = admin.bare(Method::OPTIONS, "/tenants").header("Origin", "https://app.example");
    let preflight = preflight.header("Access-Control-Request-Method", "POST").header("Access-Control-Request-Headers", "x-requested-with");
    assert_eq!(preflight.send().await.header("access-control-allow-origin"), None);
    for request in [with_cookie(Method::GET, "/tenants"), with_cookie(Method::GET, "/nowhere"), with_cookie(Method::GET, "/tenants/none")] {
        let answer = request.header("Origin", "https://app.example").send().await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{}", answer.text());
    }
    let taken_back = with_cookie(Method::DELETE, "/sessions/current").header("X-Requested-With", "bo-console").send().await;
    assert_eq!(taken_back.header("set-cookie"), Some("bo_console=; Path=/admin; Max-Age=0; HttpOnly; SameSite=Strict"));
    assert_problem(&with_cookie(Method::GET, "/sessions/current").send().await, 401, "SESSION_LOGGED_OUT");
}

async fn a_foreign_cookie_hides_no_session_of_the_console(app: TestApp) {
    let admin = Administrator::of_platform(&app).await;
    let own = format!("bo_console={}", admin.token.as_ref().unwrap());
    let foreign = ["nick=张三".as_bytes(), b"nick=caf\xe9", b"bo_console=\xff", b"bo_console=1", b"\xff"];
    for foreign in foreign {
        let line = [foreign, b"; ", own.as_bytes()].concat();
        let current = admin.bare(Method::GET, "/sessions/current").header("Cookie", line);
        let answer = current.send_raw().await;
        assert_eq!(answer.status, 200, "{foreign:?}: {}", answer.text());
    }
    let line = [foreign[0], b"; ", own.as_bytes(), b"; ", foreign[2]].concat();
    let sign_out = admin.bare(Method::DELETE, "/sessions/current").header("Cookie", line);
    let sign_out = sign_out.header("X-Requested-With", "bo-console").body("application/json", "null");
    assert_eq!(sign_out.send_raw().await.status, 204);
    assert_problem(&admin.get("/sessions/current").await, 401, "SESSION_LOGGED_OUT");
}

async fn nobody_has_been_made_an_administrator(app: TestApp) {
    let request = |method, path: &str| app.bare_request(method, &format!("/admin/api/v1{path}"));
    let sign_in = request(Method::POST, "/sessions").json(&json!({"account": "admin", "password": "admin"}));
    assert_problem(&sign_in.send().await, 401, "LOGIN_FAILED");
    let current = request(Method::GET, "/sessions/current").header("Authorization", "Bearer 1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_problem(&current.send().await, 401, "TOKEN_INVALID");
}

async fn the_reserved_tenant_is_no_tenant(app: TestApp) {
    let admin = Administrator::of_platform(&app).await;
    let owned = app.with_tenant("acme").await;
    let login = owned.request(Method::POST, route::LOGIN).header("XownerId", "bo-admin");
    let body = json!({"userName": admin.account(), "password": admin.password()});
    login.json(&body).send().await.assert_fault(FaultKind::TENANT_UNKNOWN);
    let captcha = app.bare_request(Method::GET, &format!("{}/a", route::CAPTCHA)).query("ownerId", "bo-admin");
    captcha.send().await.assert_fault(FaultKind::TENANT_UNKNOWN);
    let keys = app.bare_request(Method::GET, "/.well-known/jwks.json").query("ownerId", "bo-admin");
    assert_eq!(keys.send().await.status, 404);
    for reserved in ["bo-admin", "platform"] {
        let answer = admin.post("/tenants", &json!({"ownerId": reserved})).await;
        assert_problem(&answer, 422, "REFUSED");
    }
    let operator = app.node.operator();
    let owner_id = bo_auth_core::identifier::OwnerId::admin();
    assert!(operator.get_tenant(&owner_id).await.is_err() && operator.list_users(&owner_id, None, 10).await.is_err());
    assert!(operator.list_tenants(None, 100).await.unwrap().iter().all(|tenant| tenant.owner_id != owner_id));
}

async fn it_can_be_switched_off(app: TestApp) {
    let admin = Administrator::of_platform(&app).await;
    app.restart_with(|configuration| configuration.admin = false).await;
    for (method, path) in [(Method::GET, "/sessions/current"), (Method::POST, "/sessions"), (Method::GET, "/tenants")] {
        assert_problem(&admin.request(method, path).send().await, 404, "ROUTE_UNKNOWN");
    }
    assert_eq!(app.bare_request(Method::GET, "/openapi/admin-v1.json").send().await.status, 404);
}

async fn an_administrator_changes_their_own_password(app: TestApp) {
    let admin = Administrator::of_platform(&app).await;
    let elsewhere = admin.signed_in().await;
    let change = |current: &str, new: &str| {
        admin.request(Method::POST, "/sessions/current/password").json(&json!({"currentPassword": current, "newPassword": new}))
    };
    assert_problem(&change("wrong", "correct horse battery").send().await, 401, "LOGIN_FAILED");
    for unfit in ["tooshort", "password2024", &format!("{}1", admin.account())] {
        assert_problem(&change(&admin.password(), unfit).send().await, 422, "REFUSED");
    }
    assert_eq!(elsewhere.get("/sessions/current").await.status, 200, "nothing has changed so far");
    let changed = change(&admin.password(), "correct horse battery").send().await;
    assert_eq!((changed.status, changed.json()), (200, json!({"endedSessions": 1})));
    assert_eq!(admin.get("/sessions/current").await.status, 200, "the session that asked goes on");
    assert_problem(&elsewhere.get("/sessions/current").await, 401, "SESSION_PASSWORD_CHANGED");
    assert_problem(&admin.sign_in_with(&admin.password()).send().await, 401, "LOGIN_FAILED");
    assert_eq!(admin.sign_in_with("correct horse battery").send().await.status, 201);
}

async fn the_trail_of_administrators_is_for_those_of_the_platform(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let (platform, of_tenant) = (Administrator::of_platform(&app).await, Administrator::of_tenant(&app, &tenant).await);
    assert_problem(&of_tenant.sign_in_with("wrong").send().await, 401, "LOGIN_FAILED");
    let page = platform.read(&format!("/tenants/bo-admin/audit-events?userId={}", of_tenant.record.user.user_id)).await;
    let events = page["items"].as_array().unwrap();
    // Ids of one instant follow no order of their own; the clock stands still here.
    let mut kinds: Vec<&str> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["admin.added", "session.started", "sign-in.failed"]);
    let failed = events.iter().find(|event| event["kind"] == "sign-in.failed").unwrap();
    assert_eq!(failed["details"]["name"], of_tenant.account());
    assert_problem(&of_tenant.get("/tenants/bo-admin/audit-events").await, 404, "NOT_FOUND");
    assert_problem(&platform.get("/tenants/bo-admin/users").await, 404, "NOT_FOUND");
}
