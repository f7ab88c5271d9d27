//! The command line: one binary that serves, and that operators work with.

mod admin;
mod area;
mod check_config;
mod demo;
mod doctor;
mod key;
mod openapi;
mod output;
mod password;
mod plugin;
mod serve;
mod session;
mod stamp;
mod stores;
mod system;
mod tenant;
mod user;
mod variables;

use std::process::ExitCode;

use bo_auth_service::Error;
use clap::{CommandFactory, Parser, Subcommand};

use output::Output;

/// Multi-tenant sign-in, refresh and sign-out service.
///
/// Start with `bo-auth serve --demo`: it makes a tenant to try and prints the calls to paste.
#[derive(Debug, Parser)]
#[command(name = "bo-auth", version, propagate_version = true, max_term_width = 110)]
pub struct CommandLine {
    /// Print machine-readable JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server.
    Serve(serve::Serve),
    /// Add, list and disable tenants.
    #[command(subcommand)]
    Tenant(tenant::Tenant),
    /// Add, list and change the systems of a tenant.
    #[command(subcommand)]
    System(system::System),
    /// Add, list and disable users, and set their passwords.
    #[command(subcommand)]
    User(user::User),
    /// Add, list and disable administrators, and set their passwords.
    #[command(subcommand)]
    Admin(admin::Admin),
    /// Import administrative areas.
    #[command(subcommand)]
    Area(area::Area),
    /// List and end sessions.
    #[command(subcommand)]
    Session(session::Session),
    /// List and rotate a tenant's keys.
    #[command(subcommand)]
    Key(key::Key),
    /// Write, test, publish and roll back response plugins.
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    /// Print a fresh `XverifyApi` value for curl.
    Stamp(stamp::Stamp),
    /// Print the OpenAPI document, or write it to a directory.
    Openapi(openapi::Openapi),
    /// Check configuration, stores, migrations, keys and clock, and say what to do.
    Doctor(doctor::Doctor),
    /// Check the options of `serve` without starting anything.
    CheckConfig(check_config::CheckConfig),
}

impl CommandLine {
    /// Reads the arguments and variables of this process; ends it if they are not as they should be.
    pub fn read() -> Self {
        variables::parse(Self::command)
    }

    /// Carries the command out.
    pub async fn run(self) -> ExitCode {
        let output = Output::new(self.json);
        let result = match self.command {
            Command::Serve(command) => command.run(output).await,
            Command::Tenant(command) => command.run(output).await,
            Command::System(command) => command.run(output).await,
            Command::User(command) => command.run(output).await,
            Command::Admin(command) => command.run(output).await,
            Command::Area(command) => command.run(output).await,
            Command::Session(command) => command.run(output).await,
            Command::Key(command) => command.run(output).await,
            Command::Plugin(command) => command.run(output).await,
            Command::Stamp(command) => command.run(output).await,
            Command::Openapi(command) => command.run(output),
            Command::Doctor(command) => return command.run(output).await,
            Command::CheckConfig(command) => command.run(output),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                output.fail(&failure);
                failure.exit.into()
            }
        }
    }
}

/// Why a command failed, in words for the operator.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) text: String,
    exit: Exit,
}

/// What a program can tell of a failure without reading its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// What was asked for is not done.
    Failed = 1,
    /// It is done, and not every running server has heard of it yet.
    DoneNotEverywhere = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Failure {
    /// What was asked for is not done.
    pub(crate) fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), exit: Exit::Failed }
    }

    /// It is done, and not every running server has heard of it yet.
    pub(crate) fn done_not_everywhere(text: impl Into<String>) -> Self {
        Self { text: text.into(), exit: Exit::DoneNotEverywhere }
    }

    /// The same with a secret that stands already, and that is shown this once.
    pub(crate) fn of_secret(error: Error, shown_line: &str) -> Self {
        let is_done = matches!(error, Error::DoneNotEverywhere(_));
        let mut failure = Self::from(error);
        if is_done {
            failure.text.push_str(shown_line);
        }
        failure
    }
}

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        let any: &dyn std::error::Error = &error;
        if let Some(Error::DoneNotEverywhere(_)) = any.downcast_ref() {
            text.push_str("\nit will be told without being asked again");
            return Self::done_not_everywhere(text);
        }
        Self::of(text)
    }
}
