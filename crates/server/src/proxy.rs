//! Who is calling: the peer's address, or what trusted proxies say of it.
//!
//! `X-Forwarded-For` and `Forwarded` (RFC 7239) count only from listed proxies. Read from the right, the first address that
//! is no listed proxy is the client; what stands left of it was written by nobody we trust.

use std::fmt::{self, Write as _};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use http::HeaderMap;
use http::header::FORWARDED;
use poem::{Endpoint, Middleware, Request, Result};

use crate::header_field::{lines, members};

/// A network in CIDR notation, such as `10.0.0.0/8` or `fd00::/8`; a bare address is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Text that is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a network in CIDR notation such as 10.0.0.0/8")]
pub struct NetworkError(String);

impl Network {
    /// Whether the address is one of the network's.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros() >= u32::from(self.prefix),
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits() ^ other.to_bits()).leading_zeros() >= u32::from(self.prefix),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let refuse = || NetworkError(text.to_owned());
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| refuse())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u8 = prefix.map_or(Ok(longest), str::parse).map_err(|_| refuse())?;
        if prefix > longest {
            return Err(refuse());
        }
        // A peer that is written in IPv6 notation is compared as IPv4, and so is its network.
        match address {
            IpAddr::V6(mapped) if prefix >= 96 && mapped.to_ipv4_mapped().is_some() => {
                Ok(Self { address: address.to_canonical(), prefix: prefix - 96 })
            }
            _ => Ok(Self { address, prefix }),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.prefix)
    }
}

/// The proxies whose forwarding headers are believed; none, unless the operator lists them. As a middleware it finds out
/// each request's [`client_address`].
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[Network]>);

impl TrustedProxies {
    /// Believes these.
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks.into())
    }

    /// The address of the client, given the connection's peer and the request's headers. Anything malformed or
    /// contradictory on the trusted part of the way makes it the peer's.
    pub fn behind(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if self.0.is_empty() || !self.trusts(peer) {
            return peer;
        }
        let forwarded_for = self.first_untrusted(headers, "x-forwarded-for", forwarded_for_entry);
        let forwarded = self.first_untrusted(headers, FORWARDED.as_str(), forwarded_entry);
        match (forwarded_for, forwarded) {
            (Told::Client(client), Told::Nothing) | (Told::Nothing, Told::Client(client)) => client,
            // A proxy that writes one of the two passes the other on as the client sent it.
            (Told::Client(one), Told::Client(other)) if one == other => one,
            _ => peer,
        }
    }

    /// Whether the address is a listed proxy's.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Reads a header from the right up to the first address that is not a proxy's, or to the leftmost where all are.
    fn first_untrusted(&self, headers: &HeaderMap, name: &str, parse: fn(&str) -> Option<IpAddr>) -> Told {
        let mut leftmost = Told::Nothing;
        for line in lines(headers, name).rev() {
            // What a client has written on the left may be any bytes.
            for entry in line.rsplit(|byte| *byte == b',') {
                match parse(&String::from_utf8_lossy(entry.trim_ascii())) {
                    Some(address) if self.trusts(address) => leftmost = Told::Client(address),
                    Some(address) => return Told::Client(address),
                    None => return Told::Unreadable,
                }
            }
        }
        leftmost
    }
}

/// The client's address as [`TrustedProxies`] found it; the peer's where that is not among the middleware. A request that
/// came over no socket has none, which is written 0.0.0.0.
pub fn client_address(request: &Request) -> IpAddr {
    request.data::<ClientAddress>().map_or_else(|| peer_address(request), |address| address.0)
}

/// An address as text, written once: most are of version 4, and each request has one.
pub fn address_text(address: IpAddr) -> String {
    let mut text = String::with_capacity(39);
    match address {
        IpAddr::V4(address) => {
            for (position, part) in address.octets().into_iter().enumerate() {
                if position > 0 {
                    text.push('.');
                }
                let digits = [part / 100, part / 10 % 10, part % 10].map(|digit| char::from(b'0' + digit));
                let first = if part >= 100 { 0 } else { 2 - usize::from(part >= 10) };
                text.extend(&digits[first..]);
            }
        }
        // Writing to a string cannot fail.
        IpAddr::V6(address) => {
            let _ = write!(text, "{address}");
        }
    }
    text
}

fn peer_address(request: &Request) -> IpAddr {
    request.remote_addr().as_socket_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip().to_canonical())
}

