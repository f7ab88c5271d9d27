//! The language of texts for people. Codes never change with it.

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
    pub fn negotiate(header: Option<&str>) -> Self {
        let Some(header) = header else { return Self::Chinese };
        let mut best = (0.0, Self::Chinese);
        for range in header.split(',') {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let weight = parameters.trim().strip_prefix("q=").map_or(1.0, |text| text.trim().parse::<f32>().unwrap_or(0.0));
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
    use super::*;

    #[test]
    fn the_preferred_language_of_ours_is_taken() {
        for (header, expected) in [
            (None, Language::Chinese),
            (Some(""), Language::Chinese),
            (Some("en"), Language::English),
            (Some("en-US,en;q=0.9"), Language::English),
            (Some("zh-CN,zh;q=0.9,en;q=0.8"), Language::Chinese),
            (Some("fr, en;q=0.3, zh;q=0.2"), Language::English),
            (Some("en;q=0, fr"), Language::Chinese),
            (Some("EN-gb"), Language::English),
            (Some("en;q=nonsense"), Language::Chinese),
        ] {
            assert_eq!(Language::negotiate(header), expected, "{header:?}");
        }
    }
}
