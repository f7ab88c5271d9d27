//! The processes of a run, and what the operating system says of them.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Failure;

/// What the runtime calls the threads that serve connections.
const NETWORK_THREAD: &str = "tokio-rt-worker";

/// What the kernel counts processor time in, on every Linux there is.
const TICK: Duration = Duration::from_millis(10);

/// Shows progress.
pub(crate) fn say(text: &str) {
    // Where standard error is gone there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "   {text}");
}

/// A server in a process of its own: this program, under another subcommand. It ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    input: Option<ChildStdin>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts it and waits until it listens. Its log goes to a file, as in production it would.
    pub(crate) fn start(arguments: &[String], log: &Path) -> Result<Self, Failure> {
        let log = std::fs::File::create(log)?;
        // What is set for this program, a database's address above all, is not meant for the server.
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let input = child.stdin.take();
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line.trim().parse().map_err(|_| "a server did not start; its log says why")?;
        Ok(Self { child, input, address })
    }

    /// Keeps each of its network threads on a processor of its own. Left alone, the scheduler has both on one processor for seconds
    /// at a time, and a round would measure that.
    pub(crate) fn pin_network_threads(&self) -> Result<(), Failure> {
        let allowed = sched_getaffinity(None)?;
        let mut processors = (0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor)).cycle();
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.id()))? {
            let thread = thread?;
            if std::fs::read_to_string(thread.path().join("comm"))?.trim() != NETWORK_THREAD {
                continue;
            }
            let id = thread.file_name().to_str().and_then(|id| id.parse().ok()).and_then(Pid::from_raw);
            let mut own = CpuSet::new();
            own.set(processors.next().ok_or("there is no processor")?);
            sched_setaffinity(Some(id.ok_or("a thread without an id")?), &own)?;
        }
        Ok(())
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// To be called in a server's process: tells the starter the address, and completes when the starter is gone.
pub(crate) async fn until_starter_ends(address: SocketAddr) {
    let _ = writeln!(std::io::stdout(), "{address}");
    // A thread that waits for the end of the input must not keep the runtime from ending.
    let (sender, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = sender.send(());
    });
    let _ = ended.await;
}

/// Processor time that a process has used.
pub(crate) fn processor_time(process: u32) -> Result<Duration, Failure> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, in parentheses, may hold anything; the twelfth and thirteenth field behind it count.
    let (_, fields) = text.rsplit_once(") ").ok_or("a process's state cannot be read")?;
    let ticks: Vec<u32> = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    Ok(TICK * ticks.iter().sum())
}

/// Resident memory of a process, in bytes.
pub(crate) fn resident_memory(process: u32) -> Result<u64, Failure> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("a process's memory is not shown")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
