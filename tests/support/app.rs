//! The server under test: built as `bo-auth serve` builds it, on a free port, with a clock that tests move.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bo_auth_core::address::ClientPrefix;
use bo_auth_core::password::{PasswordCost, PasswordHasher};
use bo_auth_core::random::SystemRandom;
use bo_auth_core::sealing::MasterKey;
use bo_auth_core::time::{Clock, SettableClock, SystemClock, Timestamp};
use bo_auth_server::app::App;
use bo_auth_server::configuration::{
    CacheChoice, Configuration, LegacyConfiguration, PasswordCost as ConfiguredCost, Secret, StoreConfiguration,
};
use bo_auth_server::listener::{DrainReport, Limits};
use bo_auth_server::proxy::TrustedProxies;
use bo_auth_service::Service;
use bo_auth_service::operator::{Author, Change, Operator};
use bytes::Bytes;
use http::Method;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::backend::{Backend, Stores};
use super::{Tenant, TestRequest};

/// What Argon2id is run with: as little as it takes.
pub(crate) const CHEAP: PasswordCost = PasswordCost { memory_kib: 64, iterations: 1, lanes: 1 };

/// More than any test sends.
const PLENTY_PER_MINUTE: u32 = 100_000_000;

/// A Redis that is not there.
pub(crate) const NO_REDIS: &str = "redis+unix:///nowhere/redis.sock";

/// The client that all requests of one node go through.
pub(crate) type HttpClient = Client<HttpConnector, Full<Bytes>>;

/// A running server. Its tenants and sessions stay usable when it is started again.
pub(crate) struct TestApp {
    pub(crate) node: Arc<Node>,
    stores: Arc<StoresOfTest>,
}

/// The stores, and every node on them.
pub(crate) struct StoresOfTest {
    pub(crate) backend: Backend,
    database_url: Option<String>,
    second_data: PathBuf,
    nodes: Mutex<Vec<Arc<Node>>>,
}

impl StoresOfTest {
    /// Stops what still runs; a server that does not stop fails its test.
    pub(crate) async fn stop_all(&self) {
        let nodes = std::mem::take(&mut *self.nodes.lock().unwrap_or_else(PoisonError::into_inner));
        for node in nodes {
            node.stop().await;
        }
    }
}

/// One server process, so to speak: it may be stopped and started again on its data directory.
pub(crate) struct Node {
    pub(crate) clock: Arc<SettableClock>,
    pub(crate) client: HttpClient,
    configuration: Mutex<Configuration>,
    running: RwLock<Running>,
}

struct Running {
    service: Arc<Service>,
    address: SocketAddr,
    server: Option<(oneshot::Sender<()>, JoinHandle<DrainReport>)>,
}

impl TestApp {
    pub(super) async fn start(stores: &Stores) -> Self {
        let clock = Arc::new(SettableClock::new(SystemClock.now()));
        let data = stores.new_data_directory();
        let master_key = MasterKey::generate(&SystemRandom::default()).unwrap().to_text().to_string();
        let store = StoreConfiguration {
            database: stores.database(&data),
            data,
            cache: stores.cache(),
            single_node: stores.backend != Backend::Redis,
            master_key: Some(Secret::new(master_key)),
        };
        let configuration = Configuration {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            demo: false,
            admin: true,
            admin_listen: None,
            metrics_listen: None,
            trusted_proxies: TrustedProxies::default(),
            store,
            limits: Limits::default(),
            request_timeout: Duration::from_secs(10),
            body_limit: 64 << 10,
            address_requests_per_minute: PLENTY_PER_MINUTE,
            client_prefix: ClientPrefix::default(),
            revocation_memory: 1 << 20,
            password_cost: ConfiguredCost { memory_kib: CHEAP.memory_kib, iterations: CHEAP.iterations, lanes: CHEAP.lanes },
            password_concurrency: 2,
            legacy: LegacyConfiguration::default(),
        };
        let node = Arc::new(Node::start(configuration, clock).await);
        let stores = StoresOfTest {
            backend: stores.backend,
            database_url: stores.database_url().map(str::to_owned),
            second_data: stores.new_data_directory(),
            nodes: Mutex::new(vec![Arc::clone(&node)]),
        };
        Self { node, stores: Arc::new(stores) }
    }

    pub(super) fn nodes(&self) -> Arc<StoresOfTest> {
        Arc::clone(&self.stores)
    }

    /// What the test runs on.
    pub(crate) fn backend(&self) -> Backend {
        self.stores.backend
    }

