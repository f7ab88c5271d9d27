//! The session cookie (RFC 6265): read from requests, set on a sign-in, taken back on a sign-out.

use std::time::Duration;

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

use crate::header_field::lines;

/// How many cookies of one name are looked at: pages of other paths or parent domains may have added theirs.
const COOKIES: usize = 4;

/// The values of the cookies of this name, without those that are empty, in the order in which they came.
pub(crate) fn read(headers: &HeaderMap, name: &str) -> Vec<String> {
    // Byte by byte and pair by pair: cookies of others may hold anything.
    let pairs = lines(headers, COOKIE).flat_map(|line| line.split(|byte| *byte == b';'));
    let values = pairs.filter_map(|pair| value_of(pair, name.as_bytes()));
    values.take(COOKIES).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

/// The value of a pair of this name, unless it is empty.
fn value_of<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = pair.trim_ascii().strip_prefix(name)?.trim_ascii_start().strip_prefix(b"=")?;
    Some(unquoted(value.trim_ascii())).filter(|value| !value.is_empty())
}

fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value)
}

/// Sets the cookie: for no script to read, for no other site's request to carry, and under TLS for nothing else.
pub(super) fn set(name: &str, value: &str, lifetime: Duration, https: bool) -> Option<HeaderValue> {
    let secure = if https { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}", lifetime.as_secs());
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Takes the cookie back, in the contract's own words.
pub(super) fn take_back(name: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{name}=; Path=/; Max-Age=0")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_among_others() {
        for (headers, expected) in [
            (&["userlogin=abc"][..], &["abc"][..]),
            (&["theme=dark; userlogin=abc; lang=zh"], &["abc"]),
            (&["userlogin=\"abc\""], &["abc"]),
            (&["userlogin=a=b"], &["a=b"]),
            (&["userlogin=abc", "userlogin=def"], &["abc", "def"]),
            (&["userlogin=; userlogin=abc"], &["abc"]),
            (&["userlogin=1; userlogin=2; userlogin=3; userlogin=4; userlogin=5"], &["1", "2", "3", "4"]),
            (&["userlogin="], &[]),
            (&["userlogin"], &[]),
            (&["xuserlogin=abc; Userlogin=abc"], &[]),
            (&[], &[]),
        ] {
            let mut map = HeaderMap::new();
            for header in headers {
                map.append(COOKIE, HeaderValue::from_static(header));
            }
            assert_eq!(read(&map, "userlogin"), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_foreign_cookie_hides_nothing() {
        for foreign in ["nick=张三".as_bytes(), b"nick=caf\xe9", b"\xff\xfe", b"\xff=\xff", b"=", b"nick"] {
            for line in [
                [foreign, b"; userlogin=abc"].concat(),
                [&b"userlogin=abc; "[..], foreign].concat(),
                [foreign, b";userlogin=abc;", foreign].concat(),
            ] {
                let mut map = HeaderMap::new();
                map.append(COOKIE, HeaderValue::from_bytes(&line).unwrap());
                assert_eq!(read(&map, "userlogin"), ["abc"], "{line:?}");
            }
        }
        // One of ours that nobody has made is there all the same.
        let forged = HeaderValue::from_bytes(b"userlogin=\xff").unwrap();
        assert_eq!(read(&HeaderMap::from_iter([(COOKIE, forged)]), "userlogin"), ["\u{fffd}"]);
    }

    #[test]
    fn cookies_are_written_to_the_letter() {
        let value = set("userlogin", "abc", Duration::from_mins(1), true).unwrap();
        assert_eq!(value, "userlogin=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
        assert!(value.is_sensitive());
        assert_eq!(
            set("userlogin", "abc", Duration::from_mins(1), false).unwrap(),
            "userlogin=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"
        );
        assert_eq!(take_back("userlogin").unwrap(), "userlogin=; Path=/; Max-Age=0");
    }
}
