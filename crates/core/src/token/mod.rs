//! The two tokens of a session (contract 1.4): a signed access token that tells everything by itself, and a
//! refresh token of 32 characters that proves which generation of which session it is. Beside them, the cookie of a
//! v1.0 session (contract 2.1).

pub mod access;
pub mod cookie;
pub mod refresh;

#[cfg(test)]
mod forgeries;

pub use access::{AUDIENCE, AccessClaims, Expected, VerifiedAccess};
pub use cookie::{CookieKey, CookieKeys, has_cookie_form};
pub use refresh::{MAX_GENERATION, RefreshKey, RefreshKeys, RefreshProof};
