//! The OpenAPI document of the v1.0 contract: what its routes say of themselves, with the code table.

use std::collections::HashMap;

use poem::http::Method;
use poem_openapi::registry::{MetaApi, Registry};
use poem_openapi::{OpenApi, OpenApiService, ServerObject};
use serde_json::{Map, Value, json};

use super::errno::Errno;
use super::{PREFIX, V1};
use crate::document::{Constraint, Document, DocumentError, OperationDescription, Supplement};

const DESCRIPTION: &str = "The v1.0 session contract, for frontends in the field. Every answer is `errno` and `errmsg`, with `data` where there is \
some. `errno` is a text, and \"0\" is success. What the service itself answers has HTTP status 200; a request that does not reach it \
(unknown route, oversized body, another site's page, too many requests) has the status of its refusal and the same two members.";

/// Builds the document.
///
/// # Errors
/// Where the routes and the constraints here disagree, which a test rules out.
pub fn build() -> Result<Document, DocumentError> {
    let server = ServerObject::new("http://127.0.0.1:8480").description("A server started with a fleet");
    let service = OpenApiService::new(Described, "bo-auth session v1.0", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .server(server)
        .server(ServerObject::new("/").description("The server that this document came from"))
        .url_prefix(PREFIX);
    Ok(Document::build(&service.spec(), &supplement(), describe)?.with(complete))
}

/// The routes as they describe themselves, without anything to serve them.
struct Described;

impl OpenApi for Described {
    fn meta() -> Vec<MetaApi> {
        V1::meta()
    }

    fn register(registry: &mut Registry) {
        V1::register(registry);
    }

    fn add_routes(self, _: &mut HashMap<String, HashMap<Method, poem::endpoint::BoxEndpoint<'static>>>) {}
}

fn describe(operation_id: &str) -> OperationDescription {
    let security = if operation_id == "signIn" { Vec::new() } else { vec!["sessionCookie"] };
    OperationDescription { security, needs_body: true, ..OperationDescription::default() }
}

fn supplement() -> Supplement {
    let mut security_schemes = Map::new();
    security_schemes.insert(
        "sessionCookie".to_owned(),
        json!({"type": "apiKey", "in": "cookie", "name": "userlogin", "description": "Set by a sign-in. A fleet may give it another name."}),
    );
    let constrain = |schema, property, members| Constraint { schema, property, members };
    let codes: Vec<&str> = Errno::ALL.iter().map(|errno| errno.code).collect();
    Supplement {
        security_schemes,
        constraints: vec![
            constrain("Outcome", "errno", json!({"enum": codes, "example": "0"})),
            constrain("Outcome", "errmsg", json!({"example": "OK"})),
            constrain("CurrentUserOutcome", "errno", json!({"enum": codes, "example": "0"})),
            constrain("CurrentUserOutcome", "errmsg", json!({"example": "OK"})),
            constrain("SignInRequest", "mobile", json!({"minLength": 1, "maxLength": 32, "example": "13800000000"})),
            constrain("SignInRequest", "password", json!({"minLength": 1, "maxLength": 1024, "example": "correct horse"})),
        ],
        nullable_schemas: vec!["SignInRequest"],
        nullable_bodies: Vec::new(),
    }
}

/// Replaces the refusals of the third version by this contract's, and shows the cookies.
fn complete(document: &mut Value) {
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        schemas.shift_remove("ErrorEnvelope");
    }
    for (_, operations) in document["paths"].as_object_mut().into_iter().flatten() {
        for (_, operation) in operations.as_object_mut().into_iter().flatten() {
            let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
            let success = &mut operation["responses"]["200"];
            success["content"]["application/json"]["examples"] = examples(&id);
            if let Some(cookie) = cookie(&id) {
                success["headers"] =
                    json!({"Set-Cookie": {"description": "On success only.", "schema": {"type": "string", "example": cookie}}});
            }
            for (range, description) in [("4XX", "Refused before the service."), ("5XX", "Failed; nothing was changed.")] {
                let content = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Outcome"}}});
                operation["responses"][range] = json!({"description": description, "content": content});
            }
        }
    }
}

fn cookie(operation_id: &str) -> Option<&'static str> {
    match operation_id {
        "signOut" => Some("userlogin=; Path=/; Max-Age=0"),
        "signIn" => Some("userlogin=1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax; Secure"),
        _ => None,
    }
}

/// What an operation answers with status 200, each a real answer.
fn examples(operation_id: &str) -> Value {
    let codes = match operation_id {
        "signOut" => &[Errno::OK, Errno::SESSION, Errno::DATABASE, Errno::REQUEST][..],
        "signIn" => &[Errno::OK, Errno::PARAMETER, Errno::LOGIN, Errno::USER, Errno::REQUEST, Errno::DATABASE],
        _ => &[Errno::OK, Errno::SESSION, Errno::USER, Errno::DATA_WRONG, Errno::REQUEST, Errno::DATABASE],
    };
    let mut examples = Map::new();
    for errno in codes {
        let mut value = json!({"errno": errno.code, "errmsg": errno.text});
        if operation_id == "currentSession" && *errno == Errno::OK {
            value["data"] = json!({"name": "李雷"});
        }
        examples.insert(errno.code.to_owned(), json!({"summary": errno.text, "value": value}));
    }
    examples.into()
}
