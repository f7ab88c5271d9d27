//! The server, put together once: stores, use cases, routes and what surrounds them. `main` and the tests start the same.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::password::PasswordCost;
use bo_auth_core::random::{Random, SystemRandom};
use bo_auth_core::time::Clock;
use bo_auth_plugin::Plugins;
use bo_auth_service::Service;
use bo_auth_service::background::Background;
use bo_auth_service::service::Parts;
use bo_auth_store::RedisConnection;
use bo_auth_store::admission::{AddressGate, Admission};
use bo_auth_store::revocation::Revocations;
use futures_util::FutureExt;
use poem::{Endpoint, EndpointExt, Response, Route};

use crate::admin;
use crate::api::{self, Answerer, V3};
use crate::configuration::{Configuration, DatabaseChoice, StoreConfiguration};
use crate::console::Console;
use crate::control::Control;
use crate::cross_origin::{CrossOrigin, OriginIndex};
use crate::envelope::{Envelope, EnvelopeParts};
use crate::grpc::{Grpc, GrpcBeside, GrpcError};
use crate::head::HeadAsGet;
use crate::health::{Alive, Ready};
use crate::legacy::fleets::Fleets;
use crate::legacy::{self, V1};
use crate::listener::{DrainReport, Listener};
use crate::named_host::NamedHost;
use crate::openapi::documents;
use crate::reread::Rereading;
use crate::security_headers::SecurityHeaders;
use crate::stores::{
    DataLock, OpenError, lock_data_directory, make_data_directory, open_cache, open_database, open_master_key, open_redis,
    verify_master_key, warn_of_clear_text,
};
use crate::telemetry::Observe;
use crate::telemetry::metrics::Metrics;
use crate::{fault, key_set};

/// The `iss` of access tokens.
const ISSUER: &str = "bo-auth";

/// How long a prepared tenant is used where changes are told to this node, and where they are not.
const TENANT_LIFETIME_ALONE: Duration = Duration::from_secs(30);
const TENANT_LIFETIME_AMONG_MANY: Duration = Duration::from_secs(1);

/// A server that is bound and ready to answer.
pub struct App {
    service: Arc<Service>,
    listener: Listener,
    endpoint: poem::endpoint::BoxEndpoint<'static>,
    /// Further ports: gRPC's, the admin API's, that of metrics.
    ports: Vec<Port>,
    rereading: Rereading,
    grpc_address: Option<SocketAddr>,
    admin_address: Option<SocketAddr>,
    metrics_address: Option<SocketAddr>,
    background: Background,
    control: Control,
    _lock: DataLock,
}

