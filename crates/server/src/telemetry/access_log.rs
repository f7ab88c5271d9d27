//! One line, one count and one id for every request. The outermost middleware: what it wraps, it sees.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::future::Future;
use std::time::{Duration, Instant};

use bo_auth_core::time::{Clock, SystemClock};
use futures_util::FutureExt;
use http::header::HeaderName;
use poem::{Endpoint, IntoResponse, Middleware, PathPattern, Request, Response, Result};
use poem_openapi::OperationId;

use super::RequestId;
use super::logging::{self, LogWriter};
use super::metrics::{self, Labels};

/// The target of access lines: `--log-level info,bo_auth::access=off` leaves them out.
pub const TARGET: &str = "bo_auth::access";

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The error code of an answer. Set on the response (`response.set_data(ErrorCodeTag("…"))`) by whoever makes the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorCodeTag(pub &'static str);

/// Gives each answer its [`RequestId`] as `X-Request-Id`; logs and counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Observe;

impl<E: Endpoint> Middleware<E> for Observe {
    type Output = Observed<E>;

    fn transform(&self, endpoint: E) -> Observed<E> {
        Observed { endpoint }
    }
}

/// An endpoint that is observed.
#[derive(Debug)]
pub struct Observed<E> {
    endpoint: E,
}

impl<E: Endpoint> Endpoint for Observed<E> {
    type Output = Response;

    // Not an `async fn`, which would hold the request and the future made of it side by side.
    fn call(&self, request: Request) -> impl Future<Output = Result<Response>> + Send {
        let began = Instant::now();
        let id = RequestId::generate();
        let method = metrics::method_label(request.method());
        self.endpoint.call(request).map(move |answer| {
            let mut response = answer.map_or_else(poem::Error::into_response, IntoResponse::into_response);
            let took = began.elapsed();
            response.headers_mut().insert(X_REQUEST_ID.clone(), id.to_header());
            let labels = Labels {
                operation: response.data::<OperationId>().map_or("none", |operation| operation.0),
                method,
                status: response.status().as_u16(),
                error_code: response.data::<ErrorCodeTag>().map(|tag| tag.0),
            };
            metrics::count(labels, took);
            if tracing::enabled!(target: TARGET, tracing::Level::INFO) {
                log(labels, response.data::<PathPattern>().map(|pattern| &*pattern.0), took, id);
            }
            Ok(response)
        })
    }
}

/// Writes the line. The process's own writer gets it ready-made, which costs a tenth of an event's way through the
/// subscriber; a subscriber that is not ours gets an event.
fn log(labels: Labels, route: Option<&str>, took: Duration, id: RequestId) {
    let route = route.unwrap_or("none");
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if let Some(writer) = logging::json_writer() {
        write_line(writer, labels, route, micros, id);
    } else {
        tracing::info!(
            target: TARGET, route, method = labels.method, operation = labels.operation, status = labels.status,
            errorCode = labels.error_code, durationMicros = micros, requestId = id.as_str(),
        );
    }
}

fn write_line(writer: &LogWriter, labels: Labels, route: &str, micros: u64, id: RequestId) {
    thread_local! {
        static LINE: RefCell<String> = const { RefCell::new(String::new()) };
    }
    LINE.with_borrow_mut(|line| {
        line.clear();
        format_line(line, labels, route, micros, id);
        writer.line(line.as_bytes());
    });
}

/// Everything in the line is of our own making (route patterns, names, numbers), so that nothing has to be escaped.
fn format_line(line: &mut String, labels: Labels, route: &str, micros: u64, id: RequestId) {
    let Labels { operation, method, status, error_code } = labels;
    // Writing to a string cannot fail.
    let _ = write!(
        line,
        r#"{{"timestamp":"{}","level":"INFO","target":"{TARGET}","route":"{route}","method":"{method}","operation":"{operation}","status":{status}"#,
        SystemClock.now()
    );
    if let Some(code) = error_code {
        let _ = write!(line, r#","errorCode":"{code}""#);
    }
    let _ = writeln!(line, r#","durationMicros":{micros},"requestId":"{id}"}}"#);
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use poem::{EndpointExt, Route, get, handler};

    use super::*;

    #[handler]
    fn refused() -> Response {
        let mut response = Response::builder().status(StatusCode::UNAUTHORIZED).finish();
        response.set_data(ErrorCodeTag("TOKEN_INVALID"));
        response.set_data(OperationId("logout"));
        response
    }

    #[tokio::test]
    async fn every_answer_carries_an_id_of_ours() {
        let endpoint = Route::new().at("/refused", get(refused)).with(Observe);
        for (path, status) in [("/refused", StatusCode::UNAUTHORIZED), ("/unknown?token=secret", StatusCode::NOT_FOUND)] {
            let request = Request::builder().uri(path.parse().unwrap()).header("X-Request-Id", "from outside").finish();
            let response = endpoint.get_response(request).await;
            assert_eq!(response.status(), status);
            let id = response.header("x-request-id").unwrap();
            assert_eq!(id.len(), 16);
            assert_ne!(id, "from outside");
        }
    }

    #[test]
    fn a_line_is_json_with_these_members_only() {
        let labels = Labels { operation: "logout", method: "GET", status: 401, error_code: Some("TOKEN_INVALID") };
        let mut line = String::new();
        format_line(&mut line, labels, "/bo/api/v3/auth/session/:sessionId", 42, RequestId::generate());
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["timestamp", "level", "target", "route", "method", "operation", "status", "errorCode", "durationMicros", "requestId"]
        );
        assert_eq!(value["route"], "/bo/api/v3/auth/session/:sessionId");
        assert!(line.ends_with("}\n"));
    }
}
