//! What `--help` says, checked in as `docs/command-line.md`; and that no secret is shown in it.
//!
//! After a change, `BO_AUTH_WRITE_DOCS=1 scripts/test help` writes the page anew.

use std::collections::HashMap;
use std::fmt::Write;

use crate::process::{Place, finish};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/command-line.md");

const HEADING: &str = "# The command line

Written from `--help` by a test, which also compares the two; `BO_AUTH_WRITE_DOCS=1 scripts/test help` writes it anew.

Every command takes `--json`. A command that fails says why on standard error and ends with 1, or with 2 where it was not
typed as it should be. It ends with 3 where the change is made, but not every running server has heard of it yet: that will be
told without being asked again. Commands that change something tell the server that runs on the same data directory, and return when
the change has taken effect there.
";

/// Each command's words and help, in the order in which the help lists them; groups of commands come before theirs.
async fn helps(place: &Place, variables: &[(&str, &str)]) -> Vec<(Vec<String>, String)> {
    let mut waiting = vec![Vec::<String>::new()];
    let mut helps = Vec::new();
    while let Some(words) = waiting.pop() {
        let arguments: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let mut command = place.binary(&arguments);
        command.envs(variables.iter().copied());
        let help = finish(command).await.text().to_owned();
        let below: Vec<_> = subcommands(&help).map(|name| [words.as_slice(), &[name.to_owned()]].concat()).collect();
        waiting.extend(below.into_iter().rev());
        helps.push((words, help));
    }
    helps
}

fn subcommands(help: &str) -> impl Iterator<Item = &str> {
    let listed = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest.split("\n\n").next().unwrap_or_default());
    let names = listed.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help")
}

/// The parts of a help text, each with its heading.
fn sections(help: &str) -> impl Iterator<Item = String> {
    let mut sections: Vec<Vec<&str>> = vec![Vec::new()];
    for line in help.lines().map(str::trim_end) {
        if line.ends_with(':') && !line.starts_with(' ') {
            sections.push(Vec::new());
        }
        sections.last_mut().expect("there is one").push(line);
    }
    sections.into_iter().map(|lines| lines.join("\n").trim().to_owned()).filter(|section| !section.is_empty())
}

/// A section, or where it was shown before, if it is a long one.
fn once(shown: &mut HashMap<String, String>, section: String, title: &str) -> String {
    if section.lines().count() < 20 {
        return section;
    }
    let heading = section.lines().next().unwrap_or_default().to_owned();
    if let Some(earlier) = shown.get(&section) {
        return format!("{heading}\n      as under `{earlier}`");
    }
    shown.insert(section.clone(), title.to_owned());
    section
}

#[tokio::test]
async fn the_help_is_checked_in() {
    let mut page = HEADING.to_owned();
    let helps = helps(&Place::embedded(), &[]).await;
    let mut shown = HashMap::new();
    for (words, help) in &helps {
        let title = [&["bo-auth".to_owned()], words.as_slice()].concat().join(" ");
        let text: Vec<String> = sections(help).map(|section| once(&mut shown, section, &title)).collect();
        write!(page, "\n## {title}\n\n```text\n{}\n```\n", text.join("\n\n")).unwrap();
    }
    assert_eq!(helps.len(), 46, "the command line, its groups and its commands");
    if std::env::var_os("BO_AUTH_WRITE_DOCS").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    let checked_in = std::fs::read_to_string(PAGE).unwrap_or_default();
    if let Some((line, (checked, said))) = checked_in.lines().zip(page.lines()).enumerate().find(|(_, (checked, said))| checked != said) {
        panic!(
            "docs/command-line.md, line {}, has {checked:?}, and the program says {said:?}: BO_AUTH_WRITE_DOCS=1 scripts/test help",
            line + 1
        );
    }
    assert_eq!(checked_in.len(), page.len(), "docs/command-line.md ends elsewhere: BO_AUTH_WRITE_DOCS=1 scripts/test help");
}

#[tokio::test]
async fn secrets_in_variables_are_not_shown() {
    let place = Place::embedded();
    let variables = [
        ("DATABASE_URL", "postgres://bo:hunter2@db/bo"),
        ("REDIS_URL", "redis://:hunter2@cache"),
        ("BO_AUTH_MASTER_KEY", "hunter2"),
        ("BO_AUTH_DES_KEY", "hunter2"),
    ];
    for (words, help) in helps(&place, &variables).await {
        assert!(!help.contains("hunter2"), "{words:?}: {help}");
        if words.iter().any(|word| word == "serve" || word == "rotate") {
            assert!(help.contains("BO_AUTH_MASTER_KEY"), "the variable itself is named: {help}");
        }
    }
    // Where the line cannot be parsed, what was given is not repeated either.
    for arguments in [&["tenant", "add", "--colour"][..], &["serve", "--listen", "nowhere"], &["tenant", "list", "--database-url"]] {
        let mut command = place.binary(arguments);
        command.envs(variables);
        let refused = finish(command).await;
        assert!(refused.code == Some(2) && !refused.stderr.contains("hunter2"), "{refused:?}");
    }
}

#[tokio::test]
async fn secrets_are_not_shown_where_a_store_does_not_answer() {
    let place = Place::embedded();
    let secrets = ["--database-url", "postgres://bo:hunter2@127.0.0.1:1/bo", "--redis-url", "redis://:hunter2@127.0.0.1:1"];
    for arguments in [&["tenant", "list"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let mut command = place.command(&[arguments, &secrets[..]].concat());
        command.env("BO_AUTH_MASTER_KEY", "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnQ=");
        let refused = finish(command).await;
        assert!(!refused.failure().contains("hunter2") && !refused.failure().contains("aHVudGVy"), "{refused:?}");
    }
}
