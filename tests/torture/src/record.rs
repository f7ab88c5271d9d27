//! The record in the documentation: the last long run of each scenario, with its date and version. A run of some scenarios
//! replaces their lines and leaves the others.

use std::fmt::Write as _;
use std::path::Path;

use crate::Failure;
use crate::fault::ALL;

/// Where the record begins in its file.
const MARK: &str = "<!-- result -->\n";

/// The head of the table.
pub(crate) const HEAD: &str = "| scenario | fault | violations | without a guard | logouts | verifies | refreshes | failed | wrongly refused | \
                               logout p99 / max, ms | recovery, ms | when, version |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n";

/// One scenario's line of the table, and what there is to say besides.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) cells: String,
    pub(crate) note: String,
}

/// Takes the lines into the record.
pub(crate) fn write(path: &Path, lines: &[Line]) -> Result<(), Failure> {
    let before = std::fs::read_to_string(path)?;
    let (head, old) = before.split_once(MARK).ok_or("the record has no line for the result")?;
    Ok(std::fs::write(path, format!("{head}{MARK}\n{}", merge(old, lines)))?)
}

/// The table with these lines, and those of the old one that these do not replace.
fn merge(old: &str, lines: &[Line]) -> String {
    let (mut table, mut notes) = (HEAD.to_owned(), String::new());
    for scenario in ALL {
        let name = scenario.name;
        let kept = |begin: String| old.lines().find(|line| line.starts_with(&begin)).map(str::to_owned);
        let (cells, note) = match lines.iter().find(|line| line.name == name) {
            Some(line) => (Some(line.cells.clone()), Some(line.note.clone()).filter(|note| !note.is_empty())),
            None => (kept(format!("| `{name}` |")), kept(format!("`{name}`: "))),
        };
        // Writing to a string cannot fail.
        if let Some(cells) = cells {
            let _ = writeln!(table, "{cells}");
        }
        if let Some(note) = note {
            let _ = write!(notes, "\n{note}\n");
        }
    }
    table + &notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_replaces_its_own_lines_only() {
        let line = |name, cells: &str, note: &str| Line { name, cells: cells.to_owned(), note: note.to_owned() };
        let old = merge("", &[line("none", "| `none` | 1 |", "`none`: old."), line("redis-full", "| `redis-full` | 2 |", "")]);
        let new = merge(&old, &[line("none", "| `none` | 3 |", "`none`: new.")]);
        assert_eq!(new, format!("{HEAD}| `none` | 3 |\n| `redis-full` | 2 |\n\n`none`: new.\n"));
    }
}
