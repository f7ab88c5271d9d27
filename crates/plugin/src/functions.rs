//! What scripts can call, as the engine itself knows it: for the documentation and for editors.

use rhai::Engine;
use serde_json::Value;

use crate::words;

/// A function or a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFunction {
    /// Its name.
    pub name: String,
    /// The type it is called on: `Json`, `Context`, `string`, `array`, `map`, `int`; empty where it stands alone.
    pub receiver: String,
    /// How it is called and what it answers, such as `mask(path: string, keep_head: int, keep_tail: int) -> Json`.
    pub signature: String,
    /// What it does, in Markdown; empty where its name says it.
    pub documentation: String,
}

/// Functions that are called by their name alone.
const STANDALONE: [&str; 6] = ["format_time", "parse_time", "format_number", "text", "print", "debug"];

/// Every function but operators and indexes, by receiver and name; the documented form of each first, and forms that differ.
pub(crate) fn list(engine: &Engine) -> Vec<HostFunction> {
    let metadata: Value = serde_json::from_str(&engine.gen_fn_metadata_to_json(false).unwrap_or_default()).unwrap_or_default();
    let functions = metadata["functions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut listed: Vec<HostFunction> = functions.iter().filter_map(read).collect();
    let key = |one: &HostFunction| (one.receiver.clone(), one.name.clone(), one.documentation.is_empty(), one.signature.clone());
    listed.sort_by_key(key);
    // A function that takes values of several types is documented once, for all of them.
    listed.dedup_by(|one, kept| {
        one.receiver == kept.receiver
            && one.name == kept.name
            && one.documentation.is_empty()
            && (!kept.documentation.is_empty() || one.signature == kept.signature)
    });
    listed
}

fn read(function: &Value) -> Option<HostFunction> {
    let name = function["name"].as_str()?;
    let property = name.strip_prefix("get$");
    let name = property.unwrap_or(name);
    if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
        return None;
    }
    let parameters: Vec<(Option<&str>, &str)> = function["params"]
        .as_array()
        .map(|parameters| parameters.iter().map(|parameter| (parameter["name"].as_str(), kind(parameter["type"].as_str()))).collect())
        .unwrap_or_default();
    let (receiver, arguments) = match parameters.split_first() {
        Some((receiver, arguments)) if !STANDALONE.contains(&name) => (receiver.1, arguments),
        _ => ("", parameters.as_slice()),
    };
    let arguments: Vec<String> =
        arguments.iter().map(|(name, kind)| name.map_or_else(|| (*kind).to_owned(), |name| format!("{name}: {kind}"))).collect();
    let result = function["returnType"].as_str().map_or_else(String::new, |result| format!(" -> {}", kind(Some(result))));
    let called = if property.is_some() { String::new() } else { format!("({})", arguments.join(", ")) };
    let comments = function["docComments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let lines: Vec<&str> =
        comments.iter().filter_map(Value::as_str).flat_map(str::lines).map(|line| line.trim_start_matches('/').trim()).collect();
    Some(HostFunction {
        name: name.to_owned(),
        receiver: receiver.to_owned(),
        signature: format!("{name}{called}{result}"),
        documentation: lines.join(" "),
    })
}

/// A type's name as scripts know it.
fn kind(type_name: Option<&str>) -> &str {
    let name = type_name.unwrap_or("any");
    let name = name.strip_prefix("core::result::Result<").map_or(name, |inner| inner.split(",alloc::boxed").next().unwrap_or(inner));
    words::type_word(name)
}

#[cfg(test)]
mod tests {
    use rhai::Engine;

    use super::*;
    use crate::library::{self, Texts};

    #[test]
    fn what_scripts_call_is_listed_as_scripts_call_it() {
        let mut engine = Engine::new_raw();
        library::install(&mut engine, Texts::new(|_, _| None));
        let listed = list(&engine);
        let signature = |receiver: &str, name: &str| {
            let found = listed.iter().find(|function| function.receiver == receiver && function.name == name);
            found.map(|function| function.signature.as_str())
        };
        assert_eq!(signature("Json", "mask"), Some("mask(path: string, keep_head: int, keep_tail: int) -> Json"));
        assert_eq!(signature("", "format_time"), Some("format_time(instant: any, pattern: string, zone: string) -> string"));
        assert_eq!(signature("Context", "owner_id"), Some("owner_id -> any"));
        assert_eq!(signature("string", "split"), Some("split(string) -> array"));
        assert!(listed.iter().all(|function| !function.signature.contains("::")), "{listed:?}");
        assert_eq!(listed.iter().filter(|function| function.name == "text").count(), 1);
    }
}
