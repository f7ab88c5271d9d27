//! The cache in this process's memory, bounded by bytes. Every change of a key goes through moka's entry computation,
//! which runs the changes of one key one after another; no lock is held across an await.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bo_auth_core::time::{Clock, Timestamp};
use moka::ops::compute::{CompResult, Op};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use serde::de::DeserializeOwned;

use super::Hit;
use super::key::UserKeys;
use super::refill::LEASE_LIFETIME;
use super::stored::{self, Stored};

/// What an entry costs beside its key and its bytes, roughly.
const ENTRY_BYTES: usize = 224;

/// The engine in memory.
#[derive(Clone)]
pub struct LocalCache {
    entries: Cache<String, Entry>,
    clock: Arc<dyn Clock>,
}

#[derive(Clone)]
struct Entry {
    bytes: Arc<[u8]>,
    /// What the bytes mean, and when that was read from the database; as a [`Hit`], once somebody has asked.
    decoded: Arc<OnceLock<Arc<dyn Any + Send + Sync>>>,
    expires_at: Timestamp,
    lifetime: Duration,
}

/// Gives memory back by moka's own clock; whether an entry may be served is decided by ours.
struct Lifetime;

impl moka::Expiry<String, Entry> for Lifetime {
    fn expire_after_create(&self, _: &String, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.lifetime)
    }

    fn expire_after_update(&self, _: &String, entry: &Entry, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(entry.lifetime)
    }
}

impl LocalCache {
    pub(super) fn new(capacity_bytes: u64, clock: Arc<dyn Clock>) -> Self {
        let entries = Cache::builder()
            .max_capacity(capacity_bytes)
            .weigher(|key: &String, entry: &Entry| u32::try_from(key.len() + entry.bytes.len() + ENTRY_BYTES).unwrap_or(u32::MAX))
            // The default policy may refuse a new entry in favour of old ones; a captcha must be kept when it is drawn.
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(Lifetime)
            .build();
        Self { entries, clock }
    }

    pub(super) fn read(&self, key: &str) -> Option<Vec<u8>> {
        self.entries.get(key).filter(|entry| self.is_live(entry)).map(|entry| entry.bytes.to_vec())
    }

    /// The value, decoded once for all its readers; `None` where there is none or it is of another kind.
    pub(super) fn read_decoded<V: DeserializeOwned + Any + Send + Sync>(&self, key: &str) -> Option<Hit<V>> {
        let entry = self.entries.get(key).filter(|entry| self.is_live(entry))?;
        let decoded = if let Some(decoded) = entry.decoded.get() {
            Arc::clone(decoded)
        } else {
            let Some(Stored::Value { value, fetched_at }) = Stored::<V>::decode(&entry.bytes) else { return None };
            let hit: Arc<dyn Any + Send + Sync> = Arc::new(Hit { value: Arc::new(value), fetched_at });
            Arc::clone(entry.decoded.get_or_init(|| hit))
        };
        let hit = decoded.downcast_ref::<Hit<V>>()?;
        Some(Hit { value: Arc::clone(&hit.value), fetched_at: hit.fetched_at })
    }

    pub(super) fn read_or_lease(&self, key: &str, lease: &[u8]) -> Vec<u8> {
        let mut found = lease.to_vec();
        self.compute(key, |entry| match entry {
            Some(entry) => {
                found = entry.bytes.to_vec();
                // Sharing a lease makes it last for the newest reader.
                if found.first() == Some(&b'L') { Op::Put(self.entry(&found, LEASE_LIFETIME)) } else { Op::Nop }
            }
            None => Op::Put(self.entry(lease, LEASE_LIFETIME)),
        });
        found
    }

    pub(super) fn write(&self, key: &str, bytes: &[u8], lifetime: Duration) {
        self.compute(key, |_| Op::Put(self.entry(bytes, lifetime)));
    }

    pub(super) fn replace(&self, key: &str, lease: &[u8], bytes: &[u8], lifetime: Duration) -> bool {
        let outcome = self.compute(key, |entry| match entry {
            Some(entry) if *entry.bytes == *lease => Op::Put(self.entry(bytes, lifetime)),
            _ => Op::Nop,
        });
        matches!(outcome, CompResult::ReplacedWith(_))
    }

    pub(super) fn remove(&self, key: &str) {
        self.compute(key, |_| Op::Remove);
    }

    pub(super) fn take(&self, key: &str) -> Option<Vec<u8>> {
        match self.compute(key, |_| Op::Remove) {
            CompResult::Removed(entry) => Some(entry.into_value()).filter(|entry| self.is_live(entry)).map(|entry| entry.bytes.to_vec()),
            _ => None,
        }
    }

    pub(super) fn increase(&self, key: &str, lifetime: Duration) -> u64 {
        let now = self.clock.now();
        let mut count = 1;
        self.compute(key, |entry| {
            let standing = entry.and_then(|entry| Some((stored::decode_count(&entry.bytes)?, entry.expires_at)));
            let expires_at = match standing {
                Some((before, expires_at)) => {
                    count = before.saturating_add(1);
                    expires_at
                }
                None => now.plus(lifetime),
            };
            let bytes = Arc::from(count.to_string().into_bytes());
            Op::Put(Entry { bytes, decoded: Arc::default(), expires_at, lifetime: now.until(expires_at) })
        });
        count
    }

    pub(super) fn users_left(&self, users: &[UserKeys], flag_lifetime: Duration) {
        for user in users {
            self.remove(&user.profile);
            self.write(&user.login_flag, b"1", flag_lifetime);
        }
    }

    pub(super) fn forget_expired(&self) {
        self.entries.run_pending_tasks();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> u64 {
        self.entries.entry_count()
    }

    /// Changes one entry, after and before any other change of it. An expired entry is shown as none.
    fn compute(&self, key: &str, change: impl FnOnce(Option<Entry>) -> Op<Entry>) -> CompResult<String, Entry> {
        self.entries
            .entry_by_ref(key)
            .and_compute_with(|entry| change(entry.map(moka::Entry::into_value).filter(|entry| self.is_live(entry))))
    }

    fn entry(&self, bytes: &[u8], lifetime: Duration) -> Entry {
        Entry { bytes: Arc::from(bytes), decoded: Arc::default(), expires_at: self.clock.now().plus(lifetime), lifetime }
    }

    fn is_live(&self, entry: &Entry) -> bool {
        self.clock.now() < entry.expires_at
    }
}

impl fmt::Debug for LocalCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LocalCache").field("entries", &self.entries.entry_count()).finish_non_exhaustive()
    }
}
