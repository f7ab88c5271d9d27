//! The OpenAPI document of the admin API: what its routes say of themselves, with problem details for every refusal.

use std::collections::HashMap;

use poem::http::Method;
use poem_openapi::registry::{MetaApi, Registry};
use poem_openapi::{OpenApi, OpenApiService, ServerObject};
use serde_json::{Map, Value, json};

use super::problem::OWN_KINDS;
use super::{PREFIX, Resources};
use crate::document::{Document, DocumentError, OperationDescription, Supplement};
use crate::fault::FaultKind;

const DESCRIPTION: &str = "For administrators and the console. Sign in for a token, and send it as `Authorization: Bearer`; browsers are given a \
cookie, and then every method but GET needs `X-Requested-With: bo-console`. A platform administrator reaches all tenants, a tenant administrator one: \
what is out of reach is answered as if it were not there. Every refusal is a problem document (RFC 9457) whose `code` is for programs. Instants are \
Unix milliseconds. Lists come in pages: pass `nextCursor` as `cursor`. Every `PATCH` and `PUT`, and whatever changes which version of a plugin answers, needs `If-Match` with the `ETag` of what it changes: \
428 without, 412 where it has been changed in the meantime.";

/// Operations that need no session.
const PUBLIC: [&str; 2] = ["adminSignIn", "drawAdminCaptcha"];

/// Builds the document.
///
/// # Errors
/// Where the routes and the constraints here disagree, which a test rules out.
pub fn build() -> Result<Document, DocumentError> {
    let server = ServerObject::new("http://127.0.0.1:8480").description("A server started with the defaults");
    let service = OpenApiService::new(Described, "bo-auth admin v1", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .server(server)
        .server(ServerObject::new("/").description("The server that this document came from"))
        .url_prefix(PREFIX);
    Ok(Document::build(&service.spec(), &supplement(), |_| OperationDescription::default())?.with(complete))
}

/// The routes as they describe themselves, without anything to serve them.
struct Described;

impl OpenApi for Described {
    fn meta() -> Vec<MetaApi> {
        Resources::meta()
    }

    fn register(registry: &mut Registry) {
        Resources::register(registry);
    }

    fn add_routes(self, _: &mut HashMap<String, HashMap<Method, poem::endpoint::BoxEndpoint<'static>>>) {}
}

fn supplement() -> Supplement {
    let mut security_schemes = Map::new();
    security_schemes.insert("adminToken".to_owned(), json!({"type": "http", "scheme": "bearer", "description": "The token of a sign-in."}));
    security_schemes.insert(
        "consoleCookie".to_owned(),
        json!({"type": "apiKey", "in": "cookie", "name": "bo_console", "description": "Set by a sign-in, for the console."}),
    );
    let nullable_bodies = vec!["PluginRollbackRequest"];
    Supplement { security_schemes, nullable_bodies, ..Supplement::default() }
}

/// The schema of a problem.
fn problem_schema() -> Value {
    let codes: Vec<&str> = FaultKind::ALL.iter().chain(&OWN_KINDS).map(|kind| kind.error_code).collect();
    json!({
        "type": "object",
        "description": "RFC 9457. Some kinds have members of their own beside these.",
        "required": ["type", "title", "status", "code"],
        "properties": {
            "type": {"type": "string", "description": "A URN of the kind.", "example": "urn:bo-auth:problem:not-found"},
            "title": {"type": "string", "description": "The kind, for people."},
            "status": {"type": "integer", "format": "int32", "description": "The HTTP status.", "example": 404},
            "code": {"type": "string", "description": "The kind, for programs; never changes.", "x-known-values": codes, "example": "NOT_FOUND"},
            "detail": {"type": "string", "description": "What is particular about this one."},
            "errors": {
                "type": "array",
                "description": "Each thing that is wrong with the request.",
                "items": {
                    "type": "object",
                    "required": ["name", "detail"],
                    "properties": {
                        "name": {"type": "string", "description": "A JSON pointer into the body, or a parameter.", "example": "/settings"},
                        "detail": {"type": "string", "description": "What it must be."}
                    }
                }
            }
        }
    })
}

fn complete(document: &mut Value) {
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        schemas.shift_remove("ErrorEnvelope");
        schemas.insert("Problem".to_owned(), problem_schema());
        schemas.sort_keys();
        for (_, schema) in schemas.iter_mut() {
            complete_schema(schema);
        }
    }
    for (_, operations) in document["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in operations.as_object_mut().into_iter().flatten() {
            complete_operation(method, operation);
        }
    }
}

/// Answers write null for what is absent, and requests may.
fn complete_schema(schema: &mut Value) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in schema["properties"].as_object_mut().into_iter().flatten() {
        if name == "settings" {
            property["type"] = "object".into();
        }
        if !required.contains(&Value::from(name.as_str())) && property.get("$ref").is_none() {
            property["nullable"] = true.into();
        }
    }
}

fn complete_operation(method: &str, operation: &mut Value) {
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    let public = PUBLIC.contains(&id.as_str());
    operation["security"] = if public { json!([]) } else { json!([{"adminToken": []}, {"consoleCookie": []}]) };
    if operation.get("description").is_none() {
        operation["description"] = operation["summary"].clone();
    }
    if let Some(body) = operation.get_mut("requestBody") {
        body["required"] = (id != "rollBackPlugin").into();
    }
    if needs_if_match(method, &id) {
        let parameter = json!({"name": "If-Match", "in": "header", "required": true, "description": "The ETag of the state that the change is of.",
            "schema": {"type": "string"}, "example": "\"19aa6d2c1f8\""});
        match operation.get_mut("parameters").and_then(Value::as_array_mut) {
            Some(parameters) => parameters.push(parameter),
            None => operation["parameters"] = json!([parameter]),
        }
    }
    let content = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
    let mut refusals =
        vec![("4XX", "Refused; `code` says why."), ("5XX", "Failed; nothing was changed, unless `code` is `DONE_NOT_EVERYWHERE`.")];
    if !public {
        refusals.extend([("401", "There is no live session."), ("403", "The role does not allow it, or the administrator is disabled.")]);
    }
    if needs_if_match(method, &id) {
        refusals.extend([("412", "The resource has been changed in the meantime."), ("428", "`If-Match` is missing.")]);
    }
    if let Some(responses) = operation["responses"].as_object_mut() {
        for (status, description) in refusals {
            responses.insert(status.to_owned(), json!({"description": description, "content": content}));
        }
        responses.sort_keys();
    }
}

/// Whether an operation changes a resource that has an `ETag`.
fn needs_if_match(method: &str, operation_id: &str) -> bool {
    matches!(method, "patch" | "put") || matches!(operation_id, "publishPlugin" | "rollBackPlugin" | "withdrawPlugin")
}
