//! What this node remembers of users, in front of the cache that all nodes share: a verification needs no call for a
//! profile. Every change of a user's row and every end of a session of the user is heard here before it is acknowledged,
//! by the road by which nodes hear of ended sessions, and nothing is answered from here but under the lease that makes
//! such hearing certain.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bo_auth_core::identifier::{OwnerId, UserId};
use bo_auth_core::time::Timestamp;
use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::{Cached, Hit, USER_PURPOSE, key};
use crate::failpoint::{self, Guard};

/// How many bytes it takes at most; the least recently used give way.
const CAPACITY: u64 = 32 << 20;

/// What an entry costs beside its key and its value, roughly.
const ENTRY_BYTES: usize = 256;

/// Users share so many counts of what was heard about them.
const PARTS: usize = 4_096;

/// For how long nothing is taken in about a user of whom something was heard. What is heard is taken out of the shared
/// cache at the same moment, by a call that can come a little later; what is read there before it must not stay here.
const QUIET: Duration = Duration::from_secs(1);

/// Profiles in this process's memory.
pub(crate) struct Front {
    entries: Cache<String, Entry>,
    parts: Vec<Part>,
    /// How often everything was forgotten.
    emptied: AtomicU64,
    origin: Instant,
    quiet: Duration,
}

/// What was heard about some of the users.
#[derive(Default)]
struct Part {
    /// How often something was.
    heard: AtomicU64,
    /// Until when nothing is taken in: microseconds after the origin.
    quiet_until: AtomicU64,
}

#[derive(Clone)]
struct Entry {
    value: Arc<dyn Any + Send + Sync>,
    fetched_at: Timestamp,
    emptied: u64,
    weight: u32,
}

/// What `Front::look` found.
pub enum Looked<V> {
    /// The value.
    Found(Hit<V>),
    /// None; what is read from now on may be put there.
    Vacant(Place),
}

/// Leave to put what is read from now on, unless something is heard about the user in the meantime.
pub struct Place {
    key: String,
    part: usize,
    heard: u64,
    emptied: u64,
}

impl Front {
    pub(crate) fn new() -> Self {
        Self::with(CAPACITY, QUIET)
    }

    fn with(capacity: u64, quiet: Duration) -> Self {
        let entries = Cache::builder()
            .max_capacity(capacity)
            .weigher(|_: &String, entry: &Entry| entry.weight)
            .eviction_policy(EvictionPolicy::lru())
            // Whether an entry may be served is decided by the instant of its reading; this gives its memory back.
            .time_to_live(Duration::from_hours(1))
            .build();
        let parts = std::iter::repeat_with(Part::default).take(PARTS).collect();
        Self { entries, parts, emptied: AtomicU64::new(0), origin: Instant::now(), quiet }
    }

    /// The value of a user, if it is here and not too old.
    pub(crate) fn look<V: Cached>(&self, owner_id: &OwnerId, user_id: &UserId, now: Timestamp) -> Looked<V::Value> {
        let key = key_of(owner_id, user_id);
        // Both before anything is read.
        let emptied = self.emptied.load(Ordering::Acquire);
        let part = Self::part_of(&key);
        let heard = self.parts[part].heard.load(Ordering::Acquire);
        let found = self.entries.get(&key).filter(|entry| entry.emptied == emptied && now < entry.fetched_at.plus(V::LIFETIME));
        match found.and_then(|entry| Some((Arc::downcast(entry.value).ok()?, entry.fetched_at))) {
            Some((value, fetched_at)) => Looked::Found(Hit { value, fetched_at }),
            None => Looked::Vacant(Place { key, part, heard, emptied }),
        }
    }

    /// Puts what was read after the place was found vacant; not where something has been heard about the user since, or
    /// shortly before.
    pub(crate) fn put<V: Cached>(&self, place: Place, value: &Arc<V::Value>, fetched_at: Timestamp) {
        let part = &self.parts[place.part];
        let bytes = serde_json::to_vec(&**value).map_or(usize::MAX, |bytes| bytes.len());
        let weight = u32::try_from(bytes.saturating_add(place.key.len() + ENTRY_BYTES)).unwrap_or(u32::MAX);
        let (value, emptied) = (Arc::clone(value) as Arc<dyn Any + Send + Sync>, place.emptied);
        let overtaken = || part.heard.load(Ordering::Acquire) != place.heard || self.elapsed() < part.quiet_until.load(Ordering::Acquire);
        // Changes of one key come one after another: whoever hears of the user after this look takes the entry out again.
        self.entries.entry(place.key).and_compute_with(|_| {
            if overtaken() && !failpoint::left_out(Guard::FrontPlace) {
                return Op::Nop;
            }
            Op::Put(Entry { value, fetched_at, emptied, weight })
        });
    }

