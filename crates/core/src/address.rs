//! Which clients count as one: the key that every limit by address uses.
//!
//! A household or a hired server holds a whole IPv6 network, so that IPv6 clients count by their network. Logs and the
//! audit trail keep the full address.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How many leading bits of an IPv6 address tell clients apart. IPv4 addresses count whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientPrefix(u8);

impl Default for ClientPrefix {
    fn default() -> Self {
        Self(64)
    }
}

impl ClientPrefix {
    /// A prefix of so many bits; at most 128, and zero counts all of IPv6 as one client.
    pub fn new(bits: u8) -> Self {
        Self(bits.min(128))
    }

    /// The address that all addresses of one client share.
    pub fn client(self, address: IpAddr) -> IpAddr {
        match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => translated(address).map_or_else(|| IpAddr::V6(self.network(address)), IpAddr::V4),
        }
    }

    /// The same for an address as text: the key of a rate or a counter. What is no address is its own key; the zone of a
    /// link-local address (`%eth0`) tells nobody apart.
    pub fn key(self, address: &str) -> Cow<'_, str> {
        if !address.contains(':') {
            return Cow::Borrowed(address);
        }
        let bare = address.split_once('%').map_or(address, |(bare, _)| bare);
        match bare.parse().map(|address| self.client(address)) {
            Ok(IpAddr::V4(address)) => Cow::Owned(address.to_string()),
            Ok(IpAddr::V6(network)) => Cow::Owned(format!("{network}/{}", self.0)),
            Err(_) => Cow::Borrowed(address),
        }
    }

    fn network(self, address: Ipv6Addr) -> Ipv6Addr {
        let mask = u128::MAX.checked_shl(128 - u32::from(self.0)).unwrap_or(0);
        Ipv6Addr::from_bits(address.to_bits() & mask)
    }
}

/// The IPv4 address that a translator has written into `64:ff9b::/96` (RFC 6052): all of IPv4 would share that network.
fn translated(address: Ipv6Addr) -> Option<Ipv4Addr> {
    const WELL_KNOWN: u128 = 0x0064_ff9b << 96;
    let bits = address.to_bits();
    let low = u32::try_from(bits & u128::from(u32::MAX)).ok()?;
    (bits ^ u128::from(low) == WELL_KNOWN).then(|| Ipv4Addr::from_bits(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_an_ipv4_address_or_an_ipv6_network() {
        for (bits, address, key) in [
            (64, "203.0.113.9", "203.0.113.9"),
            (64, "::ffff:203.0.113.9", "203.0.113.9"),
            (64, "64:ff9b::203.0.113.9", "203.0.113.9"),
            (64, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            (64, "2001:db8:1:2::", "2001:db8:1:2::/64"),
            (64, "2001:DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
            (64, "2001:db8:1:3::1", "2001:db8:1:3::/64"),
            (56, "2001:db8:1:2ff::1", "2001:db8:1:200::/56"),
            (128, "2001:db8::1", "2001:db8::1/128"),
            (0, "2001:db8::1", "::/0"),
            (64, "fe80::1%eth0", "fe80::/64"),
            (64, "fe80::2%3", "fe80::/64"),
            (64, "no:address", "no:address"),
            (64, "", ""),
        ] {
            assert_eq!(ClientPrefix::new(bits).key(address), key, "{address}/{bits}");
        }
    }
}
