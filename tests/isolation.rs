//! One tenant against another, on every route with every proof swapped: nothing is accepted, and nothing has changed.
//! Both have the same DES key and the same user ids, so that nothing but the tenant tells them apart.

use std::time::Duration;

use bo_auth_server::fault::FaultKind;
use bo_auth_service::operator::key::Replacement;
use http::Method;
use serde_json::json;

use crate::support::{RouteRequest, Session, Tenant, TestApp, TestRequest, every_route};

each_backend!(
    no_proof_of_one_tenant_serves_in_the_other,
    no_name_of_one_tenant_is_known_in_the_other,
    no_list_of_one_tenant_shows_the_other,
    no_proof_of_one_system_serves_in_another,
);

/// Two tenants, each with a user of the same account and id, who is signed in.
async fn two_tenants(app: &TestApp) -> [(Tenant, Session); 2] {
    let mut both = Vec::new();
    for name in ["one", "two"] {
        let tenant = app.with_tenant(name).await;
        let session = tenant.with_user("li").await.signed_in().await;
        both.push((tenant, session));
    }
    both.try_into().unwrap_or_else(|_| panic!("two"))
}

/// Sends, expects a refusal with this code, and that both sessions are as they were.
async fn refused(sessions: [&Session; 2], route: &str, request: TestRequest, error_code: &str) {
    let before = [sessions[0].user.rows().await, sessions[1].user.rows().await];
    let answer = request.send().await;
    assert_eq!(answer.error_code(), error_code, "{route}: {}", answer.text());
    assert_eq!([sessions[0].user.rows().await, sessions[1].user.rows().await], before, "{route}");
}

/// What a route answers to a call whose tenant is not that of its proofs.
fn foreign(route: &RouteRequest) -> &'static str {
    if route.bearer {
        "TOKEN_INVALID"
    } else if route.name == "login" {
        "LOGIN_FAILED"
    } else {
        "REFRESH_TOKEN_INVALID"
    }
}

async fn no_proof_of_one_tenant_serves_in_the_other(app: TestApp) {
    let [(one, own), (two, other)] = two_tenants(&app).await;
    let sessions = [&own, &other];
    // The passwords differ where the accounts are the same.
    let (change, _) = two.node.operator().set_password(&two.owner_id, "li", "another horse").await.unwrap();
    two.node.apply(change).await;
    let other = {
        let user = other.user.clone();
        user.signed_in().await
    };
    for route in every_route(&own) {
        let named = route.request.clone().header("XownerId", two.owner_id.as_str());
        refused(sessions, route.name, named, foreign(&route)).await;
        if route.bearer {
            let borrowed = route.request.clone().header("XverifyApi", one.web().new_stamp());
            let borrowed = borrowed.header("Authorization", format!("Bearer {}", other.access_token));
            refused(sessions, route.name, borrowed, "TOKEN_INVALID").await;
        }
        if route.refresh_token {
            let borrowed = route.request.clone().header("XverifyApi", one.web().new_stamp()).query("refreshToken", &other.refresh_token);
            let expected = if route.bearer { "REFRESH_TOKEN_MISMATCH" } else { "REFRESH_TOKEN_INVALID" };
            refused(sessions, route.name, borrowed, expected).await;
        }
    }
    // Everything of the other's but the tenant.
    for route in every_route(&other).into_iter().filter(|route| route.name != "login") {
        let claimed = route.request.clone().header("XownerId", one.owner_id.as_str());
        refused(sessions, route.name, claimed, foreign(&route)).await;
    }
    // Once the keys differ, the stamp is refused before all that.
    two.rotate(Replacement::Stamp(Some("key two!")), Duration::ZERO).await;
    for route in every_route(&own) {
        let borrowed = route.request.clone().header("XverifyApi", two.web().encrypt_under("key two!", &guid()));
        refused(sessions, route.name, borrowed, "VERIFY_API_INVALID").await;
    }
    own.assert_live().await;
}

fn guid() -> String {
    bo_auth_core::stamp::new_stamp_plaintext(&bo_auth_core::random::SystemRandom::default(), None)
}

async fn no_name_of_one_tenant_is_known_in_the_other(app: TestApp) {
    let [(one, own), (two, other)] = two_tenants(&app).await;
    let sessions = [&own, &other];
    two.with_areas().await;
    two.with_user("zhang").await;
    two.with_system("only-two", json!({})).await;
    two.publish("only-two", "fn process(response, ctx) { response }").await;
    for route in every_route(&own) {
        let fresh = || route.request.clone().header("XverifyApi", one.web().new_stamp());
        refused(sessions, route.name, fresh().header("XsysId", "only-two"), "SYSTEM_UNKNOWN").await;
        refused(sessions, route.name, fresh().query("_nodejs", "only-two"), "PLUGIN_UNKNOWN").await;
        refused(sessions, route.name, fresh().header("XfilterAreaCode", "440100"), "AREA_UNKNOWN").await;
        refused(sessions, route.name, fresh().header("XuserFromFirstShareId", "id-zhang"), "SHARE_USER_UNKNOWN").await;
        refused(sessions, route.name, fresh().header("XuserFromSecondShareId", "id-zhang"), "SHARE_USER_UNKNOWN").await;
    }
    refused(sessions, "end a session", own.end(other.id), "PARAMETER_INVALID").await;
    own.assert_live().await;
    other.assert_live().await;
}

async fn no_list_of_one_tenant_shows_the_other(app: TestApp) {
    let [(one, own), (two, other)] = two_tenants(&app).await;
    let listed = own.list().send().await;
    assert!(listed.text().contains(&own.id.to_string()) && !listed.text().contains(&other.id.to_string()));
    assert_eq!(own.logout().query("scope", "all").send().await.status, 200);
    other.assert_live().await;
    assert_eq!((one.audited_ends(&own.user.id).await, two.audited_ends(&other.user.id).await), (1, 0));
    // The profile of the one is not served for the other, though the ids are the same.
    let profile = other.current_user().send().await.json();
    assert_eq!(profile["data"]["ownerId"], two.owner_id.as_str());
}

async fn no_proof_of_one_system_serves_in_another(app: TestApp) {
    let tenant = app.with_tenant("one").await;
    let user = tenant.with_user("li").await;
    let system = tenant.with_system("app", json!({})).await;
    let (own, elsewhere) = (user.signed_in().await, user.of(&system).signed_in().await);
    for (session, sys_id) in [(&own, "app"), (&elsewhere, "web")] {
        for route in every_route(session) {
            if route.name == "login" {
                continue;
            }
            let moved = route.request.clone().header("XverifyApi", tenant.web().new_stamp()).header("XsysId", sys_id);
            let expected = if route.bearer { FaultKind::TOKEN_INVALID } else { FaultKind::REFRESH_TOKEN_MISMATCH };
            moved.send().await.assert_fault(expected);
        }
    }
    for session in [own, elsewhere] {
        assert_eq!(session.row().await.generation, 0);
        session.assert_live().await;
        assert_eq!(session.logout_by(Method::DELETE).send().await.status, 200);
    }
}
