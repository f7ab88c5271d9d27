//! Processes as the kernel knows them: signals to them, and who their children are.

use std::net::TcpListener;

use tokio::process::Command;

use crate::Failure;

/// Sends a signal, named as `kill` names it.
pub(crate) async fn signal(processes: &[u32], name: &str) -> Result<(), Failure> {
    let mut command = Command::new("kill");
    command.arg(format!("-{name}")).args(processes.iter().map(u32::to_string));
    // A process that has just ended by itself is no failure.
    command.stderr(std::process::Stdio::null()).status().await?;
    Ok(())
}

/// A process and all that came from it.
pub(crate) fn family_of(process: u32) -> Vec<u32> {
    let mut family = vec![process];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        family.extend(children.split_whitespace().filter_map(|text| text.parse::<u32>().ok()));
        next += 1;
    }
    family
}

/// Whether a process is there and not a zombie.
pub(crate) fn is_there(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in parentheses may hold anything.
    status.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> Result<u16, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
