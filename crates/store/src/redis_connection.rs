//! The connection to Redis: one server or a Redis Cluster, opened when it is first needed and again when it breaks.
//! No call waits longer than a second, one that a request waits for not longer than a tenth of that unless the address says
//! so, and while Redis is away calls fail at once instead of queueing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::{ClusterClient, ClusterConfig};
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    Client, Cmd, ConnectionInfo, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, ServerErrorKind, TlsCertificates, Value,
};
use tokio::time::Instant;

use crate::{Error, RedisAddresses, Transport};

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(900);

/// How long a call may take, whatever it waits for: connecting, other calls, Redis.
const CALL_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a call may take that a request waits for and can do without, unless the address says otherwise: together with
/// what a logout then waits out, it stays within its bound.
const HURRY: Duration = Duration::from_millis(100);

/// How long calls fail at once after one found Redis away. Then one call tries while the others go on failing at once, so that
/// an outage costs callers nothing but the first wait.
const PAUSE: Duration = Duration::from_millis(250);

/// After so long without an acknowledgement the kernel gives a TCP connection up: a peer that vanished without a
/// word would otherwise be waited for until the retransmissions end, a quarter of an hour later.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(3);

/// The key by which it is tried whether Redis takes writes.
const PROBE: &str = "bo:probe";

/// What a Redis that answers says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisHealth {
    /// It takes writes.
    Writable,
    /// It is a replica.
    ReadOnly,
    /// It refuses them for another reason: it is loading, its memory is full, its disk fails, replicas are missing.
    RefusesWrites,
}

/// A connection that clones cheaply and is used by many tasks at once. It speaks to `redis::cmd`, pipelines and
/// `redis::Script` like any connection of the `redis` crate.
#[derive(Clone)]
pub struct RedisConnection {
    route: Route,
    transport: Transport,
    /// How long a call may take.
    patience: Duration,
    pause: Arc<Pause>,
    /// Both for those in a hurry: that Redis did not answer them says little to whoever can wait.
    hurry: Duration,
    hurried: Arc<Pause>,
}

#[derive(Clone)]
enum Route {
    Server(ConnectionManager),
    Cluster(ClusterConnection),
}

/// Until when calls fail at once.
struct Pause {
    opened: Instant,
    until_millis: AtomicU64,
}

impl RedisConnection {
    /// Prepares a connection to the [`RedisAddresses`] in a text. Nothing is sent yet. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Those of [`RedisAddresses::parse`].
    pub fn open(addresses: &str) -> Result<Self, Error> {
        let addresses = RedisAddresses::parse(addresses)?;
        let (transport, certificates) = (addresses.transport(), addresses.certificates());
        let RedisAddresses { nodes, is_cluster, patience, .. } = addresses;
        let nodes = nodes.into_iter().map(|node| node.set_tcp_settings(tcp_settings())).collect();
        let route =
            if is_cluster { Route::Cluster(open_cluster(nodes, certificates)?) } else { Route::Server(open_server(nodes, certificates)?) };
        let (pause, hurried) = (Arc::new(Pause::none()), Arc::new(Pause::none()));
        Ok(Self { route, transport, patience: CALL_TIMEOUT, pause, hurry: patience.unwrap_or(HURRY), hurried })
    }

    /// The same connection for calls that a request waits for and can do without: they give up after a tenth of a second, or
    /// what the address says, and then fail at once for a while.
    #[must_use]
    pub fn hurried(self) -> Self {
        Self { patience: self.hurry, pause: Arc::clone(&self.hurried), ..self }
    }

    /// Whether keys are spread over several servers, so that one call can only touch keys of one hash slot.
    pub const fn is_cluster(&self) -> bool {
        matches!(self.route, Route::Cluster(_))
    }

