//! Worked examples: scripts that do what plugins are mostly written for, each with an answer before and after. They are part of
//! the documentation, and tests.

/// A plugin with what it does to one answer.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// The plugin's name.
    pub name: &'static str,
    /// What it shows, in a few words.
    pub title: &'static str,
    /// The script.
    pub source: &'static str,
    /// The value of `_nodejs`.
    pub nodejs: &'static str,
    /// The system of the request.
    pub sys_id: &'static str,
    /// The request's method.
    pub method: &'static str,
    /// The request's route.
    pub route: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// The answer before, as JSON.
    pub before: &'static str,
    /// The answer after, to the byte.
    pub after: &'static str,
}

/// What a new script begins with.
pub const STARTER: &str = include_str!("../scripts/examples/starter.rhai");

/// A route with the method and the status of the answer.
type Place = (&'static str, &'static str, u16);

const LOGIN: Place = ("POST", "/bo/api/v3/auth/login", 200);
const REFRESH: Place = ("GET", "/bo/api/v3/auth/token/refresh", 200);
const CURRENT: Place = ("GET", "/bo/api/v3/auth/user/current", 200);
const SESSIONS: Place = ("GET", "/bo/api/v3/auth/session", 200);
const REFUSED: Place = ("GET", "/bo/api/v3/auth/user/current", 401);

/// A row of the table below.
macro_rules! example {
    ($place:ident, $name:literal, $title:literal, $sys_id:literal, $nodejs:literal, $before:literal => $after:literal) => {
        Example {
            name: $name,
            title: $title,
            source: include_str!(concat!("../scripts/examples/", $name, ".rhai")),
            nodejs: $nodejs,
            sys_id: $sys_id,
            method: $place.0,
            route: $place.1,
            status: $place.2,
            before: $before,
            after: $after,
        }
    };
}

