//! What every answer tells a browser: to take it for what its type says, and, to one that came over TLS, to come that way
//! only (RFC 6797). TLS ends at a proxy; `X-Forwarded-Proto` of a listed one says so.

use std::future::Future;

use futures_util::FutureExt;
use http::HeaderValue;
use http::header::{STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use poem::{Endpoint, IntoResponse, Middleware, Request, Response, Result};

use crate::proxy::is_https;

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// A year, for this name alone: what stands on others is not ours to say.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// The middleware.
#[derive(Debug, Clone, Copy)]
pub struct SecurityHeaders;

impl<E: Endpoint> Middleware<E> for SecurityHeaders {
    type Output = Secured<E>;

    fn transform(&self, endpoint: E) -> Secured<E> {
        Secured(endpoint)
    }
}

/// An endpoint whose answers carry them.
#[derive(Debug)]
pub struct Secured<E>(E);

impl<E: Endpoint> Endpoint for Secured<E> {
    type Output = Response;

    // Not an `async fn`, which would hold the request and the future made of it side by side.
    fn call(&self, request: Request) -> impl Future<Output = Result<Response>> + Send {
        let https = is_https(&request);
        self.0.call(request).map(move |answer| {
            let mut response = answer.map_or_else(poem::Error::into_response, IntoResponse::into_response);
            let headers = response.headers_mut();
            headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
            if https {
                headers.insert(STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
            }
            Ok(response)
        })
    }
}
