//! How many bytes a value is on the wire, counted without writing it.

use std::io::{self, Write};

use serde_json::Value;

use crate::budget::Work;

/// The bytes of the value as compact JSON; `None` if there are more than `most`, or the budget has ended. Counting ends there:
/// escapes make six bytes of one.
pub(crate) fn up_to(most: usize, value: &Value) -> Option<usize> {
    let mut counter = Counter { bytes: 0, most, work: Work::default() };
    serde_json::to_writer(&mut counter, value).ok().map(|()| counter.bytes)
}

struct Counter {
    bytes: usize,
    most: usize,
    work: Work,
}

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > self.most || self.work.add(bytes.len()).is_err() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::up_to;

    #[test]
    fn counts_what_would_be_written_and_no_further() {
        let value = json!({"code": 0, "message": "退出\n", "data": [1.5, null, true]});
        let bytes = value.to_string().len();
        assert_eq!(up_to(bytes, &value), Some(bytes));
        assert_eq!(up_to(bytes - 1, &value), None);
        assert_eq!(up_to(usize::MAX, &json!("\u{1}\u{1}")), Some(14));
    }
}
