//! Every route × role × tenant. The table has a row for each operation of the document, or the test fails.

use bo_auth_core::session::EndReason;
use bo_auth_store::record::{AdminReach, AuditFilter};
use http::Method;
use serde_json::{Value, json};

use super::administrator::{Administrator, PREFIX, assert_problem};
use crate::support::{Session, Tenant, TestApp, TestRequest, User};

each_backend!(every_route_is_for_whom_it_is);

/// For whom an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    /// Anybody.
    Everybody,
    /// Whoever has a live session.
    Administrators,
    /// Those who reach all tenants.
    Platform,
    /// Those who reach the tenant.
    Tenant,
    /// Those who reach the tenant, where it may also be `platform`, for those who reach all.
    TenantOrPlatform,
}

/// An operation: its id, for whom it is, its status when it succeeds, its method and path, and its body.
type Row = (&'static str, For, u16, Method, &'static str, fn(&Scene) -> Value);

/// In paths `{o}` is the tenant, and `{userId}`, `{sessionId}`, `{keyId}` are of it.
fn table() -> Vec<Row> {
    use For::{Administrators, Everybody, Platform, Tenant, TenantOrPlatform};
    let none: fn(&Scene) -> Value = |_| Value::Null;
    vec![
        ("listPlugins", TenantOrPlatform, 200, Method::GET, "/tenants/{o}/plugins", none),
        ("checkPlugin", TenantOrPlatform, 200, Method::POST, "/tenants/{o}/plugins/check", |_| json!({"source": "fn"})),
        ("listPluginFunctions", Administrators, 200, Method::GET, "/plugins/functions", none),
        ("readPluginRecording", TenantOrPlatform, 200, Method::GET, "/tenants/{o}/plugins/recording", none),
        ("setPluginRecording", TenantOrPlatform, 200, Method::PUT, "/tenants/{o}/plugins/recording", |_| json!({"enabled": false})),
        ("readPlugin", TenantOrPlatform, 200, Method::GET, "/tenants/{o}/plugins/{plugin}", none),
        (
            "storePluginVersion",
            TenantOrPlatform,
            201,
            Method::POST,
            "/tenants/{o}/plugins/{plugin}/versions",
            |_| json!({"source": format!("// {}", unique("draft"))}),
        ),
        ("readPluginVersion", TenantOrPlatform, 200, Method::GET, "/tenants/{o}/plugins/{plugin}/versions/{number}", none),
        (
            "testPlugin",
            TenantOrPlatform,
            200,
            Method::POST,
            "/tenants/{o}/plugins/{plugin}/test",
            |_| json!({"source": "fn process(response, ctx) { response }"}),
        ),
        ("publishPlugin", TenantOrPlatform, 200, Method::POST, "/tenants/{o}/plugins/{plugin}/publish", |_| json!({"version": 1})),
        ("rollBackPlugin", TenantOrPlatform, 200, Method::POST, "/tenants/{o}/plugins/{plugin}/rollback", |_| json!({"version": 1})),
        ("listPluginFailures", TenantOrPlatform, 200, Method::GET, "/tenants/{o}/plugins/{plugin}/failures", none),
        ("readPluginStatistics", TenantOrPlatform, 200, Method::GET, "/tenants/{o}/plugins/{plugin}/statistics", none),
        ("withdrawPlugin", TenantOrPlatform, 204, Method::DELETE, "/tenants/{o}/plugins/{plugin}", none),
        ("adminSignIn", Everybody, 422, Method::POST, "/sessions", |_| json!({})),
        ("drawAdminCaptcha", Everybody, 200, Method::GET, "/captchas/5f0c7c3e", none),
        ("currentAdmin", Administrators, 200, Method::GET, "/sessions/current", none),
        ("changeOwnPassword", Administrators, 422, Method::POST, "/sessions/current/password", |_| json!({})),
        ("adminSignOut", Administrators, 204, Method::DELETE, "/sessions/current", none),
        ("listTenants", Administrators, 200, Method::GET, "/tenants", none),
        ("addTenant", Platform, 201, Method::POST, "/tenants", |_| json!({"ownerId": unique("added")})),
        ("readTenant", Tenant, 200, Method::GET, "/tenants/{o}", none),
        ("changeTenant", Tenant, 200, Method::PATCH, "/tenants/{o}", |_| json!({"name": "other"})),
        ("listSystems", Tenant, 200, Method::GET, "/tenants/{o}/systems", none),
        ("addSystem", Tenant, 201, Method::POST, "/tenants/{o}/systems", |_| json!({"sysId": unique("added")})),
        ("readSystem", Tenant, 200, Method::GET, "/tenants/{o}/systems/web", none),
        ("changeSystem", Tenant, 200, Method::PATCH, "/tenants/{o}/systems/web", |_| json!({"name": "other"})),
        ("listUsers", Tenant, 200, Method::GET, "/tenants/{o}/users", none),
        ("addUser", Tenant, 201, Method::POST, "/tenants/{o}/users", |_| json!({"account": unique("added"), "password": "correct horse"})),
        ("readUser", Tenant, 200, Method::GET, "/tenants/{o}/users/{userId}", none),
        ("changeUser", Tenant, 200, Method::PATCH, "/tenants/{o}/users/{userId}", |_| json!({"name": "other"})),
        ("setPassword", Tenant, 200, Method::PUT, "/tenants/{o}/users/{userId}/password", |_| json!({"password": "correct horse"})),
        ("unlockUser", Tenant, 204, Method::POST, "/tenants/{o}/users/{userId}/unlock", none),
        ("listAreas", Tenant, 200, Method::GET, "/tenants/{o}/areas", none),
        (
            "importAreas",
            Tenant,
            200,
            Method::POST,
            "/tenants/{o}/areas",
            |_| json!({"areas": [{"areaCode": "110000", "parentCode": null, "name": "北京市"}]}),
        ),
        ("listUserSessions", Tenant, 200, Method::GET, "/tenants/{o}/sessions", none),
        ("endUserSession", Tenant, 204, Method::DELETE, "/tenants/{o}/sessions/{sessionId}", none),
        ("endUserSessions", Tenant, 200, Method::POST, "/tenants/{o}/sessions/end", |scene| json!({"userId": scene.user.id})),
        ("listKeys", Tenant, 200, Method::GET, "/tenants/{o}/keys", none),
        ("rotateKey", Tenant, 201, Method::POST, "/tenants/{o}/keys/rotate", |_| json!({"purpose": "stamp-mac"})),
        ("withdrawKey", Tenant, 204, Method::DELETE, "/tenants/{o}/keys/{keyId}", none),
        ("listAuditEvents", TenantOrPlatform, 200, Method::GET, "/tenants/{o}/audit-events", none),
        ("listStampUsage", Tenant, 200, Method::GET, "/tenants/{o}/stamp-usage", none),
    ]
}

