//! The public keys of a tenant's access tokens (RFC 7517), for those who verify tokens themselves.

use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::digest::sha256_hex;
use bo_auth_core::identifier::OwnerId;
use bo_auth_service::Service;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Endpoint, Request, Response, Result};
use serde::Deserialize;

/// `GET /.well-known/jwks.json?ownerId=`. A tenant whose tokens are signed with a shared secret has an empty set. A key that
/// is to sign stands in it longer than anybody may keep it.
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
            Ok(Some((keys, age))) => Ok(answer(&request, keys.to_string(), age)),
            Ok(None) => Ok(refuse(StatusCode::NOT_FOUND)),
            Err(error) => {
                tracing::error!(%error, "a key set could not be read");
                Ok(refuse(StatusCode::SERVICE_UNAVAILABLE))
            }
        }
    }
}

/// The set with its tag, or that it is still the one that the client has (RFC 9110 section 13.1.2).
fn answer(request: &Request, body: String, age: Duration) -> Response {
    let tag = format!("\"{}\"", sha256_hex(body.as_bytes()));
    let response =
        Response::builder().header(header::CACHE_CONTROL, format!("public, max-age={}", age.as_secs())).header(header::ETAG, &tag);
    let known = request.headers().get_all(header::IF_NONE_MATCH).iter().any(|value| names(value, &tag));
    if known {
        return response.status(StatusCode::NOT_MODIFIED).finish();
    }
    response.content_type("application/json").body(body)
}

/// Whether a list of tags names this one, weakly compared.
fn names(tags: &HeaderValue, tag: &str) -> bool {
    let tags = tags.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    tags.map(|other| other.strip_prefix(b"W/").unwrap_or(other)).any(|other| other == b"*" || other == tag.as_bytes())
}

fn refuse(status: StatusCode) -> Response {
    let response = Response::builder().status(status).header(header::CACHE_CONTROL, "no-store");
    response.content_type("application/json").body(r#"{"keys":[]}"#)
}
