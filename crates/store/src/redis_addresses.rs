//! Where Redis is, as it is written in a setting: one server or a Redis Cluster, and how long requests wait for it.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use redis::{ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, TlsCertificates};

use crate::Error;
use crate::transport::{TlsFiles, Transport, is_this_machine};

/// How many milliseconds a request may be told to wait for what it can do without.
const PATIENCE: RangeInclusive<u64> = 10..=1000;

/// Addresses that have been read.
pub struct RedisAddresses {
    pub(crate) nodes: Vec<ConnectionInfo>,
    pub(crate) is_cluster: bool,
    /// How long a request waits for what it can do without, where the addresses say so.
    pub(crate) patience: Option<Duration>,
    tls: TlsFiles,
}

impl RedisAddresses {
    /// Reads `redis://[user:password@]host[:port][/database]`, `rediss://…` for TLS or, through a socket, `unix:///path`
    /// or `redis+unix:///path`. `sslrootcert` names a file with the authorities to trust instead of the system's, `sslcert`
    /// and `sslkey` the client's certificate and key. Several addresses separated by commas, or the parameter `cluster=true`, say that it is a Redis
    /// Cluster; the parameter `patience` is how many milliseconds, 10 to 1000, a request waits for what it can do without.
    ///
    /// # Errors
    /// [`Error::Configuration`] where they cannot be read. The text does not repeat them: they hold passwords.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut addresses = Self::none();
        for address in text.split(',').map(str::trim).filter(|address| !address.is_empty()) {
            let address = addresses.take_parameters(address)?;
            addresses.nodes.push(connection_info(&address)?);
        }
        if addresses.nodes.is_empty() {
            return Err(Error::Configuration("the address of Redis is empty".to_owned()));
        }
        addresses.is_cluster |= addresses.nodes.len() > 1;
        addresses.tls.validate()?;
        let is_encrypted = |node: &ConnectionInfo| matches!(node.addr(), ConnectionAddr::TcpTls { .. });
        if !addresses.tls.is_empty() && !addresses.nodes.iter().all(is_encrypted) {
            return Err(Error::Configuration("certificates are for TLS: the address of Redis begins with rediss://".to_owned()));
        }
        Ok(addresses)
    }

    const fn none() -> Self {
        Self { nodes: Vec::new(), is_cluster: false, patience: None, tls: TlsFiles { root: None, certificate: None, key: None } }
    }

    /// The certificates that were named; `None` if the system's authorities are trusted and the client shows none.
    pub(crate) fn certificates(&self) -> Option<TlsCertificates> {
        let TlsFiles { root, certificate, key } = &self.tls;
        let client_tls = certificate.clone().zip(key.clone());
        let client_tls = client_tls.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
        (!self.tls.is_empty()).then(|| TlsCertificates { client_tls, root_cert: root.clone() })
    }

    /// How what is said to Redis travels; if its nodes differ, the worst of it.
    pub(crate) fn transport(&self) -> Transport {
        let of_node = |node: &ConnectionInfo| match node.addr() {
            ConnectionAddr::TcpTls { .. } => Transport::Encrypted(None),
            ConnectionAddr::Tcp(host, _) if !is_this_machine(host) => Transport::ClearText,
            _ => Transport::Local,
        };
        let transports: Vec<Transport> = self.nodes.iter().map(of_node).collect();
        let all = |transport: &Transport| transports.iter().all(|each| each == transport);
        match transports.first() {
            Some(first) if all(first) => first.clone(),
            _ if transports.contains(&Transport::ClearText) => Transport::ClearText,
            _ => Transport::Local,
        }
    }

    /// Takes the parameters that are ours out of an address; answers what is left of it.
    fn take_parameters(&mut self, address: &str) -> Result<String, Error> {
        let Some((base, query)) = address.split_once('?') else { return Ok(address.to_owned()) };
        let mut others = Vec::new();
        for parameter in query.split('&') {
            match parameter.split_once('=').unwrap_or((parameter, "true")) {
                ("cluster", value) => self.is_cluster |= matches!(value, "true" | "1"),
                ("patience", value) => self.patience = Some(patience(value)?),
                (name, value) if self.tls.take(name, value)? => {}
                _ => others.push(parameter),
            }
        }
        Ok(if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) })
    }
}

