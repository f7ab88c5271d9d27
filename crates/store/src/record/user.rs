//! Users: the profile that may be cached and shown, and apart from it the password's hash, which may not.

use std::fmt;

use bo_auth_core::identifier::{AreaCode, UserId};
use bo_auth_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A user's profile: what `user/current` shows and what may be cached. Never the password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRecord {
    /// The user.
    pub user_id: UserId,
    /// The name to sign in with, unique within the tenant.
    pub account: String,
    /// The name for people.
    pub name: String,
    /// A mobile number, unique within the tenant; v1.0 signs in with it.
    pub mobile: Option<String>,
    /// The name for push messages (claim `push_name`).
    pub push_name: Option<String>,
    /// The areas the user is confined to; empty for all.
    pub area_codes: Vec<AreaCode>,
    /// Whether the user is disabled.
    pub disabled: bool,
    /// When the row last changed; grows with every change.
    pub updated_at: Timestamp,
}

/// A user with the password's hash. Not cached, not serialised.
#[derive(Clone)]
pub struct Credentials {
    /// The profile.
    pub user: UserRecord,
    /// Argon2id in PHC form.
    pub password_hash: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}