/// Whether the client speaks TLS, as a listed proxy says (`X-Forwarded-Proto`, or `proto` of `Forwarded`). We speak none.
pub fn is_https(request: &Request) -> bool {
    request.data::<ClientSpeaksTls>().is_some()
}

/// What is kept with the request.
#[derive(Debug, Clone, Copy)]
struct ClientAddress(IpAddr);

/// The same, where it is so.
#[derive(Debug, Clone, Copy)]
struct ClientSpeaksTls;

impl<E: Endpoint> Middleware<E> for TrustedProxies {
    type Output = BehindProxies<E>;

    fn transform(&self, endpoint: E) -> BehindProxies<E> {
        BehindProxies { endpoint, proxies: self.clone() }
    }
}

/// An endpoint whose requests know their client's address.
#[derive(Debug)]
pub struct BehindProxies<E> {
    endpoint: E,
    proxies: TrustedProxies,
}

impl<E: Endpoint> Endpoint for BehindProxies<E> {
    type Output = E::Output;

    fn call(&self, mut request: Request) -> impl Future<Output = Result<E::Output>> + Send {
        // Without proxies the peer is the client, which the request knows by itself.
        if !self.proxies.0.is_empty() {
            let address = self.proxies.behind(peer_address(&request), request.headers());
            request.set_data(ClientAddress(address));
            if self.proxies.trusts(peer_address(&request)) && says_https(request.headers()) {
                request.set_data(ClientSpeaksTls);
            }
        }
        self.endpoint.call(request)
    }
}

/// What the first proxy has met. Were it forged, a client would only have its own cookie marked `Secure`; what it hears of
/// TLS its browser believes over TLS alone.
fn says_https(headers: &HeaderMap) -> bool {
    let first = |name: &str| members(headers, name).next().map(String::from_utf8_lossy);
    if let Some(scheme) = first("x-forwarded-proto") {
        return scheme.eq_ignore_ascii_case("https");
    }
    first(FORWARDED.as_str()).is_some_and(|element| {
        let parameters = element.split(';').filter_map(|pair| pair.split_once('='));
        let mut schemes = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("proto"));
        schemes.next().is_some_and(|(_, value)| value.trim().trim_matches('"').eq_ignore_ascii_case("https"))
    })
}

/// What a forwarding header says.
enum Told {
    /// It is absent.
    Nothing,
    /// The client's address.
    Client(IpAddr),
    /// It cannot be read as far as it would be believed.
    Unreadable,
}

/// An address, perhaps with a port, IPv6 perhaps in brackets and with a zone (`fe80::1%eth0`), which names an interface
/// of the proxy and is left out.
fn forwarded_for_entry(text: &str) -> Option<IpAddr> {
    let (address, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => (text, ""),
    };
    if port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_err()) || !(port.is_empty() || port.starts_with(':')) {
        return None;
    }
    let bare = address.split_once('%').filter(|(bare, _)| bare.contains(':')).map_or(address, |(bare, _)| bare);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip())).map(|address| address.to_canonical())
}

