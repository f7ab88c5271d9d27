//! The accept loop: hyper with the limits a public port needs, and a shutdown that finishes what was begun.

mod accept;
mod activity;
mod body;
mod connection;
mod limits;
mod refusal;
#[cfg(test)]
mod tests;
mod wire;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use metrics::{Counter, Gauge, counter, gauge};
use poem::Endpoint;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};

pub use self::limits::Limits;
pub use self::refusal::{Answer, Refusal};

use self::accept::Accepting;
use self::connection::{Connections, Stage};
use self::refusal::Answers;

/// How many connections the kernel keeps for us before we take them.
const BACKLOG: u32 = 4096;

/// A bound port that does not serve yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    limits: Limits,
    answers: Answers,
}

/// What became of the connections that were open when the shutdown began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainReport {
    /// Connections that were open when the shutdown began.
    pub open: usize,
    /// Those of them that were cut at the deadline with a request still in flight.
    pub cut: usize,
    /// How long the shutdown took.
    pub took: Duration,
}

impl Listener {
    /// Binds `address`; port 0 takes any free one. To be called inside the runtime.
    ///
    /// # Errors
    /// Where the address is taken or not this machine's.
    pub fn bind(address: SocketAddr, limits: Limits) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let socket = socket.listen(BACKLOG)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address, limits: limits.bounded(), answers: Answers::default() })
    }

    /// Sets how requests are answered that cannot even be parsed. Asked once for each [`Refusal`], here.
    #[must_use]
    pub fn answer_refusals(mut self, answer: impl Fn(Refusal) -> Answer) -> Self {
        self.answers = Answers::of(answer);
        self
    }

    /// The address that was bound, with its true port.
    pub const fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `endpoint` until `shutdown` is ready, then lets what is in flight finish, up to
    /// [`Limits::shutdown_deadline`]. Dropping this future cuts every connection.
    pub async fn serve<E>(self, endpoint: E, shutdown: impl Future<Output = ()>) -> DrainReport
    where
        E: Endpoint + 'static,
    {
        let Self { socket, address, limits, answers } = self;
        let places = Arc::new(Semaphore::new(limits.connections));
        let (stage, _) = watch::channel(Stage::Serving);
        let connections = Arc::new(Connections::new(endpoint, address, limits, answers));
        let mut accepting = Accepting::new(socket);
        let mut shutdown = pin!(shutdown);
        let counts = Counts::new();
        loop {
            // A place first, a connection second: at the cap the kernel's queue holds what comes, at no cost to us.
            let place = tokio::select! {
                biased;
                () = &mut shutdown => break,
                place = counts.place(&places) => place,
            };
            let (stream, peer) = tokio::select! {
                biased;
                () = &mut shutdown => break,
                accepted = accepting.next() => accepted,
            };
            counts.accepted.increment(1);
            let open = OpenConnection::new(&counts.open);
            let (connections, stage) = (Arc::clone(&connections), stage.subscribe());
            tokio::spawn(async move {
                connections.serve(stream, peer, stage).await;
                drop((open, place));
            });
        }
        drop(accepting);
        drain(&places, &stage, &connections.cut, limits).await
    }
}

/// Waits for all places to come back; cuts the connections that still hold one at the deadline.
async fn drain(places: &Semaphore, stage: &watch::Sender<Stage>, cut: &AtomicUsize, limits: Limits) -> DrainReport {
    let began = Instant::now();
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    let open = limits.connections - places.available_permits();
    stage.send_replace(Stage::Draining);
    if timeout(limits.shutdown_deadline, places.acquire_many(all)).await.is_err() {
        stage.send_replace(Stage::Cutting);
        // Every connection drops what it holds as soon as it is polled; the bound guards against a handler that blocks its thread.
        let _ = timeout(Duration::from_secs(1), places.acquire_many(all)).await;
    }
    DrainReport { open, cut: cut.load(Ordering::Acquire), took: began.elapsed() }
}

/// Handles of the accept loop's metrics, looked up once.
struct Counts {
    accepted: Counter,
    waited: Counter,
    open: Gauge,
}

impl Counts {
    fn new() -> Self {
        Self {
            accepted: counter!("bo_auth_connections_total"),
            waited: counter!("bo_auth_connections_cap_reached_total"),
            open: gauge!("bo_auth_connections"),
        }
    }

    /// Waits for a free place, and counts that it had to. The semaphore is never closed, so there always will be one.
    async fn place(&self, places: &Arc<Semaphore>) -> Option<tokio::sync::OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(places).try_acquire_owned() {
            return Some(place);
        }
        self.waited.increment(1);
        Arc::clone(places).acquire_owned().await.ok()
    }
}

/// Counts a connection as open for as long as it lives, however it ends.
struct OpenConnection(Gauge);

impl OpenConnection {
    fn new(gauge: &Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge.clone())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
