//! The server's options. Each is a flag, a variable and a line of `--help`; together they are checked once, at the start.
//! What belongs to a tenant is not here but in the database.

mod error;
mod legacy;
mod secret;
mod store;
#[cfg(test)]
mod tests;
mod units;

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use bo_auth_core::address::ClientPrefix;
use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum, value_parser};

pub use self::error::ConfigurationError;
pub use self::legacy::{FleetConfiguration, LegacyConfiguration, LegacyOptions, OldServersConfiguration, UserIdForm};
pub use self::secret::Secret;
pub use self::store::{CacheChoice, CacheKind, DatabaseChoice, StoreConfiguration, StoreOptions};

use self::units::{ByteCount, duration};
use crate::listener::Limits;
use crate::proxy::{Network, TrustedProxies};
use crate::telemetry::logging::{LogFormat, log_level};

/// Options of the log.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Log")]
pub struct LogOptions {
    /// Least level of the lines to write: off, error, warn, info, debug or trace, and `target=level` pairs, separated by commas
    #[arg(long, env = "BO_AUTH_LOG_LEVEL", value_name = "LEVEL", default_value = "info", value_parser = log_level)]
    pub log_level: String,

    /// How lines look
    #[arg(long, env = "BO_AUTH_LOG_FORMAT", value_name = "FORMAT", default_value = "json")]
    pub log_format: LogFormat,
}

/// Options of `serve`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Service")]
pub struct ServeOptions {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, env = "BO_AUTH_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8480")]
    pub listen: SocketAddr,

    /// Start with a tenant, a system and a user to try things with. Their secrets are public, so only on a loopback address
    #[arg(long, env = "BO_AUTH_DEMO", value_parser = FalseyValueParser::new())]
    pub demo: bool,

    /// Whether the admin API and the console are served
    #[arg(long, env = "BO_AUTH_ADMIN", value_name = "SWITCH", default_value = "on")]
    pub admin: Switch,

    /// Address and port for the admin API, the console and the admin API's document alone: the public port answers 404 for
    /// them then [default: the public port]
    #[arg(long, env = "BO_AUTH_ADMIN_LISTEN", value_name = "ADDRESS")]
    pub admin_listen: Option<SocketAddr>,

    /// Address and port for `/metrics` alone, which may be that of --admin-listen; the public port answers 404 for it then
    /// [default: the public port]
    #[arg(long, env = "BO_AUTH_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<SocketAddr>,

    /// A proxy or network of proxies whose forwarding headers are believed, such as 10.0.0.0/8; may be repeated
    #[arg(long, env = "BO_AUTH_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',')]
    pub trusted_proxy: Vec<Network>,

    /// Where things are kept.
    #[command(flatten)]
    pub store: StoreOptions,

    /// What a client may take.
    #[command(flatten)]
    pub limits: LimitOptions,

    /// What a password costs.
    #[command(flatten)]
    pub passwords: PasswordOptions,

    /// What is served of the v1.0 contract.
    #[command(flatten)]
    pub legacy: LegacyOptions,
}

