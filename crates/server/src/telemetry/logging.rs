//! Log lines, written by a thread of their own so that no request waits for a terminal or a pipe. The buffer between is
//! bounded: what does not fit is dropped and counted.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;

/// What may wait to be written.
const BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// So much is worth a write at once ...
const BATCH_BYTES: usize = 64 * 1024;
/// ... and less is kept for so long, in case more comes.
const BATCH_DELAY: Duration = Duration::from_millis(2);

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people at a terminal.
    Text,
}

/// What `--log-level` takes, without spaces. A word that is no level would name a target instead, and silence all others.
///
/// # Errors
/// If a part is no level and no `target=level` pair; the text lists the levels.
pub fn log_level(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    let fits = |part: &str| part.rsplit_once('=').map_or_else(|| is_level(part), |(target, level)| !target.is_empty() && is_level(level));
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let filter = parts.join(",");
    if parts.into_iter().all(fits) && EnvFilter::try_new(&filter).is_ok() {
        return Ok(filter);
    }
    Err(format!("give one of {}, or `target=level` pairs, separated by commas", LEVELS.join(", ")))
}

/// The process's log. A second [`start`] in the same process gets the first one's.
static STARTED: OnceLock<(LogWriter, LogFormat)> = OnceLock::new();

/// Sends all log lines of the process to standard error. Keep the guard until the end of `main`: it writes what is left.
///
/// # Errors
/// Where `level` is not a level or a list of `target=level` directives.
pub fn start(level: &str, format: LogFormat) -> Result<LogGuard, ParseError> {
    let filter = EnvFilter::try_new(level)?;
    let (writer, guard) = LogWriter::start(io::stderr());
    if STARTED.set((writer.clone(), format)).is_err() {
        return Ok(guard);
    }
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    // Where another subscriber is there already (a test's, or a program's that embeds us), it stays.
    let _ = match format {
        LogFormat::Json => tracing::subscriber::set_global_default(
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).finish(),
        ),
        LogFormat::Text => tracing::subscriber::set_global_default(lines.finish()),
    };
    Ok(guard)
}

/// The writer for lines that are JSON already, where the process's log takes such.
pub(super) fn json_writer() -> Option<&'static LogWriter> {
    STARTED.get().filter(|(_, format)| *format == LogFormat::Json).map(|(writer, _)| writer)
}

/// Takes whole lines; cheap to clone.
#[derive(Debug, Clone)]
pub struct LogWriter(Arc<Buffer>);

/// Writes what is left when it is dropped.
#[derive(Debug)]
#[must_use = "dropping it ends the log"]
pub struct LogGuard {
    buffer: Arc<Buffer>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Buffer {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    ended: bool,
}

impl LogWriter {
    /// Starts the thread that writes to `output`.
    pub fn start(output: impl Write + Send + 'static) -> (Self, LogGuard) {
        let buffer = Arc::<Buffer>::default();
        let shared = Arc::clone(&buffer);
        // Without a thread (the system refused one) lines pile up to the bound and are counted from then on.
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_to(output)).ok();
        (Self(Arc::clone(&buffer)), LogGuard { buffer, thread })
    }

    /// Adds one line, its end included, or drops it where the buffer is full.
    pub fn line(&self, line: &[u8]) {
        let mut waiting = self.0.lock();
        let before = waiting.lines.len();
        if waiting.ended || before + line.len() > BUFFER_BYTES {
            drop(waiting);
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("bo_auth_log_lines_dropped_total").increment(1);
            return;
        }
        waiting.lines.extend_from_slice(line);
        let after = waiting.lines.len();
        drop(waiting);
        // The writer sleeps only on an empty buffer or a small one; in between it needs no waking.
        if before == 0 || (before < BATCH_BYTES && after >= BATCH_BYTES) {
            self.0.changed.notify_one();
        }
    }

    /// How many lines were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

impl Buffer {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes batches until the log has ended. Two vectors change places, so that nothing is allocated once they have grown.
    fn write_to(&self, mut output: impl Write) {
        let mut batch = Vec::new();
        let mut ended = false;
        while !ended {
            let idle = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.ended;
            let small = |waiting: &mut Waiting| waiting.lines.len() < BATCH_BYTES && !waiting.ended;
            let waiting = self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
            let (mut waiting, _) = self.changed.wait_timeout_while(waiting, BATCH_DELAY, small).unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut waiting.lines, &mut batch);
            ended = waiting.ended;
            drop(waiting);
            // Where standard error is gone there is nobody left to tell.
            let _ = output.write_all(&batch).and_then(|()| output.flush());
            batch.clear();
        }
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.buffer.lock().ended = true;
        self.buffer.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The subscriber writes each event in one piece.
impl Write for &LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// An output that says when it is written to, and waits to be told to go on.
    struct Gate {
        arrived: Sender<Vec<u8>>,
        go_on: Receiver<()>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.arrived.send(bytes.to_vec()).map_err(io::Error::other)?;
            self.go_on.recv().map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_levels_and_pairs_are_taken() {
        for text in ["info", "WARN", "off", "info,bo_auth::access=off", "bo_auth_store=debug,warn", "info, sqlx=error"] {
            assert_eq!(log_level(text), Ok(text.replace(' ', "")));
        }
        for text in ["", "inof", "info,", "info,inof", "bo_auth=loud", "=info", "bo_auth::access", "info;debug"] {
            let refusal = log_level(text).unwrap_err();
            assert!(refusal.contains("off, error, warn, info, debug, trace"), "{text}: {refusal}");
        }
    }

    #[test]
    fn a_slow_output_costs_lines_and_not_time() {
        let (arrived, arrivals) = channel();
        let (go, go_on) = channel();
        let (writer, guard) = LogWriter::start(Gate { arrived, go_on });
        writer.line(b"first\n");
        assert_eq!(arrivals.recv().unwrap(), b"first\n");
        // The thread now hangs in its write; what comes is kept up to the bound.
        let line = vec![b'x'; BUFFER_BYTES / 4];
        for _ in 0..6 {
            writer.line(&line);
        }
        assert_eq!(writer.dropped(), 2);
        drop(go);
        drop(arrivals);
        drop(guard);
    }

    #[test]
    fn the_guard_writes_what_is_left() {
        let (arrived, arrivals) = channel();
        let (go, go_on) = channel();
        let (writer, guard) = LogWriter::start(Gate { arrived, go_on });
        go.send(()).unwrap();
        go.send(()).unwrap();
        writer.line(b"last\n");
        drop(guard);
        assert_eq!(arrivals.iter().flatten().collect::<Vec<_>>(), b"last\n");
        writer.line(b"too late\n");
        assert_eq!(writer.dropped(), 1);
    }
}
