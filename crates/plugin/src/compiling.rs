//! What is said of a source that is no plugin, with the place in it.

use std::fmt;

use rhai::Position;

/// Why a source does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct CompileError {
    /// A sentence, without the place.
    pub message: String,
    /// The line, from 1.
    pub line: Option<usize>,
    /// The character of the line, from 1.
    pub column: Option<usize>,
}

impl CompileError {
    /// One that has no place of its own.
    pub(crate) fn of_whole(message: impl Into<String>) -> Self {
        Self { message: message.into(), line: None, column: None }
    }

    /// One at a place.
    pub(crate) fn at(message: impl Into<String>, position: Position) -> Self {
        Self { message: message.into(), line: position.line(), column: position.position() }
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(formatter, " (line {line}, position {column})"),
            (Some(line), None) => write!(formatter, " (line {line})"),
            _ => Ok(()),
        }
    }
}
