//! How many bytes a value is on the wire, counted without writing it.

use std::io::{self, Write};

use serde_json::Value;

/// The bytes of the value as compact JSON.
pub(crate) fn of(value: &Value) -> usize {
    let mut counter = Counter(0);
    // A counter refuses nothing, and a value's keys are all texts.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn counts_what_would_be_written() {
        let value = json!({"code": 0, "message": "退出\n", "data": [1.5, null, true]});
        assert_eq!(super::of(&value), value.to_string().len());
    }
}
