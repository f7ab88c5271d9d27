//! Variables that are empty count as absent, for every option of every command: container files set what they do not need so.

use std::ffi::OsStr;

use clap::builder::{OsStr as Name, Resettable};
use clap::error::ErrorKind;
use clap::{Command, Error, FromArgMatches};

use super::CommandLine;

/// Reads the command line as it was typed, and ends the process with help or advice if that is all there is to say.
pub(super) fn parse(command: impl Fn() -> Command) -> CommandLine {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    let matches = without_empty(command(), &is_empty).try_get_matches();
    // Help names the variables whether or not they are set.
    let matches = match matches {
        Err(error) if is_help(&error) => command().get_matches(),
        other => other.unwrap_or_else(|error| error.exit()),
    };
    CommandLine::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

fn is_help(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand)
}

/// The command without the variables that are empty.
fn without_empty(command: Command, is_empty: &dyn Fn(&OsStr) -> bool) -> Command {
    let command = command.mut_args(|argument| {
        let drops = argument.get_env().is_some_and(is_empty);
        if drops { argument.env(Resettable::<Name>::Reset) } else { argument }
    });
    command.mut_subcommands(|below| without_empty(below, is_empty))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn variables(command: &Command) -> usize {
        let own = command.get_arguments().filter(|argument| argument.get_env().is_some()).count();
        own + command.get_subcommands().map(variables).sum::<usize>()
    }

    #[test]
    fn every_variable_of_every_command_can_be_empty() {
        let all = variables(&CommandLine::command());
        assert!(all > 200, "{all}");
        assert_eq!(variables(&without_empty(CommandLine::command(), &|_| true)), 0);
        assert_eq!(variables(&without_empty(CommandLine::command(), &|_| false)), all);
        let only = without_empty(CommandLine::command(), &|name| name == "DATABASE_URL");
        let mut commands = vec![&only];
        while let Some(command) = commands.pop() {
            assert!(command.get_arguments().all(|argument| argument.get_env() != Some(OsStr::new("DATABASE_URL"))));
            commands.extend(command.get_subcommands());
        }
    }
}
