//! The one stated rule of member names: lower camelCase and `snake_case`, one spelling for each name, nothing lost on the way.
//! The built-in plugins and the host functions `camel()` and `snake()` end here.

mod key;
mod tree;

use std::borrow::Cow;

use serde_json::Value;

pub(crate) use tree::rename_members;

/// The deepest level whose names are converted, the root being the first. Deeper values stay as they are.
pub const DEEPEST_LEVEL: usize = 64;

/// A spelling of member names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// `userName`
    Camel,
    /// `user_name`
    Snake,
}

/// Spells one name in lower camelCase: `user_name` becomes `userName`.
///
/// Borrows where nothing changes; a key that is no field name (`a-b`, `44010`, `中文`) never changes.
pub fn camel_name(key: &str) -> Cow<'_, str> {
    named(key, Style::Camel)
}

/// Spells one name in `snake_case`: `userID` becomes `user_id`. Borrows where nothing changes.
pub fn snake_name(key: &str) -> Cow<'_, str> {
    named(key, Style::Snake)
}

/// Spells every member name of a value in lower camelCase, in place, in one linear pass.
///
/// Order and values stay. Returns how many members kept the name they had because another member of the same object has,
/// or would have got, the same new name.
pub fn camel(value: &mut Value) -> usize {
    tree::convert(value, Style::Camel, 1)
}

/// Spells every member name of a value in `snake_case`, in place; see [`camel`].
pub fn snake(value: &mut Value) -> usize {
    tree::convert(value, Style::Snake, 1)
}

fn named(key: &str, style: Style) -> Cow<'_, str> {
    match key::respelled(key, style) {
        Some(name) => Cow::Owned(name),
        None => Cow::Borrowed(key),
    }
}

#[cfg(test)]
mod examples;
#[cfg(test)]
mod properties;
