//! How often stamps were accepted, which says when a key is out of use.

use bo_auth_core::identifier::{KeyId, OwnerId, SystemId};
use bo_auth_core::time::Timestamp;
use serde::Serialize;

/// How often stamps of one kind were accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StampUse {
    /// The tenant.
    pub owner_id: OwnerId,
    /// The system.
    pub sys_id: SystemId,
    /// `des-ecb-pkcs7`, `des-cbc-pkcs7` or `hmac-v2`.
    pub scheme: String,
    /// The key's version.
    pub key_id: KeyId,
    /// How often.
    pub uses: i64,
    /// When last.
    pub last_used_at: Timestamp,
}
