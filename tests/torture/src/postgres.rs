//! A real Postgres that can be killed, stopped and restarted.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::Failure;
use crate::process::{family_of, free_port, is_there, signal};

/// The server. It is stopped when this is dropped.
pub(crate) struct Postgres {
    directory: PathBuf,
    port: u16,
}

impl Postgres {
    /// Makes a cluster of databases and starts it.
    pub(crate) async fn start(directory: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(directory)?;
        if is_root()? {
            run(Command::new("chown").arg("postgres").arg(directory)).await?;
        }
        let postgres = Self { directory: directory.to_owned(), port: free_port()? };
        let data = postgres.data();
        run(as_postgres("initdb")?.arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "--no-locale", "-E", "UTF8"])).await?;
        postgres.launch().await?;
        Ok(postgres)
    }

    /// The port it listens on, always the same.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Starts it, and waits until it takes connections.
    pub(crate) async fn launch(&self) -> Result<(), Failure> {
        let port = self.port.to_string();
        for _ in 0..100 {
            let mut command = as_postgres("postgres")?;
            command.arg("-D").arg(self.data()).args(["-p", &port, "-k", ""]);
            // What is killed here is the processes, not the machine: what was written to the kernel stays.
            for setting in ["listen_addresses=127.0.0.1", "max_connections=200", "fsync=off", "dynamic_shared_memory_type=mmap"] {
                command.args(["-c", setting]);
            }
            let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
            loop {
                let mut ready = Command::new("pg_isready");
                ready.args(["-q", "-h", "127.0.0.1", "-p", &port]);
                if ready.status().await?.success() {
                    // Its end is noticed by whoever waits for it, and nobody must.
                    tokio::spawn(async move { child.wait().await });
                    return Ok(());
                }
                // What a killed one has left in shared memory keeps it from starting for a moment.
                if child.try_wait()?.is_some() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err("Postgres does not start".into())
    }

    fn family(&self) -> Result<Vec<u32>, Failure> {
        let text = std::fs::read_to_string(self.data().join("postmaster.pid"))?;
        let first = text.lines().next().and_then(|line| line.parse().ok()).ok_or("postmaster.pid cannot be read")?;
        Ok(family_of(first))
    }

    /// Ends all its processes at once.
    pub(crate) async fn kill(&self) -> Result<(), Failure> {
        self.end("KILL").await
    }

    /// Stops it in good order, without waiting for its clients.
    pub(crate) async fn stop(&self) -> Result<(), Failure> {
        let family = self.family()?;
        signal(&family[..1], "INT").await?;
        gone(&family).await;
        Ok(())
    }

    /// Lets all its processes stand still (`STOP`) or go on (`CONT`).
    pub(crate) async fn signal(&self, name: &str) -> Result<(), Failure> {
        signal(&self.family()?, name).await
    }

    async fn end(&self, name: &str) -> Result<(), Failure> {
        let family = self.family()?;
        signal(&family, name).await?;
        gone(&family).await;
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let Ok(family) = self.family() else { return };
        let signal = |name, family: &[u32]| {
            let processes = family.iter().map(u32::to_string);
            let _ = std::process::Command::new("kill").arg(name).args(processes).stderr(Stdio::null()).status();
        };
        // At once, and without leaving shared memory behind.
        signal("-QUIT", &family[..1]);
        let process = family[0].to_string();
        let _ = std::process::Command::new("timeout").args(["2", "tail", "-f", "/dev/null", "--pid", &process]).status();
        signal("-KILL", &family);
    }
}

async fn gone(family: &[u32]) {
    while family.iter().any(|process| is_there(*process)) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn is_root() -> Result<bool, Failure> {
    Ok(std::fs::metadata("/proc/self")?.uid() == 0)
}

/// A program of Postgres', which refuses to run as root.
fn as_postgres(program: &str) -> Result<Command, Failure> {
    let mut command = if is_root()? {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--", program]);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    Ok(command)
}

async fn run(command: &mut Command) -> Result<(), Failure> {
    let output = command.output().await?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}
