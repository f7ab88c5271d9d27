//! A data directory with the options of its stores, and commands that are run on it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::{Frontend, Server};
use crate::support::TestApp;

/// A data directory of its own, and where its commands and servers keep things.
pub(crate) struct Place {
    scratch: TempDir,
    data: PathBuf,
    variables: Vec<(&'static str, String)>,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// What it printed, where it succeeded.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        &self.stdout
    }

    /// What it printed as JSON, where it succeeded.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Why it failed, as it says on standard error.
    #[track_caller]
    pub(crate) fn failure(&self) -> &str {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{self:?}");
        self.stderr.trim_end()
    }
}

impl Place {
    /// With the embedded database, and nothing there yet.
    pub(crate) fn embedded() -> Self {
        // Short, since a socket stands below it.
        let scratch = tempfile::Builder::new().prefix("bo-").tempdir().unwrap();
        Self { data: scratch.path().join("data"), scratch, variables: Vec::new() }
    }

    /// The stores of a test's own server, which is stopped: child processes take its place.
    pub(crate) async fn of(app: &TestApp) -> Self {
        app.stop().await;
        let mut place = Self::embedded();
        place.data = app.data();
        place.variables = vec![("BO_AUTH_MASTER_KEY", app.master_key()), ("BO_AUTH_CACHE", app.backend().cache_type().to_owned())];
        if let Some(database_url) = app.database_url() {
            let redis_url = std::env::var("REDIS_URL").expect("the test's own server uses it");
            place.variables.extend([("DATABASE_URL", database_url.to_owned()), ("REDIS_URL", redis_url)]);
        }
        place
    }

    /// The same stores by other options.
    pub(crate) fn with_variable(mut self, name: &'static str, value: &str) -> Self {
        self.variables.retain(|(other, _)| *other != name);
        self.variables.push((name, value.to_owned()));
        self
    }

    /// The data directory. Where it is not there, the first command or server makes it.
    pub(crate) fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// A directory for files that commands read.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Writes a file for a command to read; answers its path.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.scratch.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The binary, with none of this process's variables.
    pub(crate) fn binary(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bo-auth"));
        command.args(arguments).env_clear().envs(self.variables.iter().cloned()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// A command on this data directory.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.binary(arguments);
        command.arg("--data").arg(self.data());
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        finish(self.command(arguments)).await
    }

    /// Runs a command that must succeed with `--json`, and answers what it printed.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--json"]].concat()).await.json()
    }

    /// Runs a command with this text on its standard input.
    pub(crate) async fn run_with_input(&self, arguments: &[&str], input: &str) -> Finished {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        finished(child.wait_with_output().await.unwrap())
    }

    /// A tenant with rates that no test reaches, a system `web`, and a user `lin`.
    pub(crate) async fn with_tenant(&self, owner: &str) -> Frontend {
        let rates = ["addressRequestsPerMinute", "tenantRequestsPerMinute", "accountLoginsPerMinute"].map(|name| format!("{name}=4000000"));
        let settings: Vec<&str> = rates.iter().flat_map(|rate| ["--setting", rate.as_str()]).collect();
        let added = self.json(&[&["tenant", "add", "--owner", owner, "--des-key", "k3y-of-a"], settings.as_slice()].concat()).await;
        assert_eq!(added["desKey"], "k3y-of-a");
        let password = self.file("password", Frontend::PASSWORD);
        self.json(&["user", "add", "--owner", owner, "--account", "lin", "--id", "u-lin", "--password-file", &password]).await;
        Frontend::new(owner, "k3y-of-a")
    }

    /// Starts a server on a free port, and waits until it listens.
    pub(crate) async fn serve(&self, arguments: &[&str]) -> Server {
        Server::start(self.serve_command(arguments)).await
    }

    /// `serve` with passwords that cost next to nothing.
    pub(crate) fn serve_command(&self, arguments: &[&str]) -> Command {
        let cheap = ["--argon2-memory", "64KiB", "--argon2-iterations", "1", "--address-requests-per-minute", "4000000"];
        self.command(&[&["serve", "--listen", "127.0.0.1:0"], &cheap[..], arguments].concat())
    }
}

/// Runs a command to its end.
pub(crate) async fn finish(mut command: Command) -> Finished {
    finished(command.output().await.unwrap())
}

fn finished(output: std::process::Output) -> Finished {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Finished { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}
