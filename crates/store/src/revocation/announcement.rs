//! What travels between nodes: ended sessions in the feed, and who has applied how many of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use metrics::gauge;
use tokio::sync::Notify;

use crate::record::{EndedSession, NotBefore};

/// Entries of a stream, each with an id and names and values in turn.
pub(super) type StreamEntries = Vec<(String, Vec<String>)>;

/// A reply of `XREAD`: streams with their entries, or nothing where none came in time.
pub(super) type StreamReply = Option<Vec<(String, StreamEntries)>>;

/// An entry of the feed.
pub(super) struct Announcement {
    /// Its number within the epoch.
    pub(super) number: u64,
    /// The epoch it was made in.
    pub(super) epoch: String,
    /// What has ended.
    pub(super) ended: Vec<EndedSession>,
    /// The marks that were made.
    pub(super) marks: Vec<NotBefore>,
}

impl Announcement {
    /// Reads an entry; `None` where it is not of the form this version writes.
    pub(super) fn read(id: &str, fields: &[String]) -> Option<Self> {
        let number = id.split_once('-')?.0.parse().ok()?;
        let field = |name: &str| fields.as_chunks::<2>().0.iter().find(|pair| pair[0] == name).map(|pair| pair[1].as_str());
        let marks = field("m").map_or(Some(Vec::new()), |text| serde_json::from_str(text).ok())?;
        Some(Self { number, epoch: field("e")?.to_owned(), ended: serde_json::from_str(field("p")?).ok()?, marks })
    }
}

/// Acknowledgements that somebody waits for, as the metric counts them.
struct Outstanding(f64);

impl Outstanding {
    fn of(nodes: usize) -> Self {
        let count = f64::from(u32::try_from(nodes).unwrap_or(u32::MAX));
        gauge!("bo_auth_acknowledgements_outstanding").increment(count);
        Self(count)
    }
}

impl Drop for Outstanding {
    fn drop(&mut self) {
        gauge!("bo_auth_acknowledgements_outstanding").decrement(self.0);
    }
}

/// How far the other nodes have come, and who waits for that.
#[derive(Default)]
pub(super) struct Acknowledgements {
    heard: Mutex<HashMap<String, (String, u64)>>,
    changed: Notify,
}

impl Acknowledgements {
    /// Reads an entry of the stream of acknowledgements.
    pub(super) fn hear(&self, fields: &[String]) {
        let field = |name: &str| fields.as_chunks::<2>().0.iter().find(|pair| pair[0] == name).map(|pair| pair[1].clone());
        let (Some(node), Some(epoch), Some(number)) = (field("n"), field("e"), field("s").and_then(|text| text.parse().ok())) else {
            return;
        };
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).insert(node, (epoch, number));
    }

    /// Lets those who wait look again.
    pub(super) fn wake(&self) {
        self.changed.notify_waiters();
    }

    /// Waits until each of `nodes` has applied the announcement, or until `deadline`; answers how many have not.
    pub(super) async fn wait(&self, epoch: &str, number: u64, mut nodes: Vec<String>, deadline: Instant) -> usize {
        let _outstanding = Outstanding::of(nodes.len());
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on a wake is not missed.
            changed.as_mut().enable();
            self.strike_out(epoch, number, &mut nodes);
            if nodes.is_empty() || tokio::time::timeout_at(deadline.into(), changed).await.is_err() {
                return nodes.len();
            }
        }
    }

    fn strike_out(&self, epoch: &str, number: u64, nodes: &mut Vec<String>) {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.retain(|node| !heard.get(node).is_some_and(|(of, applied)| of == epoch && *applied >= number));
    }
}