/// Whether something is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// What a client may take.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitOptions {
    /// How long a request may take, its body included
    #[arg(long, env = "BO_AUTH_REQUEST_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub request_timeout: Duration,

    /// How long a request's headers may take
    #[arg(long, env = "BO_AUTH_HEADER_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub header_timeout: Duration,

    /// How long a client may take nothing of an answer before its connection is closed
    #[arg(long, env = "BO_AUTH_ANSWER_TIMEOUT", value_name = "DURATION", default_value = "20s", value_parser = duration)]
    pub answer_timeout: Duration,

    /// How long a connection is kept that has nothing to do
    #[arg(long, env = "BO_AUTH_IDLE_TIMEOUT", value_name = "DURATION", default_value = "75s", value_parser = duration)]
    pub idle_timeout: Duration,

    /// How long requests in flight may still take when the server is told to stop
    #[arg(long, env = "BO_AUTH_SHUTDOWN_DEADLINE", value_name = "DURATION", default_value = "20s", value_parser = duration)]
    pub shutdown_deadline: Duration,

    /// Size of a request's line and headers together, 8KiB to 1MiB
    #[arg(long, env = "BO_AUTH_HEADER_LIMIT", value_name = "SIZE", default_value = "64KiB")]
    pub header_limit: ByteCount,

    /// Size of a request's body, 1KiB to 16MiB
    #[arg(long, env = "BO_AUTH_BODY_LIMIT", value_name = "SIZE", default_value = "64KiB")]
    pub body_limit: ByteCount,

    /// Connections served at once on each port. One more takes the place of the one that has been idle longest, or waits
    #[arg(long, env = "BO_AUTH_MAX_CONNECTIONS", value_name = "COUNT", default_value = "10000")]
    pub max_connections: NonZeroUsize,

    /// Those of them that one address may hold, trusted proxies excepted [default: a tenth of --max-connections, at least 64]
    #[arg(long, env = "BO_AUTH_MAX_CONNECTIONS_PER_ADDRESS", value_name = "COUNT")]
    pub max_connections_per_address: Option<NonZeroUsize>,

    /// Requests in flight at once on one HTTP/2 connection
    #[arg(long, env = "BO_AUTH_MAX_STREAMS", value_name = "COUNT", default_value = "128")]
    pub max_streams: NonZeroU32,

    /// Memory for ended sessions, 1MiB to 16GiB: 64MiB hold 1.8 million. Verifications of what does not fit ask the database
    #[arg(long, env = "BO_AUTH_REVOCATION_MEMORY", value_name = "SIZE", default_value = "64MiB")]
    pub revocation_memory: ByteCount,

    /// Requests per minute from one address, whatever they ask for; tenants may set less
    #[arg(long, env = "BO_AUTH_ADDRESS_REQUESTS_PER_MINUTE", value_name = "COUNT", default_value = "6000")]
    pub address_requests_per_minute: NonZeroU32,

    /// Leading bits of an IPv6 address that tell clients apart, 32 to 128: limits by address count whole networks of this size
    #[arg(long, env = "BO_AUTH_IPV6_PREFIX", value_name = "BITS", default_value = "64", value_parser = value_parser!(u8).range(32..=128))]
    pub ipv6_prefix: u8,
}

/// What hashing a password costs (Argon2id, RFC 9106). Old hashes are renewed at the next login.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Passwords")]
pub struct PasswordOptions {
    /// Memory of one Argon2id run
    #[arg(long, env = "BO_AUTH_ARGON2_MEMORY", value_name = "SIZE", default_value = "19MiB")]
    pub argon2_memory: ByteCount,

    /// Passes over that memory
    #[arg(long, env = "BO_AUTH_ARGON2_ITERATIONS", value_name = "COUNT", default_value = "2")]
    pub argon2_iterations: NonZeroU32,

    /// Lanes of that memory
    #[arg(long, env = "BO_AUTH_ARGON2_LANES", value_name = "COUNT", default_value = "1")]
    pub argon2_lanes: NonZeroU32,

    /// Passwords hashed at once; more wait [default: one per processor]
    #[arg(long, env = "BO_AUTH_PASSWORD_CONCURRENCY", value_name = "COUNT")]
    pub password_concurrency: Option<NonZeroUsize>,
}

/// What Argon2id is run with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes of the memory.
    pub lanes: u32,
}

/// Options of `serve` that fit together.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Whether to start with something to try.
    pub demo: bool,
    /// Whether the admin API and the console are served.
    pub admin: bool,
    /// Where they are served, if not on the public port.
    pub admin_listen: Option<SocketAddr>,
    /// Where metrics are served, if not on the public port.
    pub metrics_listen: Option<SocketAddr>,
    /// Whose forwarding headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// Where things are kept.
    pub store: StoreConfiguration,
    /// Limits of connections, for the listener.
    pub limits: Limits,
    /// How long a request may take, its body included.
    pub request_timeout: Duration,
    /// Bytes of a request's body.
    pub body_limit: usize,
    /// Requests per minute from one address.
    pub address_requests_per_minute: u32,
    /// Which clients count as one.
    pub client_prefix: ClientPrefix,
    /// Bytes for ended sessions.
    pub revocation_memory: usize,
    /// What a password costs.
    pub password_cost: PasswordCost,
    /// Passwords hashed at once.
    pub password_concurrency: usize,
    /// What is served of the v1.0 contract.
    pub legacy: LegacyConfiguration,
}

