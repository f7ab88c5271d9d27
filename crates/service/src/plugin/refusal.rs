//! Why something is not done with a plugin.

use bo_auth_plugin::CompileError;

/// A refusal; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginRefusal {
    /// The name is not of the allowed form.
    #[error("a plugin's name is 1 to 64 letters, digits, `_` and `-`, and neither `check` nor `recording`")]
    Name,
    /// There is no plugin of this name.
    #[error("there is no plugin `{0}`; `bo-auth plugin list` shows those there are")]
    Unknown(String),
    /// The plugin has no such version.
    #[error("the plugin has no version {0}; `bo-auth plugin show` lists those there are")]
    UnknownVersion(i64),
    /// It has changed since the caller looked at it.
    #[error("the plugin has changed in the meantime; look at it again")]
    Stale,
    /// The source does not compile.
    #[error("the source does not compile: {0}")]
    DoesNotCompile(CompileError),
    /// The source, author or note is too long.
    #[error("the {0} is too long")]
    TooLong(&'static str),
    /// The owner has as many plugins as one may have.
    #[error("there are {0} plugins already, as many as there may be; store the script as a version of one of them")]
    TooMany(usize),
    /// There is no earlier good version.
    #[error("there is no earlier version that was published and not switched off")]
    NothingBefore,
    /// A canary needs an active version beside it.
    #[error("a canary needs an active version beside it: publish a version for all requests first")]
    NothingActive,
    /// The share of a canary is out of bounds.
    #[error("a canary's share is 1 to 99 percent")]
    Share,
    /// The number of recorded answers is out of bounds.
    #[error("1 to 200 answers can be recorded")]
    Samples,
    /// Too many compilations and runs are waiting.
    #[error("the plugin threads are busy; try again")]
    Busy,
}

impl From<bo_auth_plugin::Error> for PluginRefusal {
    fn from(error: bo_auth_plugin::Error) -> Self {
        match error {
            bo_auth_plugin::Error::Name => Self::Name,
            bo_auth_plugin::Error::Compile(error) => Self::DoesNotCompile(error),
            _ => Self::Busy,
        }
    }
}
