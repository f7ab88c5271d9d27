//! The headers and parameters of contract 1.2 as the document describes them, and which of them each operation takes.

use crate::document::{Location, ParameterDescription};
use serde_json::json;

/// The tenant.
pub const OWNER_ID: &str = "XownerId";
/// The system.
pub const SYS_ID: &str = "XsysId";
/// The stamp.
pub const STAMP: &str = "XverifyApi";
/// The first-level sharer.
pub const SHARE_FIRST: &str = "XuserFromFirstShareId";
/// The second-level sharer.
pub const SHARE_SECOND: &str = "XuserFromSecondShareId";
/// The area.
pub const AREA: &str = "XfilterAreaCode";

/// The parameters of an operation, in the order in which the document lists them.
pub fn parameters_of(operation_id: &str) -> Vec<ParameterDescription> {
    if operation_id == "drawCaptcha" {
        return vec![query("ownerId", true, "The tenant.", identifier(), json!("demo")), plugin(false), language()];
    }
    let mut parameters = vec![
        header(OWNER_ID, true, "The tenant: `bo_project.owner_id`.", identifier(), json!("demo")),
        header(
            SYS_ID,
            false,
            "The system within the tenant. Where absent, the one that the access token names, or else the tenant's default system.",
            identifier(),
            json!("web"),
        ),
        header(
            STAMP,
            true,
            "`base64(DES(key, GUID|time))` under the tenant's key, or `v2.keyId.ms.nonce.signature`. Each GUID counts once.",
            json!({"type": "string", "minLength": 1, "maxLength": 1024}),
            json!("KhXOJtwHli2ViwPK+/lBbTWvYSER+qcCP7DvE/Z4ok6eIoFyU0bq1aiGDaIVJSLq"),
        ),
        header(SHARE_FIRST, false, "User id of the first-level sharer, in this tenant.", identifier(), json!("u1")),
        header(SHARE_SECOND, false, "User id of the second-level sharer, in this tenant.", identifier(), json!("u2")),
        header(AREA, false, "Area code (GB/T 2260) within the user's own areas.", identifier(), json!("440100")),
    ];
    let refresh_token = json!({"type": "string", "minLength": 32, "maxLength": 32, "pattern": "^[0-9A-Za-z]{32}$"});
    let example = json!("1tP0zZx1gZE66xDnhwd1UV973XoVL4nT");
    match operation_id {
        "refreshByQuery" => parameters.push(query("refreshToken", true, "The refresh token.", refresh_token, example)),
        "logoutByGet" => parameters.push(query("refreshToken", true, "The refresh token of the same session.", refresh_token, example)),
        "logout" => parameters.push(query(
            "refreshToken",
            false,
            "The refresh token of the same session; required here or in the body.",
            refresh_token,
            example,
        )),
        _ => {}
    }
    let is_logout = matches!(operation_id, "logout" | "logoutByGet");
    parameters.push(plugin(is_logout));
    if is_logout {
        parameters.push(query(
            "scope",
            false,
            "Which sessions end: this one, the user's others, or all of them.",
            json!({"type": "string", "enum": ["local", "others", "all"], "default": "local"}),
            json!("local"),
        ));
        parameters.push(header(
            "Prefer",
            false,
            "`return=representation` adds `data`, a receipt (RFC 7240).",
            json!({"type": "string", "maxLength": 128}),
            json!("return=representation"),
        ));
    }
    parameters.push(language());
    parameters
}

/// Whether an operation needs an access token.
pub fn needs_access_token(operation_id: &str) -> bool {
    matches!(operation_id, "logout" | "logoutByGet" | "currentUser" | "listSessions" | "endSession")
}

fn plugin(required: bool) -> ParameterDescription {
    let pattern = "^[0-9A-Za-z_-]{1,64}(,[0-9A-Za-z_-]{1,64}){0,3}$";
    let schema = json!({"type": "string", "minLength": 1, "maxLength": 259, "pattern": pattern});
    query(
        "_nodejs",
        required,
        "The response plugin: `common-data`, `common-data-under` or one of the tenant's own; or up to four, one after the other: `a,b`.",
        schema,
        json!("common-data"),
    )
}

fn language() -> ParameterDescription {
    let schema = json!({"type": "string", "maxLength": 128});
    header("Accept-Language", false, "Language of `message` and `errorText`: `zh-CN` (default) or `en`.", schema, json!("zh-CN"))
}

fn identifier() -> serde_json::Value {
    json!({"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[0-9A-Za-z_.:-]{1,64}$"})
}

fn header(
    name: &'static str,
    required: bool,
    description: &'static str,
    schema: serde_json::Value,
    example: serde_json::Value,
) -> ParameterDescription {
    ParameterDescription { name, location: Location::Header, required, description, schema, example }
}

fn query(
    name: &'static str,
    required: bool,
    description: &'static str,
    schema: serde_json::Value,
    example: serde_json::Value,
) -> ParameterDescription {
    ParameterDescription { name, location: Location::Query, required, description, schema, example }
}
