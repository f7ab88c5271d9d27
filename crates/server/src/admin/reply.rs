//! Answers of the admin API: a JSON value with its `ETag`, or a problem. Nothing of them is stored or shared.

use std::marker::PhantomData;

use bo_auth_core::time::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::{ToJSON, Type};

use super::condition::etag;
use super::problem::Problem;
use crate::cross_origin::AllowedOrigin;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// A value to be answered, with headers of its own.
pub(super) struct Success<T> {
    value: T,
    headers: HeaderMap,
}

impl<T> Success<T> {
    pub(super) fn of(value: T) -> Self {
        Self { value, headers: HeaderMap::new() }
    }

    /// The same for a resource that may be changed: with the `ETag` of its state.
    pub(super) fn at(value: T, updated_at: Timestamp) -> Self {
        Self::of(value).header(header::ETAG, etag(updated_at))
    }

    /// The same answer with something else in it.
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Success<U> {
        Success { value: change(self.value), headers: self.headers }
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }
}

/// An answer whose success the document describes as `T` with this status.
pub(super) struct Reply<T, const STATUS: u16 = 200>(Response, PhantomData<fn() -> T>);

impl<T: ToJSON, const STATUS: u16> From<Result<Success<T>, Problem>> for Reply<T, STATUS> {
    fn from(result: Result<Success<T>, Problem>) -> Self {
        let response = match result {
            Err(problem) => problem.into_response(),
            Ok(success) => {
                let mut response = Response::builder().status(status(STATUS)).body(success.value.to_json_string());
                response.headers_mut().insert(header::CONTENT_TYPE, JSON);
                finish(response, success.headers)
            }
        };
        Self(response, PhantomData)
    }
}

impl<T, const STATUS: u16> IntoResponse for Reply<T, STATUS> {
    fn into_response(self) -> Response {
        self.0
    }
}

impl<T: Type, const STATUS: u16> ApiResponse for Reply<T, STATUS> {
    fn meta() -> MetaResponses {
        let content = vec![MetaMediaType { content_type: "application/json", schema: T::schema_ref() }];
        described("Done.", STATUS, content)
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// An answer without a body.
pub(super) struct NoContent(Response);

impl From<Result<Success<()>, Problem>> for NoContent {
    fn from(result: Result<Success<()>, Problem>) -> Self {
        Self(match result {
            Err(problem) => problem.into_response(),
            Ok(success) => finish(Response::builder().status(StatusCode::NO_CONTENT).finish(), success.headers),
        })
    }
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for NoContent {
    fn meta() -> MetaResponses {
        described("Done.", 204, Vec::new())
    }

    fn register(_: &mut Registry) {}
}

/// An answer that is a picture.
pub(super) struct Picture(Response);

impl From<Result<Vec<u8>, Problem>> for Picture {
    fn from(result: Result<Vec<u8>, Problem>) -> Self {
        Self(match result {
            Err(problem) => problem.into_response(),
            Ok(bytes) => finish(Response::builder().content_type("image/png").body(bytes), HeaderMap::new()),
        })
    }
}

impl IntoResponse for Picture {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for Picture {
    fn meta() -> MetaResponses {
        let binary = poem_openapi::registry::MetaSchema::new_with_format("string", "binary");
        let schema = poem_openapi::registry::MetaSchemaRef::Inline(Box::new(binary));
        described("The picture.", 200, vec![MetaMediaType { content_type: "image/png", schema }])
    }

    fn register(_: &mut Registry) {}
}

fn described(description: &'static str, status: u16, content: Vec<MetaMediaType>) -> MetaResponses {
    MetaResponses { responses: vec![MetaResponse { description, status: Some(status), status_range: None, content, headers: vec![] }] }
}

fn status(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap_or(StatusCode::OK)
}

fn finish(mut response: Response, own: HeaderMap) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    headers.extend(own);
    // No page of a tenant's origin reads what administrators see.
    response.extensions_mut().insert(AllowedOrigin(false));
    response
}