/// Whether an operation is about the state of something: every `PATCH` and `PUT`, and what changes which version answers.
fn is_conditional((operation, _, _, method, ..): &Row) -> bool {
    [Method::PATCH, Method::PUT].contains(method) || ["publishPlugin", "rollBackPlugin", "withdrawPlugin"].contains(operation)
}

/// The operations of which the document says that they need `If-Match`, and are refused without it.
fn documented_as_conditional() -> Vec<String> {
    let document = bo_auth_server::admin::document::build().unwrap();
    let mut operations = Vec::new();
    for operation in document.value()["paths"].as_object().unwrap().values().flat_map(|methods| methods.as_object().unwrap().values()) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let needs_it = parameters.filter(|parameter| parameter["name"] == "If-Match").any(|parameter| parameter["required"] == true);
        assert_eq!(needs_it, operation["responses"].get("428").is_some() && operation["responses"].get("412").is_some(), "{operation}");
        if needs_it {
            operations.push(operation["operationId"].as_str().unwrap().to_owned());
        }
    }
    operations.sort();
    operations
}

/// The operations of the document: id, method and path.
fn document() -> Vec<(String, String, String)> {
    let document = bo_auth_server::admin::document::build().unwrap();
    let mut operations = Vec::new();
    for (path, methods) in document.value()["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations.push((operation["operationId"].as_str().unwrap().to_owned(), method.to_uppercase(), path.clone()));
        }
    }
    operations.sort();
    operations
}

