//! Reads header fields as what they are: bytes (RFC 9110 section 5.5), which may come on several lines, and beside those of
//! others. `HeaderValue::to_str` refuses a whole line for one byte of somebody else's; what is read here does not.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::{AsHeaderName, USER_AGENT};

/// How much of a `User-Agent` is looked at: what is kept of it has 256 characters of four bytes at most.
const USER_AGENT_BYTES: usize = 1024;

/// The members of a field that is a list without quoted commas, over all its lines.
pub(crate) fn members(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &[u8]> {
    lines(headers, name).flat_map(|line| line.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// The lines of a field.
pub(crate) fn lines(headers: &HeaderMap, name: impl AsHeaderName) -> impl DoubleEndedIterator<Item = &[u8]> {
    headers.get_all(name).into_iter().map(http::HeaderValue::as_bytes)
}

/// The client's own description. What is not UTF-8 in it, or controls a terminal, is replaced and not left out.
pub(crate) fn user_agent(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let value = headers.get(USER_AGENT)?;
    let bytes = value.as_bytes();
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(USER_AGENT_BYTES)]);
    if !text.chars().any(char::is_control) {
        return Some(text);
    }
    let shown = |character: char| {
        if character.is_control() { char::REPLACEMENT_CHARACTER } else { character }
    };
    Some(text.chars().map(shown).collect())
}

/// Cuts at `separator` where it does not stand in a quoted string (RFC 9110 section 5.6.4).
pub(crate) fn split_unquoted(bytes: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    bytes.split(move |byte| {
        let is_literal = std::mem::take(&mut is_escaped);
        match byte {
            _ if is_literal => false,
            b'\\' if is_quoted => {
                is_escaped = true;
                false
            }
            b'"' => {
                is_quoted = !is_quoted;
                false
            }
            byte => *byte == separator && !is_quoted,
        }
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, lines: &[&[u8]]) -> HeaderMap {
        let lines = lines.iter().map(|line| HeaderValue::from_bytes(line).unwrap());
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, line);
        }
        headers
    }

    #[test]
    fn members_of_others_hide_none() {
        let headers = headers("if-match", &[b"\"\xff\", \"1\"", "\"张三\"".as_bytes()]);
        let found: Vec<&[u8]> = members(&headers, "If-Match").collect();
        assert_eq!(found, [b"\"\xff\"", &b"\"1\""[..], "\"张三\"".as_bytes()]);
    }

    #[test]
    fn a_user_agent_is_kept_whatever_its_bytes() {
        for (line, expected) in [
            (&b"curl/8.5.0"[..], "curl/8.5.0"),
            ("微信/8.0".as_bytes(), "微信/8.0"),
            (b"caf\xe9/1.0", "caf\u{fffd}/1.0"),
            (b"a\tb\xc2\x9b2J", "a\u{fffd}b\u{fffd}2J"),
        ] {
            let headers = headers("user-agent", &[line]);
            assert_eq!(user_agent(&headers).as_deref(), Some(expected));
        }
        let long = headers("user-agent", &["浏".repeat(10_000).as_bytes()]);
        assert!(user_agent(&long).unwrap().len() <= USER_AGENT_BYTES + 2);
        assert_eq!(user_agent(&HeaderMap::new()), None);
    }

    #[test]
    fn quoted_separators_cut_nothing() {
        let cut = |text: &'static str| -> Vec<String> {
            let parts = split_unquoted(text.as_bytes(), b',');
            parts.map(|part| String::from_utf8_lossy(part).into_owned()).collect()
        };
        assert_eq!(cut(r#"a,b="c,d",e"#), ["a", r#"b="c,d""#, "e"]);
        assert_eq!(cut(r#"a="\",b",c"#), [r#"a="\",b""#, "c"]);
        assert_eq!(cut(r"a\,b"), [r"a\", "b"]);
        assert_eq!(cut(""), [""]);
    }
}
