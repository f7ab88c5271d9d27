//! Several fleets on one server: told apart by name, and each sees its own tenant and system only.

use bo_auth_server::legacy::errno::Errno;
use http::Method;
use serde_json::json;

use super::fleet_of_test::{OutcomeAnswer, SESSION, SESSIONS, fleet_of, serve, user_with_mobile};
use crate::support::{Answer, TestApp, TestRequest};

each_backend!(fleets_see_their_own_tenant_only);
one_backend!(Local: another_system_of_the_tenant_is_another_fleet, under_an_unknown_name_there_is_no_route);

const MOBILE: &str = "13800000042";

async fn sign_in(app: &TestApp, host: &str, account: &str) -> Answer {
    let body = json!({"mobile": MOBILE, "password": format!("password of {account}")});
    app.bare_request(Method::POST, SESSIONS).header("Host", host).json(&body).send().await
}

fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

fn with(app: &TestApp, method: Method, host: &str, cookie: &str) -> TestRequest {
    app.bare_request(method, SESSION).header("Host", host).header("Cookie", cookie)
}

async fn fleets_see_their_own_tenant_only(app: TestApp) {
    let (one, two) = (app.with_tenant("one").await, app.with_tenant("two").await);
    // The same number in two tenants is two users.
    user_with_mobile(&one, "li", "42", MOBILE).await;
    user_with_mobile(&two, "han", "42", MOBILE).await;
    let (mut first, second) = (fleet_of(&one), fleet_of(&two));
    first.hosts = vec!["one.example".to_owned()];
    serve(&app, vec![first, second]).await;

    let cookie = cookie_of(&sign_in(&app, "one.example:8480", "li").await);
    sign_in(&app, "two.example", "li").await.assert_outcome(Errno::LOGIN);
    let other = cookie_of(&sign_in(&app, "two.example", "han").await);
    assert!(with(&app, Method::GET, "ONE.example", &cookie).send().await.text().contains("name of li"));
    assert!(with(&app, Method::GET, "two.example", &other).send().await.text().contains("name of han"));

    // The other fleet takes it for a session that is gone, and ends nothing.
    with(&app, Method::GET, "two.example", &cookie).send().await.assert_outcome(Errno::SESSION);
    with(&app, Method::DELETE, "two.example", &cookie).send().await.assert_outcome(Errno::OK);
    assert!(with(&app, Method::GET, "one.example", &cookie).send().await.text().contains("name of li"));
}

async fn another_system_of_the_tenant_is_another_fleet(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let system = tenant.with_system("app", json!({})).await;
    user_with_mobile(&tenant, "li", "42", MOBILE).await;
    let (mut web, mut phone) = (fleet_of(&tenant), fleet_of(&tenant));
    web.hosts = vec!["www.example".to_owned()];
    phone.hosts = vec!["app.example".to_owned()];
    phone.sys_id = system.sys_id.clone();
    "applogin".clone_into(&mut phone.cookie);
    serve(&app, vec![web, phone]).await;

    let cookie = cookie_of(&sign_in(&app, "app.example", "li").await);
    assert!(cookie.starts_with("applogin="));
    let value = cookie.split_once('=').unwrap().1;
    assert!(with(&app, Method::GET, "app.example", &cookie).send().await.text().contains("name of li"));
    let renamed = format!("userlogin={value}");
    with(&app, Method::GET, "www.example", &renamed).send().await.assert_outcome(Errno::SESSION);
    with(&app, Method::DELETE, "www.example", &renamed).send().await.assert_outcome(Errno::OK);
    assert!(with(&app, Method::GET, "app.example", &cookie).send().await.text().contains("name of li"));
}

async fn under_an_unknown_name_there_is_no_route(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let mut fleet = fleet_of(&tenant);
    fleet.hosts = vec!["www.example".to_owned()];
    serve(&app, vec![fleet]).await;
    with(&app, Method::GET, "www.example", "userlogin=x").send().await.assert_outcome(Errno::SESSION);
    for method in [Method::GET, Method::DELETE] {
        with(&app, method, "other.example", "userlogin=x").send().await.assert_refusal(404, Errno::REQUEST);
    }
}
