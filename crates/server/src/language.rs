//! The language of texts for people. Codes never change with it.

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

use crate::header_field::members;

/// A language that answers are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// `zh-CN`, the default.
    #[default]
    Chinese,
    /// `en`.
    English,
}

impl Language {
    /// What `Accept-Language` prefers (RFC 9110 section 12.5.4): the language range of the greatest weight that is ours;
    /// Chinese where none is.
    pub fn of(headers: &HeaderMap) -> Self {
        Self::preferred(members(headers, ACCEPT_LANGUAGE))
    }

    /// The language of a tag such as `en` or `zh-CN`.
    pub fn of_tag(tag: &str) -> Self {
        Self::preferred([tag.as_bytes()])
    }

    fn preferred<'a>(ranges: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut best = (0.0, Self::Chinese);
        for range in ranges {
            // A range that is not ASCII is none of ours.
            let Ok(range) = std::str::from_utf8(range) else { continue };
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let weight = parameters.trim().strip_prefix("q=");
            let weight = weight.map_or(1.0, |text| text.trim().parse::<f32>().unwrap_or(0.0));
            let primary = tag.trim().split('-').next().unwrap_or_default();
            let language = match primary {
                _ if primary.eq_ignore_ascii_case("zh") => Self::Chinese,
                _ if primary.eq_ignore_ascii_case("en") => Self::English,
                _ => continue,
            };
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    /// The tag that a plugin sees.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }

    /// One of two texts.
    pub const fn choose(self, chinese: &'static str, english: &'static str) -> &'static str {
        match self {
            Self::Chinese => chinese,
            Self::English => english,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_preferred_language_of_ours_is_taken() {
        for (header, expected) in [
            (&[][..], Language::Chinese),
            (&[""], Language::Chinese),
            (&["en"], Language::English),
            (&["en-US,en;q=0.9"], Language::English),
            (&["zh-CN,zh;q=0.9,en;q=0.8"], Language::Chinese),
            (&["fr, en;q=0.3, zh;q=0.2"], Language::English),
            (&["en;q=0, fr"], Language::Chinese),
            (&["EN-gb"], Language::English),
            (&["en;q=nonsense"], Language::Chinese),
            (&["中文, en"], Language::English),
            (&["fr", "en;q=0.5"], Language::English),
        ] {
            let values = header.iter().map(|line| HeaderValue::from_bytes(line.as_bytes()).unwrap());
            let headers: HeaderMap = values.map(|value| (ACCEPT_LANGUAGE, value)).collect();
            assert_eq!(Language::of(&headers), expected, "{header:?}");
        }
    }
}