/// Every example, in the order of the documentation. What it begins with is what the route answers: a test holds each against the
/// published document, and runs each on a server's answers.
pub const ALL: [Example; 10] = [
    example!(LOGIN, "rename", "Renaming members", "web", "rename",
        r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"userId":"u1","userName":"wang","name":"王芳","ownerId":"acme","sysId":"web","mobile":"13800008000","pushName":"芳","areaCodes":["440100"]},"token":{"accessToken":"a.b.c","refreshToken":"1tP0zZx1gZE66xDnhwd1UV973XoVL4nT","tokenType":"Bearer","expiresIn":7200}},"cacheType":"redis","cacheDate":"2026-01-02T03:04:05.678Z"}"#
        => r#"{"code":0,"success":true,"msg":"登录成功","data":{"user":{"userId":"u1","loginName":"wang","name":"王芳","ownerId":"acme","sysId":"web","mobile":"13800008000","pushAlias":"芳","areaCodes":["440100"]},"token":{"accessToken":"a.b.c","refreshToken":"1tP0zZx1gZE66xDnhwd1UV973XoVL4nT","tokenType":"Bearer","expiresIn":7200}},"cacheType":"redis","cacheDate":"2026-01-02T03:04:05.678Z"}"#),
    example!(CURRENT, "drop-empty", "Leaving out what has no value", "web", "drop-empty",
        r#"{"code":0,"success":true,"message":"获取成功","data":{"userId":"u1","userName":"wang","name":"王芳","ownerId":"acme","sysId":"web","mobile":"","areaCodes":[]},"cacheType":"redis","cacheDate":"2026-01-02T03:04:05.678Z"}"#
        => r#"{"code":0,"success":true,"message":"获取成功","data":{"userId":"u1","userName":"wang","name":"王芳","ownerId":"acme","sysId":"web"},"cacheType":"redis","cacheDate":"2026-01-02T03:04:05.678Z"}"#),
    example!(LOGIN, "display-name", "Adding a display name", "web", "display-name",
        r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"userId":"u1","userName":"wang","name":"王芳","ownerId":"acme","sysId":"web","mobile":"13800008000","areaCodes":["440100"]},"token":{"accessToken":"a.b.c","refreshToken":"1tP0zZx1gZE66xDnhwd1UV973XoVL4nT","tokenType":"Bearer","expiresIn":7200}},"cacheType":"redis","cacheDate":"2026-01-02T03:04:05.678Z"}"#
        => r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"userId":"u1","userName":"wang","name":"王芳","ownerId":"acme","sysId":"web","mobile":"13800008000","areaCodes":["440100"],"displayName":"王芳 (web)"},"token":{"accessToken":"a.b.c","refreshToken":"1tP0zZx1gZE66xDnhwd1UV973XoVL4nT","tokenType":"Bearer","expiresIn":7200}},"cacheType":"redis","cacheDate":"2026-01-02T03:04:05.678Z"}"#),
    example!(LOGIN, "mask-mobile", "Masking a telephone number", "web", "mask-mobile",
        r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"userId":"u1","userName":"wang","name":"王芳","ownerId":"acme","sysId":"web","mobile":"13800008000","areaCodes":["440100"]},"token":{"accessToken":"a.b.c","refreshToken":"1tP0zZx1gZE66xDnhwd1UV973XoVL4nT","tokenType":"Bearer","expiresIn":7200}},"cacheType":"redis","cacheDate":"2026-01-02T03:04:05.678Z"}"#
        => r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"userId":"u1","userName":"wang","name":"王芳","ownerId":"acme","sysId":"web","mobile":"138****8000","areaCodes":["440100"]},"token":{"accessToken":"a.b.c","refreshToken":"1tP0zZx1gZE66xDnhwd1UV973XoVL4nT","tokenType":"Bearer","expiresIn":7200}},"cacheType":"redis","cacheDate":"2026-01-02T03:04:05.678Z"}"#),
    example!(REFUSED, "error-texts", "Mapping error texts", "web", "error-texts",
        r#"{"code":40113,"success":false,"message":"用户认证信息已过期","error":{"errorCode":"TOKEN_EXPIRED","errorText":"用户认证信息已过期"}}"#
        => r#"{"code":40113,"success":false,"message":"登录已过期，请重新登录","error":{"errorCode":"TOKEN_EXPIRED","errorText":"登录已过期，请重新登录"}}"#),
    example!(REFRESH, "number-format", "Formatting numbers", "web", "number-format",
        r#"{"code":0,"success":true,"message":"刷新成功","data":{"token":{"accessToken":"a.b.c","refreshToken":"1tP0zZx1gZE66xDnhwd1UV973XoVL4nT","tokenType":"Bearer","expiresIn":7200}}}"#
        => r#"{"code":0,"success":true,"message":"刷新成功","data":{"token":{"accessToken":"a.b.c","refreshToken":"1tP0zZx1gZE66xDnhwd1UV973XoVL4nT","tokenType":"Bearer","expiresIn":7200,"hoursText":"2.0 h","secondsText":"7,200 s"}}}"#),
    example!(SESSIONS, "time-format", "Formatting instants", "web", "time-format",
        r#"{"code":0,"success":true,"message":"获取成功","data":[{"sessionId":"66df7ad5b82c2d13","sysId":"web","systemName":"网站","current":true,"createdAt":"2023-11-14T21:43:20.000Z","refreshedAt":"2023-11-14T21:43:20.000Z","expiresAt":"2023-12-14T21:43:20.000Z"}]}"#
        => r#"{"code":0,"success":true,"message":"获取成功","data":[{"sessionId":"66df7ad5b82c2d13","sysId":"web","systemName":"网站","current":true,"createdAt":"2023-11-14T21:43:20.000Z","refreshedAt":"2023-11-14T21:43:20.000Z","expiresAt":"2023-12-14T21:43:20.000Z","createdText":"2023-11-15 05:43","minutes":30}],"writtenAt":"2023-11-14T22:13:20Z"}"#),
    example!(LOGIN, "per-system", "Another shape for each system", "app", "per-system",
        r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"userId":"u1","userName":"wang","name":"王芳","ownerId":"acme","sysId":"app","mobile":"13800008000","areaCodes":["440100"]},"token":{"accessToken":"a.b.c","refreshToken":"1tP0zZx1gZE66xDnhwd1UV973XoVL4nT","tokenType":"Bearer","expiresIn":7200}},"cacheType":"redis","cacheDate":"2026-01-02T03:04:05.678Z"}"#
        => r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"user_id":"u1","name":"王芳"},"token":{"access_token":"a.b.c","refresh_token":"1tP0zZx1gZE66xDnhwd1UV973XoVL4nT","token_type":"Bearer","expires_in":7200}},"cache_type":"redis","cache_date":"2026-01-02T03:04:05.678Z"}"#),
    example!(SESSIONS, "totals", "Chaining two plugins", "web", "totals,common-data-under",
        r#"{"code":0,"success":true,"message":"获取成功","data":[{"sessionId":"66df7ad5b82c2d13","sysId":"web","systemName":"网站","current":true,"createdAt":"2023-11-14T21:43:20.000Z","refreshedAt":"2023-11-14T21:43:20.000Z","expiresAt":"2023-12-14T21:43:20.000Z"}]}"#
        => r#"{"code":0,"success":true,"message":"获取成功","data":[{"session_id":"66df7ad5b82c2d13","sys_id":"web","system_name":"网站","current":true,"created_at":"2023-11-14T21:43:20.000Z","refreshed_at":"2023-11-14T21:43:20.000Z","expires_at":"2023-12-14T21:43:20.000Z"}],"row_count":1}"#),
    example!(LOGIN, "defaults", "Defaults for a strict client", "web", "defaults",
        r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"userId":"u1","userName":"wang","name":"王芳","ownerId":"acme","sysId":"web","mobile":"13800008000","areaCodes":["440100"]},"token":{"accessToken":"a.b.c","refreshToken":"1tP0zZx1gZE66xDnhwd1UV973XoVL4nT","tokenType":"Bearer","expiresIn":7200}},"cacheType":"redis","cacheDate":"2026-01-02T03:04:05.678Z"}"#
        => r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"userId":"u1","userName":"wang","name":"王芳","ownerId":"acme","sysId":"web","mobile":"13800008000","areaCodes":["440100"],"pushName":"","tags":[]},"token":{"accessToken":"a.b.c","refreshToken":"1tP0zZx1gZE66xDnhwd1UV973XoVL4nT","tokenType":"Bearer","expiresIn":7200}},"cacheType":"redis","cacheDate":"2026-01-02T03:04:05.678Z"}"#),
];
