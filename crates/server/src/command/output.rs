//! What commands print: text for people, or one JSON value for programs.

use std::io::{IsTerminal, Write};

use serde::Serialize;
use serde_json::json;

use super::Failure;

/// Where and how results are printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether a person is watching: progress may be drawn.
    pub(crate) fn is_watched(self) -> bool {
        !self.json && std::io::stderr().is_terminal()
    }

    /// Prints a result.
    pub(crate) fn result<T: Serialize>(self, result: &T, text: impl FnOnce() -> String) -> Result<(), Failure> {
        let printed = if self.json { serde_json::to_string(result)? } else { text() };
        let mut stdout = std::io::stdout().lock();
        // A reader that has seen enough, such as `head`, is no failure.
        match writeln!(stdout, "{}", printed.trim_end()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Prints a remark for people.
    pub(crate) fn remark(self, text: &str) {
        if !self.json {
            // Nothing can be done where even the remark cannot be printed.
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// Prints why a command failed.
    pub(crate) fn fail(self, failure: &Failure) {
        let text = if self.json { json!({"error": failure.text}).to_string() } else { format!("error: {}", failure.text) };
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

/// Rows under a heading, each column as wide as its widest cell.
pub(crate) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| cells(&row[column])).chain([cells(heading[column])]).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in std::iter::once(heading.map(str::to_owned)).chain(rows.iter().cloned()) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width.saturating_sub(cells(cell)) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// How many cells a text takes on a terminal, near enough: Chinese characters take two.
fn cells(text: &str) -> usize {
    text.chars().map(|character| if character >= '\u{1100}' { 2 } else { 1 }).sum()
}
