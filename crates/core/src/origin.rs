//! Origins of web pages, in the one spelling that browsers send (RFC 6454 section 6.2): lower case, no default port, nothing
//! behind the port. What is compared byte by byte must be stored so.

use url::Url;

/// The origin that `text` means, as browsers send it; `None` where it means none.
pub fn spelling_of_origin(text: &str) -> Option<String> {
    let (scheme, rest) = text.trim().split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    if authority.is_empty() || authority.contains(['*', '@']) {
        return None;
    }
    let url = Url::parse(&format!("{scheme}://{authority}")).ok()?;
    let origin = url.origin();
    if origin.is_tuple() {
        return Some(origin.ascii_serialization());
    }
    // Web views have schemes of their own, such as `capacitor`.
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let host = url.host_str()?.to_ascii_lowercase();
    Some(format!("{}://{host}{port}", url.scheme()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_spelling() {
        for (text, expected) in [
            ("https://app.example", Some("https://app.example")),
            ("https://App.Example", Some("https://app.example")),
            ("HTTPS://app.example:443", Some("https://app.example")),
            ("http://app.example:80", Some("http://app.example")),
            ("http://app.example:443", Some("http://app.example:443")),
            ("https://app.example:08443", Some("https://app.example:8443")),
            ("https://app.example/", Some("https://app.example")),
            ("https://app.example/path?query", Some("https://app.example")),
            (" https://app.example ", Some("https://app.example")),
            ("https://例子.example", Some("https://xn--fsqu00a.example")),
            ("http://[2001:DB8:0:0::1]:8080", Some("http://[2001:db8::1]:8080")),
            ("http://127.1", Some("http://127.0.0.1")),
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("capacitor://localhost", Some("capacitor://localhost")),
            ("Ionic://LocalHost", Some("ionic://localhost")),
            ("chrome-extension://abcdefgh", Some("chrome-extension://abcdefgh")),
            ("*", None),
            ("null", None),
            ("", None),
            ("app.example", None),
            ("https://", None),
            ("https:///path", None),
            ("https://*.example", None),
            ("https://user@app.example", None),
            ("https://app.example:99999", None),
            ("://app.example", None),
        ] {
            let spelled = spelling_of_origin(text);
            assert_eq!(spelled.as_deref(), expected, "{text}");
            if let Some(spelled) = spelled {
                assert_eq!(spelling_of_origin(&spelled).as_ref(), Some(&spelled), "it stays so");
            }
        }
    }
}
