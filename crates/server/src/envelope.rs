//! The layer around all routes: whatever the framework refuses, or fails at, leaves as the envelope of contract 1.6, and
//! below the v1.0 contract's prefix in that contract's own words; on the admin API's
//! paths as problem details.

use std::future::{Future, ready};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bo_auth_service::Service;
use bo_auth_store::admission::AddressGate;
use futures_util::FutureExt;
use futures_util::future::Either;
use http::{HeaderValue, Method, StatusCode, header};
use poem::error::{MethodNotAllowedError, NotFoundError};
use poem::{Endpoint, Error, IntoResponse, Middleware, PathPattern, Request, Response, Result};
use poem_openapi::OperationId;

use crate::admin;
use crate::admin::problem::Problem;
use crate::api::{Answerer, Unseen};
use crate::fault::{Fault, FaultKind};
use crate::legacy;
use crate::proxy::{address_text, client_address};

/// What the layer needs.
pub struct EnvelopeParts {
    /// For its clock and plugins.
    pub service: Arc<Service>,
    /// Requests per minute from one address, whatever they ask for.
    pub gate: Arc<AddressGate>,
    /// After how long a request is given up.
    pub timeout: Duration,
    /// Which methods each path has: segments, where one that begins with `{` stands for any, and the `Allow` value.
    pub routes: Vec<(Vec<String>, String)>,
    /// Whether the v1.0 contract is served.
    pub with_legacy: bool,
}

/// The layer.
#[derive(Clone)]
pub struct Envelope(Arc<EnvelopeParts>);

