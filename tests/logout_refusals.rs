//! What a logout refuses, and that nothing has changed then (contract 1.5).

use bo_auth_server::fault::FaultKind;
use http::Method;
use serde_json::json;

use crate::support::{Session, TestApp, TestRequest};

each_backend!(
    a_refresh_token_of_another_session_ends_nothing,
    a_refresh_token_that_is_none_ends_nothing,
    proofs_that_are_missing_are_named,
    an_unknown_scope_ends_nothing,
    area_and_sharers_are_checked_before_anything_ends,
    of_two_mistakes_the_earlier_check_answers,
);

/// Sends by both methods, expects the refusal, and that every one of the sessions is as it was.
async fn refused(request: TestRequest, kind: FaultKind, parameter: &str, unchanged: &[&Session]) {
    let mut rows = Vec::new();
    for session in unchanged {
        rows.push(session.row().await);
    }
    for method in [Method::GET, Method::DELETE] {
        let again = request.clone().method(method).header("XverifyApi", unchanged[0].user.system.new_stamp());
        again.send().await.assert_fault_about(kind, parameter);
    }
    for (session, row) in unchanged.iter().zip(rows) {
        assert_eq!(session.row().await, row);
        session.assert_live().await;
    }
}

async fn a_refresh_token_of_another_session_ends_nothing(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let user = tenant.with_user("li").await;
    let session = user.signed_in().await;
    let elsewhere = user.of(&tenant.with_system("app", json!({})).await);
    let others = [
        user.signed_in().await,
        elsewhere.signed_in().await,
        tenant.with_user("wang").await.signed_in().await,
        app.with_tenant("other").await.with_user("li").await.signed_in().await,
    ];
    for other in &others {
        for scope in ["local", "others", "all"] {
            let request = session.logout().query("refreshToken", &other.refresh_token).query("scope", scope);
            refused(request, FaultKind::REFRESH_TOKEN_MISMATCH, "", &[&session, other]).await;
        }
    }
}

async fn a_refresh_token_that_is_none_ends_nothing(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let token = &session.refresh_token;
    for none in [&token[1..], &format!("{token}0"), "MtP0zZx1gZE66xDnhwd1UV973XoVL4nT", "x", "退出", &token.replace('1', "!")] {
        refused(session.logout().query("refreshToken", none), FaultKind::REFRESH_TOKEN_INVALID, "", &[&session]).await;
    }
}

async fn proofs_that_are_missing_are_named(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    let logout = || session.logout();
    refused(logout().without_query("refreshToken"), FaultKind::PARAMETER_MISSING, "refreshToken", &[&session]).await;
    refused(logout().query("refreshToken", ""), FaultKind::PARAMETER_MISSING, "refreshToken", &[&session]).await;
    refused(logout().without_query("_nodejs"), FaultKind::PARAMETER_MISSING, "_nodejs", &[&session]).await;
    refused(logout().query("_nodejs", "no-such"), FaultKind::PLUGIN_UNKNOWN, "", &[&session]).await;
    refused(logout().without("Authorization"), FaultKind::TOKEN_MISSING, "", &[&session]).await;
    refused(logout().header("Authorization", "Bearer"), FaultKind::TOKEN_INVALID, "", &[&session]).await;
    refused(logout().header("Authorization", &session.access_token), FaultKind::TOKEN_INVALID, "", &[&session]).await;
    refused(logout().header("Authorization", format!("Basic {}", session.access_token)), FaultKind::TOKEN_INVALID, "", &[&session]).await;
    // The refresh token is no access token, and the other way round.
    refused(logout().header("Authorization", format!("Bearer {}", session.refresh_token)), FaultKind::TOKEN_INVALID, "", &[&session]).await;
    refused(logout().query("refreshToken", &session.access_token), FaultKind::REFRESH_TOKEN_INVALID, "", &[&session]).await;
}

async fn an_unknown_scope_ends_nothing(app: TestApp) {
    let session = app.with_tenant("acme").await.with_user("li").await.signed_in().await;
    for scope in ["every", "ALL", " all", "all,others", "0"] {
        refused(session.logout().query("scope", scope), FaultKind::PARAMETER_INVALID, "scope", &[&session]).await;
    }
}

async fn area_and_sharers_are_checked_before_anything_ends(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    tenant.with_areas().await;
    let session = tenant.with_user_in("li", &["440100"]).await.signed_in().await;
    let foreign = app.with_tenant("other").await.with_user("zhang").await;
    let with = |name: &str, value: &str| session.logout().header(name, value);
    refused(with("XfilterAreaCode", "990000"), FaultKind::AREA_UNKNOWN, "", &[&session]).await;
    refused(with("XfilterAreaCode", "440300"), FaultKind::AREA_FORBIDDEN, "", &[&session]).await;
    refused(with("XfilterAreaCode", "440000"), FaultKind::AREA_FORBIDDEN, "", &[&session]).await;
    refused(with("XfilterAreaCode", "a b"), FaultKind::PARAMETER_INVALID, "XfilterAreaCode", &[&session]).await;
    for name in ["XuserFromFirstShareId", "XuserFromSecondShareId"] {
        refused(with(name, "nobody"), FaultKind::SHARE_USER_UNKNOWN, "", &[&session]).await;
        refused(with(name, foreign.id.as_str()), FaultKind::SHARE_USER_UNKNOWN, "", &[&session]).await;
        refused(with(name, "a b"), FaultKind::PARAMETER_INVALID, name, &[&session]).await;
    }
}

async fn of_two_mistakes_the_earlier_check_answers(app: TestApp) {
    let tenant = app.with_tenant("acme").await;
    let session = tenant.with_user("li").await.signed_in().await;
    // Each step of the contract's order is wrong from here on; what is put right moves the answer one step on.
    let mut request = session
        .logout()
        .header("XownerId", "nobody")
        .header("XsysId", "nowhere")
        .header("XverifyApi", "***")
        .query("_nodejs", "no-such")
        .header("Authorization", "Bearer x")
        .query("refreshToken", "x")
        .query("scope", "x")
        .header("XfilterAreaCode", "990000");
    let expect = async |request: &TestRequest, error_code: &str| assert_eq!(request.send().await.error_code(), error_code);
    expect(&request, "TENANT_UNKNOWN").await;
    request = request.header("XownerId", tenant.owner_id.as_str());
    expect(&request, "SYSTEM_UNKNOWN").await;
    request = request.without("XsysId");
    expect(&request, "VERIFY_API_INVALID").await;
    let fresh = |request: TestRequest| request.header("XverifyApi", tenant.web().new_stamp());
    request = fresh(request);
    expect(&request, "PLUGIN_UNKNOWN").await;
    request = fresh(request).query("_nodejs", "common-data");
    expect(&request, "TOKEN_INVALID").await;
    request = fresh(request).header("Authorization", format!("Bearer {}", session.access_token));
    expect(&request, "REFRESH_TOKEN_INVALID").await;
    request = fresh(request).query("refreshToken", &session.refresh_token);
    expect(&request, "PARAMETER_INVALID").await;
    request = fresh(request).query("scope", "local");
    expect(&request, "AREA_UNKNOWN").await;
    session.assert_live().await;
    fresh(request).without("XfilterAreaCode").send().await.assert_body(r#"{"code":0,"success":true,"message":"退出成功"}"#);
}
