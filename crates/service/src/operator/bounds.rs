//! How much a tenant may store of what requests look at. What is stored already goes on being
//! served.

use bo_auth_core::settings::SystemSettings;
use bo_auth_store::record::TenantRecord;
use serde_json::Value;

use crate::Error;

/// How many systems a tenant may have: nodes prepare all of them together.
const SYSTEMS: usize = 200;
/// The largest settings document, in bytes of JSON.
const SETTINGS_BYTES: usize = 16 * 1024;
/// How many origins a system may list, and how long one may be, in bytes.
const ORIGINS: usize = 100;
const ORIGIN_BYTES: usize = 256;
/// How many areas may be a user's own.
const AREA_CODES: usize = 200;

/// Whether the tenant may have another system.
pub(super) fn another_system(tenant: &TenantRecord) -> Result<(), Error> {
    at_most(tenant.systems.len() + 1, SYSTEMS, "a tenant has at most 200 systems")
}

/// Whether a settings document, and what comes of it, may be stored.
pub(super) fn settings(document: &Value, merged: &SystemSettings) -> Result<(), Error> {
    at_most(document.to_string().len(), SETTINGS_BYTES, "a settings document has at most 16384 bytes")?;
    at_most(merged.allowed_origins.len(), ORIGINS, "`allowedOrigins` lists at most 100 origins")?;
    let longest = merged.allowed_origins.iter().map(String::len).max();
    at_most(longest.unwrap_or(0), ORIGIN_BYTES, "an origin in `allowedOrigins` has at most 256 bytes")
}

/// Whether so many areas may be a user's own.
pub(super) fn area_codes(count: usize) -> Result<(), Error> {
    at_most(count, AREA_CODES, "a user has at most 200 areas")
}

fn at_most(count: usize, limit: usize, refusal: &str) -> Result<(), Error> {
    if count > limit { Err(Error::Refused(refusal.to_owned())) } else { Ok(()) }
}
