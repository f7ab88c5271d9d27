//! JSON bodies: read whole within a limit, checked for type and encoding, and their members taken one by one, so that
//! every mistake gets its own code.

use std::marker::PhantomData;
use std::time::Duration;

use bo_auth_service::Error;
use poem::error::ReadBodyError;
use poem::http::header::CONTENT_TYPE;
use poem::{Body, Request, RequestBody};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, Object};
use serde_json::{Map, Value};

use super::parameters::STAMP;
use crate::fault::FaultKind;

/// What a login is asked with.
#[derive(Object)]
#[oai(rename = "LoginRequest", rename_all = "camelCase")]
pub(super) struct LoginBody {
    /// The name to sign in with.
    user_name: String,
    /// DES ciphertext under the tenant's key, or plain where the system allows it.
    password: String,
    /// GUID whose captcha picture was shown.
    verify_guid: Option<String>,
    /// What was read from the picture.
    verify_code: Option<String>,
}

/// A refresh token outside the query.
#[derive(Object)]
#[oai(rename = "RefreshTokenRequest", rename_all = "camelCase")]
pub(super) struct RefreshTokenBody {
    /// 32 characters.
    refresh_token: Option<String>,
}

/// A body that the document describes as `T`.
pub(crate) struct JsonBody<T>(Body, PhantomData<fn() -> T>);

impl<'a, T: Type> ApiExtractor<'a> for JsonBody<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = vec![MetaMediaType { content_type: "application/json", schema: T::schema_ref() }];
        Some(MetaRequest { description: None, content, required: false })
    }

    async fn from_request(_: &'a Request, body: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        Ok(Self(body.take()?, PhantomData))
    }
}

/// A body that has been read, or why it could not be.
pub(crate) struct ReadBody {
    bytes: Vec<u8>,
    members: Result<Members, BodyFault>,
}

/// Why a body is refused.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BodyFault {
    Malformed,
    TooLarge,
    Timeout,
    MediaType,
}

impl BodyFault {
    pub(crate) const fn kind(self) -> FaultKind {
        match self {
            Self::Malformed => FaultKind::BAD_REQUEST,
            Self::TooLarge => FaultKind::PAYLOAD_TOO_LARGE,
            Self::Timeout => FaultKind::REQUEST_TIMEOUT,
            Self::MediaType => FaultKind::MEDIA_TYPE_UNSUPPORTED,
        }
    }
}

impl<T> JsonBody<T> {
    /// A body that another extractor has taken.
    pub(crate) const fn of(body: Body) -> Self {
        Self(body, PhantomData)
    }

    /// Reads the body. A request without one reads as an object without members.
    pub(crate) async fn read(self, request: &Request, limit: usize, timeout: Duration) -> ReadBody {
        let refused = |fault| ReadBody { bytes: Vec::new(), members: Err(fault) };
        if self.0.is_empty() {
            return ReadBody::none();
        }
        let bytes = match tokio::time::timeout(timeout, self.0.into_bytes_limit(limit)).await {
            Err(_) => return refused(BodyFault::Timeout),
            Ok(Err(ReadBodyError::PayloadTooLarge)) => return refused(BodyFault::TooLarge),
            Ok(Err(_)) => return refused(BodyFault::Malformed),
            Ok(Ok(bytes)) => Vec::from(bytes),
        };
        if bytes.is_empty() {
            return ReadBody::none();
        }
        let mut types = request.headers().get_all(CONTENT_TYPE).iter();
        let only_type = types.next().filter(|_| types.next().is_none());
        if !is_json(only_type.and_then(|value| value.to_str().ok())) {
            return refused(BodyFault::MediaType);
        }
        let members = serde_json::from_slice::<Map<String, Value>>(&bytes).map(Members).map_err(|_| BodyFault::Malformed);
        ReadBody { bytes, members }
    }
}

impl ReadBody {
    /// The bytes of a body from which nothing is read, where the request's stamp covers them.
    pub(super) async fn covered(request: &Request, body: Body, limit: usize, timeout: Duration) -> Self {
        let mut stamps = request.headers().get_all(STAMP).iter();
        if body.is_empty() || !stamps.any(|value| value.as_bytes().trim_ascii_start().starts_with(b"v2.")) {
            return Self::none();
        }
        let members = Ok(Members(Map::new()));
        match tokio::time::timeout(timeout, body.into_bytes_limit(limit)).await {
            Ok(Ok(bytes)) => Self { bytes: Vec::from(bytes), members },
            Ok(Err(ReadBodyError::PayloadTooLarge)) => Self { bytes: Vec::new(), members: Err(BodyFault::TooLarge) },
            Ok(Err(_)) => Self { bytes: Vec::new(), members: Err(BodyFault::Malformed) },
            Err(_) => Self { bytes: Vec::new(), members: Err(BodyFault::Timeout) },
        }
    }

    /// The body of a request that has none.
    pub(super) fn none() -> Self {
        Self { bytes: Vec::new(), members: Ok(Members(Map::new())) }
    }

    /// The bytes as they came.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Why it is refused, if it is.
    pub(crate) fn fault(&self) -> Option<BodyFault> {
        self.members.as_ref().err().copied()
    }

    /// The members of the object.
    pub(crate) fn members(&self) -> Result<&Members, Error> {
        self.members.as_ref().map_err(|_| Error::BadRequest)
    }
}

/// The members of a JSON object.
pub(crate) struct Members(Map<String, Value>);

impl Members {
    /// As they came.
    pub(crate) const fn map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// A text member; absent, `null` and empty are one.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<&str>, Error> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            // Asked of the `String` itself: a `&&str` has another `is_empty` here, that of the document's types.
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::ParameterInvalid(name)),
        }
    }
}

/// `application/json`, without a charset or with UTF-8.
fn is_json(content_type: Option<&str>) -> bool {
    let Some(content_type) = content_type else { return false };
    let mut parts = content_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let charset = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    essence.eq_ignore_ascii_case("application/json")
        && charset.is_none_or(|(_, value)| {
            let value = value.trim().trim_matches('"');
            value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("utf8")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_in_utf_8_is_taken() {
        for good in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\"", "application/json; v=1"] {
            assert!(is_json(Some(good)), "{good}");
        }
        for bad in ["text/plain", "application/json; charset=gbk", "application/x-www-form-urlencoded", "application/jsonp", ""] {
            assert!(!is_json(Some(bad)), "{bad}");
        }
        assert!(!is_json(None));
    }
}
