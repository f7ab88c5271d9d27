//! A server as a child process.

use std::net::SocketAddr;
use std::process::ExitStatus;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::{Answer, Frontend, Pair, Request, call};

/// A running server. It is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    listening: Value,
    stdout: BufReader<ChildStdout>,
    log: JoinHandle<Vec<Value>>,
}

impl Server {
    /// Starts it, and waits for the line of its log that says that it listens.
    pub(crate) async fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = Vec::new();
        let (address, listening) = loop {
            let line = lines.next_line().await.unwrap().unwrap_or_else(|| panic!("the server ended before it listened: {seen:?}"));
            let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not a line of the log: {line}"));
            if line["message"] == "listening" {
                break (line["address"].as_str().unwrap().parse().unwrap(), line);
            }
            seen.push(line);
        };
        let log = tokio::spawn(async move {
            while let Some(line) = lines.next_line().await.unwrap() {
                seen.push(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
            seen
        });
        Self { child, address, listening, stdout, log }
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a port of its own listens: `admin`, `metrics` or `grpc`.
    pub(crate) fn address_of(&self, port: &str) -> SocketAddr {
        self.listening[port].as_str().unwrap_or_else(|| panic!("no {port} in {}", self.listening)).parse().unwrap()
    }

    /// What it prints up to the first line that contains this.
    pub(crate) async fn printed_until(&mut self, last: &str) -> String {
        let mut text = String::new();
        loop {
            let begin = text.len();
            assert_ne!(self.stdout.read_line(&mut text).await.unwrap(), 0, "`{last}` was not printed: {text}");
            if text[begin..].contains(last) {
                return text;
            }
        }
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn call(&self, request: &Request) -> Answer {
        call(self.address, request).await
    }

    /// The error code that a request is answered with, or `OK`.
    pub(crate) async fn code(&self, request: &Request) -> String {
        self.call(request).await.code()
    }

    /// Signs the user `lin` in.
    pub(crate) async fn sign_in(&self, frontend: &Frontend) -> Pair {
        Pair::of(&self.call(&frontend.login()).await)
    }

    /// Ends it as a power cut does (SIGKILL), at once.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to stop (SIGTERM), without waiting.
    pub(crate) async fn ask_to_stop(&self) {
        self.send_signal("-TERM").await;
    }

    /// Sends a signal, as `kill` names it.
    pub(crate) async fn send_signal(&self, signal: &str) {
        let process = self.child.id().expect("it runs").to_string();
        assert!(Command::new("kill").args([signal, &process]).status().await.unwrap().success());
    }

    /// Waits until it takes no more connections.
    pub(crate) async fn wait_until_refused(&self) {
        while tokio::net::TcpStream::connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// Waits for its end: how it went, what it printed, and its log.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String, Vec<Value>) {
        let mut printed = String::new();
        self.stdout.read_to_string(&mut printed).await.unwrap();
        (self.child.wait().await.unwrap(), printed, self.log.await.unwrap())
    }

    /// Stops it in good order; answers what it printed and its log.
    pub(crate) async fn stop(self) -> (String, Vec<Value>) {
        self.ask_to_stop().await;
        let (status, stdout, log) = self.ended().await;
        assert!(status.success(), "{status}: {log:?}");
        (stdout, log)
    }
}
