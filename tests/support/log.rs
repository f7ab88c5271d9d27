//! The log of this process, kept so that tests can look for what must not be in it.

use std::io::{self, Write};
use std::sync::{Mutex, Once, PoisonError};

use tracing_subscriber::EnvFilter;

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static STARTED: Once = Once::new();

struct Writer;

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps every line from now on, at every level and from every library: an operator may have set that.
pub(crate) fn keep() {
    STARTED.call_once(|| {
        let filter = EnvFilter::new("trace");
        let lines = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(|| Writer).finish();
        tracing::subscriber::set_global_default(lines).expect("nothing else in this process keeps a log");
    });
}

/// Everything that was written since [`keep`].
pub(crate) fn kept() -> String {
    String::from_utf8_lossy(&LINES.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}
