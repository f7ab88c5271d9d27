//! `bo-auth plugin diff`: what changed between two sources, line by line.

use clap::Args;
use serde_json::json;

use super::{Whose, Workplace, is_file, name_of, read_source};
use crate::command::Failure;
use crate::command::output::Output;
use crate::configuration::StoreOptions;

/// Unchanged lines that are shown around a change.
const AROUND: usize = 3;

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// A script `fn-NAME.rhai`, compared with the version that answers; or the name of a plugin.
    #[arg(value_name = "FILE|NAME")]
    what: String,
    #[command(flatten)]
    whose: Whose,
    /// The name, where the file's name does not say it.
    #[arg(long)]
    name: Option<String>,
    /// The version to compare with; the one that answers where absent.
    #[arg(long)]
    from: Option<i64>,
    /// The version that is compared; the newest where absent.
    #[arg(long)]
    to: Option<i64>,
    #[command(flatten)]
    stores: StoreOptions,
}

impl Diff {
    pub(super) async fn run(self, output: Output) -> Result<(), Failure> {
        let place = Workplace::open(&self.whose, self.stores).await?;
        let desk = place.desk();
        let path = is_file(&self.what);
        let name = match &path {
            Some(path) => name_of(path, self.name.as_deref())?,
            None => self.what.clone(),
        };
        let record = desk.find(&place.owner_id, &name).await?;
        let from = self.from.or(record.active_version);
        let before = match from {
            Some(version) => desk.version(&place.owner_id, &name, version).await?.source,
            None => String::new(),
        };
        let (to, after) = match (&path, self.to) {
            (Some(path), None) => (None, read_source(path)?),
            (_, to) => {
                let version = to.unwrap_or(record.last_version);
                (Some(version), desk.version(&place.owner_id, &name, version).await?.source)
            }
        };
        let lines = compare(&before, &after);
        let text = unified(&lines);
        output.result(&json!({"name": name, "from": from, "to": to, "same": before == after, "diff": text}), || {
            if text.is_empty() { "no difference".to_owned() } else { text.clone() }
        })
    }
}

/// One line of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line<'a> {
    Same(&'a str),
    Removed(&'a str),
    Added(&'a str),
}

/// The shortest way from one text to the other, by lines: the longest common subsequence stays.
fn compare<'a>(before: &'a str, after: &'a str) -> Vec<Line<'a>> {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let width = after.len() + 1;
    // How many lines two ends have in common; scripts are short, so that the whole table fits.
    let mut common = vec![0_u32; (before.len() + 1) * width];
    for one in (0..before.len()).rev() {
        for other in (0..after.len()).rev() {
            common[one * width + other] = if before[one] == after[other] {
                common[(one + 1) * width + other + 1] + 1
            } else {
                common[(one + 1) * width + other].max(common[one * width + other + 1])
            };
        }
    }
    let (mut one, mut other, mut lines) = (0, 0, Vec::new());
    while one < before.len() || other < after.len() {
        if one < before.len() && other < after.len() && before[one] == after[other] {
            lines.push(Line::Same(before[one]));
            (one, other) = (one + 1, other + 1);
        } else if one < before.len() && (other == after.len() || common[(one + 1) * width + other] >= common[one * width + other + 1]) {
            lines.push(Line::Removed(before[one]));
            one += 1;
        } else {
            lines.push(Line::Added(after[other]));
            other += 1;
        }
    }
    lines
}

/// The changed lines with what stands around them; empty where nothing changed.
fn unified(lines: &[Line<'_>]) -> String {
    let changed: Vec<usize> = lines.iter().enumerate().filter(|(_, line)| !matches!(line, Line::Same(_))).map(|(at, _)| at).collect();
    let is_shown = |at: usize| changed.iter().any(|change| change.abs_diff(at) <= AROUND);
    let mut text = String::new();
    let mut skipped = false;
    for (at, line) in lines.iter().enumerate() {
        if !is_shown(at) {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            text.push_str("  …\n");
        }
        let (sign, line) = match line {
            Line::Same(line) => (' ', line),
            Line::Removed(line) => ('-', line),
            Line::Added(line) => ('+', line),
        };
        text.push(sign);
        text.push(' ');
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_shown_with_what_stands_around_them() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9";
        let after = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10";
        assert_eq!(unified(&compare(before, after)), "  …\n  2\n  3\n  4\n- 5\n+ five\n  6\n  7\n  8\n  9\n+ 10\n");
        assert_eq!(unified(&compare(before, before)), "");
        assert_eq!(unified(&compare("", "a")), "+ a\n");
    }
}
