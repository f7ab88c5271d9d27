//! Between poem's requests and tonic's.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::combinators::BoxBody;
use poem::{Body, Request, Response};
use tonic::Status;
use tonic::codegen::{BoxFuture, Service};

/// The request a service takes.
type GrpcRequest = http::Request<BoxBody<Bytes, io::Error>>;
/// The response it gives.
pub(super) type GrpcResponse = http::Response<tonic::body::Body>;
/// A service, its type forgotten.
pub(super) type Handler = Arc<dyn Fn(GrpcRequest) -> Answering + Send + Sync>;
type Answering = Pin<Box<dyn Future<Output = GrpcResponse> + Send>>;

/// Forgets a service's type.
pub(super) fn handler<S>(service: S) -> Handler
where
    S: Service<GrpcRequest, Response = GrpcResponse, Error = Infallible, Future = BoxFuture<GrpcResponse, Infallible>>,
    S: Clone + Send + Sync + 'static,
{
    Arc::new(move |request| {
        // Generated services are always ready.
        let answering = service.clone().call(request);
        Box::pin(async move {
            match answering.await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        })
    })
}

/// The request as a service takes it.
pub(super) fn request(request: Request) -> GrpcRequest {
    request.into()
}

/// The response as the listener sends it. One without messages has its status among its headers, and must end with them.
pub(super) fn response(response: GrpcResponse) -> Response {
    let (parts, body) = response.into_parts();
    let body = if body.is_end_stream() { Body::empty() } else { Body::from(BoxBody::new(Shared(Mutex::new(body)))) };
    let mut response = Response::builder().status(parts.status).body(body);
    *response.headers_mut() = parts.headers;
    *response.extensions_mut() = parts.extensions;
    response
}

/// A call that comes to nothing.
pub(super) fn refuse(status: &Status) -> Response {
    let mut response = Response::builder().status(StatusCode::OK).body(Body::empty());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    // Our texts are ASCII, which always fits a header.
    let _ = status.add_header(response.headers_mut());
    response
}

/// What is not gRPC, on a port where nothing else is served.
pub(super) fn not_grpc() -> Response {
    Response::builder().status(StatusCode::UNSUPPORTED_MEDIA_TYPE).finish()
}

/// A body that may be moved between threads, made one that may be looked at from several, as poem asks for. Nobody does:
/// the lock is never taken.
struct Shared(Mutex<tonic::body::Body>);

impl http_body::Body for Shared {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let body = self.get_mut().0.get_mut().unwrap_or_else(PoisonError::into_inner);
        Pin::new(body).poll_frame(context).map_err(io::Error::other)
    }

    fn is_end_stream(&self) -> bool {
        // Known at the start only, where `response` has asked.
        false
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
