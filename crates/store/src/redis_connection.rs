//! The connection to Redis: one server or a Redis Cluster, opened when it is first needed and again when it breaks.
//! No call waits longer than a second, one that a request waits for not longer than a tenth of that, and while Redis is away
//! calls fail at once instead of queueing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::{ClusterClient, ClusterConfig};
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{Client, Cmd, ConnectionInfo, IntoConnectionInfo, Pipeline, RedisError, RedisFuture, RedisResult, Value};
use tokio::time::Instant;

use crate::Error;

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(900);

/// How long a call may take, whatever it waits for: connecting, other calls, Redis.
const CALL_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a call may take that a request waits for and can do without: together with what a logout then waits out, it
/// stays within its bound.
const HURRY: Duration = Duration::from_millis(100);

/// How long calls fail at once after one found Redis away. Then one call tries while the others go on failing at once, so that
/// an outage costs callers nothing but the first wait.
const PAUSE: Duration = Duration::from_millis(250);

/// After so long without an acknowledgement the kernel gives a TCP connection up: a peer that vanished without a
/// word would otherwise be waited for until the retransmissions end, a quarter of an hour later.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(3);

/// A connection that clones cheaply and is used by many tasks at once. It speaks to `redis::cmd`, pipelines and
/// `redis::Script` like any connection of the `redis` crate.
#[derive(Clone)]
pub struct RedisConnection {
    route: Route,
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
    /// Prepares a connection to `redis://[user:password@]host[:port][/database]` or, through a socket,
    /// `unix:///path` or `redis+unix:///path`. Several addresses separated by commas, or the parameter
    /// `cluster=true`, say that it is a Redis Cluster. Nothing is sent yet. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Configuration`] where the addresses cannot be read. The text does not repeat them: they hold passwords.
    pub fn open(addresses: &str) -> Result<Self, Error> {
        let mut nodes = Vec::new();
        let mut is_cluster = false;
        for address in addresses.split(',').map(str::trim).filter(|address| !address.is_empty()) {
            let (address, says_cluster) = without_cluster_parameter(address);
            is_cluster |= says_cluster;
            nodes.push(connection_info(&address)?);
        }
        is_cluster |= nodes.len() > 1;
        let route = if is_cluster { Route::Cluster(open_cluster(nodes)?) } else { Route::Server(open_server(nodes)?) };
        let (pause, hurried) = (Arc::new(Pause::none()), Arc::new(Pause::none()));
        Ok(Self { route, patience: CALL_TIMEOUT, pause, hurry: HURRY, hurried })
    }

    /// The same connection for calls that a request waits for and can do without: they give up after a tenth of a second,
    /// and then fail at once for a while.
    #[must_use]
    pub fn hurried(self) -> Self {
        Self { patience: self.hurry, pause: Arc::clone(&self.hurried), ..self }
    }

    /// The same with another measure of hurry, for tests that are not about it on machines that are busy.
    #[cfg(test)]
    pub(crate) fn with_hurry(self, hurry: Duration) -> Self {
        Self { hurry, ..self }
    }

    /// Whether keys are spread over several servers, so that one call can only touch keys of one hash slot.
    pub const fn is_cluster(&self) -> bool {
        matches!(self.route, Route::Cluster(_))
    }

    /// Asks whether Redis answers.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`].
    pub async fn ping(&self) -> Result<(), Error> {
        let mut connection = self.clone();
        Ok(redis::cmd("PING").query_async(&mut connection).await?)
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

/// Takes our own parameter out of an address.
fn without_cluster_parameter(address: &str) -> (String, bool) {
    let Some((base, query)) = address.split_once('?') else { return (address.to_owned(), false) };
    let (ours, others): (Vec<&str>, Vec<&str>) =
        query.split('&').partition(|parameter| *parameter == "cluster" || parameter.starts_with("cluster="));
    let is_cluster = ours.iter().any(|parameter| matches!(*parameter, "cluster" | "cluster=true" | "cluster=1"));
    let address = if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) };
    (address, is_cluster)
}

fn connection_info(address: &str) -> Result<ConnectionInfo, Error> {
    let info = address.into_connection_info().map_err(|_| {
        Error::Configuration("the address of Redis is redis://host:port or unix:///path; several with commas for a cluster".to_owned())
    })?;
    if !info.addr().is_supported() {
        return Err(Error::Configuration("Redis over TLS is not built in".to_owned()));
    }
    Ok(info.set_tcp_settings(tcp_settings()))
}

fn tcp_settings() -> TcpSettings {
    let settings = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(UNACKNOWLEDGED);
    settings
}

fn open_server(mut nodes: Vec<ConnectionInfo>) -> Result<ConnectionManager, Error> {
    let node = nodes.pop().ok_or_else(|| Error::Configuration("the address of Redis is empty".to_owned()))?;
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(CALL_TIMEOUT))
        // The next call tries again; retries in between would only make callers wait.
        .set_number_of_retries(0);
    let opened = Client::open(node).and_then(|client| ConnectionManager::new_lazy_with_config(client, config));
    opened.map_err(|error| Error::Configuration(format!("Redis cannot be set up: {error}")))
}

fn open_cluster(nodes: Vec<ConnectionInfo>) -> Result<ClusterConnection, Error> {
    let client = ClusterClient::builder(nodes)
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

    #[test]
    fn the_cluster_parameter_is_ours_and_the_others_are_left() {
        for (address, left, is_cluster) in [
            ("redis://a:1", "redis://a:1", false),
            ("redis://a:1?cluster=true", "redis://a:1", true),
            ("redis://a:1?cluster", "redis://a:1", true),
            ("redis://a:1?cluster=false&protocol=resp3", "redis://a:1?protocol=resp3", false),
        ] {
            assert_eq!(without_cluster_parameter(address), (left.to_owned(), is_cluster));
        }
    }

    #[tokio::test]
    async fn addresses_say_what_they_lead_to() {
        for (addresses, is_cluster) in [
            ("redis://localhost:6379/1", false),
            ("unix:///run/redis.sock", false),
            ("redis+unix:///run/redis.sock", false),
            ("redis://a:1?cluster=true", true),
            ("redis://a:1, redis://b:2", true),
        ] {
            assert_eq!(RedisConnection::open(addresses).unwrap().is_cluster(), is_cluster, "{addresses}");
        }
        for bad in ["", ",", "localhost:6379", "http://localhost", "rediss://localhost"] {
            let error = RedisConnection::open(bad).unwrap_err();
            assert!(matches!(error, Error::Configuration(_)), "{bad}: {error:?}");
        }
    }

    #[tokio::test]
    async fn an_absent_server_is_an_outage_and_the_next_call_does_not_wait_for_it() {
        let connection = RedisConnection::open("unix:///nowhere/redis.sock").unwrap();
        assert!(connection.ping().await.unwrap_err().is_unavailable());
        let begun = Instant::now();
        assert!(connection.ping().await.unwrap_err().is_unavailable());
        assert!(begun.elapsed() < Duration::from_millis(50));
    }
}
