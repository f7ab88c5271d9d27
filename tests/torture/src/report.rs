//! What a run found: a line for each scenario while it runs, a table in the end, and the record in the documentation.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bo_auth_core::time::{Clock, SystemClock};

use crate::Failure;
use crate::check::Verdict;
use crate::form::Form;
use crate::record::{self, HEAD, Line};
use crate::scenario::{Scenario, Trial};

/// Says something to the person at the terminal.
#[expect(clippy::print_stderr, reason = "progress is for a person")]
pub(crate) fn say(text: &str) {
    eprintln!("== {text}");
}

/// One scenario's result.
pub(crate) struct Row {
    scenario: &'static Scenario,
    verdict: Verdict,
    recovery: Option<Duration>,
    notes: Vec<String>,
    /// Guards that were left out, with the violations that followed.
    pub(crate) mutants: Vec<(&'static str, usize)>,
    pub(crate) time: Duration,
}

impl Row {
    pub(crate) fn new(scenario: &'static Scenario, verdict: Verdict, trial: Trial) -> Self {
        Self { scenario, verdict, recovery: trial.recovery, notes: trial.notes, mutants: Vec::new(), time: Duration::ZERO }
    }

    /// Whether nothing was violated, and every missing guard was noticed.
    fn holds(&self) -> bool {
        self.verdict.violations() == 0 && self.mutants.iter().all(|(_, noticed)| *noticed > 0)
    }

    /// Says how it went.
    pub(crate) fn tell(&self) {
        let verdict = &self.verdict;
        let mutants: Vec<String> = self.mutants.iter().map(|(guard, noticed)| format!(", without {guard} {noticed}")).collect();
        let mutants = mutants.concat();
        say(&format!(
            "{}: {} violations{mutants}; {} logouts, {} verifies, {} refreshes, {} cookie calls, {} failed, {} wrongly refused; {}",
            self.scenario.name,
            verdict.violations(),
            verdict.logouts,
            verdict.verifies,
            verdict.refreshes,
            verdict.cookies,
            verdict.failed,
            verdict.wrongly_refused,
            self.times(),
        ));
        if !verdict.failures.is_empty() {
            let failures: Vec<String> = verdict.failures.iter().map(|(what, count)| format!("{what} {count}")).collect();
            say(&format!("    failed: {}", failures.join(", ")));
        }
        for line in verdict.told.iter().chain(&self.notes) {
            say(&format!("    {line}"));
        }
        for (guard, _) in self.mutants.iter().filter(|(_, noticed)| *noticed == 0) {
            say(&format!("    without {guard} nothing was noticed"));
        }
    }

    fn times(&self) -> String {
        let millis = |time: Duration| time.as_millis();
        let [half, most, all] = [50, 99, 100].map(|percent| millis(self.verdict.logout_time(percent)));
        let recovery = self.recovery.map_or_else(String::new, |time| format!(", recovered after {} ms", millis(time)));
        format!("logout p50 {half} ms, p99 {most} ms, max {all} ms{recovery}; took {:.1} s", self.time.as_secs_f64())
    }

    fn line(&self, stamp: &str) -> Line {
        let verdict = &self.verdict;
        let millis = |time: Duration| time.as_millis().to_string();
        let mutants: Vec<String> = self.mutants.iter().map(|(guard, noticed)| format!("{guard} {noticed}")).collect();
        let cells = [
            format!("`{}`", self.scenario.name),
            self.scenario.about.to_owned(),
            format!("**{}**", verdict.violations()),
            mutants.join(", "),
            verdict.logouts.to_string(),
            (verdict.verifies + verdict.cookies).to_string(),
            verdict.refreshes.to_string(),
            verdict.failed.to_string(),
            verdict.wrongly_refused.to_string(),
            format!("{} / {}", millis(verdict.logout_time(99)), millis(verdict.logout_time(100))),
            self.recovery.map_or_else(String::new, millis),
            stamp.to_owned(),
        ];
        let name = self.scenario.name;
        let note = if self.notes.is_empty() { String::new() } else { format!("`{name}`: {}.", self.notes.join("; ")) };
        Line { name, cells: format!("| {} |", cells.join(" | ")), note }
    }
}

/// All results of a run.
pub(crate) struct Report {
    form: Form,
    began: Instant,
    /// The record's file, where there is one.
    record: Option<PathBuf>,
    /// The day and the version, as they stand in the record.
    stamp: String,
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new(form: Form, record: Option<PathBuf>, version: &str) -> Self {
        let now = SystemClock.now().to_string();
        let stamp = format!("{}, {version}{}", now.split('T').next().unwrap_or_default(), form.pick(", short form", ""));
        Self { form, began: Instant::now(), record, stamp, rows: Vec::new() }
    }

    /// Adds a result, and takes it into the record at once: a long run that is cut short keeps what it has shown.
    pub(crate) fn add(&mut self, row: Row) -> Result<(), Failure> {
        if let Some(path) = &self.record {
            record::write(path, &[row.line(&self.stamp)])?;
        }
        self.rows.push(row);
        Ok(())
    }

    /// Prints the table; true where everything holds.
    #[expect(clippy::print_stdout, reason = "the result is what the program is for")]
    pub(crate) fn finish(&self) -> bool {
        let lines: Vec<Line> = self.rows.iter().map(|row| row.line(&self.stamp)).collect();
        let table: Vec<&str> = lines.iter().map(|line| line.cells.as_str()).collect();
        let notes: Vec<&str> = lines.iter().map(|line| line.note.as_str()).filter(|note| !note.is_empty()).collect();
        println!("{HEAD}{}\n\n{}", table.join("\n"), notes.join("\n\n"));
        say(&format!("{} form, {} s", self.form.pick("short", "long"), self.began.elapsed().as_secs()));
        let failed: Vec<&str> = self.rows.iter().filter(|row| !row.holds()).map(|row| row.scenario.name).collect();
        if !failed.is_empty() {
            say(&format!("FAILED: {}", failed.join(", ")));
        }
        failed.is_empty()
    }
}
