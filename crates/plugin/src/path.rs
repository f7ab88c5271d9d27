//! Places inside a value: member names and element numbers joined by dots, such as `data.rows.0.name`. The empty path is the
//! value itself. Names that hold a dot are reached through indexers only.

use serde_json::{Map, Value};

use crate::budget::Fallible;
use crate::limits;

/// A path's steps.
pub(crate) struct Path<'text>(Vec<&'text str>);

impl<'text> Path<'text> {
    /// Reads a path; fails on one of too many steps.
    pub(crate) fn parse(text: &'text str) -> Fallible<Self> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let steps: Vec<_> = text.split('.').take(limits::VALUE_DEPTH + 1).collect();
        if steps.len() > limits::VALUE_DEPTH {
            return Err(format!("a path of more than {} steps", limits::VALUE_DEPTH).into());
        }
        Ok(Self(steps))
    }

    /// How many levels down the path leads.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// What stands there, if anything does.
    pub(crate) fn find<'value>(&self, root: &'value Value) -> Option<&'value Value> {
        self.0.iter().try_fold(root, |value, step| match value {
            Value::Object(members) => members.get(*step),
            Value::Array(elements) => elements.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// What stands there, to change it.
    pub(crate) fn find_mut<'value>(&self, root: &'value mut Value) -> Option<&'value mut Value> {
        self.0.iter().try_fold(root, |value, step| child_mut(value, step))
    }

    /// Puts a value there. Objects that are missing on the way are made; an element may be added at an array's end.
    pub(crate) fn put(&self, root: &mut Value, value: Value) -> Fallible<()> {
        let mut place = root;
        for step in &self.0 {
            if place.is_null() {
                *place = Value::Object(Map::new());
            }
            if let Value::Object(members) = place {
                place = members.entry(*step).or_insert(Value::Null);
                continue;
            }
            if let Value::Array(elements) = place
                && step.parse() == Ok(elements.len())
            {
                elements.push(Value::Null);
            }
            place = child_mut(place, step).ok_or_else(|| format!("there is no place for `{step}`"))?;
        }
        *place = value;
        Ok(())
    }
}

fn child_mut<'value>(value: &'value mut Value, step: &str) -> Option<&'value mut Value> {
    match value {
        Value::Object(members) => members.get_mut(step),
        Value::Array(elements) => elements.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn put(mut root: Value, path: &str, value: Value) -> Option<Value> {
        Path::parse(path).ok()?.put(&mut root, value).ok()?;
        Some(root)
    }

    #[test]
    fn finds_members_and_elements() {
        let root = json!({"data": {"rows": [{"n": 1}, {"n": 2}]}, "": 3});
        for (path, found) in [("data.rows.1.n", Some(json!(2))), ("", Some(root.clone())), ("data.rows.2", None), ("data.x", None)] {
            assert_eq!(Path::parse(path).unwrap().find(&root).cloned(), found, "{path}");
        }
    }

    #[test]
    fn puts_values_and_makes_what_is_missing() {
        assert_eq!(put(json!({}), "a.b", json!(1)), Some(json!({"a": {"b": 1}})));
        assert_eq!(put(json!({"a": [1]}), "a.1.x", json!(2)), Some(json!({"a": [1, {"x": 2}]})));
        assert_eq!(put(json!({"a": [1]}), "a.0", json!(2)), Some(json!({"a": [2]})));
        assert_eq!(put(json!(1), "", json!(2)), Some(json!(2)));
        assert_eq!(put(json!({"a": [1]}), "a.5", json!(2)), None);
        assert_eq!(put(json!({"a": "text"}), "a.b", json!(2)), None);
    }

    #[test]
    fn endless_paths_are_refused() {
        assert!(Path::parse(&"a.".repeat(limits::VALUE_DEPTH)).is_err());
        assert!(Path::parse(&["a"; limits::VALUE_DEPTH].join(".")).is_ok());
    }
}
