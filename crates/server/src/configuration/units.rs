//! Durations and sizes as people write them: `500ms`, `10s`, `2m`; `512`, `64KiB`, `1MiB`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::ConfigurationError;

const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1)];

/// Reads a duration; zero is none.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    UNITS
        .iter()
        .find_map(|(unit, millis)| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(*millis))
        .filter(|millis| *millis > 0)
        .map(Duration::from_millis)
        .ok_or_else(|| "give a whole number and a unit: 500ms, 10s, 2m or 1h".to_owned())
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteCount(u64);

impl ByteCount {
    /// The number, where it lies between two others.
    pub(super) fn within(self, option: &'static str, least: &'static str, most: &'static str) -> Result<usize, ConfigurationError> {
        let allowed = least.parse::<Self>().is_ok_and(|least| least.0 <= self.0) && most.parse::<Self>().is_ok_and(|most| self.0 <= most.0);
        let bytes = usize::try_from(self.0).ok().filter(|_| allowed);
        bytes.ok_or(ConfigurationError::Size { option, value: self, least, most })
    }
}

impl FromStr for ByteCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        SIZES
            .iter()
            .find_map(|(unit, bytes)| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(*bytes))
            .map(Self)
            .ok_or_else(|| "give a whole number of bytes, KiB, MiB or GiB, such as 65536 or 64KiB".to_owned())
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, bytes) = SIZES.into_iter().find(|(_, bytes)| self.0 >= *bytes && self.0.is_multiple_of(*bytes)).unwrap_or(("", 1));
        write!(formatter, "{}{unit}", self.0 / bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        for (text, millis) in [("500ms", 500), ("10s", 10_000), ("2m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)));
        }
        for text in ["", "10", "s", "-1s", "1.5s", "0s", "99999999999999999999s", "10d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_and_printed() {
        for (text, bytes, printed) in [("512", 512, "512"), ("64KiB", 65_536, "64KiB"), ("1024KiB", 1 << 20, "1MiB"), ("0", 0, "0")] {
            let size: ByteCount = text.parse().unwrap();
            assert_eq!((size.0, size.to_string().as_str()), (bytes, printed));
        }
        for text in ["", "KiB", "64KB", "64 KiB", "-1", "99999999999GiB"] {
            assert!(text.parse::<ByteCount>().is_err(), "{text}");
        }
    }
}
