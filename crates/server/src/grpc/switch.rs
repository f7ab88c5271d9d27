//! Both on one port: gRPC by its content type, everything else as ever.

use std::future::Future;

use futures_util::future::Either;
use futures_util::{FutureExt, TryFutureExt};
use poem::{Endpoint, IntoResponse, Middleware, Request, Response, Result};

use super::{Grpc, is_grpc};

/// The middleware; without gRPC it does nothing.
pub struct GrpcBeside(Option<Grpc>);

impl GrpcBeside {
    /// Serves this beside the routes.
    pub const fn new(grpc: Option<Grpc>) -> Self {
        Self(grpc)
    }
}

impl<E: Endpoint> Middleware<E> for GrpcBeside {
    type Output = Beside<E>;

    fn transform(&self, endpoint: E) -> Beside<E> {
        Beside { endpoint, grpc: self.0.clone() }
    }
}

/// An endpoint with gRPC beside it.
pub struct Beside<E> {
    endpoint: E,
    grpc: Option<Grpc>,
}

impl<E: Endpoint> Endpoint for Beside<E> {
    type Output = Response;

    // Not an `async fn`, which would hold the request and the future made of it side by side.
    fn call(&self, request: Request) -> impl Future<Output = Result<Response>> + Send {
        match &self.grpc {
            Some(grpc) if is_grpc(&request) => Either::Left(Box::pin(grpc.answer(request)).map(Ok)),
            _ => Either::Right(self.endpoint.call(request).map_ok(IntoResponse::into_response)),
        }
    }
}
