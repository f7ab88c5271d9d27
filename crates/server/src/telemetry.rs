//! What the server tells about itself: log lines, one of them per request, and metrics.
//! Nothing here ever sees a query string, a header's value, a token or a body.

pub mod access_log;
pub mod logging;
pub mod metrics;
mod request_id;

pub use self::access_log::{ErrorCodeTag, Observe};
pub use self::request_id::RequestId;
