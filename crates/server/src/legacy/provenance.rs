//! Where a request comes from, as its browser says: a page of another site must not sign a user out, nor in.

use http::header::ORIGIN;
use http::{HeaderMap, HeaderName};

/// `Sec-Fetch-Site` (<https://www.w3.org/TR/fetch-metadata/>): written by the browser, out of any script's reach.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a browser says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Provenance<'a> {
    /// Our own page, the user's own hand, or no browser at all.
    Own,
    /// A page of this origin, which the system may list.
    Page(&'a str),
    /// A page that does not say which, or something unreadable.
    Foreign,
}

/// Judges by the newer header, and where a browser does not send it, by `Origin` and the name we were called by.
pub(super) fn of<'a>(headers: &'a HeaderMap, host: Option<&str>, https: bool) -> Provenance<'a> {
    let (Ok(site), Ok(origin)) = (only(headers, &FETCH_SITE), only(headers, &ORIGIN)) else { return Provenance::Foreign };
    let page = || origin.filter(|origin| *origin != "null").map_or(Provenance::Foreign, Provenance::Page);
    match (site, origin) {
        (Some("same-origin" | "none"), _) | (None, None) => Provenance::Own,
        (None, Some(origin)) if is_own(origin, host, https) => Provenance::Own,
        _ => page(),
    }
}

/// The only value of a header; an error where it is repeated or unreadable.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str().map_err(|_| ())).transpose()?;
    if values.next().is_some() { Err(()) } else { Ok(value) }
}

/// Whether an origin is the name we were called by. A page without TLS is not the one with TLS.
fn is_own(origin: &str, host: Option<&str>, https: bool) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let fits = scheme == "https" || (scheme == "http" && !https);
    fits && host.is_some_and(|host| authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_says_where_a_request_comes_from() {
        use Provenance::{Foreign, Own, Page};
        const EVIL: &str = "https://evil.example";
        for (headers, https, expected) in [
            (&[][..], false, Own),
            (&[("sec-fetch-site", "same-origin"), ("origin", "https://behind.a.gateway")], false, Own),
            (&[("sec-fetch-site", "none")], false, Own),
            (&[("sec-fetch-site", "cross-site"), ("origin", EVIL)], false, Page(EVIL)),
            (&[("sec-fetch-site", "same-site"), ("origin", "https://app.acme.example")], false, Page("https://app.acme.example")),
            (&[("sec-fetch-site", "cross-site")], false, Foreign),
            (&[("sec-fetch-site", "cross-site"), ("origin", "null")], false, Foreign),
            (&[("sec-fetch-site", "unheard-of"), ("origin", "https://acme.example:8480")], false, Page("https://acme.example:8480")),
            (&[("origin", "http://acme.example:8480")], false, Own),
            (&[("origin", "https://acme.example:8480")], false, Own),
            (&[("origin", "http://acme.example:8480")], true, Page("http://acme.example:8480")),
            (&[("origin", "http://acme.example")], false, Page("http://acme.example")),
            (&[("origin", "http://acme.example:8480.evil.example")], false, Page("http://acme.example:8480.evil.example")),
            (&[("origin", "null")], false, Foreign),
            (&[("origin", EVIL), ("origin", "http://acme.example:8480")], false, Foreign),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, value.parse().unwrap());
            }
            assert_eq!(of(&map, Some("acme.example:8480"), https), expected, "{headers:?} {https}");
        }
        let mut unreadable = HeaderMap::new();
        unreadable.insert(ORIGIN, http::HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(of(&unreadable, None, false), Foreign);
    }
}
