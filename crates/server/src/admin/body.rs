//! Reads a JSON body member by member and names every mistake at once, by a JSON pointer and never by its value.

use bo_auth_core::identifier::{AreaCode, SystemId};
use poem::Request;
use poem_openapi::types::Type;
use serde_json::{Map, Value};

use super::Frame;
use super::problem::{BODY_INVALID, FieldError, Problem};
use crate::api::body::JsonBody;
use crate::fault::FaultKind;

/// The longest name of anything, in characters.
const NAME_CHARACTERS: usize = 128;

/// The members of a body that have not been read yet, and what is wrong with those that have.
pub(super) struct Members {
    left: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Frame {
    /// Reads a body.
    ///
    /// # Errors
    /// 400, 408, 413 or 415 where it cannot be read as an object.
    pub(super) async fn read<T: Type>(&self, request: &Request, body: JsonBody<T>) -> Result<Members, Problem> {
        self.read_up_to(request, body, self.body_limit).await
    }

    /// The same for a body that may be larger than others.
    pub(super) async fn read_up_to<T: Type>(&self, request: &Request, body: JsonBody<T>, limit: usize) -> Result<Members, Problem> {
        let read = body.read(request, limit, self.body_timeout).await;
        if let Some(fault) = read.fault() {
            return Err(Problem::of(fault.kind()));
        }
        let members = read.members()?.map();
        // U+0000 means nothing anywhere, and Postgres cannot hold it: refused here, it is refused by every route, whatever the
        // database.
        if members.iter().any(has_nul) {
            return Err(Problem::of(FaultKind::BAD_REQUEST).detail("a text of the body holds the character U+0000"));
        }
        Ok(Members { left: members.clone(), errors: Vec::new() })
    }
}

/// Whether a member holds U+0000, at any depth.
fn has_nul((name, value): (&String, &Value)) -> bool {
    fn holds(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(items) => items.iter().any(holds),
            Value::Object(members) => members.iter().any(has_nul),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
    name.contains('\0') || holds(value)
}

impl Members {
    /// A value that is there and not null.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.left.shift_remove(name).filter(|value| !value.is_null())
    }

    /// Any value that is there and not null.
    pub(super) fn any(&mut self, name: &str) -> Option<Value> {
        self.take(name)
    }

    /// Whether a member is absent or null.
    pub(super) fn is_absent(&self, name: &str) -> bool {
        self.left.get(name).is_none_or(Value::is_null)
    }

    /// Notes a mistake.
    pub(super) fn wrong(&mut self, name: &str, detail: &str) {
        self.errors.push(FieldError { name: format!("/{name}"), detail: detail.to_owned() });
    }

    fn typed<T>(&mut self, name: &str, detail: &str, read: impl FnOnce(Value) -> Option<T>) -> Option<T> {
        let read = read(self.take(name)?);
        if read.is_none() {
            self.wrong(name, detail);
        }
        read
    }

    /// A text; empty is allowed.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.typed(name, "it is a text", |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
    }

    /// A text that must be there and not be empty; otherwise empty, and a mistake.
    pub(super) fn required_text(&mut self, name: &str) -> String {
        if self.is_absent(name) {
            self.wrong(name, "it is missing");
        }
        let text = self.text(name);
        if text.as_ref().is_some_and(String::is_empty) {
            self.wrong(name, "it is empty");
        }
        text.unwrap_or_default()
    }

    /// A name for people: 1 to 128 characters.
    pub(super) fn name(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        if text.trim().is_empty() || text.chars().count() > NAME_CHARACTERS || text.chars().any(char::is_control) {
            self.wrong(name, "it has 1 to 128 characters and no control characters");
            return None;
        }
        Some(text)
    }

    /// A text that may be taken back by null: absent, none, or some.
    #[expect(clippy::option_option, reason = "absent and null differ")]
    pub(super) fn clearable(&mut self, name: &str) -> Option<Option<String>> {
        if self.left.get(name).is_some_and(Value::is_null) {
            self.left.shift_remove(name);
            return Some(None);
        }
        self.name(name).map(Some)
    }

    /// A text that `parse` reads.
    pub(super) fn parsed<T>(&mut self, name: &str, detail: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.typed(name, detail, |value| parse(value.as_str()?))
    }

    /// A text that must be there and that `parse` reads.
    pub(super) fn required<T>(&mut self, name: &str, detail: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        if self.is_absent(name) {
            self.wrong(name, "it is missing");
        }
        self.parsed(name, detail, parse)
    }

    /// The id of a system.
    pub(super) fn system(&mut self, name: &str) -> Option<SystemId> {
        self.parsed(name, IDENTIFIER, |text| SystemId::parse(text).ok())
    }

    pub(super) fn boolean(&mut self, name: &str) -> Option<bool> {
        self.typed(name, "it is true or false", |value| value.as_bool())
    }

    /// A number from 0 to `most`.
    pub(super) fn number(&mut self, name: &str, most: u64) -> Option<u64> {
        self.typed(name, &format!("it is a whole number from 0 to {most}"), |value| value.as_u64().filter(|number| *number <= most))
    }

    /// An object; empty where it is absent.
    pub(super) fn object(&mut self, name: &str) -> Map<String, Value> {
        let read = self.typed(name, "it is an object", |value| match value {
            Value::Object(members) => Some(members),
            _ => None,
        });
        read.unwrap_or_default()
    }

    /// Codes of areas.
    pub(super) fn area_codes(&mut self, name: &str) -> Option<Vec<AreaCode>> {
        self.typed(name, "it is a list of area codes", |value| {
            value.as_array()?.iter().map(|code| AreaCode::parse(code.as_str()?).ok()).collect()
        })
    }

    /// A list of objects.
    pub(super) fn objects(&mut self, name: &str) -> Option<Vec<Map<String, Value>>> {
        self.typed(name, "it is a list of objects", |value| match value {
            Value::Array(items) => {
                items.into_iter().map(|item| if let Value::Object(members) = item { Some(members) } else { None }).collect()
            }
            _ => None,
        })
    }

    /// Whether everything was right, and nothing is there that nobody has read.
    ///
    /// # Errors
    /// 422 with all mistakes.
    pub(super) fn finish(mut self) -> Result<(), Problem> {
        for name in std::mem::take(&mut self.left).keys() {
            // A member's name is the caller's own text: as much of it as a name of ours could have.
            let shown: String = name.chars().take(64).filter(|character| !character.is_control()).collect();
            self.wrong(&shown, "there is no such member");
        }
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::body(self.errors)) }
    }
}

/// What an identifier is.
pub(super) const IDENTIFIER: &str = "it is 1 to 64 characters of letters, digits, `_`, `.`, `:` and `-`";

/// A body that is right member by member, and not as a whole.
pub(super) fn invalid(name: &str, detail: &str) -> Problem {
    Problem::of(BODY_INVALID).error(format!("/{name}"), detail)
}
