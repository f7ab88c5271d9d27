//! The text of keys: the tenant and the purpose carry their lengths, so that no two pairs of names run together, and
//! the tenant stands in braces, so that Redis Cluster keeps all keys of a tenant in one slot.

use std::fmt::{Display, Write as _};

use bo_auth_core::identifier::{OwnerId, UserId};

use super::USER_PURPOSE;

/// `bo:4{demo}4:user:u1`. An owner id holds no brace, hence the first pair of braces is always the tenant's.
pub(crate) fn value(owner_id: &OwnerId, purpose: &str, id: &(impl Display + ?Sized)) -> String {
    let owner = owner_id.as_str();
    // Written for every request: grown once at most.
    let mut key = String::with_capacity(owner.len() + purpose.len() + 48);
    // Writing to a string cannot fail.
    let _ = write!(key, "bo:{}{{{owner}}}{}:{purpose}:{id}", owner.len(), purpose.len());
    key
}

/// The key of a counter.
pub(super) fn counter(owner_id: &OwnerId, counter: &str) -> String {
    value(owner_id, "count", counter)
}

/// The key of the flag that the platform calls `login-<userId>`.
pub(super) fn login_flag(owner_id: &OwnerId, user_id: &UserId) -> String {
    value(owner_id, "flag", &format_args!("login-{user_id}"))
}

/// What changes in the cache when a session of a user ends.
pub(super) struct UserKeys {
    /// Whose slot the keys lie in.
    pub(super) owner_id: OwnerId,
    /// Is removed.
    pub(super) profile: String,
    /// Is set.
    pub(super) login_flag: String,
}

impl UserKeys {
    pub(super) fn new(owner_id: &OwnerId, user_id: &UserId) -> Self {
        Self { owner_id: owner_id.clone(), profile: value(owner_id, USER_PURPOSE, user_id), login_flag: login_flag(owner_id, user_id) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_names_share_a_key() {
        let owners = ["a", "a:b", "a:1", "1", "a.4:user"].map(|owner| OwnerId::parse(owner).unwrap());
        let mut keys = HashSet::new();
        for owner_id in &owners {
            for purpose in ["user", "user:a", "us", "count", "flag"] {
                for id in ["a", "a:b", "b", "", "}4:user:a", "login-a"] {
                    assert!(keys.insert(value(owner_id, purpose, id)));
                }
            }
        }
    }

    #[test]
    fn the_tenant_is_the_hash_tag() {
        let owner_id = OwnerId::parse("demo").unwrap();
        assert_eq!(value(&owner_id, "user", "{x}"), "bo:4{demo}4:user:{x}");
        assert_eq!(login_flag(&owner_id, &UserId::parse("u1").unwrap()), "bo:4{demo}4:flag:login-u1");
    }
}
