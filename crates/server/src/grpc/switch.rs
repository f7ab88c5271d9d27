//! Both on one port: gRPC by its content type, everything else as ever.

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

    async fn call(&self, request: Request) -> Result<Response> {
        match &self.grpc {
            Some(grpc) if is_grpc(&request) => Ok(grpc.answer(request).await),
            _ => self.endpoint.call(request).await.map(IntoResponse::into_response),
        }
    }
}