/// A tenant with what its routes name.
struct Scene {
    tenant: Tenant,
    user: User,
    session: Session,
}

/// A name that nothing has yet.
fn unique(name: &str) -> String {
    format!("{name}-{}", bo_auth_core::random::alphanumeric(&bo_auth_core::random::SystemRandom::default(), 12))
}

impl Scene {
    /// A key that may go: replaced, and still accepted.
    async fn old_key(&self) -> String {
        let operator = self.tenant.node.operator();
        let (keys, _) = operator.list_keys(&self.tenant.owner_id).await.unwrap();
        let purpose = bo_auth_store::record::KeyPurpose::StampMac;
        let mut keys = keys.iter().filter(|listed| listed.key.purpose == purpose);
        let current = keys.next().unwrap().key.key_id.to_string();
        if let Some(old) = keys.next() {
            return old.key.key_id.to_string();
        }
        self.tenant.rotate(bo_auth_service::operator::key::Replacement::StampMac, std::time::Duration::from_hours(1)).await;
        current
    }

    async fn request(&self, who: &Administrator, row: &Row, owner_id: &str) -> TestRequest {
        let (_, _, _, method, path, body) = row;
        let mut path = path.replace("{o}", owner_id).replace("{userId}", self.user.id.as_str());
        path = path.replace("{sessionId}", &self.session.id.to_string()).replace("{plugin}", "mine").replace("{number}", "1");
        if path.contains("{keyId}") {
            path = path.replace("{keyId}", &self.old_key().await);
        }
        let request = who.request(method.clone(), &path);
        let request = if is_conditional(row) { request.header("If-Match", "*") } else { request };
        match body(self) {
            Value::Null => request,
            body => request.json(&body),
        }
    }

    async fn audited(&self) -> usize {
        self.tenant.audit(&AuditFilter::default()).await.len()
    }
}

