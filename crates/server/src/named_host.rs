//! `Host` as RFC 9112 section 3.2 asks for it: an HTTP/1.1 request that lacks it, or any that has it twice or in a form that
//! is no host, is refused. What stands behind a proxy must not read another name than the proxy did.

use std::future::{Future, ready};

use futures_util::TryFutureExt;
use futures_util::future::Either;
use http::header::{CACHE_CONTROL, HOST};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Version};
use poem::{Endpoint, IntoResponse, Middleware, Request, Response, Result};

use crate::fault::{FaultKind, answer_refusal};
use crate::header_field::lines;
use crate::listener::{Answer, Refusal};
use crate::telemetry::ErrorCodeTag;

/// The middleware.
#[derive(Debug, Clone, Copy)]
pub struct NamedHost;

impl<E: Endpoint> Middleware<E> for NamedHost {
    type Output = WithNamedHost<E>;

    fn transform(&self, endpoint: E) -> WithNamedHost<E> {
        WithNamedHost(endpoint)
    }
}

/// An endpoint that is asked by one name.
#[derive(Debug)]
pub struct WithNamedHost<E>(E);

impl<E: Endpoint> Endpoint for WithNamedHost<E> {
    type Output = Response;

    fn call(&self, request: Request) -> impl Future<Output = Result<Response>> + Send {
        if is_well_named(request.version(), request.headers()) {
            Either::Right(self.0.call(request).map_ok(IntoResponse::into_response))
        } else {
            Either::Left(ready(Ok(refuse())))
        }
    }
}

fn is_well_named(version: Version, headers: &HeaderMap) -> bool {
    let mut hosts = lines(headers, HOST);
    match (hosts.next(), hosts.next()) {
        // HTTP/1.0 did without, and HTTP/2 has the name elsewhere.
        (None, _) => version != Version::HTTP_11,
        (Some(host), None) => host.is_empty() || is_host(host),
        (Some(_), Some(_)) => false,
    }
}

fn is_host(host: &[u8]) -> bool {
    !host.contains(&b'@') && Authority::try_from(host).is_ok()
}

/// As what is no request at all is refused: nothing is known of the client.
fn refuse() -> Response {
    let Answer { status, body } = answer_refusal(Refusal::Header);
    let response = Response::builder().status(status).content_type("application/json; charset=utf-8");
    let mut response = response.body(body);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.set_data(ErrorCodeTag(FaultKind::BAD_REQUEST.error_code));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_one_host() {
        for (version, hosts, expected) in [
            (Version::HTTP_11, &["app.example"][..], true),
            (Version::HTTP_11, &["app.example:8480"], true),
            (Version::HTTP_11, &["[::1]:8480"], true),
            (Version::HTTP_11, &[""], true),
            (Version::HTTP_11, &[], false),
            (Version::HTTP_11, &["a.example", "a.example"], false),
            (Version::HTTP_11, &["a.example, b.example"], false),
            (Version::HTTP_11, &["user@a.example"], false),
            (Version::HTTP_11, &["a.example/path"], false),
            (Version::HTTP_11, &["张三.example"], false),
            (Version::HTTP_10, &[], true),
            (Version::HTTP_10, &["a.example", "b.example"], false),
            (Version::HTTP_2, &[], true),
            (Version::HTTP_2, &["a.example", "b.example"], false),
        ] {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap());
            }
            assert_eq!(is_well_named(version, &headers), expected, "{version:?} {hosts:?}");
        }
    }
}
