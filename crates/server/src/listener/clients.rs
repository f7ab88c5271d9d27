//! Whose connections are open: no client may hold all places, and at a cap the connection that has been idle longest makes
//! room for a newcomer, of the clients that hold the most: one who has just come and not spoken yet is left alone.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::counter;

use super::Limits;
use super::activity::Activity;
use crate::proxy::TrustedProxies;

/// How many candidates one look at all connections finds, so that a flood does not cost a look for each newcomer.
const CANDIDATES: usize = 64;

/// The open connections of one listener, by client.
pub(super) struct Clients {
    limits: Limits,
    /// Who speaks for many clients, and so may hold any number of connections.
    proxies: TrustedProxies,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    clients: HashMap<IpAddr, HashMap<u64, Arc<Activity>>>,
    /// Those that have been idle longest when they were last looked for, in that order.
    candidates: VecDeque<Candidate>,
}

/// A connection that was idle when it was looked at. Proxies' go last, those of whoever holds the most go first, then the
/// order is that of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    is_proxy: bool,
    held: Reverse<usize>,
    idle_since: tokio::time::Instant,
    id: u64,
    client: IpAddr,
}

/// A connection's entry, which goes with it.
pub(super) struct Entered {
    clients: Arc<Clients>,
    client: IpAddr,
    id: u64,
}

impl Clients {
    pub(super) fn new(limits: Limits, proxies: TrustedProxies) -> Self {
        Self { limits, proxies, open: Mutex::default() }
    }

    /// Whether one more connection of this peer may be served. If it holds all it may, the one of its connections goes
    /// that has been idle longest; if none is idle, the newcomer may not come.
    pub(super) fn has_room_for(&self, peer: IpAddr) -> bool {
        if self.proxies.trusts(peer) {
            return true;
        }
        let client = self.limits.client_prefix.client(peer);
        let mut open = self.lock();
        let Some(held) = open.clients.get(&client).filter(|held| held.len() >= self.limits.connections_per_client) else {
            return true;
        };
        let mut idle: Vec<_> = held.iter().filter_map(|(id, activity)| Some((activity.idle_since()?, *id))).collect();
        idle.sort_unstable();
        idle.into_iter().any(|(_, id)| open.evict(client, id))
    }

    /// Notes a connection for as long as the entry lives.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr, activity: &Arc<Activity>) -> Entered {
        let client = self.client_of(peer);
        let mut open = self.lock();
        let id = open.next;
        open.next += 1;
        open.clients.entry(client).or_default().insert(id, Arc::clone(activity));
        drop(open);
        Entered { clients: Arc::clone(self), client, id }
    }

    /// Whose connection a peer's is: a listed proxy is a client of its own, whatever else stands in its network.
    fn client_of(&self, peer: IpAddr) -> IpAddr {
        if self.proxies.trusts(peer) { peer.to_canonical() } else { self.limits.client_prefix.client(peer) }
    }

    /// Ends the connection that has been idle longest, of a client that holds many; false if none is idle.
    pub(super) fn evict_oldest(&self) -> bool {
        let mut open = self.lock();
        for searched in [false, true] {
            if searched {
                open.candidates = self.candidates(&open);
            }
            while let Some(candidate) = open.candidates.pop_front() {
                let found = open.clients.get(&candidate.client).and_then(|held| held.get(&candidate.id));
                let is_still_idle = found.is_some_and(|activity| activity.idle_since() == Some(candidate.idle_since));
                if is_still_idle && open.evict(candidate.client, candidate.id) {
                    return true;
                }
            }
        }
        false
    }

    fn candidates(&self, open: &Open) -> VecDeque<Candidate> {
        let mut all: Vec<Candidate> = open
            .clients
            .iter()
            .flat_map(|(client, held)| {
                let (is_proxy, count) = (self.proxies.trusts(*client), Reverse(held.len()));
                held.iter().filter_map(move |(id, activity)| {
                    Some(Candidate { is_proxy, held: count, idle_since: activity.idle_since()?, id: *id, client: *client })
                })
            })
            .collect();
        if all.len() > CANDIDATES {
            all.select_nth_unstable(CANDIDATES);
            all.truncate(CANDIDATES);
        }
        all.sort_unstable();
        // Whoever holds much less has to wait for another look, at which the others may hold idle ones again.
        if let Some(first) = all.first().copied() {
            all.retain(|candidate| candidate.is_proxy == first.is_proxy && candidate.held.0 * 2 >= first.held.0);
        }
        all.into()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Ends a connection if it is idle at this very moment: a request that has begun is finished.
    fn evict(&mut self, client: IpAddr, id: u64) -> bool {
        let evicted = self.clients.get(&client).and_then(|held| held.get(&id)).is_some_and(|activity| activity.evict());
        if evicted {
            counter!("bo_auth_connections_evicted_total").increment(1);
            self.remove(client, id);
        }
        evicted
    }

    fn remove(&mut self, client: IpAddr, id: u64) {
        if let Entry::Occupied(mut held) = self.clients.entry(client) {
            held.get_mut().remove(&id);
            if held.get().is_empty() {
                held.remove();
            }
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.clients.lock().remove(self.client, self.id);
    }
}
