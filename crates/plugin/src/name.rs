//! A plugin's name: what may stand after `_nodejs=`, checked once and never used as a path.

use std::fmt;

/// The longest name, in characters.
const LONGEST: usize = 64;

/// The name of a response plugin: 1 to 64 letters, digits, `_` or `-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PluginName(Box<str>);

impl PluginName {
    /// Accepts a name of the allowed form; every other text is no plugin's name.
    pub fn parse(text: &str) -> Option<Self> {
        is_name(text).then(|| Self(text.into()))
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for PluginName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether a text has the form of a plugin's name.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_digits_underscore_and_hyphen_make_a_name() {
        for name in ["common-data", "a", "A_1", &"x".repeat(64)] {
            assert_eq!(PluginName::parse(name).as_ref().map(PluginName::as_str), Some(name));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in ["", "a b", "../a", "a/b", "a.rhai", "é", "a\0", &"x".repeat(65)] {
            assert_eq!(PluginName::parse(text), None, "{text:?}");
        }
    }
}
