//! JSON bodies: read whole within a limit, checked for type and encoding, and their members taken one by one, so that
//! every mistake gets its own code.

use std::marker::PhantomData;
use std::time::Duration;

use bo_auth_service::Error;
use poem::error::ReadBodyError;
use poem::http::HeaderMap;
use poem::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use poem::{Body, Request, RequestBody};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, Object};
use serde_json::{Map, Value};
use tokio::io::AsyncReadExt;

use super::parameters::STAMP;
use crate::fault::FaultKind;
use crate::header_field::{lines, members};

/// How much of a body that is refused unread is taken in all the same, and for how long.
const DISCARDED_BYTES: u64 = 1 << 20;
const DISCARDED_FOR: Duration = Duration::from_secs(1);

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
        match read_bytes(self.0, request.headers(), limit, timeout).await {
            Ok(bytes) => ReadBody { members: parse(&bytes, request.headers()), bytes },
            Err(fault) => ReadBody { bytes: Vec::new(), members: Err(fault) },
        }
    }
}

/// Reads a body whose bytes mean what they say.
pub(crate) async fn read_bytes(body: Body, headers: &HeaderMap, limit: usize, timeout: Duration) -> Result<Vec<u8>, BodyFault> {
    let bytes = read_whole(body, headers, limit, timeout).await?;
    // RFC 9110 section 8.4: we decode nothing.
    let mut codings = members(headers, CONTENT_ENCODING).filter(|coding| !coding.is_empty());
    if !bytes.is_empty() && codings.any(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return Err(BodyFault::MediaType);
    }
    Ok(bytes)
}

/// Reads a body whole. One that says it is too large is refused before anything of it is read.
async fn read_whole(body: Body, headers: &HeaderMap, limit: usize, timeout: Duration) -> Result<Vec<u8>, BodyFault> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    if announced_length(headers).is_some_and(|length| length > limit as u64) {
        discard(body);
        return Err(BodyFault::TooLarge);
    }
    match tokio::time::timeout(timeout, body.into_bytes_limit(limit)).await {
        Err(_) => Err(BodyFault::Timeout),
        Ok(Err(ReadBodyError::PayloadTooLarge)) => Err(BodyFault::TooLarge),
        Ok(Err(_)) => Err(BodyFault::Malformed),
        Ok(Ok(bytes)) => Ok(Vec::from(bytes)),
    }
}

/// Takes in for a moment what a client still sends of a body that is refused unread. A connection that is closed on it is
/// reset, and the client might never see the answer (RFC 9112 section 9.6).
fn discard(body: Body) {
    tokio::spawn(async move {
        let mut rest = body.into_async_read().take(DISCARDED_BYTES);
        // Whatever comes of it: the answer is on its way.
        let _ = tokio::time::timeout(DISCARDED_FOR, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
    });
}

/// `Content-Length`, which is one number by now: hyper refuses every other.
fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// The members of an object. White space and `null`, which generated clients send for a body that is not set, are no body.
fn parse(bytes: &[u8], headers: &HeaderMap) -> Result<Members, BodyFault> {
    // RFC 8259 section 8.1 lets a parser ignore a byte order mark.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
    if text.is_empty() || text == b"null" {
        return Ok(Members(Map::new()));
    }
    let mut types = lines(headers, CONTENT_TYPE);
    let only_type = types.next().filter(|_| types.next().is_none());
    if !only_type.is_some_and(|content_type| is_json(&String::from_utf8_lossy(content_type))) {
        return Err(BodyFault::MediaType);
    }
    serde_json::from_slice(text).map(Members).map_err(|_| BodyFault::Malformed)
}

impl ReadBody {
    /// The bytes of a body from which nothing is read, where the request's stamp covers them.
    pub(super) async fn covered(request: &Request, body: Body, limit: usize, timeout: Duration) -> Self {
        let mut stamps = request.headers().get_all(STAMP).iter();
        if body.is_empty() || !stamps.any(|value| value.as_bytes().trim_ascii_start().starts_with(b"v2.")) {
            return Self::none();
        }
        let members = Ok(Members(Map::new()));
        match read_whole(body, request.headers(), limit, timeout).await {
            Ok(bytes) => Self { bytes, members },
            Err(fault) => Self { bytes: Vec::new(), members: Err(fault) },
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
fn is_json(content_type: &str) -> bool {
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
    use poem::http::HeaderValue;

    use super::*;

    #[test]
    fn only_json_in_utf_8_is_taken() {
        for good in [
            "application/json; name=张三",
            "application/json",
            "application/json; charset=utf-8",
            "Application/JSON;charset=\"UTF-8\"",
            "application/json; v=1",
        ] {
            assert!(is_json(good), "{good}");
        }
        for bad in ["text/plain", "application/json; charset=gbk", "application/x-www-form-urlencoded", "application/jsonp", ""] {
            assert!(!is_json(bad), "{bad}");
        }
    }

    fn parsed(body: &[u8]) -> Option<usize> {
        let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        parse(body, &json.into_iter().collect()).ok().map(|members| members.map().len())
    }

    #[test]
    fn what_says_nothing_is_no_body() {
        for body in [&b""[..], b" \r\n\t", b"null", b" null\n", b"\xef\xbb\xbf", b"\xef\xbb\xbfnull"] {
            assert_eq!(parsed(body), Some(0), "{body:?}");
            assert!(parse(body, &HeaderMap::new()).is_ok(), "what is no body has no type either");
        }
        for body in [&b"{\"a\":1}"[..], b"\xef\xbb\xbf{\"a\":1}", b"\n{\"a\":1} "] {
            assert_eq!(parsed(body), Some(1), "{body:?}");
        }
        for body in [&b"nul"[..], b"NULL", b"[]", b"\xef\xbb{}", b"\xef\xbb\xbf\xef\xbb\xbf{}", b"\xfe\xff\0{"] {
            assert_eq!(parsed(body), None, "{body:?}");
        }
    }
}
