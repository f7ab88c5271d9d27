//! What a run found: a line for each scenario while it runs, a table in the end, and the record in the documentation.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use bo_auth_core::time::{Clock, SystemClock};

use crate::Failure;
use crate::check::Verdict;
use crate::form::Form;
use crate::scenario::{Scenario, Trial};

/// Where the record begins in its file.
const MARK: &str = "<!-- result -->\n";

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
        let mutants: String = self.mutants.iter().map(|(guard, noticed)| format!(", without {guard} {noticed}")).collect();
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

    fn line(&self) -> String {
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
        ];
        format!("| {} |\n", cells.join(" | "))
    }
}

/// All results of a run.
pub(crate) struct Report {
    form: Form,
    began: Instant,
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new(form: Form) -> Self {
        Self { form, began: Instant::now(), rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Prints the table and writes the record; true where everything holds.
    #[expect(clippy::print_stdout, reason = "the result is what the program is for")]
    pub(crate) fn finish(&self, record: Option<&Path>, version: &str) -> Result<bool, Failure> {
        let text = self.text(version);
        println!("{text}");
        if let Some(path) = record {
            let before = std::fs::read_to_string(path)?;
            let (head, _) = before.split_once(MARK).ok_or("the record has no line for the result")?;
            std::fs::write(path, format!("{head}{MARK}\n{text}"))?;
        }
        let failed: Vec<&str> = self.rows.iter().filter(|row| !row.holds()).map(|row| row.scenario.name).collect();
        if !failed.is_empty() {
            say(&format!("FAILED: {}", failed.join(", ")));
        }
        Ok(failed.is_empty())
    }

    fn text(&self, version: &str) -> String {
        let form = self.form.pick("short", "long");
        let mut text = format!("{}, {version}, {form} form, {} s.\n\n", SystemClock.now(), self.began.elapsed().as_secs());
        text += "| scenario | fault | violations | without a guard | logouts | verifies | refreshes | failed | wrongly refused | \
                 logout p99 / max, ms | recovery, ms |\n|---|---|---|---|---|---|---|---|---|---|---|\n";
        for row in &self.rows {
            text += &row.line();
        }
        for row in self.rows.iter().filter(|row| !row.notes.is_empty()) {
            let _ = write!(text, "\n`{}`: {}.\n", row.scenario.name, row.notes.join("; "));
        }
        text
    }
}
