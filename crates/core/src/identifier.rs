//! Names of tenants, systems, users and areas: short, printable, and never empty, so that they can stand in
//! keys, rows and headers unescaped.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Error;

/// The longest identifier, in bytes.
pub const IDENTIFIER_BYTES: usize = 64;

fn is_identifier(text: &str) -> bool {
    (1..=IDENTIFIER_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte))
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a text that is 1 to 64 characters of `[0-9A-Za-z_.:-]`.
            ///
            /// # Errors
            /// [`Error::Identifier`] for anything else.
            pub fn parse(text: &str) -> Result<Self, Error> {
                if is_identifier(text) { Ok(Self(Arc::from(text))) } else { Err(Error::Identifier) }
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text, shared.
            pub fn shared(&self) -> Arc<str> {
                Arc::clone(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                Self::parse(&text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(identifier: $name) -> Self {
                identifier.0.as_ref().to_owned()
            }
        }
    };
}

identifier!(
    /// A tenant: `bo_project.owner_id`, sent as `XownerId`.
    OwnerId
);
identifier!(
    /// A system (application) of a tenant: `bo_system.sys_id`, sent as `XsysId`.
    SystemId
);
identifier!(
    /// A user of a tenant: `bo_user.user_id`.
    UserId
);
identifier!(
    /// An administrative area: `bo_sys_area.area_code`, a GB/T 2260 code as a rule.
    AreaCode
);
identifier!(
    /// One version of a tenant's key; the `kid` of RFC 7515.
    KeyId
);

/// The tenant whose users are the administrators.
pub const ADMIN_OWNER: &str = "bo-admin";

/// The owner of the plugins that are offered to every tenant; a tenant in no other way.
pub const PLATFORM_OWNER: &str = "bo-platform";

/// Stands for all tenants where the admin API asks for one.
pub const PLATFORM: &str = "platform";

impl OwnerId {
    /// The tenant whose users are the administrators. No contract reaches it but the admin API.
    pub fn admin() -> Self {
        Self(Arc::from(ADMIN_OWNER))
    }

    /// Whether it is the name of no ordinary tenant.
    pub fn is_reserved(&self) -> bool {
        matches!(self.as_str(), ADMIN_OWNER | PLATFORM_OWNER | PLATFORM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_short_and_printable() {
        let longest = "x".repeat(64);
        for good in ["a", "demo", "A-b_c.d:e", longest.as_str()] {
            assert_eq!(OwnerId::parse(good).unwrap().as_str(), good);
        }
        let too_long = "x".repeat(65);
        for bad in ["", " ", "a b", "租户", "a\n", "a\0", "a/b", "{a}", too_long.as_str()] {
            assert_eq!(OwnerId::parse(bad), Err(Error::Identifier), "{bad:?}");
        }
    }

    #[test]
    fn identifiers_are_checked_when_read_from_json() {
        assert!(serde_json::from_str::<UserId>("\"u1\"").is_ok());
        assert!(serde_json::from_str::<UserId>("\"a b\"").is_err());
    }
}
