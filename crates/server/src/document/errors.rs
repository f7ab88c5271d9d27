//! How an operation refuses: each status with its codes as examples, every one a real answer.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::ErrorDescription;

/// Name of the component schema that all refusals share.
pub(super) const SCHEMA: &str = "ErrorEnvelope";

/// A name to stand in the examples where a text names a parameter.
const PARAMETER: &str = "refreshToken";

/// The envelope of a refusal (its members in the order of the wire).
pub(super) fn envelope_schema() -> Value {
    json!({
        "type": "object",
        "description": "Every refusal, whatever its status.",
        "required": ["code", "success", "message", "error"],
        "properties": {
            "code": {"type": "integer", "format": "int32", "description": "Never 0. The first three digits are the HTTP status.", "example": 40112},
            "success": {"type": "boolean", "enum": [false]},
            "message": {"type": "string", "description": "For people, in the language of the request."},
            "error": {
                "type": "object",
                "required": ["errorCode", "errorText"],
                "properties": {
                    "errorCode": {"type": "string", "description": "For programs; never changes.", "example": "TOKEN_INVALID"},
                    "errorText": {"type": "string", "description": "As `message`."}
                }
            }
        }
    })
}

/// Adds the refusals to an operation's responses: one entry a status, then `4XX` and `5XX` for generators that know no
/// single status, and so that an unknown one is still typed. `default` would serve as well but for generators that
/// cannot have it beside a 200.
pub(super) fn complete(responses: &mut Value, errors: &[ErrorDescription]) {
    let Some(responses) = responses.as_object_mut() else { return };
    let mut by_status = BTreeMap::<u16, Vec<&ErrorDescription>>::new();
    for error in errors {
        by_status.entry(error.status).or_default().push(error);
    }
    for (status, errors) in by_status {
        responses.insert(status.to_string(), response(status, &errors));
    }
    for (range, description) in
        [("4XX", "Refused; `error.errorCode` says why."), ("5XX", "Failed; nothing was changed, or it says what was.")]
    {
        responses.insert(range.to_owned(), json!({"description": description, "content": content(None)}));
    }
    responses.sort_keys();
}

fn response(status: u16, errors: &[&ErrorDescription]) -> Value {
    let codes: Vec<_> = errors.iter().map(|error| format!("`{}`", error.error_code)).collect();
    let mut examples = Map::new();
    for error in errors {
        for name in [error.error_code.to_owned(), format!("{}.en", error.error_code)] {
            let reference = json!({"$ref": format!("#/components/examples/{name}")});
            examples.insert(name, reference);
        }
    }
    let mut response = json!({"description": codes.join(", ")});
    if status == 429 || status == 503 {
        let schema = json!({"type": "integer", "format": "int32", "minimum": 0});
        response["headers"] = json!({"Retry-After": {"description": "Seconds after which to come again.", "schema": schema}});
    }
    response["content"] = content(Some(examples));
    response
}

fn content(examples: Option<Map<String, Value>>) -> Value {
    let mut media = json!({"schema": {"$ref": format!("#/components/schemas/{SCHEMA}")}});
    if let Some(examples) = examples {
        media["examples"] = examples.into();
    }
    json!({"application/json": media})
}

/// Adds the answers of these refusals, in both languages, to the document's examples.
pub(super) fn add_examples(examples: &mut Map<String, Value>, errors: &[ErrorDescription]) {
    for error in errors {
        examples.insert(error.error_code.to_owned(), example(error, error.chinese));
        examples.insert(format!("{}.en", error.error_code), example(error, error.english));
    }
}

fn example(error: &ErrorDescription, text: &str) -> Value {
    let text = text.replace("{}", PARAMETER);
    let value = json!({
        "code": error.code,
        "success": false,
        "message": text,
        "error": {"errorCode": error.error_code, "errorText": text}
    });
    json!({"summary": error.english.replace("{}", PARAMETER), "value": value})
}