/// The `for` parameter of an element; `unknown` and hidden names (`_x`) are not addresses.
fn forwarded_entry(text: &str) -> Option<IpAddr> {
    let value = text.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value.trim())
    })?;
    let unquoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    forwarded_for_entry(unquoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_it_prints() {
        let texts = ["0.0.0.0", "1.2.3.4", "9.10.99.100", "127.0.0.1", "255.249.199.200", "::", "fd00::1", "2001:db8:1:2:3:4:5:6"];
        for text in texts {
            assert_eq!(address_text(text.parse().unwrap()), text);
        }
    }

    fn client(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let proxies = TrustedProxies::new(["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap()).to_vec());
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        proxies.behind(peer.parse().unwrap(), &map).to_string()
    }

    #[test]
    fn only_listed_proxies_are_believed() {
        for (peer, headers, expected) in [
            ("203.0.113.9", &[("x-forwarded-for", "198.51.100.1")][..], "203.0.113.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[("x-forwarded-for", "198.51.100.1")], "198.51.100.1"),
            ("::ffff:10.0.0.1", &[("x-forwarded-for", "198.51.100.1")], "198.51.100.1"),
            ("10.0.0.1", &[("forwarded", "for=198.51.100.1;proto=https")], "198.51.100.1"),
            ("10.0.0.1", &[("forwarded", "proto=https;For=\"[2001:db8::1]:4711\"")], "2001:db8::1"),
            ("fd00::1", &[("x-forwarded-for", "198.51.100.1:4711")], "198.51.100.1"),
            ("10.0.0.1", &[("x-forwarded-for", "fe80::1%eth0")], "fe80::1"),
            ("10.0.0.1", &[("x-forwarded-for", "[fe80::1%25eth0]:4711")], "fe80::1"),
            ("10.0.0.1", &[("x-forwarded-for", "[2001:db8::1]")], "2001:db8::1"),
            ("10.0.0.1", &[("x-forwarded-for", "::ffff:198.51.100.1")], "198.51.100.1"),
        ] {
            assert_eq!(client(peer, headers), expected, "{peer} {headers:?}");
        }
    }

    #[test]
    fn the_rightmost_untrusted_address_wins() {
        for (headers, expected) in [
            (&[("x-forwarded-for", "1.1.1.1, 198.51.100.1, 10.0.0.2")][..], "198.51.100.1"),
            (&[("x-forwarded-for", "garbage, 198.51.100.1")], "198.51.100.1"),
            (&[("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "10.0.0.2")], "198.51.100.1"),
            (&[("x-forwarded-for", "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
            (&[("forwarded", "for=1.1.1.1, for=198.51.100.1, for=10.0.0.2")], "198.51.100.1"),
        ] {
            assert_eq!(client("10.0.0.1", headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn what_is_malformed_or_contradictory_is_the_peers() {
        for headers in [
            &[("x-forwarded-for", "198.51.100.1, garbage")][..],
            &[("x-forwarded-for", "")],
            &[("x-forwarded-for", "198.51.100.1, garbage, 10.0.0.2")],
            &[("x-forwarded-for", "[2001:db8::1]x")],
            &[("x-forwarded-for", "[2001:db8::1")],
            &[("x-forwarded-for", "[2001:db8::1]:port")],
            &[("x-forwarded-for", "198.51.100.1%eth0")],
            &[("forwarded", "for=unknown")],
            &[("forwarded", "for=_hidden")],
            &[("forwarded", "proto=https")],
            &[("forwarded", "for=6.6.6.6"), ("x-forwarded-for", "198.51.100.1")],
        ] {
            assert_eq!(client("10.0.0.1", headers), "10.0.0.1", "{headers:?}");
        }
    }

    #[tokio::test]
    async fn a_handler_sees_the_client() {
        use poem::endpoint::make_sync;
        use poem::http::uri::Scheme;
        use poem::web::{LocalAddr, RemoteAddr};
        use poem::{Body, EndpointExt, RequestParts};

        for (trusted, expected) in [(true, "198.51.100.1"), (false, "10.0.0.1")] {
            let networks = if trusted { vec!["10.0.0.0/8".parse().unwrap()] } else { Vec::new() };
            let endpoint = make_sync(|request| client_address(&request).to_string()).with(TrustedProxies::new(networks));
            let peer = RemoteAddr(SocketAddr::from(([10, 0, 0, 1], 4711)).into());
            let (parts, ()) = http::Request::builder().header("x-forwarded-for", "198.51.100.1").body(()).unwrap().into_parts();
            let request = Request::from_parts(RequestParts::from((parts, LocalAddr::default(), peer, Scheme::HTTP)), Body::empty());
            assert_eq!(endpoint.get_response(request).await.into_body().into_string().await.unwrap(), expected);
        }
    }

    #[test]
    fn the_clients_scheme_is_the_first_proxys_word() {
        for (name, value, https) in [
            ("x-forwarded-proto", "https", true),
            ("x-forwarded-proto", "HTTPS, http", true),
            ("x-forwarded-proto", "http", false),
            ("forwarded", "for=198.51.100.1;Proto=\"https\", for=10.0.0.2", true),
            ("forwarded", "for=198.51.100.1", false),
            ("x-forwarded-scheme", "https", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(says_https(&headers), https, "{name}: {value}");
        }
    }

    #[test]
    fn networks_are_read_and_compared() {
        for (network, address, contained) in [
            ("0.0.0.0/0", "1.2.3.4", true),
            ("10.1.0.0/16", "10.1.255.255", true),
            ("10.1.0.0/16", "10.2.0.0", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "10.0.0.1", false),
            ("::ffff:10.1.0.0/112", "10.1.2.3", true),
            ("::ffff:10.1.0.0/112", "::ffff:10.2.0.1", false),
            ("10.1.0.0/16", "::ffff:10.1.2.3", true),
        ] {
            assert_eq!(network.parse::<Network>().unwrap().contains(address.parse().unwrap()), contained, "{network} {address}");
        }
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "example.org/8"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
