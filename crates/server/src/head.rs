//! HEAD (RFC 9110 section 9.3.2): a GET without the content of its answer, wherever there is a GET. Below `/bo/api` it stays
//! what it is, and is refused: a GET can sign a user out there.

use std::future::Future;

use futures_util::future::Either;
use futures_util::{FutureExt, TryFutureExt};
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method};
use poem::{Body, Endpoint, IntoResponse, Middleware, Request, Response, Result};

use crate::api::below_api;

/// The middleware.
#[derive(Debug, Clone, Copy)]
pub struct HeadAsGet;

impl<E: Endpoint> Middleware<E> for HeadAsGet {
    type Output = WithHead<E>;

    fn transform(&self, endpoint: E) -> WithHead<E> {
        WithHead(endpoint)
    }
}

/// An endpoint that knows HEAD.
#[derive(Debug)]
pub struct WithHead<E>(E);

impl<E: Endpoint> WithHead<E> {
    async fn answer_head(&self, mut request: Request) -> Response {
        if !below_api(request.uri().path()) {
            request.set_method(Method::GET);
        }
        let answer = self.0.call(request).await;
        let response = answer.map_or_else(poem::Error::into_response, IntoResponse::into_response);
        let (mut parts, body) = response.into_parts();
        // What is answered here is in memory already.
        let length = body.into_bytes().await.map_or(0, |bytes| bytes.len());
        if length > 0 {
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        Response::from_parts(parts, Body::empty())
    }
}

impl<E: Endpoint> Endpoint for WithHead<E> {
    type Output = Response;

    // Not an `async fn`, which would hold the request and the future made of it side by side.
    fn call(&self, request: Request) -> impl Future<Output = Result<Response>> + Send {
        if request.method() == Method::HEAD {
            Either::Left(Box::pin(self.answer_head(request)).map(Ok))
        } else {
            Either::Right(self.0.call(request).map_ok(IntoResponse::into_response))
        }
    }
}
