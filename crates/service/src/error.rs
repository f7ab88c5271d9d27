//! Why a use case refuses: every row of the error table of contract 1.6 that the domain itself can reach, and the
//! operator's own refusals. It does not know HTTP.

use std::time::Duration;

use bo_auth_core::session::EndReason;
use bo_auth_store::NotPublished;
use bo_auth_store::db::ending_queue::EndingError;

/// A refusal. Texts never repeat a value of the request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The body or its encoding is malformed.
    #[error("the body is malformed")]
    BadRequest,
    /// A required header, parameter or member is absent or empty.
    #[error("`{0}` is missing")]
    ParameterMissing(&'static str),
    /// A header, parameter or member has a value of the wrong form.
    #[error("`{0}` is not valid")]
    ParameterInvalid(&'static str),
    /// `_nodejs` names no plugin of the tenant and no built-in.
    #[error("the plugin is unknown")]
    PluginUnknown,
    /// A share header names no user of the tenant.
    #[error("the sharing user is unknown")]
    ShareUserUnknown,
    /// `XfilterAreaCode` names no area of the tenant.
    #[error("the area is unknown")]
    AreaUnknown,
    /// The stamp does not verify.
    #[error("the stamp is not valid")]
    VerifyApiInvalid,
    /// The stamp's time is outside the window.
    #[error("the stamp has expired")]
    VerifyApiExpired,
    /// The stamp's GUID has been used.
    #[error("the stamp was used before")]
    VerifyApiReplayed,
    /// No access token was sent.
    #[error("the access token is missing")]
    TokenMissing,
    /// The access token is not authentic, or of another tenant or system.
    #[error("the access token is not valid")]
    TokenInvalid,
    /// The access token is authentic and past its lifetime.
    #[error("the access token has expired")]
    TokenExpired,
    /// The session has ended.
    #[error("the session has ended: {}", .0.as_str())]
    SessionEnded(EndReason),
    /// The refresh token is not authentic.
    #[error("the refresh token is not valid")]
    RefreshTokenInvalid,
    /// The refresh token is of another session than the access token, or of another system.
    #[error("the refresh token is of another session")]
    RefreshTokenMismatch,
    /// Unknown user or wrong password.
    #[error("the login failed")]
    LoginFailed,
    /// A captcha is needed now.
    #[error("a captcha is required")]
    CaptchaRequired,
    /// The captcha's answer is wrong or too late.
    #[error("the captcha is not valid")]
    CaptchaInvalid,
    /// The tenant is disabled.
    #[error("the tenant is disabled")]
    TenantDisabled,
    /// The system is disabled.
    #[error("the system is disabled")]
    SystemDisabled,
    /// The user is disabled.
    #[error("the user is disabled")]
    UserDisabled,
    /// The area lies outside the user's own.
    #[error("the area is not the user's")]
    AreaForbidden,
    /// There is no such tenant.
    #[error("the tenant is unknown")]
    TenantUnknown,
    /// The tenant has no such system.
    #[error("the system is unknown")]
    SystemUnknown,
    /// Too many requests.
    #[error("too many requests")]
    RateLimited {
        /// When to come again.
        retry_after: Duration,
    },
    /// A store is down, or the service is at its limit. Nothing was changed.
    #[error("a store is unavailable")]
    Unavailable(#[source] Option<bo_auth_store::Error>),
    /// The change is durable, but not every node has heard of it yet. It is told without being asked again.
    #[error(transparent)]
    DoneNotEverywhere(#[from] NotPublished),
    /// A defect.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The administrator's role does not allow it.
    #[error("the role does not allow it")]
    RoleForbidden,
    /// What an administrator names is not there, or out of reach.
    #[error("{0}")]
    NotFound(String),
    /// What an administrator adds is there already, or what is to go is in use.
    #[error("{0}")]
    Conflict(String),
    /// What an administrator changes has been changed by somebody else since it was read.
    #[error("it has been changed in the meantime")]
    Stale,
    /// Something is not done with a plugin.
    #[error(transparent)]
    Plugin(#[from] crate::plugin::PluginRefusal),
    /// The operator asked for something that cannot be done; the text says what to do instead.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    /// Whether the service or its stores are to blame, and not the request.
    pub const fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::DoneNotEverywhere(_) | Self::Internal(_))
    }

    /// What an outage means once a change is committed: it stands, whatever is asked of a store afterwards.
    #[must_use]
    pub fn after_commit(self) -> Self {
        match self {
            Self::Unavailable(Some(error)) => NotPublished::because(error).into(),
            Self::Unavailable(None) => NotPublished::because("the service is at its limit").into(),
            other => other,
        }
    }
}

impl From<bo_auth_store::Error> for Error {
    fn from(error: bo_auth_store::Error) -> Self {
        match error {
            error if error.is_unavailable() => Self::Unavailable(Some(error)),
            // The edges refuse such texts; this is for one that they do not know.
            bo_auth_store::Error::Unstorable => Self::BadRequest,
            error => Self::Internal(Box::new(error)),
        }
    }
}

impl From<EndingError> for Error {
    fn from(error: EndingError) -> Self {
        match error {
            EndingError::NotEnded(error) => error.into(),
            EndingError::NotPublished(error) => error.into(),
        }
    }
}

impl From<bo_auth_core::Error> for Error {
    fn from(error: bo_auth_core::Error) -> Self {
        use bo_auth_core::Error as Core;
        match error {
            Core::StampInvalid => Self::VerifyApiInvalid,
            Core::StampExpired => Self::VerifyApiExpired,
            Core::TokenInvalid => Self::TokenInvalid,
            Core::TokenExpired => Self::TokenExpired,
            Core::RefreshTokenInvalid => Self::RefreshTokenInvalid,
            other => Self::Internal(Box::new(other)),
        }
    }
}
