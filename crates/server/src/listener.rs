//! The accept loop: hyper with the limits a public port needs, and a shutdown that finishes what was begun.

mod accept;
mod activity;
mod body;
mod clients;
mod connection;
mod frames;
mod limits;
mod refusal;
#[cfg(test)]
mod tests;
mod unsent;
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
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout};

pub use self::limits::Limits;
pub use self::refusal::{Answer, Refusal};

use self::accept::Accepting;
use self::activity::Activity;
use self::clients::Clients;
use self::connection::{Connections, Stage};
use self::refusal::Answers;
use crate::proxy::TrustedProxies;

/// How many connections the kernel keeps for us before we take them.
const BACKLOG: u32 = 4096;

/// What the kernel keeps for a peer that reads slowly. Without a bound it is megabytes.
const SEND_BUFFER: u32 = 128 * 1024;

/// If nobody is idle, so often is looked again for who has become so, while a newcomer waits.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A bound port that does not serve yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    limits: Limits,
    answers: Answers,
    proxies: TrustedProxies,
}

/// What became of the connections that were open when the shutdown began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
        // Connections inherit it.
        socket.set_send_buffer_size(SEND_BUFFER)?;
        socket.bind(address)?;
        let socket = socket.listen(BACKLOG)?;
        let address = socket.local_addr()?;
        let (limits, answers, proxies) = (limits.bounded(), Answers::default(), TrustedProxies::default());
        Ok(Self { socket, address, limits, answers, proxies })
    }

    /// Names the proxies, each of which may hold as many connections as there are.
    #[must_use]
    pub fn except_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = proxies;
        self
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
        let Self { socket, address, limits, answers, proxies } = self;
        let places = Arc::new(Semaphore::new(limits.connections));
        let (stage, _) = watch::channel(Stage::Serving);
        let connections = Arc::new(Connections::new(endpoint, address, limits, answers));
        let clients = Arc::new(Clients::new(limits, proxies));
        let mut accepting = Accepting::new(socket);
        let mut shutdown = pin!(shutdown);
        let counts = Counts::new();
        loop {
            let (stream, peer) = tokio::select! {
                biased;
                () = &mut shutdown => break,
                accepted = accepting.next() => accepted,
            };
            counts.accepted.increment(1);
            // Looked at first, so that a client at its own cap pushes out nobody else.
            if !clients.has_room_for(peer.ip()) {
                counts.refused.increment(1);
                continue;
            }
            let place = tokio::select! {
                biased;
                () = &mut shutdown => break,
                place = counts.place(&places, &clients) => place,
            };
            let open = OpenConnection::new(&counts.open);
            let activity = Arc::new(Activity::new());
            let entered = clients.enter(peer.ip(), &activity);
            let (connections, stage) = (Arc::clone(&connections), stage.subscribe());
            tokio::spawn(async move {
                connections.serve(stream, peer, &activity, stage).await;
                drop((entered, open, place));
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
    refused: Counter,
    waited: Counter,
    open: Gauge,
}

impl Counts {
    fn new() -> Self {
        Self {
            accepted: counter!("bo_auth_connections_total"),
            refused: counter!("bo_auth_connections_refused_total"),
            waited: counter!("bo_auth_connections_cap_reached_total"),
            open: gauge!("bo_auth_connections"),
        }
    }

    /// A free place, which at the cap the connection gives up that has been idle longest. The semaphore is never closed, so
    /// there always will be one.
    async fn place(&self, places: &Arc<Semaphore>, clients: &Clients) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(places).try_acquire_owned() {
            return Some(place);
        }
        self.waited.increment(1);
        loop {
            clients.evict_oldest();
            if let Ok(place) = timeout(LOOK_AGAIN, Arc::clone(places).acquire_owned()).await {
                return place.ok();
            }
        }
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