impl Envelope {
    /// A layer of these parts.
    pub fn new(parts: EnvelopeParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl<E: Endpoint> Middleware<E> for Envelope {
    type Output = Enveloped<E>;

    fn transform(&self, endpoint: E) -> Enveloped<E> {
        Enveloped { endpoint, parts: Arc::clone(&self.0), answerer: Answerer::new(Arc::clone(&self.0.service)) }
    }
}

/// An endpoint in the layer.
pub struct Enveloped<E> {
    endpoint: E,
    parts: Arc<EnvelopeParts>,
    answerer: Answerer,
}

/// Why a request is answered here.
enum Unhandled {
    /// The layer's own reason.
    Fault(Fault),
    /// The path has other methods, if it is known at all.
    Method,
    /// The framework's.
    Framework(Error),
}

impl<E: Endpoint> Endpoint for Enveloped<E> {
    type Output = Response;

    // Not an `async fn`: that would hold the request and the future made of it side by side, in every layer anew.
    fn call(&self, request: Request) -> impl Future<Output = Result<Response>> + Send {
        let unseen = Unseen::of(&request);
        // Answers of our own are rare, and kept apart so that the common way stays small.
        let answer = move |unhandled| Box::pin(async move { Ok(self.answer(&unseen, unhandled).await) });
        if let Err(unhandled) = self.admit(&request) {
            return Either::Left(answer(unhandled));
        }
        let handled = AssertUnwindSafe(tokio::time::timeout(self.parts.timeout, self.endpoint.call(request))).catch_unwind();
        Either::Right(handled.then(move |handled| match handled {
            Ok(Ok(Ok(answer))) => Either::Left(ready(Ok(answer.into_response()))),
            Ok(Ok(Err(error))) if error.is_from_response() => Either::Left(ready(Ok(error.into_response()))),
            Ok(Ok(Err(error))) if error.is::<MethodNotAllowedError>() => Either::Right(answer(Unhandled::Method)),
            Ok(Ok(Err(error))) => Either::Right(answer(Unhandled::Framework(error))),
            Ok(Err(_)) => Either::Right(answer(Unhandled::Fault(Fault::later(FaultKind::UNAVAILABLE, Duration::from_secs(1))))),
            Err(_) => {
                // What it says may repeat a value of the request; where it happened is on standard error.
                tracing::error!("a handler panicked");
                Either::Right(answer(Unhandled::Fault(Fault::of(FaultKind::INTERNAL))))
            }
        }))
    }
}

impl<E> Enveloped<E> {
    /// What can be said before the request is looked at.
    fn admit(&self, request: &Request) -> Result<(), Unhandled> {
        // Whoever balances calls must be able to ask; such answers cost next to nothing.
        if matches!(request.uri().path(), "/healthz" | "/readyz") {
            return Ok(());
        }
        let address = address_text(client_address(request));
        if let Err(wait) = self.parts.gate.admit(&address, self.parts.service.clock.now()) {
            return Err(Unhandled::Fault(Fault::later(FaultKind::RATE_LIMITED, wait)));
        }
        // U+0000 names nothing, and Postgres cannot look it up. The other contracts parse what they
        // take from a target.
        let uri = request.uri();
        if admin::owns(uri.path()) && [uri.path(), uri.query().unwrap_or_default()].iter().any(|text| text.contains("%00")) {
            return Err(Unhandled::Fault(Fault::of(FaultKind::BAD_REQUEST)));
        }
        // Below `/bo/api` a GET can sign a user out; everywhere else HEAD has become a GET by now.
        if request.method() == Method::HEAD { Err(Unhandled::Method) } else { Ok(()) }
    }

    async fn answer(&self, unseen: &Unseen, unhandled: Unhandled) -> Response {
        let error = match unhandled {
            Unhandled::Fault(fault) => return self.refuse(unseen, &fault).await,
            Unhandled::Method => return self.refuse_method(unseen).await,
            Unhandled::Framework(error) => error,
        };
        let fault = fault_of(&error);
        let mut response = if admin::owns(unseen.path()) {
            Problem::of_framework(&error, &fault).into_response()
        } else {
            self.refuse(unseen, &fault).await
        };
        // What the metrics and the log call the request by.
        if let Some(operation) = error.data::<OperationId>() {
            response.set_data(*operation);
        }
        if let Some(pattern) = error.data::<PathPattern>() {
            response.set_data(pattern.clone());
        }
        response
    }

    /// In the words of the contract that the path belongs to.
    async fn refuse(&self, unseen: &Unseen, fault: &Fault) -> Response {
        if admin::owns(unseen.path()) {
            return Problem::from(fault).into_response();
        }
        if self.parts.with_legacy && legacy::owns(unseen.path()) {
            return legacy::answer::refuse(fault.into());
        }
        self.answerer.refuse_unseen(unseen, fault).await
    }

    async fn refuse_method(&self, unseen: &Unseen) -> Response {
        let Some(allow) = self.parts.routes.iter().find(|(pattern, _)| fits(pattern, unseen.path())).map(|(_, allow)| allow) else {
            return self.refuse(unseen, &Fault::of(FaultKind::ROUTE_UNKNOWN)).await;
        };
        let mut response = self.refuse(unseen, &Fault::of(FaultKind::METHOD_NOT_ALLOWED)).await;
        // RFC 9110 section 15.5.6 asks for it.
        if let Ok(value) = HeaderValue::from_str(allow) {
            response.headers_mut().insert(header::ALLOW, value);
        }
        response
    }
}

fn fits(pattern: &[String], path: &str) -> bool {
    let mut segments = path.split('/');
    pattern.iter().all(|part| segments.next().is_some_and(|segment| part.starts_with('{') || part == segment)) && segments.next().is_none()
}

/// What the framework's own refusals mean. Its texts may repeat what was sent; they go nowhere.
fn fault_of(error: &Error) -> Fault {
    if error.is::<NotFoundError>() {
        return Fault::of(FaultKind::ROUTE_UNKNOWN);
    }
    Fault::of(match error.status() {
        StatusCode::NOT_FOUND => FaultKind::ROUTE_UNKNOWN,
        StatusCode::METHOD_NOT_ALLOWED => FaultKind::METHOD_NOT_ALLOWED,
        StatusCode::REQUEST_TIMEOUT => FaultKind::REQUEST_TIMEOUT,
        StatusCode::PAYLOAD_TOO_LARGE => FaultKind::PAYLOAD_TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => FaultKind::MEDIA_TYPE_UNSUPPORTED,
        status if status.is_client_error() => FaultKind::BAD_REQUEST,
        _ => FaultKind::INTERNAL,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_paths() {
        let pattern: Vec<String> = "/bo/api/v3/auth/session/{sessionId}".split('/').map(str::to_owned).collect();
        assert!(fits(&pattern, "/bo/api/v3/auth/session/abc"));
        assert!(!fits(&pattern, "/bo/api/v3/auth/session"));
        assert!(!fits(&pattern, "/bo/api/v3/auth/session/abc/d"));
    }
}
