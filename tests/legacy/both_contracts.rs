//! A v1.0 session is a session like any other: what ends it in one contract ends it in both.

use bo_auth_server::legacy::errno::Errno;
use http::Method;
use serde_json::json;

use super::fleet_of_test::{FleetOfTest, OutcomeAnswer};
use crate::support::{Backend, TestApp, route};

each_backend!(a_v3_logout_of_all_kills_the_cookie, a_listed_session_is_kicked, a_cookie_signs_out_its_own_session_only, the_limit_is_one);
one_backend!(Local: a_password_change_kills_the_cookie);
one_backend!(Redis: a_second_node_refuses_at_once);

async fn a_v3_logout_of_all_kills_the_cookie(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let mut browser = fleet.signed_in().await;
    let session = fleet.user.log_in().await;
    let logout = session.logout().query("scope", "all").header("Prefer", "return=representation").send().await;
    assert_eq!(logout.json()["data"]["sessions"], 2, "{}", logout.text());
    browser.who().await.assert_outcome(Errno::SESSION);
}

async fn a_listed_session_is_kicked(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let mut browser = fleet.signed_in().await;
    let session = fleet.user.log_in().await;
    let listed = session.list().send().await.json();
    let sessions = listed["data"]["sessions"].as_array().or_else(|| listed["data"].as_array()).unwrap();
    assert_eq!(sessions.len(), 2);
    let text = listed.to_string();
    assert!(!text.contains(browser.cookie()), "a list shows no cookie");
    let other = sessions.iter().find(|entry| entry["current"] == false).unwrap();
    let id = other["sessionId"].as_str().unwrap();
    let kicked = session.request(Method::DELETE, &format!("{}/{id}", route::SESSIONS)).send().await;
    assert_eq!(kicked.status, 200);
    browser.who().await.assert_outcome(Errno::SESSION);
    assert_eq!(session.current_user().send().await.status, 200);
    browser.sign_out().await.assert_outcome(Errno::OK);
}

async fn a_cookie_signs_out_its_own_session_only(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let mut browser = fleet.signed_in().await;
    let mut other = fleet.signed_in().await;
    let session = fleet.user.log_in().await;
    browser.sign_out().await.assert_outcome(Errno::OK);
    assert!(other.who().await.text().contains("name of li"));
    assert_eq!(session.current_user().send().await.status, 200);
    let listed = session.list().send().await.text().matches("\"sessionId\"").count();
    assert_eq!(listed, 2);
    // No proof of one contract is one of the other.
    let as_refresh_token = session.logout().query("refreshToken", other.cookie()).send().await;
    assert_eq!(as_refresh_token.error_code(), "REFRESH_TOKEN_INVALID");
    let mut forged = fleet.browser();
    forged.cookies.insert("userlogin".to_owned(), session.refresh_token.clone());
    forged.who().await.assert_outcome(Errno::SESSION);
    forged.sign_out().await.assert_outcome(Errno::OK);
    assert_eq!(session.current_user().send().await.status, 200);
}

async fn the_limit_is_one(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    fleet.tenant.web().change(json!({"sessionLimit": 1})).await;
    let session = fleet.user.log_in().await;
    fleet.app.advance(std::time::Duration::from_millis(5));
    let mut browser = fleet.signed_in().await;
    session.assert_ended("SESSION_REPLACED").await;
    fleet.app.advance(std::time::Duration::from_millis(5));
    let next = fleet.user.log_in().await;
    browser.who().await.assert_outcome(Errno::SESSION);
    assert_eq!(next.current_user().send().await.status, 200);
}

async fn a_password_change_kills_the_cookie(app: TestApp) {
    let fleet = FleetOfTest::start(app).await;
    let mut browser = fleet.signed_in().await;
    let node = &fleet.tenant.node;
    let (change, _) = node.operator().set_password(&fleet.tenant.owner_id, "li", "another one").await.unwrap();
    node.apply(change).await;
    browser.who().await.assert_outcome(Errno::SESSION);
}

async fn a_second_node_refuses_at_once(app: TestApp) {
    assert_eq!(app.backend(), Backend::Redis);
    let fleet = FleetOfTest::start(app).await;
    let second = fleet.app.second_node().await;
    let mut browser = fleet.signed_in().await;
    let there = browser.request(Method::GET, super::fleet_of_test::SESSION).on(&second);
    assert!(there.send().await.text().contains("name of li"));
    browser.sign_out().await.assert_outcome(Errno::OK);
    there.send().await.assert_outcome(Errno::SESSION);
}
