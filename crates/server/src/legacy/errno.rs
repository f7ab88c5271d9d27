//! The code table of the v1.0 contract, and which of its codes each refusal becomes. This is the one place where an
//! error becomes what goes over this wire, for HTTP and gRPC alike.

use std::time::Duration;

use bo_auth_service::Error;

use crate::fault::{Fault, FaultKind};

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno {
    /// `errno`, which is a text.
    pub code: &'static str,
    /// `errmsg`.
    pub text: &'static str,
}

macro_rules! errno_table {
    ($($name:ident $code:literal $text:literal)*) => {
        impl Errno {
            $(
                #[doc = concat!("`", $code, "`: ", $text, ".")]
                pub const $name: Self = Self { code: $code, text: $text };
            )*

            /// The whole table, in the order of the codes.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

errno_table! {
    OK "0" "OK"
    DATABASE "4001" "数据库查询错误"
    NO_DATA "4002" "无数据"
    DATA_EXISTS "4003" "数据已存在"
    DATA_WRONG "4004" "数据错误"
    SESSION "4101" "用户未登录"
    LOGIN "4102" "用户登录失败"
    PARAMETER "4103" "参数错误"
    USER "4104" "用户不存在或未激活"
    ROLE "4105" "用户身份错误"
    PASSWORD "4106" "密码错误"
    REQUEST "4201" "非法请求或请求次数受限"
    ADDRESS "4202" "IP受限"
    THIRD_PARTY "4301" "第三方系统错误"
    FILE "4302" "文件读写错误"
    INTERNAL "4500" "内部错误"
    UNKNOWN "4501" "未知错误"
}

impl Errno {
    /// The session has ended, and not every server has heard of it. The table has no code of its own for that: clients take
    /// this one as a reason to ask again, and the text says what holds.
    pub const NOT_EVERYWHERE: Self = Self { text: "操作已生效，尚未通知所有服务器", ..Self::DATABASE };
}

/// A refusal ready to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegacyRefusal {
    /// HTTP status: 200 for what the domain answers.
    pub status: u16,
    /// The row.
    pub errno: Errno,
    /// When to come again.
    pub retry_after: Option<Duration>,
}

impl LegacyRefusal {
    /// An answer of the domain.
    pub const fn of(errno: Errno) -> Self {
        Self { status: 200, errno, retry_after: None }
    }

    /// A refusal before the domain.
    pub const fn outside(status: u16, errno: Errno) -> Self {
        Self { status, errno, retry_after: None }
    }
}

impl From<&Error> for LegacyRefusal {
    fn from(error: &Error) -> Self {
        match error {
            Error::BadRequest | Error::ParameterMissing(_) | Error::ParameterInvalid(_) => Self::of(Errno::PARAMETER),
            Error::TokenMissing
            | Error::TokenInvalid
            | Error::TokenExpired
            | Error::SessionEnded(_)
            | Error::RefreshTokenInvalid
            | Error::RefreshTokenMismatch => Self::of(Errno::SESSION),
            // One code for an unknown number and a wrong password: the old servers told which numbers have an account.
            Error::LoginFailed => Self::of(Errno::LOGIN),
            Error::UserDisabled => Self::of(Errno::USER),
            Error::CaptchaRequired | Error::CaptchaInvalid | Error::TenantDisabled | Error::SystemDisabled => Self::of(Errno::REQUEST),
            Error::RateLimited { retry_after } => Self { status: 429, errno: Errno::REQUEST, retry_after: Some(*retry_after) },
            Error::Unavailable(_) => Self::of(Errno::DATABASE),
            Error::DoneNotEverywhere(_) => Self::of(Errno::NOT_EVERYWHERE),
            Error::Internal(source) if is_unreadable(&**source) => Self::of(Errno::DATA_WRONG),
            _ => Self::outside(500, Errno::INTERNAL),
        }
    }
}

/// Whether a stored value was not what its configuration says.
fn is_unreadable(source: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(source.downcast_ref(), Some(bo_auth_store::Error::Corrupt(_)))
}

impl From<&Fault> for LegacyRefusal {
    /// What the framework refuses, or what comes before any route.
    fn from(fault: &Fault) -> Self {
        let errno = match fault.kind {
            FaultKind::BAD_REQUEST | FaultKind::PAYLOAD_TOO_LARGE | FaultKind::MEDIA_TYPE_UNSUPPORTED => Errno::PARAMETER,
            FaultKind::UNAVAILABLE => Errno::DATABASE,
            FaultKind::DONE_NOT_EVERYWHERE => Errno::NOT_EVERYWHERE,
            kind if kind.status < 500 => Errno::REQUEST,
            _ => Errno::INTERNAL,
        };
        Self { status: fault.kind.status, errno, retry_after: fault.retry_after }
    }
}

#[cfg(test)]
mod tests {
    use bo_auth_core::session::EndReason;
    use bo_auth_store::NotPublished;

    use super::*;

    #[test]
    fn the_table_is_the_contracts() {
        let table: Vec<String> = Errno::ALL.iter().map(|errno| format!("{} {}", errno.code, errno.text)).collect();
        assert_eq!(
            table.join(" · "),
            "0 OK · 4001 数据库查询错误 · 4002 无数据 · 4003 数据已存在 · 4004 数据错误 · 4101 用户未登录 · 4102 用户登录失败 · \
             4103 参数错误 · 4104 用户不存在或未激活 · 4105 用户身份错误 · 4106 密码错误 · 4201 非法请求或请求次数受限 · 4202 IP受限 · \
             4301 第三方系统错误 · 4302 文件读写错误 · 4500 内部错误 · 4501 未知错误"
        );
    }

    #[test]
    fn refusals_of_the_domain_are_answers() {
        for (error, status, code) in [
            (Error::ParameterMissing("mobile"), 200, "4103"),
            (Error::TokenMissing, 200, "4101"),
            (Error::SessionEnded(EndReason::Kicked), 200, "4101"),
            (Error::LoginFailed, 200, "4102"),
            (Error::UserDisabled, 200, "4104"),
            (Error::CaptchaRequired, 200, "4201"),
            (Error::TenantDisabled, 200, "4201"),
            (Error::Unavailable(None), 200, "4001"),
            (Error::DoneNotEverywhere(NotPublished::because("nobody listens")), 200, "4001"),
            (Error::Internal(Box::new(bo_auth_store::Error::Corrupt("row"))), 200, "4004"),
            (Error::RateLimited { retry_after: Duration::from_secs(1) }, 429, "4201"),
            (Error::TenantUnknown, 500, "4500"),
            (Error::Internal("a defect".into()), 500, "4500"),
        ] {
            let refusal = LegacyRefusal::from(&error);
            assert_eq!((refusal.status, refusal.errno.code), (status, code), "{error:?}");
        }
    }

    #[test]
    fn refusals_of_the_framework_keep_their_status() {
        for (kind, code) in [
            (FaultKind::BAD_REQUEST, "4103"),
            (FaultKind::ROUTE_UNKNOWN, "4201"),
            (FaultKind::METHOD_NOT_ALLOWED, "4201"),
            (FaultKind::REQUEST_TIMEOUT, "4201"),
            (FaultKind::PAYLOAD_TOO_LARGE, "4103"),
            (FaultKind::MEDIA_TYPE_UNSUPPORTED, "4103"),
            (FaultKind::RATE_LIMITED, "4201"),
            (FaultKind::INTERNAL, "4500"),
            (FaultKind::UNAVAILABLE, "4001"),
            (FaultKind::DONE_NOT_EVERYWHERE, "4001"),
        ] {
            let refusal = LegacyRefusal::from(&Fault::of(kind));
            assert_eq!((refusal.status, refusal.errno.code), (kind.status, code), "{}", kind.error_code);
        }
    }
}
