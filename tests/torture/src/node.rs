//! A node: the server's own binary as a child process, which can be killed, stopped, and started again where it was.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::Failure;
use crate::frontend::plain;
use crate::process::signal;
use crate::wire::call;

/// How long a node may take to answer.
const START: Duration = Duration::from_secs(30);

/// A node's process, and how to start it again.
pub(crate) struct Node {
    binary: PathBuf,
    arguments: Vec<String>,
    log: PathBuf,
    listens: SocketAddr,
    child: Option<Child>,
}

impl Node {
    /// Describes a node; it does not run yet.
    pub(crate) fn new(binary: &Path, arguments: Vec<String>, log: PathBuf) -> Result<Self, Failure> {
        let listens = SocketAddr::from(([127, 0, 0, 1], crate::process::free_port()?));
        Ok(Self { binary: binary.to_owned(), arguments, log, listens, child: None })
    }

    /// Where it listens, always the same.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.listens
    }

    /// Takes another version of the server from the next start on.
    pub(crate) fn use_binary(&mut self, binary: &Path) {
        binary.clone_into(&mut self.binary);
    }

    /// Starts it with these variables in its environment and nothing else, and waits until it answers.
    pub(crate) async fn start(&mut self, variables: &BTreeMap<String, String>) -> Result<(), Failure> {
        if self.launch(variables).await? { Ok(()) } else { Err(self.does_not_start()) }
    }

    /// The same for one that is to die at some step, and may come to it before it has answered once.
    pub(crate) async fn start_to_die(&mut self, variables: &BTreeMap<String, String>) -> Result<(), Failure> {
        self.launch(variables).await.map(drop)
    }

    /// Runs it until it answers; false where it ended before.
    async fn launch(&mut self, variables: &BTreeMap<String, String>) -> Result<bool, Failure> {
        let mut command = Command::new(&self.binary);
        command.arg("serve").args(["--listen", &self.listens.to_string()]).args(&self.arguments);
        command.env_clear().envs(variables).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log)?;
        let mut child = command.stderr(log).spawn()?;
        let begun = Instant::now();
        while !call(self.listens, &plain("/healthz")).await.is_ok_and(|answer| answer.status == 200) {
            if child.try_wait()?.is_some() {
                return Ok(false);
            }
            if begun.elapsed() > START {
                return Err(self.does_not_start());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.child = Some(child);
        Ok(true)
    }

    fn does_not_start(&self) -> Failure {
        format!("a node does not start; see {}", self.log.display()).into()
    }

    /// Ends it as a power cut does, where it runs.
    pub(crate) async fn kill(&mut self) -> Result<(), Failure> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Stops it in good order.
    pub(crate) async fn stop(&mut self) -> Result<(), Failure> {
        if let Some(mut child) = self.child.take() {
            signal(&[child.id().ok_or("the node has ended by itself")?], "TERM").await?;
            child.wait().await?;
        }
        Ok(())
    }

    /// Waits for its end by itself; false where it still runs after this time.
    pub(crate) async fn ends_within(&mut self, time: Duration) -> bool {
        let Some(child) = &mut self.child else { return true };
        let ended = tokio::time::timeout(time, child.wait()).await.is_ok();
        if ended {
            self.child = None;
        }
        ended
    }

    /// Lets it stand still (`STOP`) or go on (`CONT`).
    pub(crate) async fn signal(&self, name: &str) -> Result<(), Failure> {
        let process = self.child.as_ref().and_then(Child::id).ok_or("the node does not run")?;
        signal(&[process], name).await
    }
}

/// The nodes' addresses, as callers know them.
pub(crate) type Addresses = Arc<[SocketAddr]>;
