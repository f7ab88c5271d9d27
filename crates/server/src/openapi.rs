//! The published OpenAPI documents: what the routes say of themselves, completed from the tables of parameters and
//! refusals; as files for the repository, and as served.

use std::collections::HashMap;

use bo_auth_service::plugin::ResponseSchemas;
use poem::http::Method;
use poem::{EndpointExt, Route};
use poem_openapi::registry::{MetaApi, Registry};
use poem_openapi::{OpenApi, OpenApiService, ServerObject};
use serde_json::{Map, json};

use crate::api::examples::success_of;
use crate::api::parameters::{needs_access_token, parameters_of};
use crate::api::refusals::refusals_of;
use crate::api::{PREFIX, V3, below_api};
use crate::document::{Asset, Constraint, Document, DocumentError, ErrorDescription, OperationDescription, Supplement};
use crate::{admin, legacy};

const DESCRIPTION: &str = "Multi-tenant sign-in, refresh and sign-out. Every answer is one envelope; `success` says whether the call succeeded, \
`error.errorCode` why not. `XverifyApi` is a fresh value for every call: see the guide to XverifyApi in the repository.";

/// The documents of the v3 contract, and beside them those of the v1.0 contract and of the admin API.
pub struct Documents {
    document: Document,
    session: Document,
    session_json: String,
    admin: Document,
    admin_json: String,
    json: String,
    yaml: String,
    json_3_1: String,
}

/// Builds the documents.
///
/// # Panics
/// Where the routes and the tables disagree, which no configuration can bring about and a test rules out.
#[expect(clippy::panic, reason = "the document depends on nothing but this program's own text; a test builds it")]
pub fn documents() -> Documents {
    match build() {
        Ok(documents) => documents,
        Err(error) => panic!("{error}"),
    }
}

/// What generated clients expect of answers.
pub fn response_schemas() -> ResponseSchemas {
    documents().response_schemas()
}

fn build() -> Result<Documents, DocumentError> {
    let server = ServerObject::new("http://127.0.0.1:8480").description("A server started with the defaults");
    let service = OpenApiService::new(Described, "bo-auth v3", env!("CARGO_PKG_VERSION"))
        .description(DESCRIPTION)
        .server(server)
        .server(ServerObject::new("/").description("The server that this document came from"))
        .url_prefix(PREFIX);
    let document = Document::build(&service.spec(), &supplement(), describe)?;
    let (json, yaml, json_3_1) = (document.to_json()?, document.to_yaml()?, document.to_version_3_1().to_json()?);
    let session = legacy::document::build()?;
    let session_json = session.to_json()?;
    let admin = admin::document::build()?;
    let admin_json = admin.to_json()?;
    Ok(Documents { document, session, session_json, admin, admin_json, json, yaml, json_3_1 })
}

/// The routes as they describe themselves, without anything to serve them.
struct Described;

impl OpenApi for Described {
    fn meta() -> Vec<MetaApi> {
        V3::meta()
    }

    fn register(registry: &mut Registry) {
        V3::register(registry);
    }

