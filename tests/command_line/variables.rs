//! Variables: an empty one is an absent one, whatever the option and the command.

use std::collections::{BTreeSet, VecDeque};

use bo_auth_server::command::CommandLine;
use clap::{Command, CommandFactory};

use crate::process::{Finished, Place, finish};

/// Every command's words, and the variables of its options.
fn commands() -> Vec<(Vec<String>, Vec<String>)> {
    let mut waiting = VecDeque::from([(Vec::new(), CommandLine::command())]);
    let mut commands = Vec::new();
    while let Some((words, command)) = waiting.pop_front() {
        for below in command.get_subcommands() {
            waiting.push_back(([&words[..], &[below.get_name().to_owned()]].concat(), below.clone()));
        }
        let names = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str().map(str::to_owned));
        commands.push((words, names.collect()));
    }
    commands
}

/// What a command says without any argument but its data directory. `serve` gets one that keeps it from starting.
async fn without_arguments(words: &[String], variables: &[(&str, &str)]) -> Finished {
    let place = Place::embedded();
    let mut arguments: Vec<&str> = words.iter().map(String::as_str).collect();
    if words == ["serve"] {
        arguments.extend(["--cache", "redis"]);
    }
    let mut command = place.binary(&arguments);
    command.current_dir(place.scratch()).envs(variables.iter().copied());
    let mut finished = finish(command).await;
    for text in [&mut finished.stdout, &mut finished.stderr] {
        *text = text.replace(&*place.scratch().to_string_lossy(), "SCRATCH");
    }
    finished
}

#[tokio::test]
async fn empty_variables_change_nothing_for_any_command() {
    let mut count = 0;
    for (words, names) in commands() {
        if names.is_empty() {
            continue;
        }
        count += 1;
        let empty: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        let (with, without) = (without_arguments(&words, &empty).await, without_arguments(&words, &[]).await);
        assert_eq!((with.code, with.stderr), (without.code, without.stderr), "{words:?}");
        // Keys and clocks differ from run to run.
        assert_eq!(with.stdout.lines().count(), without.stdout.lines().count(), "{words:?}");
    }
    assert!(count > 25, "{count}");
}

#[tokio::test]
async fn a_server_starts_with_every_variable_empty() {
    let place = Place::embedded();
    let names = commands().into_iter().find_map(|(words, names)| (words == ["serve"]).then_some(names)).unwrap();
    let mut command = place.binary(&["serve", "--listen", "127.0.0.1:0", "--argon2-memory", "64KiB"]);
    command.current_dir(place.scratch()).envs(names.iter().map(|name| (name, "")));
    crate::process::Server::start(command).await.stop().await;
    assert!(place.scratch().join("data").exists(), "the default holds");
}

/// The long names of a command's options.
fn options(name: &str) -> BTreeSet<String> {
    let all = CommandLine::command();
    let command: &Command = all.find_subcommand(name).unwrap();
    command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_owned)).collect()
}

#[test]
fn check_config_knows_every_option_of_serve() {
    assert_eq!(options("check-config"), options("serve"));
}

#[tokio::test]
async fn a_level_that_is_none_is_refused_with_the_levels() {
    for command in ["serve", "check-config"] {
        let refused = Place::embedded().run(&[command, "--log-level", "inof"]).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains("off, error, warn, info, debug, trace"), "{refused:?}");
    }
}
