//! Problem details (RFC 9457): how the admin API refuses, whoever refuses. `code` is for programs and never changes.

use std::time::Duration;

use bo_auth_service::Error;
use bo_auth_service::plugin::PluginRefusal;
use http::{HeaderValue, StatusCode, header};
use poem::error::ParsePathError;
use poem::{IntoResponse, Response};
use poem_openapi::error::ParseParamError;
use serde_json::{Map, Value, json};

use crate::api::Causes;
use crate::cross_origin::AllowedOrigin;
use crate::fault::{Fault, FaultKind};
use crate::telemetry::ErrorCodeTag;

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const BEARER: HeaderValue = HeaderValue::from_static("Bearer");

const fn kind(status: u16, error_code: &'static str, chinese: &'static str, english: &'static str) -> FaultKind {
    FaultKind { status, code: status as i32 * 100, error_code, chinese, english }
}

/// A body or a member of it is not as the document says.
pub const BODY_INVALID: FaultKind = kind(422, "BODY_INVALID", "请求内容无效", "the body is not valid");
/// The request asks for something that cannot be done.
pub const REFUSED: FaultKind = kind(422, "REFUSED", "请求无法执行", "the request cannot be carried out");
/// There is no such resource, or it is out of the administrator's reach.
pub const NOT_FOUND: FaultKind = kind(404, "NOT_FOUND", "资源不存在", "there is no such resource within reach");
/// Something of this name is there already, or what is to go is in use.
pub const CONFLICT: FaultKind = kind(409, "CONFLICT", "资源冲突", "it conflicts with what is there");
/// The resource is not as it was when it was read.
pub const PRECONDITION_FAILED: FaultKind =
    kind(412, "PRECONDITION_FAILED", "资源已被修改，请重新读取", "the resource has been changed in the meantime; read it again");
/// A change must say of which state of the resource it is.
pub const PRECONDITION_REQUIRED: FaultKind =
    kind(428, "PRECONDITION_REQUIRED", "缺少 If-Match", "the change must carry If-Match with the resource's ETag");
/// The role does not allow it.
pub const ROLE_FORBIDDEN: FaultKind = kind(403, "ROLE_FORBIDDEN", "当前角色无权操作", "the role does not allow it");
/// The cookie came without the header that no other site's page can send.
pub const CROSS_SITE: FaultKind = kind(403, "CROSS_SITE", "跨站请求被拒绝", "a change by cookie must carry X-Requested-With: bo-console");

/// A version of a plugin that does not compile cannot be published, or tried.
pub const PLUGIN_DOES_NOT_COMPILE: FaultKind = kind(422, "PLUGIN_DOES_NOT_COMPILE", "插件无法编译", "the plugin does not compile");
/// A version of a plugin that generated clients could not read.
pub const PLUGIN_BREAKS_SCHEMA: FaultKind =
    kind(422, "PLUGIN_BREAKS_SCHEMA", "插件的输出不符合接口定义", "generated clients could not read what the plugin makes of the answers");

/// The kinds that stand beside those of the third version's table.
pub const OWN_KINDS: [FaultKind; 10] = [
    BODY_INVALID,
    REFUSED,
    NOT_FOUND,
    CONFLICT,
    PRECONDITION_FAILED,
    PRECONDITION_REQUIRED,
    ROLE_FORBIDDEN,
    CROSS_SITE,
    PLUGIN_DOES_NOT_COMPILE,
    PLUGIN_BREAKS_SCHEMA,
];

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// A JSON pointer into the body (`/settings`), or the name of a parameter or header.
    pub name: String,
    /// What it must be. Never what it was.
    pub detail: String,
}

/// A refusal ready to be written. Boxed, since it stands beside every success.
#[derive(Debug)]
pub struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    kind: FaultKind,
    detail: Option<String>,
    errors: Vec<FieldError>,
    members: Map<String, Value>,
    retry_after: Option<Duration>,
}

impl Problem {
    /// A refusal of this kind.
    pub fn of(kind: FaultKind) -> Self {
        Self(Box::new(Parts { kind, detail: None, errors: Vec::new(), members: Map::new(), retry_after: None }))
    }

    /// The same, with what is particular about it.
    #[must_use]
    pub fn detail(mut self, text: impl Into<String>) -> Self {
        self.0.detail = Some(text.into());
        self
    }

