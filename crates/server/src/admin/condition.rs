//! `ETag`s and `If-Match` (RFC 9110 section 13.1.1): a change says of which state of the resource it is.

use bo_auth_core::time::Timestamp;
use http::HeaderValue;
use http::header::IF_MATCH;
use poem::Request;

use super::problem::{PRECONDITION_FAILED, PRECONDITION_REQUIRED, Problem};
use crate::header_field::members;

/// The `ETag` of a row, which follows its last change.
pub(super) fn etag(updated_at: Timestamp) -> HeaderValue {
    // Hexadecimal digits in quotes are a header value.
    HeaderValue::from_str(&text(updated_at)).unwrap_or(HeaderValue::from_static("\"\""))
}

fn text(updated_at: Timestamp) -> String {
    format!("\"{:x}\"", updated_at.0)
}

/// What the store is to find unchanged, where the request is about the row as it is now.
///
/// # Errors
/// 428 where the request does not say, 412 where it is about another state.
pub(super) fn if_match(request: &Request, updated_at: Timestamp) -> Result<Timestamp, Problem> {
    let mut tags = members(request.headers(), IF_MATCH).peekable();
    if tags.peek().is_none() {
        return Err(Problem::of(PRECONDITION_REQUIRED));
    }
    let present = text(updated_at);
    if tags.any(|tag| tag == b"*" || tag == present.as_bytes()) { Ok(updated_at) } else { Err(Problem::of(PRECONDITION_FAILED)) }
}

/// The `ETag` of a resource that counts its changes.
pub(super) fn revision_etag(revision: i64) -> HeaderValue {
    etag(Timestamp(revision))
}

/// As [`if_match`], for a resource that counts its changes.
///
/// # Errors
/// 428 where the request does not say, 412 where it is about another state.
pub(super) fn if_revision(request: &Request, revision: i64) -> Result<i64, Problem> {
    if_match(request, Timestamp(revision)).map(|revision| revision.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_names_the_state_that_it_is_of() {
        let now = Timestamp(0x1234);
        for (header, expected) in [
            (None, Err(428)),
            (Some("\"1234\""), Ok(now)),
            (Some("\"1\", \"1234\""), Ok(now)),
            (Some("*"), Ok(now)),
            (Some("\"张\", \"1234\""), Ok(now)),
            (Some("\"1235\""), Err(412)),
            (Some("W/\"1234\""), Err(412)),
            (Some("1234"), Err(412)),
            (Some(""), Err(412)),
        ] {
            let mut request = Request::default();
            if let Some(value) = header {
                let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                request.headers_mut().insert(IF_MATCH, value);
            }
            assert_eq!(if_match(&request, now).map_err(|problem| problem.status()), expected, "{header:?}");
        }
    }
}
