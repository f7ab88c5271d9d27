//! The pass over the whole document: schemas, media types and components; each operation is left to its own module.

use serde_json::{Map, Value, json};

use super::{Constraint, DocumentError, OperationDescription, Supplement, errors, operation};

/// The order of the document's own members.
const MEMBERS: [&str; 6] = ["openapi", "info", "servers", "tags", "paths", "components"];

/// What a path has beside operations.
const NOT_OPERATIONS: [&str; 4] = ["summary", "description", "servers", "parameters"];

/// Members whose content is data and not a schema.
const DATA: [&str; 5] = ["example", "examples", "default", "enum", "x-enum-varnames"];

pub(super) fn normalise(
    mut document: Value,
    supplement: &Supplement,
    describe: impl Fn(&str) -> OperationDescription,
) -> Result<Value, DocumentError> {
    mend(&mut document);
    document["openapi"] = "3.0.3".into();
    if !document["info"]["title"].as_str().is_some_and(str::is_ascii) {
        return Err(DocumentError::Title);
    }
    let mut examples = Map::new();
    for path in document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        for (name, value) in path.as_object_mut().into_iter().flatten() {
            if !NOT_OPERATIONS.contains(&name.as_str()) {
                errors::add_examples(&mut examples, &operation::complete(value, &describe));
            }
        }
    }
    if !examples.is_empty() {
        examples.sort_keys();
        document["components"]["examples"] = examples.into();
    }
    complete_components(&mut document["components"], supplement)?;
    if let Some(members) = document.as_object_mut() {
        order(members, &MEMBERS);
    }
    Ok(document)
}

/// Brings `members` into this order; what it does not name follows as it stood.
pub(super) fn order(members: &mut Map<String, Value>, names: &[&str]) {
    let mut rest = std::mem::take(members);
    for name in names {
        if let Some(value) = rest.shift_remove(*name) {
            members.insert((*name).to_owned(), value);
        }
    }
    members.append(&mut rest);
}

/// Mends what stands anywhere: integer formats, media types, members that only repeat a default or contradict one.
fn mend(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(mend),
        Value::Object(members) => {
            if members.get("type").is_some_and(|kind| kind == "integer") {
                mend_integer(members);
            }
            if members.contains_key("in") && members.contains_key("schema") {
                // Poem says `explode` of every parameter, also where the default style has none.
                members.retain(|name, value| name != "explode" && !(name == "deprecated" && *value == false));
            }
            unite(members);
            if let Some(Value::Object(content)) = members.get_mut("content") {
                strip_charsets(content);
            }
            for (_, member) in members.iter_mut().filter(|(name, _)| !DATA.contains(&name.as_str())) {
                mend(member);
            }
        }
        _ => {}
    }
}

/// Poem repeats a description as a schema of its own beside the reference that it describes, where generators then look for
/// an object to merge.
fn unite(schema: &mut Map<String, Value>) {
    let described = schema.get("description").cloned();
    if let Some(Value::Array(parts)) = schema.get_mut("allOf")
        && parts.len() > 1
        && described.is_some()
    {
        parts.retain(|part| part.as_object().is_none_or(|part| part.len() != 1 || part.get("description") != described.as_ref()));
    }
}

/// Generators know `int32` and `int64` only, and so the unsigned ones become the next larger with a minimum.
fn mend_integer(schema: &mut Map<String, Value>) {
    let (format, is_unsigned) = match schema.get("format").and_then(Value::as_str) {
        Some("uint64" | "uint32" | "uint") => ("int64", true),
        Some("uint16" | "uint8") => ("int32", true),
        Some("int16" | "int8") => ("int32", false),
        _ => return,
    };
    schema.insert("format".to_owned(), format.into());
    if is_unsigned {
        schema.entry("minimum").or_insert_with(|| 0.into());
    }
}

/// A media type with a parameter is another type to most generators.
fn strip_charsets(content: &mut Map<String, Value>) {
    for (name, value) in std::mem::take(content) {
        let bare = name.split(';').next().unwrap_or_default().trim_end().to_owned();
        content.insert(bare, value);
    }
}

fn complete_components(components: &mut Value, supplement: &Supplement) -> Result<(), DocumentError> {
    for schema in &supplement.nullable_schemas {
        let pointer = format!("/schemas/{schema}");
        let schema = components.pointer_mut(&pointer).ok_or_else(|| DocumentError::Unknown(format!("schema {schema}")))?;
        allow_null(schema);
    }
    for schema in &supplement.nullable_bodies {
        let found = components.pointer_mut(&format!("/schemas/{schema}"));
        let schema = found.ok_or_else(|| DocumentError::Unknown(format!("schema {schema}")))?;
        schema["nullable"] = true.into();
    }
    for Constraint { schema, property, members } in &supplement.constraints {
        let pointer = format!("/schemas/{schema}/properties/{property}");
        let target = components.pointer_mut(&pointer).and_then(Value::as_object_mut);
        let target = target.ok_or_else(|| DocumentError::Unknown(format!("property {schema}.{property}")))?;
        target.extend(members.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())));
    }
    components["schemas"][errors::SCHEMA] = errors::envelope_schema();
    components["schemas"].as_object_mut().into_iter().for_each(Map::sort_keys);
    if !supplement.security_schemes.is_empty() {
        let mut schemes = components["securitySchemes"].take().as_object().cloned().unwrap_or_default();
        schemes.extend(supplement.security_schemes.clone());
        components["securitySchemes"] = schemes.into();
    }
    Ok(())
}

/// Lets the members of an object that may be absent be null too.
fn allow_null(schema: &mut Value) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let properties = schema["properties"].as_object_mut().into_iter().flatten();
    for (_, property) in properties.filter(|(name, _)| !required.contains(&Value::from(name.as_str()))) {
        // Nothing may stand beside a reference (OpenAPI 3.0.3, Reference Object).
        if property.get("$ref").is_some() {
            *property = json!({"allOf": [property.take()]});
        }
        property["nullable"] = true.into();
    }
}
