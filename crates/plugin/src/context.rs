//! What a script may know about the request: never a token, a secret, a header or an address.

use std::borrow::Cow;
use std::sync::Arc;

/// The read-only second argument of `process`.
///
/// Cheap to clone, its texts being shared. Members that are not known yet, since the request failed early, are `None` and
/// appear to the script as `()`.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The tenant.
    pub owner_id: Option<Arc<str>>,
    /// The tenant's system.
    pub sys_id: Option<Arc<str>>,
    /// The route's pattern, such as `/bo/api/v3/logout`; never the path as it was sent.
    pub route: Cow<'static, str>,
    /// The HTTP method in capitals.
    pub method: Arc<str>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The language of the answer's texts, such as `zh-CN`.
    pub language: Cow<'static, str>,
    /// The signed-in user.
    pub user_id: Option<Arc<str>>,
    /// The instant of the request, in milliseconds since 1970-01-01 UTC: the only clock a script has.
    pub now_ms: i64,
    /// The request's parameters whose names begin with `_`, in the order they were sent.
    pub params: Vec<(String, String)>,
}
