//! OpenAPI 3.1.0 from 3.0.3. 3.1 is JSON Schema 2020-12, so that what differs are schemas: null is a type.

use serde_json::{Map, Value, json};

/// Members whose content is data and not a schema.
const DATA: [&str; 4] = ["example", "examples", "default", "enum"];

pub(super) fn convert(mut document: Value) -> Value {
    document["openapi"] = "3.1.0".into();
    convert_schemas(&mut document);
    document
}

fn convert_schemas(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(convert_schemas),
        Value::Object(members) => {
            for (_, member) in members.iter_mut().filter(|(name, _)| !DATA.contains(&name.as_str())) {
                convert_schemas(member);
            }
            if members.get("nullable").is_some_and(Value::is_boolean) {
                convert_nullable(members);
            }
            if members.get("type").is_some_and(|kind| kind == "string") && members.get("format").is_some_and(|format| format == "binary") {
                members.shift_remove("format");
                members.insert("contentMediaType".to_owned(), "application/octet-stream".into());
            }
        }
        _ => {}
    }
}

/// `nullable` becomes a type, a value of the enumeration, or an alternative to a reference.
fn convert_nullable(schema: &mut Map<String, Value>) {
    if schema.shift_remove("nullable") != Some(Value::Bool(true)) {
        return;
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.push(Value::Null);
    }
    if let Some(kind) = schema.get_mut("type") {
        *kind = json!([kind.take(), "null"]);
    } else if let Some(all_of) = schema.shift_remove("allOf") {
        let alternative = match all_of {
            Value::Array(mut items) if items.len() == 1 => items.swap_remove(0),
            items => json!({"allOf": items}),
        };
        schema.insert("anyOf".to_owned(), json!([alternative, {"type": "null"}]));
    }
}
