//! The public keys of a tenant's access tokens (RFC 7517), for those who verify tokens themselves.

use std::sync::Arc;

use bo_auth_core::identifier::OwnerId;
use bo_auth_service::Service;
use poem::http::StatusCode;
use poem::{Endpoint, Request, Response, Result};
use serde::Deserialize;

/// `GET /.well-known/jwks.json?ownerId=`. A tenant whose tokens are signed with a shared secret has an empty set.
pub struct KeySet {
    /// For its tenants.
    pub service: Arc<Service>,
}

#[derive(Deserialize)]
struct Parameters {
    #[serde(rename = "ownerId")]
    owner_id: String,
}

impl Endpoint for KeySet {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let Ok(parameters) = request.params::<Parameters>() else { return Ok(refuse(StatusCode::BAD_REQUEST)) };
        let Ok(owner_id) = OwnerId::parse(&parameters.owner_id) else { return Ok(refuse(StatusCode::BAD_REQUEST)) };
        match self.service.key_set(&owner_id).await {
            Ok(Some(keys)) => {
                let response = Response::builder().content_type("application/json").header("cache-control", "public, max-age=300");
                Ok(response.body(keys.to_string()))
            }
            Ok(None) => Ok(refuse(StatusCode::NOT_FOUND)),
            Err(error) => {
                tracing::error!(%error, "a key set could not be read");
                Ok(refuse(StatusCode::SERVICE_UNAVAILABLE))
            }
        }
    }
}

fn refuse(status: StatusCode) -> Response {
    Response::builder().status(status).content_type("application/json").body(r#"{"keys":[]}"#)
}
