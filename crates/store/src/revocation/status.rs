//! The nodes of a deployment as Redis knows them, for whoever looks after it.

use std::collections::HashMap;

use redis::Script;
use serde::Serialize;

use super::announcement::StreamEntries;
use super::script::Keys;
use crate::{Error, RedisConnection};

/// How many acknowledgements are looked at, the newest first.
const LOOKED_AT: usize = 1_000;

/// The nodes of a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// How many announcements there were since Redis last lost its memory.
    pub announcements: u64,
    /// Nodes with a lease.
    pub nodes: Vec<NodeStatus>,
    /// The node whose turn it is to read the ended sessions before it takes a lease.
    pub reading: Option<String>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    /// Its name, drawn at its start.
    pub name: String,
    /// For how long its lease is good, in milliseconds.
    pub lease_millis: i64,
    /// The newest announcement it has acknowledged; `None` where it has had none to acknowledge lately.
    pub acknowledged: Option<u64>,
}

/// Reads the state of the nodes.
///
/// # Errors
/// [`Error::CacheUnavailable`].
pub(super) async fn read(keys: &Keys, redis: &RedisConnection) -> Result<ClusterStatus, Error> {
    let mut redis = redis.clone();
    let announcements: Option<u64> = redis::cmd("HGET").arg(&keys.state).arg("seq").query_async(&mut redis).await?;
    // As a script of the nodes' own key: in a Redis Cluster it is the clock of the server that holds their leases.
    let (seconds, micros): (i64, i64) = Script::new("return redis.call('TIME')").key(&keys.state).invoke_async(&mut redis).await?;
    let now = seconds * 1_000 + micros / 1_000;
    let leases: Vec<(String, i64)> =
        redis::cmd("ZRANGEBYSCORE").arg(&keys.leases).arg(now).arg("+inf").arg("WITHSCORES").query_async(&mut redis).await?;
    let reading: Option<String> = redis::cmd("GET").arg(&keys.turn).query_async(&mut redis).await?;
    let newest: StreamEntries =
        redis::cmd("XREVRANGE").arg(&keys.acknowledgements).arg("+").arg("-").arg("COUNT").arg(LOOKED_AT).query_async(&mut redis).await?;
    let mut acknowledged = HashMap::new();
    for (_, fields) in &newest {
        if let [_, name, _, _, _, number, ..] = fields.as_slice() {
            acknowledged.entry(name.as_str()).or_insert_with(|| number.parse().ok());
        }
    }
    let nodes = leases.into_iter().map(|(name, ends)| NodeStatus {
        acknowledged: acknowledged.get(name.as_str()).copied().flatten(),
        lease_millis: ends - now,
        name,
    });
    Ok(ClusterStatus { announcements: announcements.unwrap_or(0), nodes: nodes.collect(), reading })
}
