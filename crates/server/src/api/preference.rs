//! Preferences of a request (RFC 7240): a list over all lines of `Prefer`, of which the first of a name counts.

use http::HeaderMap;

use crate::header_field::{lines, split_unquoted};

/// `Prefer: return=representation` (RFC 7240 section 4.2).
pub(super) fn wants_representation(headers: &HeaderMap) -> bool {
    let preferences = lines(headers, "prefer").flat_map(|line| split_unquoted(line, b','));
    let mut named = preferences.filter_map(|preference| value_of(preference, b"return"));
    named.next().is_some_and(|value| value.eq_ignore_ascii_case(b"representation"))
}

/// The value of a preference of this name, without its parameters.
fn value_of(preference: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let preference = split_unquoted(preference, b';').next().unwrap_or_default();
    let mut parts = preference.splitn(2, |byte| *byte == b'=').map(<[u8]>::trim_ascii);
    if !parts.next()?.eq_ignore_ascii_case(name) {
        return None;
    }
    let value = parts.next().unwrap_or_default();
    let quoted = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    Some(quoted.map_or_else(|| value.to_vec(), unescaped))
}

/// What a quoted string stands for (RFC 9110 section 5.6.4).
fn unescaped(quoted: &[u8]) -> Vec<u8> {
    let mut bytes = quoted.iter();
    let mut text = Vec::with_capacity(quoted.len());
    while let Some(byte) = bytes.next() {
        text.extend(if *byte == b'\\' { bytes.next() } else { Some(byte) });
    }
    text
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_preference_is_read_as_rfc_7240_has_it() {
        for (lines, expected) in [
            (&["return=representation"][..], true),
            (&["return=\"representation\""], true),
            (&["return = representation"], true),
            (&["Return\t=\t\"Representation\""], true),
            (&["return=\"rep\\resentation\""], true),
            (&["return=representation; depth=2; wait"], true),
            (&["respond-async, wait=10, return=representation"], true),
            (&["respond-async", "return=representation"], true),
            (&["name=\"张三, \\\" \", return=representation"], true),
            (&[", ,return=representation,"], true),
            (&["return=minimal"], false),
            (&["return"], false),
            (&["return="], false),
            (&["respond-async; return=representation"], false),
            (&["note=\"a, return=representation\""], false),
            (&["x-return=representation"], false),
            (&["return=representations"], false),
            // Only the first of a name counts.
            (&["return=minimal, return=representation"], false),
            (&["return=representation", "return=minimal"], true),
            (&[], false),
        ] {
            let values = lines.iter().map(|line| HeaderValue::from_bytes(line.as_bytes()).unwrap());
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("prefer", value);
            }
            assert_eq!(wants_representation(&headers), expected, "{lines:?}");
        }
    }
}
