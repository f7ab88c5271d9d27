//! What changes something is carried out to its end, even where the connection that asked for it breaks in between.

use std::sync::Arc;

use http::Method;
use poem::{Endpoint, IntoResponse, Request, Response, Result};

/// An endpoint whose unsafe methods run in a task of their own.
pub(super) struct Detached<E>(Arc<E>);

impl<E> Detached<E> {
    pub(super) fn new(endpoint: E) -> Self {
        Self(Arc::new(endpoint))
    }
}

impl<E: Endpoint + 'static> Endpoint for Detached<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
            return self.0.call(request).await.map(IntoResponse::into_response);
        }
        let endpoint = Arc::clone(&self.0);
        let carried_out = tokio::spawn(async move { endpoint.call(request).await.map(IntoResponse::into_response) });
        match carried_out.await {
            Ok(outcome) => outcome,
            Err(error) => match error.try_into_panic() {
                // The layer around all routes answers for it.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(poem::Error::from_status(http::StatusCode::SERVICE_UNAVAILABLE)),
            },
        }
    }
}
