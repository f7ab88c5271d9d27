//! One complete request to each route, for what must hold on all of them.

use http::Method;
use serde_json::json;

use super::{Session, TestRequest, route};

/// A request and what its route needs.
pub(crate) struct RouteRequest {
    pub(crate) name: &'static str,
    pub(crate) request: TestRequest,
    /// Whether it needs an access token.
    pub(crate) bearer: bool,
    /// Whether it needs a refresh token in the query.
    pub(crate) refresh_token: bool,
    /// Whether it must name a plugin.
    pub(crate) plugin: bool,
}

/// The routes that take the X headers, each with proofs of this session; all would succeed if they were sent alone.
pub(crate) fn every_route(session: &Session) -> Vec<RouteRequest> {
    let refresh_by_body = session.refresh().method(Method::POST).without_query("refreshToken");
    let refresh_by_body = refresh_by_body.json(&json!({"refreshToken": session.refresh_token}));
    let row = |name, request, [bearer, refresh_token, plugin]: [bool; 3]| RouteRequest {
        name,
        request,
        bearer,
        refresh_token,
        plugin,
    };
    vec![
        row("login", session.user.login(), [false, false, false]),
        row("refresh by GET", session.refresh(), [false, true, false]),
        row("refresh by POST", refresh_by_body, [false, false, false]),
        row("logout by GET", session.logout(), [true, true, true]),
        row("logout by DELETE", session.logout_by(Method::DELETE), [true, true, true]),
        row("current user", session.current_user(), [true, false, false]),
        row("sessions", session.list(), [true, false, false]),
        row("end a session", session.end(session.id), [true, false, false]),
    ]
}

/// The picture of a captcha, which takes its tenant in the query and no headers.
pub(crate) fn captcha_picture(session: &Session, verify_guid: &str) -> TestRequest {
    let tenant = &session.user.system.tenant;
    TestRequest::new(&tenant.node, Method::GET, &format!("{}/{verify_guid}", route::CAPTCHA)).query("ownerId", tenant.owner_id.as_str())
}
