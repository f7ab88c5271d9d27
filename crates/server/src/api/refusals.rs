//! Which rows of the error table each operation can answer with, for the document.

use crate::fault::FaultKind;

const EVERYWHERE: &[FaultKind] = &[
    FaultKind::BAD_REQUEST,
    FaultKind::PARAMETER_MISSING,
    FaultKind::PARAMETER_INVALID,
    FaultKind::TENANT_DISABLED,
    FaultKind::TENANT_UNKNOWN,
    FaultKind::METHOD_NOT_ALLOWED,
    FaultKind::REQUEST_TIMEOUT,
    FaultKind::PAYLOAD_TOO_LARGE,
    FaultKind::RATE_LIMITED,
    FaultKind::INTERNAL,
    FaultKind::UNAVAILABLE,
];

const STAMPED: &[FaultKind] = &[
    FaultKind::PLUGIN_UNKNOWN,
    FaultKind::SHARE_USER_UNKNOWN,
    FaultKind::AREA_UNKNOWN,
    FaultKind::VERIFY_API_INVALID,
    FaultKind::VERIFY_API_EXPIRED,
    FaultKind::VERIFY_API_REPLAYED,
    FaultKind::SYSTEM_DISABLED,
    FaultKind::AREA_FORBIDDEN,
    FaultKind::SYSTEM_UNKNOWN,
];

const TOKEN: &[FaultKind] = &[FaultKind::TOKEN_MISSING, FaultKind::TOKEN_INVALID, FaultKind::TOKEN_EXPIRED];

const SESSION: &[FaultKind] = &[
    FaultKind::SESSION_LOGGED_OUT,
    FaultKind::SESSION_KICKED,
    FaultKind::SESSION_REPLACED,
    FaultKind::SESSION_REUSE_DETECTED,
    FaultKind::SESSION_PASSWORD_CHANGED,
    FaultKind::SESSION_EXPIRED,
    FaultKind::USER_DISABLED,
];

/// What may be so though the answer is a refusal, on routes that end sessions.
const CHANGING: &[FaultKind] = &[FaultKind::DONE_NOT_EVERYWHERE];

const REFRESH_TOKEN: &[FaultKind] = &[FaultKind::REFRESH_TOKEN_INVALID, FaultKind::REFRESH_TOKEN_MISMATCH];

const LOGIN: &[FaultKind] = &[FaultKind::LOGIN_FAILED, FaultKind::CAPTCHA_REQUIRED, FaultKind::CAPTCHA_INVALID, FaultKind::USER_DISABLED];

const BODY: &[FaultKind] = &[FaultKind::MEDIA_TYPE_UNSUPPORTED];

/// The rows of an operation, in the order of the table.
pub fn refusals_of(operation_id: &str) -> Vec<FaultKind> {
    let parts: &[&[FaultKind]] = match operation_id {
        "login" => &[EVERYWHERE, STAMPED, LOGIN, BODY, CHANGING],
        "refreshByQuery" => &[EVERYWHERE, STAMPED, REFRESH_TOKEN, SESSION, CHANGING],
        "refresh" => &[EVERYWHERE, STAMPED, REFRESH_TOKEN, SESSION, BODY, CHANGING],
        "logoutByGet" => &[EVERYWHERE, STAMPED, TOKEN, REFRESH_TOKEN, CHANGING],
        "logout" => &[EVERYWHERE, STAMPED, TOKEN, REFRESH_TOKEN, BODY, CHANGING],
        "currentUser" | "listSessions" => &[EVERYWHERE, STAMPED, TOKEN, SESSION],
        "endSession" => &[EVERYWHERE, STAMPED, TOKEN, SESSION, CHANGING],
        _ => &[EVERYWHERE],
    };
    let mut kinds: Vec<FaultKind> = parts.concat();
    kinds.sort_by_key(|kind| kind.code);
    kinds
}
