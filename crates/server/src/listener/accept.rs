//! Taking connections from the kernel, and waiting where it has none to give.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use metrics::{Counter, counter};
use tokio::net::{TcpListener, TcpStream};

const SHORTEST_WAIT: Duration = Duration::from_millis(5);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The accepting side of a port.
pub(super) struct Accepting {
    socket: TcpListener,
    wait: Duration,
    errors: Counter,
}

impl Accepting {
    pub(super) fn new(socket: TcpListener) -> Self {
        Self { socket, wait: SHORTEST_WAIT, errors: counter!("bo_auth_accept_errors_total") }
    }

    /// The next connection. Where the machine has run out of descriptors or memory this waits, longer each time,
    /// instead of spinning on an error that stays until somebody leaves.
    pub(super) async fn next(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    self.wait = SHORTEST_WAIT;
                    // Refused only where the peer has gone already, which the first read then shows.
                    let _ = stream.set_nodelay(true);
                    return (stream, peer);
                }
                Err(error) if is_of_the_peer(&error) => self.errors.increment(1),
                Err(error) => {
                    self.errors.increment(1);
                    if self.wait == SHORTEST_WAIT {
                        tracing::warn!(%error, "cannot accept connections for now; raise the limit of open files if this stays");
                    }
                    tokio::time::sleep(self.wait).await;
                    self.wait = (self.wait * 2).min(LONGEST_WAIT);
                }
            }
        }
    }
}

/// Whether the error concerns one peer that left while it was waiting, and not the machine.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_of_descriptors_is_not_the_peers_doing() {
        const TOO_MANY_OPEN_FILES: i32 = 24;
        assert!(!is_of_the_peer(&io::Error::from_raw_os_error(TOO_MANY_OPEN_FILES)));
        assert!(is_of_the_peer(&io::ErrorKind::ConnectionAborted.into()));
    }
}
