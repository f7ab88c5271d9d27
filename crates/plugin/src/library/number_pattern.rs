//! The patterns of `format_number`: `#,##0.00`, `0.##`, `000`, `0.0%`.

use rhai::{FLOAT, INT};

use crate::budget::Fallible;

/// The longest pattern, in bytes.
const LONGEST: usize = 32;

/// How a number is written: `#` stands for a digit if there is one, `0` for a digit in any case, `,` for groups of three,
/// `.` for the point, and a final `%` for hundredths.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NumberPattern {
    grouped: bool,
    least_integer: usize,
    least_fraction: usize,
    most_fraction: usize,
    percent: bool,
}

impl NumberPattern {
    /// Reads a pattern.
    pub(super) fn parse(pattern: &str) -> Fallible<Self> {
        Self::read(pattern).ok_or_else(|| "a number's pattern is like `#,##0.00`, `0.##` or `0.0%`".into())
    }

    fn read(pattern: &str) -> Option<Self> {
        if pattern.len() > LONGEST {
            return None;
        }
        let (digits, percent) = pattern.strip_suffix('%').map_or((pattern, false), |digits| (digits, true));
        let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = integer.replace(',', "");
        let least_integer = plain.trim_start_matches('#');
        let least_fraction = fraction.trim_end_matches('#');
        let zeros = |text: &str| text.bytes().all(|byte| byte == b'0');
        let valid = !plain.is_empty() && zeros(least_integer) && zeros(least_fraction) && !integer.starts_with(',');
        valid.then_some(Self {
            grouped: integer.contains(','),
            least_integer: least_integer.len(),
            least_fraction: least_fraction.len(),
            most_fraction: fraction.len(),
            percent,
        })
    }

    /// Writes a whole number.
    pub(super) fn integer(&self, number: INT) -> String {
        let scaled = i128::from(number) * if self.percent { 100 } else { 1 };
        self.assemble(number < 0, &scaled.unsigned_abs().to_string(), "")
    }

    /// Writes a number with a fraction, rounded to the nearest; fails on infinity and on what is no number.
    pub(super) fn real(&self, number: FLOAT) -> Fallible<String> {
        let scaled = number * if self.percent { 100.0 } else { 1.0 };
        if !scaled.is_finite() {
            return Err("only finite numbers can be written".into());
        }
        let text = format!("{:.*}", self.most_fraction, scaled.abs());
        let (integer, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let is_zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        Ok(self.assemble(number < 0.0 && !is_zero, integer, fraction))
    }

    fn assemble(&self, negative: bool, integer: &str, fraction: &str) -> String {
        let integer = integer.trim_start_matches('0');
        let integer = format!("{}{integer}", "0".repeat(self.least_integer.saturating_sub(integer.len())));
        let mut text = String::from(if negative { "-" } else { "" });
        for (at, digit) in integer.chars().enumerate() {
            if self.grouped && at > 0 && (integer.len() - at).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        let fraction = fraction.trim_end_matches('0');
        let zeros = self.least_fraction.saturating_sub(fraction.len());
        if fraction.len() + zeros > 0 {
            text.push('.');
            text.push_str(fraction);
            text.push_str(&"0".repeat(zeros));
        }
        if self.percent {
            text.push('%');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers() {
        for (number, pattern, text) in [
            (1_234_567, "#,##0", "1,234,567"),
            (1_234_567, "#,##0.00", "1,234,567.00"),
            (0, "#,##0.##", "0"),
            (7, "000", "007"),
            (-7, "000", "-007"),
            (-123, "#,##0", "-123"),
            (5, "0%", "500%"),
            (0, "#", ""),
            (INT::MIN, "0", "-9223372036854775808"),
            (INT::MAX, "0%", "922337203685477580700%"),
        ] {
            assert_eq!(NumberPattern::parse(pattern).unwrap().integer(number), text, "{number} {pattern}");
        }
    }

    #[test]
    fn fractions() {
        for (number, pattern, text) in [
            (1234.5, "#,##0.00", "1,234.50"),
            (0.126, "0.##", "0.13"),
            (0.1, "0.##", "0.1"),
            (0.125, "0.0%", "12.5%"),
            (-0.001, "0.00", "0.00"),
            (2.0, "0.##", "2"),
            (0.5, "#.0", ".5"),
        ] {
            assert_eq!(NumberPattern::parse(pattern).unwrap().real(number).unwrap(), text, "{number} {pattern}");
        }
        assert!(NumberPattern::parse("0").unwrap().real(FLOAT::NAN).is_err());
        assert!(NumberPattern::parse("0%").unwrap().real(FLOAT::MAX).is_err());
    }

    #[test]
    fn other_patterns_are_refused() {
        for pattern in ["", "%", "0#", "0.#0", ",0", "0.0.0", "abc", "0 kg", ".0", &"0".repeat(33)] {
            assert!(NumberPattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