impl ServeOptions {
    /// Checks that the options fit together, and reads the secrets that are kept in files.
    ///
    /// # Errors
    /// Where they do not; the text says what to do.
    pub fn validate(&self) -> Result<Configuration, ConfigurationError> {
        let ports = [Some(self.listen), self.admin_listen, self.metrics_listen, self.legacy.grpc_listen];
        if let Some(listen) = ports.into_iter().flatten().find(|address| self.demo && !address.ip().is_loopback()) {
            return Err(ConfigurationError::DemoInPublic { listen });
        }
        if self.admin == Switch::Off && self.admin_listen.is_some() {
            return Err(ConfigurationError::AdminOff);
        }
        for (option, own) in [("--admin-listen", self.admin_listen), ("--metrics-listen", self.metrics_listen)] {
            if own.is_some_and(|own| own == self.listen && own.port() != 0) {
                return Err(ConfigurationError::ListensTwice { option, listen: self.listen });
            }
        }
        let limits = &self.limits;
        Ok(Configuration {
            listen: self.listen,
            demo: self.demo,
            admin: self.admin == Switch::On,
            admin_listen: self.admin_listen,
            metrics_listen: self.metrics_listen,
            trusted_proxies: TrustedProxies::new(self.trusted_proxy.clone()),
            store: self.store.validate()?,
            limits: Limits {
                connections: limits.max_connections.get(),
                connections_per_client: limits
                    .max_connections_per_address
                    .map_or_else(|| (limits.max_connections.get() / 10).max(64), NonZeroUsize::get),
                client_prefix: ClientPrefix::new(limits.ipv6_prefix),
                header_bytes: limits.header_limit.within("--header-limit", "8KiB", "1MiB")?,
                first_request_timeout: limits.header_timeout,
                header_timeout: limits.header_timeout,
                answer_timeout: limits.answer_timeout,
                idle_timeout: limits.idle_timeout,
                shutdown_deadline: limits.shutdown_deadline,
                streams: limits.max_streams.get(),
            },
            request_timeout: limits.request_timeout,
            body_limit: limits.body_limit.within("--body-limit", "1KiB", "16MiB")?,
            address_requests_per_minute: limits.address_requests_per_minute.get(),
            client_prefix: ClientPrefix::new(limits.ipv6_prefix),
            revocation_memory: limits.revocation_memory.within("--revocation-memory", "1MiB", "16GiB")?,
            password_cost: self.passwords.cost()?,
            password_concurrency: self.passwords.concurrency().get(),
            legacy: self.legacy.validate()?,
        })
    }
}

impl PasswordOptions {
    /// What Argon2id is run with.
    ///
    /// # Errors
    /// Where the memory is too little for its lanes (RFC 9106 section 3.1), or more than a server should give.
    pub fn cost(&self) -> Result<PasswordCost, ConfigurationError> {
        let bytes = self.argon2_memory.within("--argon2-memory", "64KiB", "4GiB")?;
        let memory_kib = u32::try_from(bytes / 1024).unwrap_or(u32::MAX);
        let (iterations, lanes) = (self.argon2_iterations.get(), self.argon2_lanes.get());
        if lanes > 255 || memory_kib < 8 * lanes {
            return Err(ConfigurationError::Argon2Lanes { lanes, most: (memory_kib / 8).min(255) });
        }
        Ok(PasswordCost { memory_kib, iterations, lanes })
    }

    /// How many passwords are hashed at once.
    pub fn concurrency(&self) -> NonZeroUsize {
        self.password_concurrency.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }
}