async fn every_route_is_for_whom_it_is(app: TestApp) {
    let table = table();
    let mut rows: Vec<_> = table.iter().map(|row| (row.0.to_owned(), row.3.to_string(), shape(&format!("{PREFIX}{}", row.4)))).collect();
    rows.sort();
    let documented: Vec<_> = document().into_iter().map(|(id, method, path)| (id, method, shape(&path))).collect();
    assert_eq!(rows, documented, "the table has a row for each operation of the document");

    let mut conditional: Vec<_> = table.iter().filter(|row| is_conditional(row)).map(|row| row.0.to_owned()).collect();
    conditional.sort();
    assert_eq!(conditional, documented_as_conditional());

    let tenant = app.with_tenant("one").await;
    tenant.with_areas().await;
    let user = tenant.with_user("li").await;
    let scene = Scene { session: user.signed_in().await, user, tenant };
    scene.tenant.publish("mine", "fn process(response, ctx) { response }").await;
    let other = app.with_tenant("two").await;
    let (own, foreign) = (Administrator::of_tenant(&app, &scene.tenant).await, Administrator::of_tenant(&app, &other).await);
    let platform = Administrator::of_platform(&app).await;
    let nobody = Administrator::add(&app, AdminReach::Platform).await;
    let ended = Administrator::of_platform(&app).await;
    let signed_out = ended.request(Method::DELETE, "/sessions/current").send().await;
    assert_eq!(signed_out.status, 204);
    let disabled = Administrator::of_platform(&app).await;
    app.node.apply(app.node.operator().set_admin_disabled(disabled.account(), true).await.unwrap().0).await;

    for row in &table {
        let (operation, whose, success, ..) = *row;
        let owner_id = scene.tenant.owner_id.as_str();
        let before = scene.audited().await;
        let refused = async |who: &Administrator, owner_id: &str, status: u16, code: &str| {
            let answer = scene.request(who, row, owner_id).await.send().await;
            assert_eq!(answer.status, status, "{operation} as {} on {owner_id}: {}", who.account(), answer.text());
            assert_problem(&answer, status, code);
        };
        if whose == For::Everybody {
            for who in [&nobody, &ended, &disabled, &foreign, &own, &platform] {
                let answer = scene.request(who, row, owner_id).await.send().await;
                assert_eq!(answer.status, success, "{operation} as {}: {}", who.account(), answer.text());
            }
            continue;
        }
        // The key that may go is made before anything is counted.
        let before = if operation == "withdrawKey" {
            scene.old_key().await;
            scene.audited().await
        } else {
            before
        };
        refused(&nobody, owner_id, 401, "TOKEN_MISSING").await;
        refused(&ended, owner_id, 401, "SESSION_LOGGED_OUT").await;
        refused(&disabled, owner_id, 403, "USER_DISABLED").await;
        match whose {
            For::Tenant | For::TenantOrPlatform => {
                refused(&foreign, owner_id, 404, "NOT_FOUND").await;
                for nowhere in ["no-such-tenant", "bo-admin", "platform", "a%20b"] {
                    if nowhere == "platform" && whose == For::TenantOrPlatform {
                        continue;
                    }
                    // What administrators did themselves is a trail, too.
                    if (nowhere, operation) != ("bo-admin", "listAuditEvents") {
                        refused(&platform, nowhere, 404, "NOT_FOUND").await;
                    }
                    refused(&own, nowhere, 404, "NOT_FOUND").await;
                }
            }
            For::Platform => {
                refused(&foreign, owner_id, 403, "ROLE_FORBIDDEN").await;
                refused(&own, owner_id, 403, "ROLE_FORBIDDEN").await;
            }
            For::Administrators | For::Everybody => {}
        }
        assert_eq!(scene.audited().await, before, "{operation}: what is refused changes nothing");
        let allowed: &[&Administrator] = if whose == For::Platform { &[&platform] } else { &[&own, &platform] };
        if is_conditional(row) {
            for who in allowed {
                let request = scene.request(who, row, owner_id).await;
                assert_problem(&request.clone().without("If-Match").send().await, 428, "PRECONDITION_REQUIRED");
                for other in ["\"-1\"", "W/\"0\"", ""] {
                    assert_problem(&request.clone().header("If-Match", other).send().await, 412, "PRECONDITION_FAILED");
                }
            }
            assert_eq!(scene.audited().await, before, "{operation}: what is not of the present state changes nothing");
        }
        for who in allowed {
            // A session that is signed out here is one of its own.
            let who = if operation == "adminSignOut" { &who.signed_in().await } else { *who };
            let answer = scene.request(who, row, owner_id).await.send().await;
            assert_eq!(answer.status, success, "{operation} as {}: {}", who.account(), answer.text());
            assert!(answer.header("cache-control") == Some("no-store") && answer.header("access-control-allow-origin").is_none());
        }
    }
    assert_eq!(scene.session.row().await.ended.map(|(_, reason)| reason), Some(EndReason::PasswordChanged));
    // A tenant administrator sees their own tenant and no other.
    for (who, tenant) in [(&own, &scene.tenant), (&foreign, &other)] {
        let listed = who.all("/tenants", 50).await;
        assert_eq!(listed.iter().map(|tenant| tenant["ownerId"].as_str().unwrap()).collect::<Vec<_>>(), [tenant.owner_id.as_str()]);
    }
    assert!(platform.all("/tenants", 1).await.iter().all(|tenant| tenant["ownerId"] != "bo-admin"));
    let disabling = own.request(Method::PATCH, &format!("/tenants/{}", scene.tenant.owner_id)).header("If-Match", "*");
    assert_problem(&disabling.json(&json!({"disabled": true})).send().await, 403, "ROLE_FORBIDDEN");
    // Whose tenant is disabled may do nothing.
    scene.tenant.set_disabled(true).await;
    assert_problem(&own.get("/sessions/current").await, 403, "TENANT_DISABLED");
    assert_eq!(platform.get("/sessions/current").await.status, 200);
}

/// A path with every name in it left open.
fn shape(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') || part == "web" || part == "5f0c7c3e" { "*".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}
