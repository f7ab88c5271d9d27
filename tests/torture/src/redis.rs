//! A real Redis that can be killed, stopped, flushed and filled.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::Failure;
use crate::process::{free_port, signal};

/// The server.
pub(crate) struct Redis {
    directory: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Redis {
    /// Starts an empty one.
    pub(crate) async fn start(directory: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(directory)?;
        let mut redis = Self { directory: directory.to_owned(), port: free_port()?, child: None };
        redis.launch().await?;
        Ok(redis)
    }

    /// The port it listens on, always the same.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Starts it, with nothing in it but the copy that `SAVE` has written.
    pub(crate) async fn launch(&mut self) -> Result<(), Failure> {
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(["--maxmemory-policy", "noeviction"]).current_dir(&self.directory);
        self.child = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn()?);
        for _ in 0..200 {
            if self.call(&["PING"]).await.is_ok_and(|answer| answer == "+PONG") {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err("Redis does not start".into())
    }

    /// Removes the copy that `SAVE` has written, so that the next one starts with nothing in it.
    pub(crate) fn forget_copy(&self) -> Result<(), Failure> {
        Ok(std::fs::remove_file(self.directory.join("dump.rdb"))?)
    }

    /// Ends it as a power cut does.
    pub(crate) async fn kill(&mut self) -> Result<(), Failure> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Lets it stand still (`STOP`) or go on (`CONT`).
    pub(crate) async fn signal(&self, name: &str) -> Result<(), Failure> {
        let process = self.child.as_ref().and_then(Child::id).ok_or("Redis does not run")?;
        signal(&[process], name).await
    }

    /// Sends a command; answers the first line of the reply.
    pub(crate) async fn call(&self, arguments: &[&str]) -> Result<String, Failure> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let mut text = format!("*{}\r\n", arguments.len());
        for argument in arguments {
            // Writing to a string cannot fail.
            let _ = write!(text, "${}\r\n{argument}\r\n", argument.len());
        }
        stream.write_all(text.as_bytes()).await?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await?;
        Ok(line.trim_end().to_owned())
    }

    /// Sends a command that must succeed.
    pub(crate) async fn must(&self, arguments: &[&str]) -> Result<(), Failure> {
        let answer = self.call(arguments).await?;
        if answer == "+OK" { Ok(()) } else { Err(format!("Redis answered {answer} to {arguments:?}").into()) }
    }
}
