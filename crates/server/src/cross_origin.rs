//! Which browsers' pages may call us (CORS, <https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! A preflight carries no X header, so that it is answered from an index over all systems. The request itself belongs to one
//! system, and only that system's list decides whether the page may read the answer. Nothing is ever a wildcard.

use std::future::{Future, ready};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::Either;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use poem::{Endpoint, IntoResponse, Middleware, Request, Response, Result};

const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE");
const ALLOWED_HEADERS: &str = "XownerId, XsysId, XverifyApi, XuserFromFirstShareId, XuserFromSecondShareId, XfilterAreaCode, \
     Authorization, Content-Type, Accept-Language, Prefer, X-Requested-With, X-Request-Id, \
     traceparent, tracestate, baggage, sentry-trace";
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static("X-Plugin-Error, X-Request-Id, Retry-After, Date, Preference-Applied");
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const TRUE: HeaderValue = HeaderValue::from_static("true");
const VARY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");
const VARY_REQUESTED: HeaderValue = HeaderValue::from_static("Access-Control-Request-Headers");

/// Knows the origins of all systems.
pub trait OriginIndex: Send + Sync + 'static {
    /// Whether a system lists the origin.
    fn lists(&self, origin: &str) -> bool;

    /// Which of the headers that a preflight asks for pages of an origin may send beside those that every page may, each
    /// behind a comma; `None` if no system lists the origin.
    fn headers_of(&self, origin: &str, requested: &str) -> Option<String>;
}

/// Whether the request's own system lists its origin: set on the response (`response.set_data(AllowedOrigin(true))`) once
/// the system is known. Absent on earlier errors, which the index decides on so that the page can read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllowedOrigin(pub bool);

/// The middleware.
#[derive(Clone)]
pub struct CrossOrigin(Arc<dyn OriginIndex>);

impl CrossOrigin {
    /// Asks this index.
    pub fn new(index: Arc<dyn OriginIndex>) -> Self {
        Self(index)
    }
}

impl<E: Endpoint> Middleware<E> for CrossOrigin {
    type Output = CrossOriginEndpoint<E>;

    fn transform(&self, endpoint: E) -> CrossOriginEndpoint<E> {
        CrossOriginEndpoint { endpoint, index: Arc::clone(&self.0) }
    }
}

/// An endpoint that pages of other origins may call.
pub struct CrossOriginEndpoint<E> {
    endpoint: E,
    index: Arc<dyn OriginIndex>,
}

impl<E> CrossOriginEndpoint<E> {
    fn lists(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| self.index.lists(origin))
    }

    fn headers_of(&self, origin: &HeaderValue, preflight: &HeaderMap) -> Option<String> {
        let requested = preflight.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter().filter_map(|names| names.to_str().ok());
        self.index.headers_of(origin.to_str().ok()?, &requested.collect::<Vec<_>>().join(","))
    }

    fn preflight(origin: HeaderValue, own_headers: Option<String>) -> Response {
        let allowed = own_headers.map(|own| HeaderValue::try_from(format!("{ALLOWED_HEADERS}{own}")));
        let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
        let headers = response.headers_mut();
        headers.insert(VARY, VARY_ORIGIN);
        headers.append(VARY, VARY_REQUESTED);
        if let Some(Ok(allowed)) = allowed {
            allow(headers, origin);
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
            headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
        response
    }
}

impl<E: Endpoint> Endpoint for CrossOriginEndpoint<E> {
    type Output = Response;

    // Not an `async fn`, which would hold the request and the future made of it side by side.
    fn call(&self, request: Request) -> impl Future<Output = Result<Response>> + Send {
        let origin = request.headers().get(ORIGIN).cloned();
        let is_preflight = request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let is_private = is_private(request.uri().path());
        match origin {
            Some(origin) if is_preflight => {
                let own_headers = if is_private { None } else { self.headers_of(&origin, request.headers()) };
                Either::Left(ready(Ok(Self::preflight(origin, own_headers))))
            }
            origin => Either::Right(self.endpoint.call(request).map(move |answer| {
                let mut response = answer.map_or_else(poem::Error::into_response, IntoResponse::into_response);
                response.headers_mut().append(VARY, VARY_ORIGIN);
                if let Some(origin) = origin.filter(|_| !is_private) {
                    let decided = response.data::<AllowedOrigin>().map(|allowed| allowed.0);
                    if decided.unwrap_or_else(|| self.lists(&origin)) {
                        allow(response.headers_mut(), origin);
                        response.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
                    }
                }
                Ok(response)
            })),
        }
    }
}

