//! Where a command takes a new password from: never from an argument, which other users of the machine can see.

use std::io::Read;
use std::path::PathBuf;

use bo_auth_core::random::{SystemRandom, alphanumeric};
use clap::Args;

use super::Failure;

/// Characters of a generated password: 107 bits.
const GENERATED_CHARACTERS: usize = 18;

/// The source of a password.
#[derive(Debug, Args)]
pub(crate) struct PasswordSource {
    /// Read the password from this file, or from standard input where it is `-`. Without it one is made and printed.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordSource {
    /// Reads the password, or makes one.
    pub(crate) fn read(&self) -> Result<NewPassword, Failure> {
        let Some(path) = &self.password_file else {
            return Ok(NewPassword { text: alphanumeric(&SystemRandom::default(), GENERATED_CHARACTERS), is_made: true });
        };
        let mut text = String::new();
        if path.as_os_str() == "-" {
            std::io::stdin().read_to_string(&mut text)?;
        } else {
            text = std::fs::read_to_string(path).map_err(|error| Failure::of(format!("{}: {error}", path.display())))?;
        }
        let text = text.trim_end_matches(['\r', '\n']).to_owned();
        if text.is_empty() { Err(Failure::of("the password is empty".to_owned())) } else { Ok(NewPassword { text, is_made: false }) }
    }
}

/// A password that somebody is to sign in with.
pub(crate) struct NewPassword {
    text: String,
    /// Whether it was made here, so that nobody knows it who is not told.
    is_made: bool,
}

impl NewPassword {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The password where it was made here; one that was given is not shown.
    pub(crate) fn shown(&self) -> Option<&str> {
        self.is_made.then_some(self.as_str())
    }

    /// The same as a line behind a command's text.
    pub(crate) fn shown_line(&self) -> String {
        self.shown().map_or_else(String::new, |password| format!("\npassword (shown once): {password}"))
    }
}
