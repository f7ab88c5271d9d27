//! The one error type of this crate: what can be wrong with a proof, a key or a setting.

/// Why a value was refused. The text never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An identifier has the wrong length or characters.
    #[error("an identifier is 1 to 64 characters of letters, digits, `_`, `.`, `:` and `-`")]
    Identifier,
    /// The stamp did not decrypt to a stamp, under any live key.
    #[error("the stamp is not valid")]
    StampInvalid,
    /// The stamp's time lies outside the window, or its scheme is past its cut-off.
    #[error("the stamp has expired")]
    StampExpired,
    /// The access token is not an authentic token of this tenant and system.
    #[error("the access token is not valid")]
    TokenInvalid,
    /// The access token is authentic, but past its `exp`.
    #[error("the access token has expired")]
    TokenExpired,
    /// The refresh token is not an authentic token of this tenant.
    #[error("the refresh token is not valid")]
    RefreshTokenInvalid,
    /// A stored secret could not be opened with this master key.
    #[error("a stored secret does not open with this master key")]
    Sealed,
    /// A key is unusable: wrong length, wrong form or an unknown algorithm.
    #[error("the key is not usable: {0}")]
    Key(&'static str),
    /// A setting has a value that is not allowed.
    #[error("setting `{name}` {reason}")]
    Setting {
        /// The setting, as it is written in the settings document.
        name: &'static str,
        /// What it must be.
        reason: &'static str,
    },
    /// A settings document is not of the documented form.
    #[error("the settings document is not valid: {0}")]
    Settings(String),
    /// A password may not be set; the text says what it must be.
    #[error("{0}")]
    PasswordRefused(String),
    /// A password is outside the accepted length, or could not be hashed.
    #[error("the password is not usable: {0}")]
    Password(&'static str),
}
