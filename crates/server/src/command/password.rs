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
    /// The password, and whether it was made here and must be shown.
    pub(crate) fn read(&self) -> Result<(String, bool), Failure> {
        let Some(path) = &self.password_file else {
            return Ok((alphanumeric(&SystemRandom::default(), GENERATED_CHARACTERS), true));
        };
        let mut text = String::new();
        if path.as_os_str() == "-" {
            std::io::stdin().read_to_string(&mut text)?;
        } else {
            text = std::fs::read_to_string(path).map_err(|error| Failure(format!("{}: {error}", path.display())))?;
        }
        let password = text.trim_end_matches(['\r', '\n']).to_owned();
        if password.is_empty() { Err(Failure("the password is empty".to_owned())) } else { Ok((password, false)) }
    }
}