    /// Forgets a user, and what is being read about that user.
    pub(crate) fn forget(&self, owner_id: &OwnerId, user_id: &UserId) {
        let key = key_of(owner_id, user_id);
        let part = &self.parts[Self::part_of(&key)];
        let quiet_until = self.elapsed().saturating_add(u64::try_from(self.quiet.as_micros()).unwrap_or(u64::MAX));
        part.quiet_until.fetch_max(quiet_until, Ordering::AcqRel);
        part.heard.fetch_add(1, Ordering::AcqRel);
        self.entries.entry(key).and_compute_with(|_| Op::Remove);
    }

    /// Forgets everything, and what is being read.
    pub(crate) fn clear(&self) {
        // Entries of before are known by their number, whenever they are put.
        self.emptied.fetch_add(1, Ordering::AcqRel);
        self.entries.invalidate_all();
    }

    fn part_of(key: &str) -> usize {
        let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        usize::try_from((hash ^ (hash >> 32)) % PARTS as u64).unwrap_or(0)
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// The name of the value in the shared cache serves here too.
fn key_of(owner_id: &OwnerId, user_id: &UserId) -> String {
    key::value(owner_id, USER_PURPOSE, user_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    struct Profile;

    impl Cached for Profile {
        const PURPOSE: &'static str = USER_PURPOSE;
        const LIFETIME: Duration = Duration::from_mins(10);
        type Id = str;
        type Value = String;
    }

    fn user(text: &str) -> (OwnerId, UserId) {
        (OwnerId::parse("acme").unwrap(), UserId::parse(text).unwrap())
    }

    fn front() -> Front {
        Front::with(1 << 20, Duration::ZERO)
    }

    fn found(front: &Front, id: &(OwnerId, UserId), now: Timestamp) -> Option<String> {
        match front.look::<Profile>(&id.0, &id.1, now) {
            Looked::Found(hit) => Some(hit.value.as_str().to_owned()),
            Looked::Vacant(_) => None,
        }
    }

    fn place(front: &Front, id: &(OwnerId, UserId)) -> Place {
        match front.look::<Profile>(&id.0, &id.1, NOW) {
            Looked::Found(_) => panic!("something is there"),
            Looked::Vacant(place) => place,
        }
    }

    fn put(front: &Front, place: Place, text: &str) {
        front.put::<Profile>(place, &Arc::new(text.to_owned()), NOW);
    }

    #[test]
    fn a_value_stays_until_something_is_heard_or_it_is_too_old() {
        let (front, one, other) = (front(), user("one"), user("other"));
        put(&front, place(&front, &one), "a");
        put(&front, place(&front, &other), "b");
        assert_eq!((found(&front, &one, NOW).as_deref(), found(&front, &other, NOW).as_deref()), (Some("a"), Some("b")));
        assert_eq!(found(&front, &one, NOW.plus(Profile::LIFETIME)), None);
        front.forget(&one.0, &one.1);
        assert_eq!((found(&front, &one, NOW), found(&front, &other, NOW).as_deref()), (None, Some("b")));
        front.clear();
        assert_eq!(found(&front, &other, NOW), None);
    }

    #[test]
    fn what_was_being_read_when_something_was_heard_is_not_put() {
        let (front, one) = (front(), user("one"));
        let overtaken = place(&front, &one);
        front.forget(&one.0, &one.1);
        put(&front, overtaken, "old");
        assert_eq!(found(&front, &one, NOW), None);
        let overtaken = place(&front, &one);
        front.clear();
        put(&front, overtaken, "old");
        assert_eq!(found(&front, &one, NOW), None);
        put(&front, place(&front, &one), "new");
        assert_eq!(found(&front, &one, NOW).as_deref(), Some("new"));
    }

    #[test]
    fn nothing_is_put_shortly_after_something_was_heard() {
        let (front, one) = (Front::with(1 << 20, Duration::from_hours(1)), user("one"));
        front.forget(&one.0, &one.1);
        put(&front, place(&front, &one), "perhaps old");
        assert_eq!(found(&front, &one, NOW), None);
    }

    #[test]
    fn racing_readers_leave_nothing_old_behind() {
        let (front, one) = (front(), user("one"));
        let truth = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        if let Looked::Vacant(place) = front.look::<Profile>(&one.0, &one.1, NOW) {
                            put(&front, place, &truth.load(Ordering::SeqCst).to_string());
                        }
                    }
                });
            }
            scope.spawn(|| {
                for _ in 0..5_000 {
                    let now = truth.fetch_add(1, Ordering::SeqCst) + 1;
                    front.forget(&one.0, &one.1);
                    let seen = found(&front, &one, NOW).map(|text| text.parse::<u64>().unwrap());
                    assert!(seen.is_none_or(|seen| seen >= now), "{seen:?} is shown after {now}");
                }
            });
        });
    }

    #[test]
    fn it_stays_bounded() {
        let front = Front::with(100_000, Duration::ZERO);
        for number in 0..2_000 {
            let id = user(&format!("u{number}"));
            put(&front, place(&front, &id), "a profile");
        }
        front.entries.run_pending_tasks();
        assert!(front.entries.weighted_size() <= 100_000 && front.entries.entry_count() > 100, "{}", front.entries.weighted_size());
    }
}
