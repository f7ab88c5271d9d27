//! The first gate: how often an address may call this node at all, before its tenant is known and anything is looked
//! up for it.

use std::time::Duration;

use bo_auth_core::address::ClientPrefix;
use bo_auth_core::time::Timestamp;

use super::limiter::RateLimiter;
use super::rate::Rate;

/// Limits each address to a rate of this node's own.
#[derive(Debug)]
pub struct AddressGate {
    limiter: RateLimiter,
    per_minute: u32,
    burst: u32,
    prefix: ClientPrefix,
}

impl AddressGate {
    /// A gate with this rate for every client that `prefix` tells apart; zero a minute lets nobody in.
    pub fn new(per_minute: u32, burst: u32, prefix: ClientPrefix) -> Self {
        Self { limiter: RateLimiter::new(), per_minute, burst, prefix }
    }

    /// Counts one request of an address.
    ///
    /// # Errors
    /// How long the address has to wait.
    pub fn admit(&self, address: &str, now: Timestamp) -> Result<(), Duration> {
        let client = self.prefix.key(address);
        let rate = Rate::per_minute("gate", &client, self.per_minute, self.burst);
        self.limiter.admit("", &[rate], now)
    }

    /// Forgets addresses that have been quiet long enough.
    pub fn forget_expired(&self, now: Timestamp) {
        self.limiter.forget_expired(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_limited_one_by_one() {
        let gate = AddressGate::new(600, 2, ClientPrefix::default());
        let now = Timestamp(1_700_000_000_000);
        assert_eq!([gate.admit("192.0.2.1", now), gate.admit("192.0.2.1", now)], [Ok(()), Ok(())]);
        assert_eq!(gate.admit("192.0.2.1", now), Err(Duration::from_millis(100)));
        assert_eq!(gate.admit("192.0.2.2", now), Ok(()));
        assert_eq!(gate.admit("192.0.2.1", now.plus(Duration::from_millis(100))), Ok(()));
    }

    #[test]
    fn ipv6_addresses_are_limited_by_their_network() {
        let gate = AddressGate::new(600, 2, ClientPrefix::default());
        let now = Timestamp(1_700_000_000_000);
        assert_eq!([gate.admit("2001:db8::1", now), gate.admit("2001:db8::2", now)], [Ok(()), Ok(())]);
        assert!(gate.admit("2001:db8:0:0:ffff::3", now).is_err());
        assert_eq!(gate.admit("2001:db8:0:1::1", now), Ok(()));
    }
}
