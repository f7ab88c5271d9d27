//! The error table of contract 1.6: for each way to refuse, its HTTP status, code, error code and texts. This is the one
//! place where an error becomes what goes over the wire.

use std::borrow::Cow;
use std::time::Duration;

use bo_auth_core::session::EndReason;
use bo_auth_service::Error;

use crate::language::Language;
use crate::listener::{Answer, Refusal};

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultKind {
    /// HTTP status.
    pub status: u16,
    /// `code` of the envelope.
    pub code: i32,
    /// `error.errorCode` of the envelope.
    pub error_code: &'static str,
    /// The text in Chinese; `{}` stands for the parameter's name.
    pub chinese: &'static str,
    /// The text in English; `{}` stands for the parameter's name.
    pub english: &'static str,
}

macro_rules! fault_table {
    ($($name:ident $status:literal $code:literal $error_code:literal $chinese:literal $english:literal)*) => {
        impl FaultKind {
            $(
                #[doc = concat!("`", $error_code, "`: ", $english, ".")]
                pub const $name: Self =
                    Self { status: $status, code: $code, error_code: $error_code, chinese: $chinese, english: $english };
            )*

            /// The whole table, in the order of the codes.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

fault_table! {
    BAD_REQUEST 400 40000 "BAD_REQUEST" "请求格式错误" "the request is malformed"
    PARAMETER_MISSING 400 40001 "PARAMETER_MISSING" "缺少参数 {}" "parameter {} is missing"
    PARAMETER_INVALID 400 40002 "PARAMETER_INVALID" "参数 {} 无效" "parameter {} is not valid"
    PLUGIN_UNKNOWN 400 40003 "PLUGIN_UNKNOWN" "插件不存在" "the plugin is unknown"
    SHARE_USER_UNKNOWN 400 40004 "SHARE_USER_UNKNOWN" "分享用户不存在" "the sharing user is unknown"
    AREA_UNKNOWN 400 40005 "AREA_UNKNOWN" "行政区编码不存在" "the area code is unknown"
    VERIFY_API_INVALID 401 40101 "VERIFY_API_INVALID" "接口校验失败" "XverifyApi is not valid"
    VERIFY_API_EXPIRED 401 40102 "VERIFY_API_EXPIRED" "接口校验已过期" "XverifyApi has expired"
    VERIFY_API_REPLAYED 401 40103 "VERIFY_API_REPLAYED" "接口校验已被使用" "XverifyApi was used before"
    TOKEN_MISSING 401 40111 "TOKEN_MISSING" "缺少用户认证信息" "the access token is missing"
    TOKEN_INVALID 401 40112 "TOKEN_INVALID" "用户认证信息无效" "the access token is not valid"
    TOKEN_EXPIRED 401 40113 "TOKEN_EXPIRED" "用户认证信息已过期" "the access token has expired"
    SESSION_LOGGED_OUT 401 40121 "SESSION_LOGGED_OUT" "已退出登录" "the session was signed out"
    SESSION_KICKED 401 40122 "SESSION_KICKED" "已被强制下线" "the session was ended by an administrator or from another device"
    SESSION_REPLACED 401 40123 "SESSION_REPLACED" "已在其他设备登录" "a newer session took the place of this one"
    SESSION_REUSE_DETECTED 401 40124 "SESSION_REUSE_DETECTED" "刷新令牌被重复使用，会话已终止" "a refresh token was used again; the session was ended"
    SESSION_PASSWORD_CHANGED 401 40125 "SESSION_PASSWORD_CHANGED" "密码已修改，请重新登录" "the password was changed"
    SESSION_EXPIRED 401 40126 "SESSION_EXPIRED" "会话已过期" "the session has expired"
    REFRESH_TOKEN_INVALID 401 40131 "REFRESH_TOKEN_INVALID" "刷新令牌无效" "the refresh token is not valid"
    REFRESH_TOKEN_MISMATCH 401 40133 "REFRESH_TOKEN_MISMATCH" "刷新令牌与当前会话不符" "the refresh token is of another session"
    LOGIN_FAILED 401 40141 "LOGIN_FAILED" "用户名或密码错误" "the user name or password is wrong"
    CAPTCHA_REQUIRED 401 40142 "CAPTCHA_REQUIRED" "请输入验证码" "a captcha is required"
    CAPTCHA_INVALID 401 40143 "CAPTCHA_INVALID" "验证码错误或已失效" "the captcha is wrong or too old"
    TENANT_DISABLED 403 40301 "TENANT_DISABLED" "项目已停用" "the tenant is disabled"
    SYSTEM_DISABLED 403 40302 "SYSTEM_DISABLED" "系统已停用" "the system is disabled"
    USER_DISABLED 403 40303 "USER_DISABLED" "用户已停用" "the user is disabled"
    AREA_FORBIDDEN 403 40304 "AREA_FORBIDDEN" "无权访问该行政区" "the area is outside the user's own"
    ROUTE_UNKNOWN 404 40400 "ROUTE_UNKNOWN" "接口不存在" "there is no such route"
    TENANT_UNKNOWN 404 40401 "TENANT_UNKNOWN" "项目不存在" "the tenant is unknown"
    SYSTEM_UNKNOWN 404 40402 "SYSTEM_UNKNOWN" "系统不存在" "the system is unknown"
    METHOD_NOT_ALLOWED 405 40500 "METHOD_NOT_ALLOWED" "请求方式不支持" "the method is not allowed on this route"
    REQUEST_TIMEOUT 408 40800 "REQUEST_TIMEOUT" "请求超时" "the request took too long to arrive"
    PAYLOAD_TOO_LARGE 413 41300 "PAYLOAD_TOO_LARGE" "请求内容过大" "the body is too large"
    MEDIA_TYPE_UNSUPPORTED 415 41500 "MEDIA_TYPE_UNSUPPORTED" "请求类型不支持" "the body must be application/json in UTF-8, without a content coding"
    RATE_LIMITED 429 42900 "RATE_LIMITED" "请求过于频繁" "too many requests; try again later"
    INTERNAL 500 50000 "INTERNAL" "服务器内部错误" "internal error"
    UNAVAILABLE 503 50300 "UNAVAILABLE" "服务暂不可用，未作任何更改" "the service is unavailable; nothing was changed"
    DONE_NOT_EVERYWHERE 503 50301 "DONE_NOT_EVERYWHERE" "更改已生效，尚未通知所有服务器" "the change is made, but not every server has heard of it yet"
}

/// A refusal ready to be written.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// The row.
    pub kind: FaultKind,
    /// The header, parameter or member it is about.
    pub parameter: Option<&'static str>,
    /// When to come again.
    pub retry_after: Option<Duration>,
}

/// How long a caller is asked to wait where a store is down, or where nodes are still to be told.
const UNAVAILABLE_RETRY: Duration = Duration::from_secs(1);

impl Fault {
    /// A refusal that names no parameter.
    pub const fn of(kind: FaultKind) -> Self {
        Self { kind, parameter: None, retry_after: None }
    }

    /// A refusal about a parameter.
    pub const fn about(kind: FaultKind, parameter: &'static str) -> Self {
        Self { kind, parameter: Some(parameter), retry_after: None }
    }

    /// A refusal with a time to come again.
    pub const fn later(kind: FaultKind, retry_after: Duration) -> Self {
        Self { kind, parameter: None, retry_after: Some(retry_after) }
    }

    /// The text for people.
    pub fn text(&self, language: Language) -> Cow<'static, str> {
        let text = match language {
            Language::Chinese => self.kind.chinese,
            Language::English => self.kind.english,
        };
        match self.parameter {
            Some(name) if text.contains("{}") => Cow::Owned(text.replace("{}", name)),
            _ => Cow::Borrowed(text),
        }
    }
}

impl From<&Error> for Fault {
    fn from(error: &Error) -> Self {
        match error {
            Error::BadRequest => Self::of(FaultKind::BAD_REQUEST),
            Error::ParameterMissing(name) => Self::about(FaultKind::PARAMETER_MISSING, name),
            Error::ParameterInvalid(name) => Self::about(FaultKind::PARAMETER_INVALID, name),
            Error::PluginUnknown => Self::of(FaultKind::PLUGIN_UNKNOWN),
            Error::ShareUserUnknown => Self::of(FaultKind::SHARE_USER_UNKNOWN),
            Error::AreaUnknown => Self::of(FaultKind::AREA_UNKNOWN),
            Error::VerifyApiInvalid => Self::of(FaultKind::VERIFY_API_INVALID),
            Error::VerifyApiExpired => Self::of(FaultKind::VERIFY_API_EXPIRED),
            Error::VerifyApiReplayed => Self::of(FaultKind::VERIFY_API_REPLAYED),
            Error::TokenMissing => Self::of(FaultKind::TOKEN_MISSING),
            Error::TokenInvalid => Self::of(FaultKind::TOKEN_INVALID),
            Error::TokenExpired => Self::of(FaultKind::TOKEN_EXPIRED),
            Error::SessionEnded(reason) => Self::of(ended(*reason)),
            Error::RefreshTokenInvalid => Self::of(FaultKind::REFRESH_TOKEN_INVALID),
            Error::RefreshTokenMismatch => Self::of(FaultKind::REFRESH_TOKEN_MISMATCH),
            Error::LoginFailed => Self::of(FaultKind::LOGIN_FAILED),
            Error::CaptchaRequired => Self::of(FaultKind::CAPTCHA_REQUIRED),
            Error::CaptchaInvalid => Self::of(FaultKind::CAPTCHA_INVALID),
            Error::TenantDisabled => Self::of(FaultKind::TENANT_DISABLED),
            Error::SystemDisabled => Self::of(FaultKind::SYSTEM_DISABLED),
            Error::UserDisabled => Self::of(FaultKind::USER_DISABLED),
            Error::AreaForbidden => Self::of(FaultKind::AREA_FORBIDDEN),
            Error::TenantUnknown => Self::of(FaultKind::TENANT_UNKNOWN),
            Error::SystemUnknown => Self::of(FaultKind::SYSTEM_UNKNOWN),
            Error::RateLimited { retry_after } => Self::later(FaultKind::RATE_LIMITED, *retry_after),
            Error::Unavailable(_) => Self::later(FaultKind::UNAVAILABLE, UNAVAILABLE_RETRY),
            Error::DoneNotEverywhere(_) => Self::later(FaultKind::DONE_NOT_EVERYWHERE, UNAVAILABLE_RETRY),
            // The operator's refusals do not travel over HTTP; were one to, it says nothing.
            _ => Self::of(FaultKind::INTERNAL),
        }
    }
}

/// The envelope for what is refused before there is a request: in Chinese, since nothing is known of the client.
pub fn answer_refusal(refusal: Refusal) -> Answer {
    let kind = match refusal {
        Refusal::RequestLine | Refusal::Header => FaultKind::BAD_REQUEST,
        Refusal::HeaderTooLarge | Refusal::TargetTooLong => FaultKind::PAYLOAD_TOO_LARGE,
        Refusal::HeaderTimeout => FaultKind::REQUEST_TIMEOUT,
    };
    let body = serde_json::json!({
        "code": kind.code,
        "success": false,
        "message": kind.chinese,
        "error": {"errorCode": kind.error_code, "errorText": kind.chinese},
    });
    let status = http::StatusCode::from_u16(kind.status).unwrap_or(http::StatusCode::BAD_REQUEST);
    Answer { status, body: body.to_string().into() }
}

/// The text of an error code, for scripts (`text(code, language)` of the plugin contract).
pub fn text_of_code(code: &str, language: &str) -> Option<String> {
    let kind = FaultKind::ALL.iter().find(|kind| kind.error_code == code)?;
    Some(Fault::of(*kind).text(Language::of_tag(language)).into_owned())
}

/// What the proofs of a session are answered with once it has ended.
const fn ended(reason: EndReason) -> FaultKind {
    match reason {
        EndReason::LoggedOut => FaultKind::SESSION_LOGGED_OUT,
        EndReason::Replaced => FaultKind::SESSION_REPLACED,
        EndReason::ReuseDetected => FaultKind::SESSION_REUSE_DETECTED,
        EndReason::PasswordChanged => FaultKind::SESSION_PASSWORD_CHANGED,
        EndReason::Expired => FaultKind::SESSION_EXPIRED,
        // An administrator has done it; while a user, system or tenant is disabled, its own code comes first.
        EndReason::Kicked | EndReason::UserDisabled | EndReason::SystemDisabled | EndReason::TenantDisabled | EndReason::KeyWithdrawn => {
            FaultKind::SESSION_KICKED
        }
    }
}
