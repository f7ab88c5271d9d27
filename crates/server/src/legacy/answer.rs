//! Writes answers of the v1.0 contract: `errno` and `errmsg`, in this order, and nothing beside them but `data`.

use std::marker::PhantomData;

use http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, Object};
use serde::Serialize;

use super::errno::{Errno, LegacyRefusal};
use crate::telemetry::ErrorCodeTag;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// What is answered, whether it is a success or a refusal.
#[derive(Object, Serialize)]
#[oai(rename = "Outcome")]
pub(super) struct Outcome {
    /// "0" for a success; otherwise a code of the table. Always a text.
    errno: String,
    /// The code's text.
    errmsg: String,
}

/// The signed-in user.
#[derive(Object, Serialize)]
pub(super) struct CurrentUser {
    /// The name for people.
    pub(super) name: String,
}

/// What is answered to the question who is signed in. `data` is there on success only.
#[derive(Object, Serialize)]
#[oai(rename = "CurrentUserOutcome", skip_serializing_if_is_none)]
pub(super) struct CurrentUserOutcome {
    /// "0" for a success; otherwise a code of the table. Always a text.
    errno: String,
    /// The code's text.
    errmsg: String,
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<CurrentUser>,
}

impl From<LegacyRefusal> for Outcome {
    fn from(refusal: LegacyRefusal) -> Self {
        Self { errno: refusal.errno.code.to_owned(), errmsg: refusal.errno.text.to_owned() }
    }
}

impl Outcome {
    pub(super) fn ok() -> Self {
        LegacyRefusal::of(Errno::OK).into()
    }
}

impl CurrentUserOutcome {
    pub(super) fn of(name: String) -> Self {
        Self { errno: Errno::OK.code.to_owned(), errmsg: Errno::OK.text.to_owned(), data: Some(CurrentUser { name }) }
    }
}

/// An answer that the document describes as `T`.
pub(super) struct LegacyReply<T>(pub(super) Response, PhantomData<fn() -> T>);

impl<T> LegacyReply<T> {
    /// A success.
    pub(super) fn success(body: &T) -> Self
    where
        T: Serialize,
    {
        Self(write(StatusCode::OK, body), PhantomData)
    }

    /// A refusal.
    pub(super) fn refused(refusal: LegacyRefusal) -> Self {
        Self(refuse(refusal), PhantomData)
    }
}

impl<T> IntoResponse for LegacyReply<T> {
    fn into_response(self) -> Response {
        self.0
    }
}

impl<T: Type> ApiResponse for LegacyReply<T> {
    fn meta() -> MetaResponses {
        let content = vec![MetaMediaType { content_type: "application/json", schema: T::schema_ref() }];
        let description = "What the service answers, success and refusal alike; `errno` says which.";
        MetaResponses { responses: vec![MetaResponse { description, status: Some(200), status_range: None, content, headers: vec![] }] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
        Outcome::register(registry);
    }
}

/// A refusal, wherever it comes from.
pub(crate) fn refuse(refusal: LegacyRefusal) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = write(status, &Outcome::from(refusal));
    if let Some(retry_after) = refusal.retry_after {
        let seconds = retry_after.as_millis().div_ceil(1000).max(1);
        if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
    }
    response.extensions_mut().insert(ErrorCodeTag(refusal.errno.code));
    response
}

fn write(status: StatusCode, body: &impl Serialize) -> Response {
    // Our own structs of texts cannot fail to be written.
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::builder().status(status).body(bytes);
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
    response
}
