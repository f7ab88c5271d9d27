//! One file of the console as it goes out: its type, its tag, and what the page may do.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use poem::Response;

use crate::header_field::members;

/// Scripts, styles, pictures and calls of this server alone; nothing inline, no markup made of texts, in nobody's frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
);

/// Other sites' pages can neither hold a window of it nor read its files.
const ISOLATION: [(HeaderName, HeaderValue); 4] = [
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// A file.
pub(super) struct File {
    /// Its path below the console's.
    pub(super) name: &'static str,
    body: Bytes,
    content_type: HeaderValue,
    tag: HeaderValue,
}

impl File {
    /// A file whose type its name tells.
    pub(super) fn new(name: &'static str, body: &'static [u8]) -> Self {
        Self { name, body: Bytes::from_static(body), content_type: content_type(name), tag: tag(body) }
    }

    /// The file, or that the caller has it already.
    pub(super) fn answer(&self, asked: &HeaderMap) -> Response {
        let strong = |tag| <[u8]>::strip_prefix(tag, b"W/").unwrap_or(tag);
        let mut known = members(asked, IF_NONE_MATCH).map(strong);
        let is_known = known.any(|tag| tag == b"*" || self.tag.as_bytes() == tag);
        let mut response =
            if is_known { Response::builder().status(StatusCode::NOT_MODIFIED).finish() } else { Response::from(self.body.clone()) };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.content_type.clone());
        headers.insert(CONTENT_SECURITY_POLICY, POLICY);
        headers.insert(ETAG, self.tag.clone());
        // Asked for again each time, and answered in a line while the server is the same: no page runs half of two versions.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.extend(ISOLATION);
        response
    }
}

fn content_type(name: &str) -> HeaderValue {
    HeaderValue::from_static(match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    })
}

/// Tells contents apart, the same on every node of a release.
fn tag(body: &[u8]) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    HeaderValue::try_from(format!("\"{:016x}\"", hasher.finish())).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_is_known_is_not_sent_again() {
        let file = File::new("a.js", b"1");
        let first = file.answer(&HeaderMap::new());
        assert_eq!(first.content_type(), Some("text/javascript; charset=utf-8"));
        let tag = first.headers()[ETAG].clone();
        assert_eq!(first.into_body().into_string().await.unwrap(), "1");
        for (sent, status) in
            [(tag.to_str().unwrap(), 304), (&format!("\"x\", W/{}", tag.to_str().unwrap()), 304), ("*", 304), ("\"x\"", 200)]
        {
            let asked = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_str(sent).unwrap())]);
            assert_eq!(file.answer(&asked).status().as_u16(), status, "{sent}");
        }
        assert_ne!(tag, File::new("a.js", b"2").answer(&HeaderMap::new()).headers()[ETAG]);
    }

    #[test]
    fn every_file_comes_with_the_policy() {
        let response = File::new("index.html", b"").answer(&HeaderMap::new());
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';"));
        for open in ["unsafe", "*", "http", "blob:"] {
            assert!(!policy.contains(open), "{open}");
        }
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    }
}
