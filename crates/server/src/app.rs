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
    grpc: Option<(Listener, poem::endpoint::BoxEndpoint<'static>)>,
    background: Background,
    control: Control,
    _lock: DataLock,
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
        let own_listener = configuration.legacy.grpc_listen.map(|address| bind(address, configuration)).transpose()?;
        let own_port = own_listener
            .zip(grpc.clone())
            .map(|(listener, grpc)| (listener, grpc.with(configuration.trusted_proxies.clone()).with(Observe).boxed()));
        let endpoint = endpoint(configuration, &service, redis, metrics, fleets, grpc).boxed();
        Ok(Self { service, listener, endpoint, grpc: own_port, background, control, _lock: lock })
    }

    /// The address that was bound, with its true port.
    pub const fn address(&self) -> SocketAddr {
        self.listener.local_address()
    }

    /// The address that was bound for gRPC alone, where there is one.
    pub fn grpc_address(&self) -> Option<SocketAddr> {
        self.grpc.as_ref().map(|(listener, _)| listener.local_address())
    }

    /// The use cases, for tests that reach behind the wire.
    pub const fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Serves until `shutdown` is ready, finishes what is in flight, and writes out what is still in memory.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> DrainReport {
        let control = tokio::spawn(self.control.serve(Arc::clone(&self.service)));
        let shutdown = shutdown.shared();
        let main = self.listener.serve(self.endpoint, shutdown.clone());
        let report = match self.grpc {
            None => main.await,
            Some((listener, endpoint)) => {
                let (main, grpc) = tokio::join!(main, listener.serve(endpoint, shutdown));
                DrainReport { open: main.open + grpc.open, cut: main.cut + grpc.cut, took: main.took.max(grpc.took) }
            }
        };
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
    Ok(bound.answer_refusals(fault::answer_refusal))
}

fn endpoint(
    configuration: &Configuration,
    service: &Arc<Service>,
    redis: Option<RedisConnection>,
    metrics: Metrics,
    fleets: Fleets,
    grpc: Option<Grpc>,
) -> impl Endpoint<Output = Response> + 'static {
    let documents = documents();
    let with_legacy = !fleets.is_empty();
    let answerer = Answerer::new(Arc::clone(service));
    let v3 =
        V3 { service: Arc::clone(service), answerer, body_limit: configuration.body_limit, body_timeout: configuration.request_timeout };
    let envelope = Envelope::new(EnvelopeParts {
        service: Arc::clone(service),
        gate: Arc::new(AddressGate::new(
            configuration.address_requests_per_minute,
            configuration.address_requests_per_minute,
            configuration.client_prefix,
        )),
        // A body has had its own time before this runs out.
        timeout: configuration.request_timeout * 2,
        routes: documents.routes(with_legacy, configuration.admin),
        with_legacy,
    });
    tokio::spawn(metrics.clone().keep_up());
    let routes = Route::new()
        .nest(api::PREFIX, api::service(v3))
        .at("/.well-known/jwks.json", key_set::KeySet { service: Arc::clone(service) })
        .at("/healthz", Alive)
        .at("/readyz", Ready::new(Arc::clone(service), redis))
        .at("/metrics", metrics);
    let routes = if with_legacy {
        let (body_limit, body_timeout) = (configuration.body_limit, configuration.request_timeout);
        routes.nest(legacy::PREFIX, legacy::service(V1 { service: Arc::clone(service), fleets, body_limit, body_timeout }))
    } else {
        routes
    };
    let routes = if configuration.admin {
        let (body_limit, body_timeout) = (configuration.body_limit, configuration.request_timeout);
        routes.nest(
            admin::PREFIX,
            admin::service(admin::Frame { service: Arc::clone(service), body_limit, body_timeout, schemas: documents.response_schemas() }),
        )
    } else {
        routes
    };
    documents
        .add_routes(routes, with_legacy, configuration.admin)
        .with(envelope)
        .with(CrossOrigin::new(Arc::new(Origins(Arc::clone(service)))))
        .with(GrpcBeside::new(grpc))
        .with_if(configuration.admin, Console::new())
        .with(HeadAsGet)
        .with(NamedHost)
        .with(SecurityHeaders)
        .with(configuration.trusted_proxies.clone())
        .with(Observe)
}

struct Origins(Arc<Service>);

impl OriginIndex for Origins {
    fn headers_of(&self, origin: &str) -> Option<String> {
        self.0.headers_of_origin(origin)
    }
}

impl From<crate::configuration::PasswordCost> for PasswordCost {
    fn from(cost: crate::configuration::PasswordCost) -> Self {
        Self { memory_kib: cost.memory_kib, iterations: cost.iterations, lanes: cost.lanes }
    }
}