/// Whether a path is the operator's own: no page of a tenant's origin reads what is there.
fn is_private(path: &str) -> bool {
    const OPERATORS: [&str; 6] = ["/metrics", "/console", "/docs", "/openapi/admin-v1.json", "/healthz", "/readyz"];
    let lies_below = |own: &&str| path.strip_prefix(*own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    crate::admin::owns(path) || OPERATORS.iter().any(lies_below)
}

/// The origin itself and never `*`: with credentials a browser takes nothing else.
fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
}

#[cfg(test)]
mod tests {
    use poem::{EndpointExt, Route, get, handler};

    use super::*;

    const HOME: &str = "https://app.example";

    struct OnlyHome;

    impl OriginIndex for OnlyHome {
        fn lists(&self, origin: &str) -> bool {
            origin == HOME
        }

        fn headers_of(&self, origin: &str, requested: &str) -> Option<String> {
            (origin == HOME).then(|| if requested == "x-app,x-other" { ", x-app".to_owned() } else { String::new() })
        }
    }

    #[handler]
    fn undecided() -> &'static str {
        "early"
    }

    #[handler]
    fn refusing() -> Response {
        let mut response = Response::from("late");
        response.set_data(AllowedOrigin(false));
        response
    }

    #[handler]
    fn allowing() -> Response {
        let mut response = Response::from("late");
        response.set_data(AllowedOrigin(true));
        response
    }

    async fn send(method: Method, path: &str, origin: Option<&'static str>) -> Response {
        let routes = Route::new().at("/undecided", get(undecided)).at("/refusing", get(refusing)).at("/allowing", get(allowing));
        let mut request = Request::builder().method(method).uri(path.parse().unwrap()).finish();
        request.headers_mut().insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("GET"));
        request.headers_mut().insert(ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static("x-app,x-other"));
        if let Some(origin) = origin {
            request.headers_mut().insert(ORIGIN, HeaderValue::from_static(origin));
        }
        routes.with(CrossOrigin::new(Arc::new(OnlyHome))).get_response(request).await
    }

    #[tokio::test]
    async fn a_preflight_of_a_listed_origin_is_answered_in_full() {
        let response = send(Method::OPTIONS, "/undecided", Some(HOME)).await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        for (name, value) in [
            ("access-control-allow-origin", HOME),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", "GET, POST, DELETE"),
            ("access-control-max-age", "600"),
            ("vary", "Origin"),
        ] {
            assert_eq!(response.header(name), Some(value), "{name}");
        }
        let headers = response.header("access-control-allow-headers").unwrap();
        for name in ["XverifyApi", "Authorization", "traceparent", "sentry-trace", "x-app"] {
            assert!(headers.split(", ").any(|listed| listed == name), "{name}");
        }
    }

    #[tokio::test]
    async fn a_preflight_of_another_origin_gets_nothing() {
        for origin in ["https://evil.example", "null", "*", "https://app.example.evil.example"] {
            let response = send(Method::OPTIONS, "/undecided", Some(origin)).await;
            assert_eq!(response.status(), StatusCode::NO_CONTENT);
            assert_eq!(response.header("access-control-allow-origin"), None);
            assert_eq!(response.header("vary"), Some("Origin"));
        }
    }

    #[tokio::test]
    async fn the_requests_own_system_decides_and_the_index_before_it() {
        for (path, origin, allowed) in [
            ("/undecided", HOME, true),
            ("/undecided", "https://evil.example", false),
            ("/refusing", HOME, false),
            ("/allowing", HOME, true),
            ("/unknown", HOME, true),
        ] {
            let response = send(Method::GET, path, Some(origin)).await;
            assert_eq!(response.header("access-control-allow-origin"), allowed.then_some(origin), "{path} {origin}");
            assert_eq!(response.headers().contains_key(ACCESS_CONTROL_EXPOSE_HEADERS), allowed, "{path} {origin}");
            assert_eq!(response.header("vary"), Some("Origin"));
        }
    }

    #[tokio::test]
    async fn no_listed_page_reads_what_is_the_operators() {
        let private = ["/metrics", "/admin/api/v1/tenants", "/console", "/console/main.js", "/docs", "/docs/admin", "/readyz"];
        for (paths, shared) in [(&private[..], None), (&["/metricsx", "/docs.json", "/bo/docs"], Some(HOME))] {
            for path in paths {
                for method in [Method::GET, Method::OPTIONS] {
                    let response = send(method, path, Some(HOME)).await;
                    assert_eq!(response.header("access-control-allow-origin"), shared, "{path}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_request_without_origin_is_left_alone_but_varies() {
        let response = send(Method::GET, "/undecided", None).await;
        assert_eq!(response.header("vary"), Some("Origin"));
        assert_eq!(response.header("access-control-allow-origin"), None);
    }
}
