//! One operation: its parameters, its security, its refusals, and the order in which it says so.

use serde_json::{Map, Value, json};

use super::{ErrorDescription, Location, OperationDescription, ParameterDescription, errors, normalise};

const MEMBERS: [&str; 8] = ["tags", "summary", "description", "operationId", "parameters", "requestBody", "responses", "security"];

/// Completes an operation from its description; answers the refusals whose examples it refers to.
pub(super) fn complete(operation: &mut Value, describe: impl Fn(&str) -> OperationDescription) -> Vec<ErrorDescription> {
    let Some(members) = operation.as_object_mut() else { return Vec::new() };
    let id = members.get("operationId").and_then(Value::as_str).unwrap_or_default();
    let description = describe(id);
    complete_parameters(members, &description.parameters);
    complete_security(members, &description.security);
    if description.needs_body
        && let Some(body) = members.get_mut("requestBody")
    {
        body["required"] = true.into();
    }
    if !description.errors.is_empty() {
        let responses = members.entry("responses").or_insert_with(|| json!({}));
        errors::complete(responses, &description.errors);
    }
    if let Some(example) = description.success
        && let Some(answer) = members.get_mut("responses").and_then(|responses| responses.pointer_mut("/200/content/application~1json"))
    {
        answer["example"] = example;
    }
    normalise::order(members, &MEMBERS);
    description.errors
}

fn complete_parameters(members: &mut Map<String, Value>, descriptions: &[ParameterDescription]) {
    let mut parameters = match members.shift_remove("parameters") {
        Some(Value::Array(parameters)) => parameters,
        _ => Vec::new(),
    };
    for description in descriptions {
        let described = parameter(description);
        let same = parameters.iter_mut().find(|known| known["name"] == described["name"] && known["in"] == described["in"]);
        if let Some(known) = same {
            *known = described;
        } else {
            parameters.push(described);
        }
    }
    if !parameters.is_empty() {
        members.insert("parameters".to_owned(), parameters.into());
    }
}

fn parameter(description: &ParameterDescription) -> Value {
    let ParameterDescription { name, location, required, description, schema, example } = description;
    let location = match location {
        Location::Header => "header",
        Location::Query => "query",
        Location::Path => "path",
    };
    json!({"name": name, "in": location, "required": required, "description": description, "schema": schema, "example": example})
}

/// Poem lists the schemes of a handler as alternatives, where it needs all of them: they become one requirement. An empty
/// list says that an operation is public; an absent one would leave that open.
fn complete_security(members: &mut Map<String, Value>, described: &[&str]) {
    let mut all = Map::new();
    for requirement in members.get("security").and_then(Value::as_array).into_iter().flatten() {
        all.extend(requirement.as_object().into_iter().flatten().map(|(name, scopes)| (name.clone(), scopes.clone())));
    }
    for name in described {
        all.entry(*name).or_insert_with(|| json!([]));
    }
    let requirements = if all.is_empty() { json!([]) } else { json!([all]) };
    members.insert("security".to_owned(), requirements);
}