    /// A second server on the same Postgres and Redis, with the same clock.
    pub(crate) async fn second_node(&self) -> Self {
        assert_eq!(self.backend(), Backend::Redis, "only Postgres and Redis are shared");
        let mut configuration = self.node.configuration();
        configuration.store.data.clone_from(&self.stores.second_data);
        let node = Arc::new(Node::start(configuration, Arc::clone(&self.node.clock)).await);
        self.stores.nodes.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&node));
        Self { node, stores: Arc::clone(&self.stores) }
    }

    /// A second server on the same Postgres that reaches no Redis, with the same clock.
    pub(crate) async fn node_without_redis(&self) -> Self {
        assert_eq!(self.backend(), Backend::Redis, "only Postgres is shared");
        let mut configuration = self.node.configuration();
        configuration.store.data.clone_from(&self.stores.second_data);
        configuration.store.cache = CacheChoice::Redis(Secret::new(NO_REDIS.to_owned()));
        let node = Arc::new(Node::start(configuration, Arc::clone(&self.node.clock)).await);
        self.stores.nodes.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&node));
        Self { node, stores: Arc::clone(&self.stores) }
    }

    /// A service on the same Postgres and Redis of which nothing runs beside what a test asks of it: its tasks have ended with its
    /// server. A lease that it got in between runs out.
    pub(crate) async fn idle_service(&self) -> Arc<Service> {
        assert_eq!(self.backend(), Backend::Redis, "only Postgres and Redis are shared");
        let mut configuration = self.node.configuration();
        configuration.store.data.clone_from(&self.stores.second_data);
        let app = App::build(&configuration, Arc::clone(&self.node.clock) as Arc<dyn Clock>).await.unwrap();
        Arc::clone(app.service())
    }

    /// The use cases and stores behind the wire.
    pub(crate) fn service(&self) -> Arc<Service> {
        self.node.service()
    }

    /// The address the server listens on now.
    pub(crate) fn address(&self) -> SocketAddr {
        self.node.address()
    }

    /// The master key, as text.
    pub(crate) fn master_key(&self) -> String {
        self.node.master_key()
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.node.configuration().store.data
    }

    /// The URL of the test's own Postgres database, where it has one.
    pub(crate) fn database_url(&self) -> Option<&str> {
        self.stores.database_url.as_deref()
    }

    /// Moves the clock of all nodes of this test later.
    pub(crate) fn advance(&self, duration: Duration) {
        self.node.clock.advance(duration);
    }

    /// The present instant, as the servers see it.
    pub(crate) fn now(&self) -> Timestamp {
        self.node.clock.now()
    }

    /// Stops gracefully.
    pub(crate) async fn stop(&self) -> DrainReport {
        self.node.stop().await.expect("the server runs")
    }

    /// Starts again on the same data directory, after a [`TestApp::stop`].
    pub(crate) async fn start_again(&self) {
        self.node.start_again().await;
    }

    /// Stops and starts again.
    pub(crate) async fn restart(&self) {
        self.stop().await;
        self.start_again().await;
    }

    /// Stops, and starts again with other options.
    pub(crate) async fn restart_with(&self, change: impl FnOnce(&mut Configuration)) {
        self.stop().await;
        change(&mut self.node.configuration.lock().unwrap_or_else(PoisonError::into_inner));
        self.start_again().await;
    }

    /// A tenant with a system `web`, HS256 and no limits a test could meet; its owner id begins with the name.
    pub(crate) async fn with_tenant(&self, name: &str) -> Tenant {
        self.with_tenant_of(name, bo_auth_core::signing_key::Algorithm::HS256).await
    }

    /// The same, with access tokens signed by another algorithm.
    pub(crate) async fn with_tenant_of(&self, name: &str, algorithm: bo_auth_core::signing_key::Algorithm) -> Tenant {
        Tenant::add(&self.node, name, algorithm).await
    }

    /// A request without any header or parameter, to any path.
    pub(crate) fn bare_request(&self, method: Method, path: &str) -> TestRequest {
        TestRequest::new(&self.node, method, path)
    }
}

impl Node {
    async fn start(configuration: Configuration, clock: Arc<SettableClock>) -> Self {
        let running = Running::start(&configuration, &clock).await;
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { clock, client, configuration: Mutex::new(configuration), running: RwLock::new(running) }
    }

    fn configuration(&self) -> Configuration {
        self.configuration.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn service(&self) -> Arc<Service> {
        Arc::clone(&self.running.read().unwrap_or_else(PoisonError::into_inner).service)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.read().unwrap_or_else(PoisonError::into_inner).address
    }

    fn master_key(&self) -> String {
        self.configuration().store.master_key.map(|key| key.expose().to_owned()).expect("tests set it")
    }

    /// The master key itself.
    pub(crate) fn parsed_master_key(&self) -> MasterKey {
        MasterKey::parse(&self.master_key()).unwrap()
    }

    async fn stop(&self) -> Option<DrainReport> {
        let server = self.running.write().unwrap_or_else(PoisonError::into_inner).server.take();
        let (stop, done) = server?;
        // A server that has ended by itself does not listen.
        let _ = stop.send(());
        Some(done.await.expect("the server does not panic"))
    }

    async fn start_again(&self) {
        let running = Running::start(&self.configuration(), &self.clock).await;
        *self.running.write().unwrap_or_else(PoisonError::into_inner) = running;
    }

    /// What an operator works with beside this server.
    pub(crate) fn operator(&self) -> Operator {
        let service = self.service();
        Operator {
            db: service.db.clone(),
            cache: Some(service.cache.clone()),
            revocations: (!self.configuration().store.single_node).then(|| service.revocations.clone()),
            master_key: Arc::new(self.parsed_master_key()),
            hasher: Arc::new(PasswordHasher::new(CHEAP).unwrap()),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            random: Arc::new(SystemRandom::default()),
            running: None,
            author: Author::default(),
        }
    }

    /// Tells the server what an operator has changed.
    pub(crate) async fn apply(&self, change: Change) {
        self.service().apply(&[change]).await.unwrap();
    }
}

impl Running {
    async fn start(configuration: &Configuration, clock: &Arc<SettableClock>) -> Self {
        let app = App::build(configuration, Arc::clone(clock) as Arc<dyn Clock>).await.unwrap();
        let (service, address) = (Arc::clone(app.service()), app.address());
        let (stop, stopped) = oneshot::channel::<()>();
        let done = tokio::spawn(app.run(async {
            // Dropping the other end tells the same.
            let _ = stopped.await;
        }));
        Self { service, address, server: Some((stop, done)) }
    }
}
