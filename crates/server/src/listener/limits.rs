//! What one connection, and all of them together, may take.

use std::time::Duration;

use bo_auth_core::address::ClientPrefix;

/// Limits of a [`Listener`](super::Listener).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many connections are served at once. One more pushes out the one that has been idle longest; if none is idle, it
    /// waits in the kernel's queue.
    pub connections: usize,
    /// How many of them one client may hold, proxies excepted.
    pub connections_per_client: usize,
    /// Which clients count as one.
    pub client_prefix: ClientPrefix,
    /// Bytes of a request's line and headers together, 8 KiB to 1 MiB. There may also be at most 100 headers.
    pub header_bytes: usize,
    /// From the accept to the end of the first request's headers.
    pub first_request_timeout: Duration,
    /// From the first byte of a later request to the end of its headers.
    pub header_timeout: Duration,
    /// How long a peer may take nothing of an answer.
    pub answer_timeout: Duration,
    /// How long a connection is kept that has nothing to do.
    pub idle_timeout: Duration,
    /// Requests in flight at once on one HTTP/2 connection.
    pub streams: u32,
    /// How long what is in flight may take once the shutdown has begun.
    pub shutdown_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_client: 1_000,
            client_prefix: ClientPrefix::default(),
            header_bytes: 64 * 1024,
            first_request_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(75),
            streams: 128,
            shutdown_deadline: Duration::from_secs(20),
        }
    }
}

impl Limits {
    /// The same limits, brought to where hyper and the semaphore do not refuse them.
    pub(super) fn bounded(self) -> Self {
        Self {
            connections: self.connections.clamp(1, 1 << 24),
            connections_per_client: self.connections_per_client.max(1),
            header_bytes: self.header_bytes.clamp(8 * 1024, 1024 * 1024),
            streams: self.streams.max(1),
            ..self
        }
    }
}