/// A bound port and what it serves.
type Port = (Listener, poem::endpoint::BoxEndpoint<'static>);

/// What one port serves; health on every one.
#[derive(Debug, Clone, Copy, Default)]
struct Surface {
    /// The contracts, their documents, public keys and gRPC.
    contracts: bool,
    /// The admin API, its document and the console.
    admin: bool,
    /// Metrics.
    metrics: bool,
}

/// What all ports have in common.
struct Shared<'a> {
    configuration: &'a Configuration,
    service: Arc<Service>,
    redis: Option<RedisConnection>,
    metrics: Metrics,
    gate: Arc<AddressGate>,
    fleets: Fleets,
    grpc: Option<Grpc>,
}

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A store.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The use cases.
    #[error("the service could not be started")]
    Service(#[from] bo_auth_service::Error),
    /// The plugins.
    #[error("the built-in plugins could not be prepared")]
    Plugins(#[from] bo_auth_plugin::Error),
    /// The metrics.
    #[error("metrics could not be set up")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    /// gRPC.
    #[error(transparent)]
    Grpc(#[from] GrpcError),
    /// An address.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The control socket.
    #[error("cannot open the control socket in the data directory (its path may have at most some 90 bytes)")]
    Control(#[source] std::io::Error),
}

impl App {
    /// Opens and migrates the stores, reads what must be known before anything is answered, and binds the address.
    ///
    /// # Errors
    /// Where one of these fails; nothing is served then.
    pub async fn build(configuration: &Configuration, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        make_data_directory(&configuration.store.data)?;
        let lock = lock_data_directory(&configuration.store.data)?;
        let metrics = Metrics::install()?;
        let fleets = Fleets::open(&configuration.legacy.fleets).map_err(OpenError::from)?;
        let (service, redis) = start_service(configuration, clock, &fleets).await?;
        let background = Background::start(&service);
        let control = Control::open(&configuration.store.data).map_err(StartError::Control)?;
        let listener = bind(configuration.listen, configuration)?;
        let has_fleets = !fleets.is_empty();
        let grpc = if has_fleets { Some(Grpc::new(&service, fleets.clone(), configuration.request_timeout)?) } else { None };
        let mut ports = Vec::new();
        let mut grpc_address = None;
        if let Some((address, grpc)) = configuration.legacy.grpc_listen.zip(grpc.clone()) {
            let listener = bind(address, configuration)?;
            grpc_address = Some(listener.local_address());
            ports.push((listener, grpc.with(configuration.trusted_proxies.clone()).with(Observe).boxed()));
        }
        tokio::spawn(metrics.clone().keep_up());
        let per_minute = configuration.address_requests_per_minute;
        let gate = Arc::new(AddressGate::new(per_minute, per_minute, configuration.client_prefix));
        let shared = Shared { configuration, service, redis, metrics, gate, fleets, grpc };
        let (admin, metrics) = (configuration.admin_listen, configuration.metrics_listen);
        let public = Surface { contracts: true, admin: configuration.admin && admin.is_none(), metrics: metrics.is_none() };
        let endpoint = endpoint(&shared, public).boxed();
        let is_one_port = admin == metrics && admin.is_some_and(|address| address.port() != 0);
        let mut open = |address: SocketAddr, surface| {
            let listener = bind(address, configuration)?;
            let bound = listener.local_address();
            ports.push((listener, self::endpoint(&shared, surface).boxed()));
            Ok::<_, StartError>(bound)
        };
        let admin_surface = Surface { admin: true, metrics: is_one_port, ..Surface::default() };
        let admin_address = admin.map(|address| open(address, admin_surface)).transpose()?;
        let metrics_surface = Surface { metrics: true, ..Surface::default() };
        let metrics_address =
            if is_one_port { admin_address } else { metrics.map(|address| open(address, metrics_surface)).transpose()? };
        let rereading = Rereading::new(configuration, shared.fleets);
        let service = shared.service;
        Ok(Self {
            rereading,
            service,
            listener,
            endpoint,
            ports,
            grpc_address,
            admin_address,
            metrics_address,
            background,
            control,
            _lock: lock,
        })
    }

    /// The address that was bound, with its true port.
    pub const fn address(&self) -> SocketAddr {
        self.listener.local_address()
    }

    /// The address that was bound for gRPC alone, where there is one.
    pub const fn grpc_address(&self) -> Option<SocketAddr> {
        self.grpc_address
    }

    /// The address that was bound for the admin API, if it has one of its own.
    pub const fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// The address that was bound for metrics, if they have one of their own.
    pub const fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// What can be taken up anew while it runs.
    pub const fn rereading(&self) -> &Rereading {
        &self.rereading
    }

    /// The use cases, for tests that reach behind the wire.
    pub const fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Serves until `shutdown` is ready, finishes what is in flight, and writes out what is still in memory.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> DrainReport {
        let control = tokio::spawn(self.control.serve(Arc::clone(&self.service)));
        let shutdown = shutdown.shared();
        let ports = std::iter::once((self.listener, self.endpoint)).chain(self.ports);
        let serving = ports.map(|(listener, endpoint)| listener.serve(endpoint, shutdown.clone()));
        let reports = futures_util::future::join_all(serving).await;
        let report = reports.into_iter().fold(DrainReport::default(), |all, one| DrainReport {
            open: all.open + one.open,
            cut: all.cut + one.cut,
            took: all.took.max(one.took),
        });
        control.abort();
        self.background.stop().await;
        self.service.db.close().await;
        report
    }
}

async fn start_service(
    configuration: &Configuration,
    clock: Arc<dyn Clock>,
    fleets: &Fleets,
) -> Result<(Arc<Service>, Option<RedisConnection>), StartError> {
    let stores: &StoreConfiguration = &configuration.store;
    let is_embedded = matches!(stores.database, DatabaseChoice::Sqlite(_));
    let master_key = open_master_key(stores, is_embedded || configuration.demo)?;
    let db = open_database(stores).await?;
    db.migrate().await.map_err(OpenError::from)?;
    verify_master_key(&db, &master_key).await?;
    let redis = open_redis(stores)?;
    warn_of_clear_text(&db, redis.as_ref()).await?;
    let cache = open_cache(stores, &db, redis.as_ref(), Arc::clone(&clock))?;
    let admission = redis.clone().map_or_else(Admission::local, Admission::shared);
    let random: Arc<dyn Random> = Arc::new(SystemRandom::default());
    let (revocations, tenant_lifetime) = match (&redis, open_redis(stores)?) {
        (Some(redis), Some(listening)) if !stores.single_node => {
            let joined = Revocations::among_many(
                db.clone(),
                redis.clone(),
                listening,
                Arc::clone(&clock),
                Arc::clone(&random),
                configuration.revocation_memory,
            )
            .await;
            (joined.map_err(OpenError::from)?, TENANT_LIFETIME_AMONG_MANY)
        }
        _ => (Revocations::alone(db.clone(), configuration.revocation_memory), TENANT_LIFETIME_ALONE),
    };
    let parts = Parts {
        db,
        cache,
        admission,
        revocations,
        plugins: Plugins::with_texts(fault::text_of_code)?,
        master_key,
        issuer: ISSUER.to_owned(),
        password_cost: configuration.password_cost.into(),
        password_lanes: configuration.password_concurrency,
        fleets: fleets.for_service(),
        client_prefix: configuration.client_prefix,
        tenant_lifetime,
        clock,
        random,
    };
    Ok((Service::start(parts).await?, redis))
}

fn bind(address: SocketAddr, configuration: &Configuration) -> Result<Listener, StartError> {
    let bound = Listener::bind(address, configuration.limits).map_err(|source| StartError::Listen { address, source })?;
    Ok(bound.answer_refusals(fault::answer_refusal).except_proxies(configuration.trusted_proxies.clone()))
}

fn endpoint(shared: &Shared<'_>, surface: Surface) -> impl Endpoint<Output = Response> + 'static {
    let Shared { configuration, service, redis, metrics, gate, fleets, grpc } = shared;
    let documents = documents();
    let with_legacy = surface.contracts && !fleets.is_empty();
    let (body_limit, body_timeout) = (configuration.body_limit, configuration.request_timeout);
    let envelope = Envelope::new(EnvelopeParts {
        service: Arc::clone(service),
        gate: Arc::clone(gate),
        // A body has had its own time before this runs out.
        timeout: configuration.request_timeout * 2,
        routes: documents.routes(surface.contracts, with_legacy, surface.admin),
        with_legacy,
    });
    let mut routes = Route::new().at("/healthz", Alive).at("/readyz", Ready::new(Arc::clone(service), redis.clone()));
    if surface.contracts {
        let answerer = Answerer::new(Arc::clone(service));
        let v3 = V3 { service: Arc::clone(service), answerer, body_limit, body_timeout };
        routes = routes.nest(api::PREFIX, api::service(v3)).at("/.well-known/jwks.json", key_set::KeySet { service: Arc::clone(service) });
    }
    if surface.metrics {
        routes = routes.at("/metrics", metrics.clone());
    }
    if with_legacy {
        let v1 = V1 { service: Arc::clone(service), fleets: fleets.clone(), body_limit, body_timeout };
        routes = routes.nest(legacy::PREFIX, legacy::service(v1));
    }
    if surface.admin {
        let schemas = documents.response_schemas();
        let frame = admin::Frame { service: Arc::clone(service), body_limit, body_timeout, schemas };
        routes = routes.nest(admin::PREFIX, admin::service(frame));
    }
    documents
        .add_routes(routes, surface.contracts, with_legacy, surface.admin)
        .with(envelope)
        .with(CrossOrigin::new(Arc::new(Origins(Arc::clone(service)))))
        .with(GrpcBeside::new(grpc.clone().filter(|_| surface.contracts)))
        .with_if(surface.admin, Console::new())
        .with(HeadAsGet)
        .with(NamedHost)
        .with(SecurityHeaders)
        .with(configuration.trusted_proxies.clone())
        .with(Observe)
}

struct Origins(Arc<Service>);

impl OriginIndex for Origins {
    fn lists(&self, origin: &str) -> bool {
        self.0.lists_origin(origin)
    }

    fn headers_of(&self, origin: &str, requested: &str) -> Option<String> {
        self.0.headers_of_origin(origin, requested)
    }
}

impl From<crate::configuration::PasswordCost> for PasswordCost {
    fn from(cost: crate::configuration::PasswordCost) -> Self {
        Self { memory_kib: cost.memory_kib, iterations: cost.iterations, lanes: cost.lanes }
    }
}