    fn add_routes(self, _: &mut HashMap<String, HashMap<Method, poem::endpoint::BoxEndpoint<'static>>>) {}
}

fn describe(operation_id: &str) -> OperationDescription {
    let errors = refusals_of(operation_id).into_iter().map(|kind| ErrorDescription {
        status: kind.status,
        code: kind.code,
        error_code: kind.error_code,
        chinese: kind.chinese,
        english: kind.english,
    });
    let security = match operation_id {
        "drawCaptcha" => Vec::new(),
        id if needs_access_token(id) => vec!["verifyApi", "accessToken"],
        _ => vec!["verifyApi"],
    };
    OperationDescription {
        parameters: parameters_of(operation_id),
        errors: errors.collect(),
        needs_body: operation_id == "login",
        success: success_of(operation_id),
        security,
    }
}

fn supplement() -> Supplement {
    let mut security_schemes = Map::new();
    security_schemes.insert(
        "verifyApi".to_owned(),
        json!({"type": "apiKey", "in": "header", "name": "XverifyApi", "description": "A fresh stamp for every call, made with the tenant's key."}),
    );
    security_schemes.insert(
        "accessToken".to_owned(),
        json!({"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "The access token of a login or refresh."}),
    );
    let constrain = |schema, property, members| Constraint { schema, property, members };
    Supplement {
        security_schemes,
        constraints: vec![
            constrain("LoginRequest", "userName", json!({"minLength": 1, "maxLength": 128, "example": "demo"})),
            constrain("LoginRequest", "password", json!({"minLength": 1, "maxLength": 2048, "example": "3eJvnkGl6DELo9rVYyxsTQ=="})),
            constrain(
                "LoginRequest",
                "verifyGuid",
                json!({"pattern": "^[0-9A-Za-z-]{1,64}$", "example": "5f0c7c3e-58f4-4f60-9a52-3f9d3b1b2c11"}),
            ),
            constrain("LoginRequest", "verifyCode", json!({"maxLength": 16, "example": "A7KQM"})),
            constrain(
                "RefreshTokenRequest",
                "refreshToken",
                json!({"pattern": "^[0-9A-Za-z]{32}$", "example": "1tP0zZx1gZE66xDnhwd1UV973XoVL4nT"}),
            ),
            constrain("LogoutReply", "message", json!({"example": "退出成功"})),
            constrain("LogoutReply", "code", json!({"example": 0})),
            constrain("LogoutReply", "success", json!({"example": true})),
        ],
        nullable_schemas: vec!["LoginRequest", "RefreshTokenRequest"],
        nullable_bodies: vec!["RefreshTokenRequest"],
    }
}

impl Documents {
    /// What generated clients expect of answers.
    pub fn response_schemas(&self) -> ResponseSchemas {
        ResponseSchemas::new(self.document.value().clone())
    }

    /// OpenAPI 3.0.3 as JSON.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The files that are checked in, by name.
    pub fn files(&self) -> [(&'static str, &str); 5] {
        [
            ("bo-v3.json", &self.json),
            ("bo-v3.yaml", &self.yaml),
            ("bo-v3.1.json", &self.json_3_1),
            ("session-v1.json", &self.session_json),
            ("admin-v1.json", &self.admin_json),
        ]
    }

    /// Each path as segments, where one that begins with `{` stands for any, with its methods as `Allow` lists them; those
    /// of the contracts and of the admin API if they are served.
    pub fn routes(&self, with_contracts: bool, with_legacy: bool, with_admin: bool) -> Vec<(Vec<String>, String)> {
        let mut routes = if with_contracts { self.document.routes() } else { Vec::new() };
        if with_legacy {
            routes.extend(self.session.routes());
        }
        if with_admin {
            routes.extend(self.admin.routes());
        }
        for (segments, allow) in &mut routes {
            if !below_api(&segments.join("/")) && allow.split(", ").any(|method| method == "GET") {
                allow.push_str(", HEAD");
            }
        }
        routes
    }

    /// Serves the documents and the reference pages of what is served.
    pub fn add_routes(self, routes: Route, with_contracts: bool, with_legacy: bool, with_admin: bool) -> Route {
        let routes = if with_legacy { routes.at("/openapi/session-v1.json", Asset::json(self.session_json).boxed()) } else { routes };
        let routes = if with_admin {
            routes
                .at("/openapi/admin-v1.json", Asset::json(self.admin_json).boxed())
                .at("/docs/admin", Asset::reference_page("/openapi/admin-v1.json").boxed())
        } else {
            routes
        };
        if !with_contracts {
            return routes;
        }
        routes
            .at("/openapi/bo-v3.json", Asset::json(self.json).boxed())
            .at("/openapi/bo-v3.yaml", Asset::yaml(self.yaml).boxed())
            .at("/openapi/bo-v3.1.json", Asset::json(self.json_3_1).boxed())
            .at("/docs", Asset::reference_page("/openapi/bo-v3.json").boxed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_documents_are_these() {
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi");
        for (name, text) in documents().files() {
            let checked_in = std::fs::read_to_string(directory.join(name)).unwrap_or_default();
            assert!(checked_in == text, "openapi/{name} is not what the routes say; run scripts/openapi and look at the difference");
        }
    }

    #[test]
    fn every_path_has_its_methods() {
        let routes = documents().routes(true, true, true);
        let allow = |path: &str| routes.iter().find(|(segments, _)| segments.join("/") == path).map(|(_, allow)| allow.as_str());
        assert_eq!(allow("/bo/api/v3/auth/token/logout"), Some("GET, DELETE"));
        assert_eq!(allow("/bo/api/v3/auth/session/{sessionId}"), Some("DELETE"));
        assert_eq!(allow("/api/v1.0/session"), Some("DELETE, GET, HEAD"));
        assert_eq!(allow("/api/v1.0/sessions"), Some("POST"));
        assert_eq!(allow("/admin/api/v1/tenants/{ownerId}"), Some("GET, PATCH, HEAD"));
        assert!(documents().routes(true, false, false).iter().all(|(segments, _)| segments[1] == "bo"));
    }
}
