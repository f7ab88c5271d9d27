//! The document that poem-openapi prints for a small service, and what becomes of it.
#![expect(clippy::unused_async, reason = "poem-openapi wants its handlers async")]

use poem_openapi::auth::{ApiKey, Bearer};
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi, OpenApiService, SecurityScheme};
use serde_json::json;

use super::*;

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Asked {
    user_name: String,
    unsigned: u32,
    small: Option<u8>,
    /// What was told.
    inner: Option<Told>,
}

#[derive(Object)]
struct Told {
    count: u64,
    note: Option<String>,
}

#[derive(SecurityScheme)]
#[oai(ty = "bearer", rename = "bearer")]
struct Access(#[expect(dead_code, reason = "for the document only")] Bearer);

#[derive(SecurityScheme)]
#[oai(ty = "api_key", key_name = "XverifyApi", key_in = "header", rename = "stamp")]
struct Stamp(#[expect(dead_code, reason = "for the document only")] ApiKey);

struct Api;

#[OpenApi]
impl Api {
    /// Both
    #[oai(path = "/both/:id", method = "get", operation_id = "both")]
    async fn both(&self, _access: Access, _stamp: Stamp, #[oai(name = "id")] id: Path<u64>) -> Json<Told> {
        Json(Told { count: id.0, note: None })
    }

    /// Public
    #[oai(path = "/public", method = "post", operation_id = "public")]
    async fn public(&self, asked: Json<Asked>) -> Json<Told> {
        Json(Told { count: asked.unsigned.into(), note: asked.0.inner.and_then(|inner| inner.note) })
    }
}

fn describe(operation: &str) -> OperationDescription {
    let owner = ParameterDescription {
        name: "XownerId",
        location: Location::Header,
        required: true,
        description: "The tenant.",
        schema: json!({"type": "string", "maxLength": 64}),
        example: json!("demo"),
    };
    let id = ParameterDescription { name: "id", location: Location::Path, description: "Which.", ..owner.clone() };
    let errors = vec![
        error(429, 42900, "RATE_LIMITED", "请求过于频繁", "too many requests"),
        error(401, 40111, "TOKEN_MISSING", "缺少用户认证信息", "the access token is missing"),
        error(400, 40001, "PARAMETER_MISSING", "缺少参数 {}", "parameter {} is missing"),
        error(401, 40112, "TOKEN_INVALID", "用户认证信息无效", "the access token is not valid"),
    ];
    match operation {
        "both" => OperationDescription { parameters: vec![owner, id], errors, security: vec!["stamp"], ..OperationDescription::default() },
        "public" => OperationDescription { needs_body: true, ..OperationDescription::default() },
        _ => OperationDescription::default(),
    }
}

const fn error(status: u16, code: i32, error_code: &'static str, chinese: &'static str, english: &'static str) -> ErrorDescription {
    ErrorDescription { status, code, error_code, chinese, english }
}

fn supplement() -> Supplement {
    let members = json!({"pattern": "^[a-z]+$", "minLength": 1});
    Supplement {
        security_schemes: Map::new(),
        constraints: vec![Constraint { schema: "Asked", property: "userName", members }],
        nullable_schemas: vec!["Asked"],
        nullable_bodies: vec!["Asked"],
    }
}

fn document() -> Document {
    Document::build(&OpenApiService::new(Api, "bo-auth", "3").spec(), &supplement(), describe).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn schemes_that_are_all_needed_are_one_requirement_and_public_is_said() {
    let document = document();
    assert_eq!(document.0["paths"]["/both/{id}"]["get"]["security"], json!([{"bearer": [], "stamp": []}]));
    assert_eq!(document.0["paths"]["/public"]["post"]["security"], json!([]));
}

#[test]
fn parameters_are_merged_by_place_and_name() {
    let document = document();
    let parameters = document.0["paths"]["/both/{id}"]["get"]["parameters"].as_array().unwrap();
    let names: Vec<_> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["id", "XownerId"]);
    assert_eq!(parameters[0]["schema"], json!({"type": "string", "maxLength": 64}));
    assert_eq!(keys(&parameters[1]), ["name", "in", "required", "description", "schema", "example"]);
}

#[test]
fn refusals_are_listed_by_status_with_real_answers() {
    let document = document();
    let responses = &document.0["paths"]["/both/{id}"]["get"]["responses"];
    assert_eq!(keys(responses), ["200", "400", "401", "429", "4XX", "5XX"]);
    assert_eq!(responses["401"]["description"], "`TOKEN_MISSING`, `TOKEN_INVALID`");
    let media = &responses["400"]["content"]["application/json"];
    assert_eq!(media["schema"]["$ref"], "#/components/schemas/ErrorEnvelope");
    assert_eq!(media["examples"]["PARAMETER_MISSING"]["$ref"], "#/components/examples/PARAMETER_MISSING");
    let examples = &document.0["components"]["examples"];
    assert_eq!(
        examples["PARAMETER_MISSING"]["value"].to_string(),
        r#"{"code":40001,"success":false,"message":"缺少参数 refreshToken","error":{"errorCode":"PARAMETER_MISSING","errorText":"缺少参数 refreshToken"}}"#
    );
    assert_eq!(examples["PARAMETER_MISSING.en"]["value"]["message"], "parameter refreshToken is missing");
    assert!(responses["429"]["headers"]["Retry-After"].is_object());
    assert_eq!(keys(&document.0["paths"]["/public"]["post"]["responses"]), ["200"]);
}

#[test]
fn schemas_say_only_what_generators_know() {
    let document = document();
    let asked = &document.0["components"]["schemas"]["Asked"]["properties"];
    assert_eq!(asked["unsigned"], json!({"type": "integer", "format": "int64", "minimum": 0}));
    assert_eq!(asked["small"], json!({"type": "integer", "format": "int32", "minimum": 0, "nullable": true}));
    // A description stands beside a reference, not as a second schema to merge with it.
    let told = json!([{"$ref": "#/components/schemas/Told"}]);
    assert_eq!(asked["inner"], json!({"description": "What was told.", "allOf": told, "nullable": true}));
    assert_eq!(asked["userName"], json!({"type": "string", "pattern": "^[a-z]+$", "minLength": 1}));
    assert_eq!(document.0["components"]["schemas"]["Told"]["properties"]["note"], json!({"type": "string"}));
    let text = document.to_json().unwrap();
    assert!(!text.contains("charset") && !text.contains("\"explode\"") && !text.contains("uint"));
}

#[test]
fn members_stand_in_their_order() {
    let document = document();
    assert_eq!(keys(&document.0), ["openapi", "info", "servers", "tags", "paths", "components"]);
    assert_eq!(document.0["openapi"], "3.0.3");
    let operation = &document.0["paths"]["/both/{id}"]["get"];
    assert_eq!(keys(operation), ["summary", "operationId", "parameters", "responses", "security"]);
    assert_eq!(keys(&document.0["components"]["schemas"]), ["Asked", "ErrorEnvelope", "Told"]);
}

#[test]
fn normalising_twice_changes_nothing() {
    let once = document();
    let supplement = Supplement { constraints: Vec::new(), nullable_schemas: Vec::new(), ..supplement() };
    let twice = Document::build(&once.to_json().unwrap(), &supplement, describe).unwrap();
    assert_eq!(once, twice);
}

#[test]
fn both_renderings_say_the_same() {
    let document = document();
    let yaml: Value = serde_yaml_ng::from_str(&document.to_yaml().unwrap()).unwrap();
    assert_eq!(&yaml, document.value());
    let json: Value = serde_json::from_str(&document.to_json().unwrap()).unwrap();
    assert_eq!(&json, document.value());
}

#[test]
fn version_3_1_has_null_as_a_type() {
    let document = document().to_version_3_1();
    assert_eq!(document.0["openapi"], "3.1.0");
    let asked = &document.0["components"]["schemas"]["Asked"]["properties"];
    assert_eq!(asked["small"], json!({"type": ["integer", "null"], "format": "int32", "minimum": 0}));
    let told = json!([{"$ref": "#/components/schemas/Told"}, {"type": "null"}]);
    assert_eq!(asked["inner"], json!({"description": "What was told.", "anyOf": told}));
    assert!(!document.to_json().unwrap().contains("nullable"));
}

#[test]
fn a_body_may_be_null_where_it_may_be_absent() {
    let document = document();
    assert_eq!(document.0["components"]["schemas"]["Asked"]["nullable"], true);
    assert_eq!(document.0["paths"]["/public"]["post"]["requestBody"]["required"], true);
    let newer = document.to_version_3_1();
    assert_eq!(newer.0["components"]["schemas"]["Asked"]["type"], json!(["object", "null"]));
}

#[test]
fn what_does_not_exist_cannot_be_described() {
    let specification = OpenApiService::new(Api, "bo-auth", "3").spec();
    let constraint = Constraint { schema: "Asked", property: "nothing", members: json!({}) };
    let unknown = Supplement { constraints: vec![constraint], ..Supplement::default() };
    let error = Document::build(&specification, &unknown, describe).unwrap_err();
    assert_eq!(error.to_string(), "the OpenAPI document has no property Asked.nothing");
    let chinese = OpenApiService::new(Api, "登录", "3").spec();
    assert!(matches!(Document::build(&chinese, &Supplement::default(), describe), Err(DocumentError::Title)));
}