    /// The same, with one more thing that is wrong.
    #[must_use]
    pub fn error(mut self, name: impl Into<String>, detail: impl Into<String>) -> Self {
        self.0.errors.push(FieldError { name: name.into(), detail: detail.into() });
        self
    }

    /// The same, with a member of its own (RFC 9457 section 3.2).
    #[must_use]
    pub fn member(mut self, name: &str, value: Value) -> Self {
        self.0.members.insert(name.to_owned(), value);
        self
    }

    /// A parameter that is not valid.
    pub fn parameter(name: &str, detail: impl Into<String>) -> Self {
        Self::of(FaultKind::PARAMETER_INVALID).error(name, detail)
    }

    /// A body with these mistakes.
    pub fn body(errors: Vec<FieldError>) -> Self {
        let mut problem = Self::of(BODY_INVALID);
        problem.0.errors = errors;
        problem
    }

    /// What the framework refuses.
    pub fn of_framework(error: &poem::Error, fault: &Fault) -> Self {
        if let Some(parameter) = error.downcast_ref::<ParseParamError>() {
            return Self::parameter(parameter.name, "it is not of the documented type");
        }
        if error.is::<ParsePathError>() {
            return Self::of(NOT_FOUND);
        }
        Self::from(fault)
    }

    /// What an outage means once a change is made: the change stands, and only how it stands could not be read.
    #[must_use]
    pub fn after_change(self) -> Self {
        if self.0.kind != FaultKind::UNAVAILABLE {
            return self;
        }
        let mut problem = Self::of(FaultKind::DONE_NOT_EVERYWHERE);
        problem.0.retry_after = self.0.retry_after;
        problem.detail("the change is made; how the resource stands now could not be read")
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.0.kind.status
    }
}

impl From<&Fault> for Problem {
    fn from(fault: &Fault) -> Self {
        let mut problem = Self::of(fault.kind);
        problem.0.retry_after = fault.retry_after;
        match fault.parameter {
            Some(name) => problem.error(name, if fault.kind == FaultKind::PARAMETER_MISSING { "it is missing" } else { "it is not valid" }),
            None => problem,
        }
    }
}

/// Where something failed that must not fail, it is logged here and nowhere else.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::RoleForbidden => Self::of(ROLE_FORBIDDEN),
            Error::NotFound(_) | Error::Plugin(PluginRefusal::Unknown(_) | PluginRefusal::UnknownVersion(_)) => Self::of(NOT_FOUND),
            Error::Conflict(text) => Self::of(CONFLICT).detail(text),
            Error::Stale | Error::Plugin(PluginRefusal::Stale) => Self::of(PRECONDITION_FAILED),
            Error::Refused(text) => Self::of(REFUSED).detail(text),
            Error::Plugin(refusal) => Self::of(REFUSED).detail(refusal.to_string()),
            error => {
                let fault = Fault::from(&error);
                if fault.kind.status >= 500 {
                    tracing::error!(contract = "admin", code = fault.kind.error_code, error = %Causes(&error), "a request failed");
                }
                Self::from(&fault)
            }
        }
    }
}

impl From<bo_auth_store::Error> for Problem {
    fn from(error: bo_auth_store::Error) -> Self {
        Error::from(error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Parts { kind, detail, errors, members: own, retry_after } = *self.0;
        let title = kind.english.replace("{}", errors.first().map_or("", |error| error.name.as_str()));
        let name = kind.error_code.to_ascii_lowercase().replace('_', "-");
        let mut body =
            json!({"type": format!("urn:bo-auth:problem:{name}"), "title": title, "status": kind.status, "code": kind.error_code});
        if let Some(detail) = detail {
            body["detail"] = detail.into();
        }
        if !errors.is_empty() {
            let error = |error: &FieldError| json!({"name": error.name, "detail": error.detail});
            body["errors"] = errors.iter().map(error).collect();
        }
        if let Some(members) = body.as_object_mut() {
            members.extend(own);
        }
        let status = StatusCode::from_u16(kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::builder().status(status).body(body.to_string());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
        headers.insert(header::CACHE_CONTROL, NO_STORE);
        if kind.status == 401 {
            headers.insert(header::WWW_AUTHENTICATE, BEARER);
        }
        if let Some(retry_after) = retry_after {
            let seconds = u64::try_from(retry_after.as_millis().div_ceil(1000).max(1)).unwrap_or(u64::MAX);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(AllowedOrigin(false));
        response.extensions_mut().insert(ErrorCodeTag(kind.error_code));
        response
    }
}