    /// How what is said to Redis travels.
    pub const fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Asks whether Redis takes writes, by one: a replica, a full memory and a disk that fails all answer a PING.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`] if it does not answer.
    pub async fn health(&self) -> Result<RedisHealth, Error> {
        let mut connection = self.clone();
        let mut write = redis::cmd("SET");
        write.arg(PROBE).arg("").arg("PX").arg(1_000);
        match write.query_async::<()>(&mut connection).await {
            Ok(()) => Ok(RedisHealth::Writable),
            Err(error) => match error.kind() {
                ErrorKind::Server(ServerErrorKind::ReadOnly) => Ok(RedisHealth::ReadOnly),
                ErrorKind::Server(_) | ErrorKind::Extension => Ok(RedisHealth::RefusesWrites),
                _ => Err(error.into()),
            },
        }
    }

    /// Runs one call within the time allowed, and notes what it says about Redis.
    async fn bounded<T>(pause: &Pause, patience: Duration, call: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        if pause.is_on(patience) {
            return Err(io_error(std::io::ErrorKind::NotConnected, "Redis did not answer a moment ago"));
        }
        let outcome = match tokio::time::timeout(patience, call).await {
            Ok(outcome) => outcome,
            Err(_) => Err(io_error(std::io::ErrorKind::TimedOut, "Redis did not answer in time")),
        };
        match &outcome {
            Err(error) if error.is_timeout() || error.is_connection_refusal() => pause.begin(),
            // A refusal of the command is an answer too.
            Ok(_) | Err(_) => pause.end(),
        }
        outcome
    }
}

impl ConnectionLike for RedisConnection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        let call = match &mut self.route {
            Route::Server(connection) => connection.req_packed_command(cmd),
            Route::Cluster(connection) => connection.req_packed_command(cmd),
        };
        Box::pin(Self::bounded(&self.pause, self.patience, call))
    }

    fn req_packed_commands<'a>(&'a mut self, pipeline: &'a Pipeline, offset: usize, count: usize) -> RedisFuture<'a, Vec<Value>> {
        let call = match &mut self.route {
            Route::Server(connection) => connection.req_packed_commands(pipeline, offset, count),
            Route::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        };
        Box::pin(Self::bounded(&self.pause, self.patience, call))
    }

    fn get_db(&self) -> i64 {
        match &self.route {
            Route::Server(connection) => connection.get_db(),
            Route::Cluster(connection) => connection.get_db(),
        }
    }
}

impl fmt::Debug for RedisConnection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RedisConnection").field("is_cluster", &self.is_cluster()).finish_non_exhaustive()
    }
}

impl Pause {
    fn none() -> Self {
        Self { opened: Instant::now(), until_millis: AtomicU64::new(0) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether a call must fail at once. The one that finds the pause run out tries, for all.
    fn is_on(&self, patience: Duration) -> bool {
        let until = self.until_millis.load(Ordering::Relaxed);
        if until == 0 {
            return false;
        }
        // One that tries and is given up half-way holds the others back for no longer than it could have taken.
        let tried = self.after(patience + PAUSE);
        self.now() < until || self.until_millis.compare_exchange(until, tried, Ordering::Relaxed, Ordering::Relaxed).is_err()
    }

    fn begin(&self) {
        self.until_millis.store(self.after(PAUSE), Ordering::Relaxed);
    }

    fn end(&self) {
        if self.until_millis.load(Ordering::Relaxed) != 0 {
            self.until_millis.store(0, Ordering::Relaxed);
        }
    }

    fn after(&self, time: Duration) -> u64 {
        self.now().saturating_add(u64::try_from(time.as_millis()).unwrap_or(0))
    }
}

fn tcp_settings() -> TcpSettings {
    let settings = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(UNACKNOWLEDGED);
    settings
}

fn open_server(mut nodes: Vec<ConnectionInfo>, certificates: Option<TlsCertificates>) -> Result<ConnectionManager, Error> {
    let node = nodes.pop().ok_or_else(|| Error::Configuration("the address of Redis is empty".to_owned()))?;
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(CALL_TIMEOUT))
        // The next call tries again; retries in between would only make callers wait.
        .set_number_of_retries(0);
    let client = match certificates {
        Some(certificates) => Client::build_with_tls(node, certificates),
        None => Client::open(node),
    };
    let opened = client.and_then(|client| ConnectionManager::new_lazy_with_config(client, config));
    opened.map_err(|error| Error::Configuration(format!("Redis cannot be set up: {error}")))
}

fn open_cluster(nodes: Vec<ConnectionInfo>, certificates: Option<TlsCertificates>) -> Result<ClusterConnection, Error> {
    let builder = ClusterClient::builder(nodes);
    let client = match certificates {
        Some(certificates) => builder.certs(certificates),
        None => builder,
    };
    let client = client
        .tcp_settings(tcp_settings())
        .retries(3)
        .min_retry_wait(10)
        .max_retry_wait(100)
        .build()
        .map_err(|error| Error::Configuration(format!("the Redis Cluster cannot be set up: {error}")))?;
    let config = ClusterConfig::new().set_connection_timeout(CONNECT_TIMEOUT).set_response_timeout(CALL_TIMEOUT);
    Ok(client.get_pending_async_connection_with_config(config))
}

fn io_error(kind: std::io::ErrorKind, text: &'static str) -> RedisError {
    RedisError::from(std::io::Error::new(kind, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_absent_server_is_an_outage_and_the_next_call_does_not_wait_for_it() {
        let connection = RedisConnection::open("unix:///nowhere/redis.sock").unwrap();
        assert!(connection.health().await.unwrap_err().is_unavailable());
        let begun = Instant::now();
        assert!(connection.health().await.unwrap_err().is_unavailable());
        assert!(begun.elapsed() < Duration::from_millis(50));
    }
}
