//! What comes out: a table of ratios with their targets, and figures of this machine beside it.

use std::io::Write;

use crate::Failure;

/// Ratios of several rounds.
pub(crate) struct Ratios(Vec<f64>);

impl Ratios {
    /// Of these rounds; there is at least one.
    pub(crate) fn of(mut ratios: Vec<f64>) -> Self {
        ratios.sort_by(f64::total_cmp);
        Self(ratios)
    }

    fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        match self.0.len() {
            0 => f64::NAN,
            odd if odd % 2 == 1 => self.0[middle],
            _ => f64::midpoint(self.0[middle - 1], self.0[middle]),
        }
    }

    fn text(&self, unit: &str) -> String {
        let (least, most) = (self.0.first().unwrap_or(&f64::NAN), self.0.last().unwrap_or(&f64::NAN));
        if self.0.len() == 1 {
            return format!("{}{unit}", figure(self.median()));
        }
        format!("{}{unit} ({} to {})", figure(self.median()), figure(*least), figure(*most))
    }
}

/// What a median is held to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// No less than this.
    AtLeast(f64),
    /// No more than this.
    AtMost(f64),
    /// Shown only.
    None,
}

impl Target {
    fn is_reached_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
            Self::None => true,
        }
    }
}

struct Line {
    what: String,
    measured: String,
    target: String,
    reached: &'static str,
}

/// All results of a run.
#[derive(Default)]
pub(crate) struct Report {
    lines: Vec<Line>,
    context: Vec<String>,
}

impl Report {
    /// Adds a result.
    pub(crate) fn add(&mut self, what: &str, measured: &Ratios, unit: &str, target: Target) {
        let reached = target.is_reached_by(measured.median());
        let (target, reached) = match target {
            Target::AtLeast(bound) => (format!("≥ {bound}{unit}"), if reached { "reached" } else { "NOT reached" }),
            Target::AtMost(bound) => (format!("≤ {bound}{unit}"), if reached { "reached" } else { "NOT reached" }),
            Target::None => (String::new(), ""),
        };
        self.lines.push(Line { what: what.to_owned(), measured: measured.text(unit), target, reached });
    }

    /// Adds a figure that holds for this machine in this minute only.
    pub(crate) fn remark(&mut self, text: String) {
        crate::background::say(&text);
        self.context.push(text);
    }

    /// Prints the table.
    pub(crate) fn print(&self) -> Result<(), Failure> {
        let mut rows = vec![["what", "median (least to most)", "target", ""].map(str::to_owned)];
        rows.push(["-"; 4].map(str::to_owned));
        let cells = |line: &Line| [line.what.clone(), line.measured.clone(), line.target.clone(), line.reached.to_owned()];
        rows.extend(self.lines.iter().map(cells));
        let widths: Vec<usize> = (0..4).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
        let mut output = std::io::stdout().lock();
        writeln!(output)?;
        for row in &rows {
            write!(output, "|")?;
            for (cell, width) in row.iter().zip(&widths) {
                let filler = if cell == "-" { '-' } else { ' ' };
                let padding: String = std::iter::repeat_n(filler, width - cell.chars().count()).collect();
                write!(output, " {cell}{padding} |")?;
            }
            writeln!(output)?;
        }
        writeln!(output, "\nOn this machine, in these minutes:\n")?;
        for text in &self.context {
            writeln!(output, "- {text}")?;
        }
        Ok(output.flush()?)
    }
}

/// A number with as many digits as say something.
fn figure(value: f64) -> String {
    if value.abs() >= 20.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_in_the_middle() {
        assert_eq!(Ratios::of(vec![3.0, 1.0, 2.0]).text(""), "2.00 (1.00 to 3.00)");
        assert_eq!(Ratios::of(vec![30.0, 40.0]).text(" ms"), "35 ms (30 to 40)");
        assert!(Target::AtLeast(0.5).is_reached_by(0.5) && !Target::AtMost(1.3).is_reached_by(1.31));
    }
}
