//! A TCP proxy on the loopback between one node and one store. It delays, holds back, cuts one way or resets what passes,
//! and counts the calls.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::Failure;
use crate::calls::{CallCounter, Protocol};

/// What all proxies run on: a thread of their own, so that nothing on its way between a node and a store waits for the load's callers.
static ROADS: LazyLock<Option<Runtime>> = LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().ok());

/// What happens to what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Nothing.
    Fair,
    /// What the store answers arrives so much later.
    SlowAnswers(Duration),
    /// Nothing arrives on either side; connections stay, and what was sent arrives when it clears.
    Stalled,
    /// Nothing arrives at the store.
    CutToStore,
    /// Nothing arrives at the node.
    CutFromStore,
    /// Connections are reset, and new ones too.
    Reset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToStore,
    FromStore,
}

impl Weather {
    fn passes(self, way: Way) -> bool {
        match self {
            Self::Fair | Self::SlowAnswers(_) | Self::Reset => true,
            Self::Stalled => false,
            Self::CutToStore => way == Way::FromStore,
            Self::CutFromStore => way == Way::ToStore,
        }
    }

    fn delay(self, way: Way) -> Duration {
        match self {
            Self::SlowAnswers(delay) if way == Way::FromStore => delay,
            _ => Duration::ZERO,
        }
    }
}

/// A running proxy.
pub(crate) struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    calls: Arc<AtomicU64>,
}

impl Proxy {
    /// Starts one in front of a store that listens on a port of the loopback.
    pub(crate) async fn start(port: u16, protocol: Protocol) -> Result<Self, Failure> {
        let roads = ROADS.as_ref().ok_or("the proxies have no thread")?;
        let listener = roads.spawn(TcpListener::bind("127.0.0.1:0")).await??;
        let address = listener.local_addr()?;
        let (weather, seen) = watch::channel(Weather::Fair);
        let calls = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&calls);
        roads.spawn(async move {
            while let Ok((node, _)) = listener.accept().await {
                tokio::spawn(connect(node, port, seen.clone(), protocol, Arc::clone(&counted)));
            }
        });
        Ok(Self { address, weather, calls })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the weather, for connections that are open and those that come.
    pub(crate) fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// How many calls the node has sent since the start.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

async fn connect(node: TcpStream, port: u16, mut weather: watch::Receiver<Weather>, protocol: Protocol, calls: Arc<AtomicU64>) {
    if *weather.borrow_and_update() == Weather::Reset {
        let _ = node.set_zero_linger();
        return;
    }
    // A store that is down refuses; so does its proxy.
    let Ok(store) = TcpStream::connect(("127.0.0.1", port)).await else {
        let _ = node.set_zero_linger();
        return;
    };
    let _ = (node.set_nodelay(true), store.set_nodelay(true));
    let (from_node, to_node) = node.into_split();
    let (from_store, to_store) = store.into_split();
    let mut counter = CallCounter::new(protocol);
    let up = pump(from_node, to_store, weather.clone(), Way::ToStore, move |bytes| {
        calls.fetch_add(counter.count(bytes), Ordering::Relaxed);
    });
    let down = pump(from_store, to_node, weather, Way::FromStore, |_| {});
    // Either side's end is the end of both: nobody here closes one direction alone.
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}

/// Carries bytes one way until either side ends or the connection is reset.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
    way: Way,
    mut seen: impl FnMut(&[u8]),
) {
    let (queue, mut queued) = mpsc::channel::<(Instant, Vec<u8>)>(1024);
    let (mut skies, mut written) = (weather.clone(), weather.clone());
    let read = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length) = from.read(&mut buffer).await {
            if length == 0 {
                break;
            }
            seen(&buffer[..length]);
            let due = Instant::now() + skies.borrow_and_update().delay(way);
            if queue.send((due, buffer[..length].to_vec())).await.is_err() {
                return;
            }
        }
        drop(queue);
        // What was read before the end is still to be delivered.
        std::future::pending::<()>().await;
    };
    let write = async {
        while let Some((due, bytes)) = queued.recv().await {
            // The runtime's timer counts whole milliseconds: asked for an instant that has come, it still takes one.
            if due > Instant::now() {
                tokio::time::sleep_until(due).await;
            }
            if written.wait_for(|now| now.passes(way)).await.is_err() || to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    let reset = tokio::select! {
        () = read => false,
        () = write => false,
        changed = weather.wait_for(|now| *now == Weather::Reset) => changed.is_ok(),
    };
    if reset {
        let _ = (from.as_ref().set_zero_linger(), to.as_ref().set_zero_linger());
    }
}