impl fmt::Debug for RedisAddresses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, is_cluster, patience, tls: _ } = self;
        let mut shown = formatter.debug_struct("RedisAddresses");
        shown.field("nodes", &nodes.len()).field("is_cluster", is_cluster).field("patience", patience).finish()
    }
}

fn patience(text: &str) -> Result<Duration, Error> {
    let millis = text.parse().ok().filter(|millis| PATIENCE.contains(millis));
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| Error::Configuration("the patience with Redis is a number of milliseconds, from 10 to 1000".to_owned()))
}

fn connection_info(address: &str) -> Result<ConnectionInfo, Error> {
    let info = address.into_connection_info().map_err(|_| {
        Error::Configuration(
            "the address of Redis is redis://host:port, rediss://host:port or unix:///path; several with commas for a cluster".to_owned(),
        )
    })?;
    if matches!(info.addr(), ConnectionAddr::TcpTls { insecure: true, .. }) {
        let advice = "Redis' certificate is always verified: name its authority with sslrootcert";
        return Err(Error::Configuration(advice.to_owned()));
    }
    Ok(info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_say_what_they_lead_to() {
        for (addresses, nodes, is_cluster, patience) in [
            ("redis://localhost:6379/1", 1, false, None),
            ("unix:///run/redis.sock", 1, false, None),
            ("redis+unix:///run/redis.sock", 1, false, None),
            ("redis://a:1?cluster=true", 1, true, None),
            ("redis://a:1?cluster", 1, true, None),
            ("redis://a:1?cluster=false", 1, false, None),
            ("redis://a:1, redis://b:2", 2, true, None),
            ("unix:///run/redis.sock?patience=10", 1, false, Some(10)),
            ("redis://a:1?patience=1000&cluster=1,redis://b:2", 2, true, Some(1000)),
            ("rediss://:secret@a:1/0", 1, false, None),
            ("rediss://a:1?sslrootcert=/dev/null&patience=20", 1, false, Some(20)),
        ] {
            let read = RedisAddresses::parse(addresses).unwrap();
            let patience = patience.map(Duration::from_millis);
            assert_eq!((read.nodes.len(), read.is_cluster, read.patience), (nodes, is_cluster, patience), "{addresses}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_not_repeated() {
        for bad in [
            "",
            ",",
            "localhost:6379",
            "http://hunter2@localhost",
            "rediss://:hunter2@localhost#insecure",
            "rediss://:hunter2@localhost?sslrootcert=/nowhere/hunter2",
            "rediss://:hunter2@localhost?sslcert=/dev/null",
            "redis://:hunter2@localhost?sslrootcert=/dev/null",
            "rediss://:hunter2@a:1?sslrootcert=/dev/null,redis://b:1",
            "redis://:hunter2@a:1?patience",
            "redis://:hunter2@a:1?patience=9",
            "redis://:hunter2@a:1?patience=1001",
            "redis://:hunter2@a:1?patience=1s",
        ] {
            let error = RedisAddresses::parse(bad).unwrap_err();
            assert!(matches!(error, Error::Configuration(_)), "{bad}: {error:?}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        assert!(!format!("{:?}", RedisAddresses::parse("redis://:hunter2@a:1").unwrap()).contains("hunter2"));
    }

    #[test]
    fn the_worst_way_to_a_node_is_the_way_to_redis() {
        for (addresses, transport) in [
            ("redis://localhost:1", Transport::Local),
            ("redis://[::1]:1", Transport::Local),
            ("unix:///run/redis.sock", Transport::Local),
            ("redis://redis.internal:1", Transport::ClearText),
            ("rediss://redis.internal:1", Transport::Encrypted(None)),
            ("rediss://a:1,redis://b:1", Transport::ClearText),
            ("rediss://a:1,redis://127.0.0.1:1", Transport::Local),
        ] {
            assert_eq!(RedisAddresses::parse(addresses).unwrap().transport(), transport, "{addresses}");
        }
    }

    #[test]
    fn parameters_that_are_not_ours_are_left() {
        let mut addresses = RedisAddresses::none();
        for (address, left) in [
            ("redis://a:1?cluster=true", "redis://a:1"),
            ("redis://a:1?cluster=true&protocol=resp3", "redis://a:1?protocol=resp3"),
            ("unix:///a?db=2&patience=20", "unix:///a?db=2"),
        ] {
            assert_eq!(addresses.take_parameters(address).unwrap(), left);
        }
    }
}
