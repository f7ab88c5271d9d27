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
    /// The answer before, as JSON.
    pub before: &'static str,
    /// The answer after, to the byte.
    pub after: &'static str,
}

/// What a new script begins with.
pub const STARTER: &str = include_str!("../scripts/examples/starter.rhai");

/// A row of the table below.
macro_rules! example {
    ($name:literal, $title:literal, $sys_id:literal, $before:literal => $after:literal) => {
        example!($name, $title, $sys_id, $name, $before => $after)
    };
    ($name:literal, $title:literal, $sys_id:literal, $nodejs:literal, $before:literal => $after:literal) => {
        Example {
            name: $name,
            title: $title,
            source: include_str!(concat!("../scripts/examples/", $name, ".rhai")),
            nodejs: $nodejs,
            sys_id: $sys_id,
            before: $before,
            after: $after,
        }
    };
}

/// Every example, in the order of the documentation.
pub const ALL: [Example; 10] = [
    example!("rename", "Renaming members", "web",
        r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"userId":"u1","userName":"wang","pushName":"芳"}}}"#
        => r#"{"code":0,"success":true,"msg":"登录成功","data":{"user":{"userId":"u1","loginName":"wang","pushAlias":"芳"}}}"#),
    example!("drop-nulls", "Leaving out what has no value", "web",
        r#"{"code":0,"success":true,"message":"获取成功","data":{"userId":"u1","mobile":null,"areas":[{"code":"44","parent":null},null,7]}}"#
        => r#"{"code":0,"success":true,"message":"获取成功","data":{"userId":"u1","areas":[{"code":"44"},null,7]}}"#),
    example!("display-name", "Adding a display name", "web",
        r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"userName":"wang","name":"王芳"}}}"#
        => r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"userName":"wang","name":"王芳","displayName":"王芳 (web)"}}}"#),
    example!("mask-mobile", "Masking a telephone number", "web",
        r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"userId":"u1","mobile":"13800008000"}}}"#
        => r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"userId":"u1","mobile":"138****8000"}}}"#),
    example!("error-texts", "Mapping error texts", "web",
        r#"{"code":40113,"success":false,"message":"令牌已过期","error":{"errorCode":"TOKEN_EXPIRED","errorText":"令牌已过期"}}"#
        => r#"{"code":40113,"success":false,"message":"登录已过期，请重新登录","error":{"errorCode":"TOKEN_EXPIRED","errorText":"登录已过期，请重新登录"}}"#),
    example!("number-format", "Formatting numbers", "web",
        r#"{"code":0,"success":true,"message":"ok","data":{"accounts":[{"balance":1234567.891,"share":0.256},{"balance":12,"share":1}]}}"#
        => r#"{"code":0,"success":true,"message":"ok","data":{"accounts":[{"balance":1234567.891,"share":0.256,"balanceText":"¥1,234,567.89","shareText":"25.6%"},{"balance":12,"share":1,"balanceText":"¥12.00","shareText":"100.0%"}]}}"#),
    example!("time-format", "Formatting instants", "web",
        r#"{"code":0,"success":true,"message":"ok","data":[{"openedAt":1700000000000}]}"#
        => r#"{"code":0,"success":true,"message":"ok","data":[{"openedAt":1700000000000,"openedText":"2023-11-15 06:13"}],"writtenAt":"2023-11-14T22:13:20Z"}"#),
    example!("per-system", "Another shape for each system", "app",
        r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"userId":"u1","userName":"wang","name":"王芳"},"token":{"accessToken":"a.b.c"}},"cacheType":"redis"}"#
        => r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"user_id":"u1","name":"王芳"},"token":{"access_token":"a.b.c"}},"cache_type":"redis"}"#),
    example!("totals", "Chaining two plugins", "web", "totals,common-data-under",
        r#"{"code":0,"success":true,"message":"ok","data":[{"sessionId":"s1"},{"sessionId":"s2"}]}"#
        => r#"{"code":0,"success":true,"message":"ok","data":[{"session_id":"s1"},{"session_id":"s2"}],"row_count":2}"#),
    example!("defaults", "Defaults for a strict client", "web",
        r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"userId":"u1","mobile":"138"}}}"#
        => r#"{"code":0,"success":true,"message":"登录成功","data":{"user":{"userId":"u1","mobile":"138","pushName":"","tags":[]}},"cacheType":"none"}"#),
];
