//! Why a plugin's answer was not used: a stable code for the header `X-Plugin-Error`, and a sentence for the tenant's admin.

use std::fmt;

/// The kind of a failure. Its text is the value of the header `X-Plugin-Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureCode {
    /// The stored source no longer compiles.
    Compile,
    /// More steps than a run may take.
    Operations,
    /// More wall-clock time than a run may take.
    Deadline,
    /// More live memory than a run may hold.
    Memory,
    /// A string, array or map grew past its limit.
    TooLarge,
    /// Functions called one another too deeply.
    CallDepth,
    /// The script threw, or used something that does not exist.
    Exception,
    /// The script changed or dropped a member whose value it has to keep.
    ReservedChanged,
    /// `process` returned something that is no envelope.
    OutputType,
    /// The result is larger than the envelope allows.
    OutputTooLarge,
    /// Too many plugins are already waiting for a thread.
    QueueFull,
    /// The time was over, and the machine had other work for most of it.
    Starved,
    /// A host function panicked.
    Panic,
    /// It failed too often, and there is no good version before it.
    SwitchedOff,
}

impl FailureCode {
    /// Every code, in the order of the documentation.
    pub const ALL: [Self; 14] = [
        Self::Compile,
        Self::Operations,
        Self::Deadline,
        Self::Memory,
        Self::TooLarge,
        Self::CallDepth,
        Self::Exception,
        Self::ReservedChanged,
        Self::OutputType,
        Self::OutputTooLarge,
        Self::QueueFull,
        Self::Starved,
        Self::Panic,
        Self::SwitchedOff,
    ];

    /// Whether the plugin itself is to blame: a full queue and a busy machine are others' doing.
    pub const fn weighs(self) -> bool {
        !matches!(self, Self::QueueFull | Self::Starved | Self::SwitchedOff)
    }

    /// When it happens, in a sentence for the documentation.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Compile => "the stored source no longer compiles",
            Self::Operations => "more steps than a run may take",
            Self::Deadline => "more time than a run may take",
            Self::Memory => "more live memory than a run may hold",
            Self::TooLarge => "a text, array or map grew past its limit",
            Self::CallDepth => "functions called one another too deeply",
            Self::Exception => "the script threw, or used something that does not exist",
            Self::ReservedChanged => "the script changed or dropped a member whose value it has to keep",
            Self::OutputType => "`process` returned something that is no envelope",
            Self::OutputTooLarge => "the result is larger than the envelope allows",
            Self::QueueFull => "too many plugins were already waiting for a thread",
            Self::Starved => "the time was over while the machine was too busy to let the script work",
            Self::Panic => "a host function failed; please report it",
            Self::SwitchedOff => "it failed too often, and there is no good version before it",
        }
    }

    /// The code on the wire: lower case, words joined by `_`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compile => "compile",
            Self::Operations => "operations",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::TooLarge => "too_large",
            Self::CallDepth => "call_depth",
            Self::Exception => "exception",
            Self::ReservedChanged => "reserved_changed",
            Self::OutputType => "output_type",
            Self::OutputTooLarge => "output_too_large",
            Self::QueueFull => "queue_full",
            Self::Starved => "starved",
            Self::Panic => "panic",
            Self::SwitchedOff => "switched_off",
        }
    }
}

impl fmt::Display for FailureCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A plugin run that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plugin failed with {code}: {detail}")]
pub struct Failure {
    /// What the caller of the API is told.
    pub code: FailureCode,
    /// What the tenant's admin is told: a sentence, with the script's line where there is one. Never for the API's caller.
    pub detail: String,
    /// The line of the script, from 1, where there is one.
    pub line: Option<usize>,
    /// The character of that line, from 1.
    pub column: Option<usize>,
}

impl Failure {
    pub(crate) fn new(code: FailureCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), line: None, column: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_has_a_text_of_its_own_fit_for_a_header() {
        let texts: HashSet<_> = FailureCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), FailureCode::ALL.len());
        for text in texts {
            assert!(text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{text}");
        }
    }
}
