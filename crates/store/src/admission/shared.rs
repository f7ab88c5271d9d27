//! Admission counted in Redis, for all nodes together: rates and nonce in one script and one round trip, by the clock
//! of Redis, so that nodes whose clocks differ agree. What nodes have admitted by themselves is added in batches.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::time::Timestamp;
use redis::{Pipeline, Script};

use super::limiter::Counted;
use super::rate::NOTHING_ALLOWED;
use super::replay::UnsavedClaims;
use super::settlement::{Steps, redis_key};
use super::{AdmissionRequest, Admitted};
use crate::cache::key;
use crate::{Error, RedisConnection};

/// Checks every rate, counts against all of them or none, then claims the nonce. The arithmetic is that of
/// `Pace::step_in_debt`; how much of an instant is debt is not known here, so that all of what a settlement can make is
/// taken for it. Answers 0, -1 for a replay, or how many microseconds to wait. Numbers are written with all their
/// digits: Lua's own conversion keeps 14 of the 16.
const ADMIT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local rates = tonumber(ARGV[1])
local wait, whole_again = 0, {}
for rate = 1, rates do
  local interval, tolerance = tonumber(ARGV[2 * rate + 1]), tonumber(ARGV[2 * rate + 2])
  local whole_at = tonumber(redis.call('GET', KEYS[rate]) or '') or 0
  whole_at = math.max(whole_at, now)
  if whole_at > now + 4 * (tolerance + interval) then whole_at = now + tolerance end
  wait = math.max(wait, whole_at - tolerance - now)
  whole_again[rate] = whole_at + interval
end
if wait > 0 then return wait end
for rate = 1, rates do
  local left = math.ceil((whole_again[rate] - now) / 1000)
  redis.call('SET', KEYS[rate], string.format('%.0f', whole_again[rate]), 'PX', string.format('%.0f', left))
end
if #KEYS > rates and not redis.call('SET', KEYS[rates + 1], '1', 'NX', 'PX', ARGV[2]) then return -1 end
return 0";

/// Adds steps that nodes have admitted by themselves, each rate's at its interval and tolerance, and answers how many
/// microseconds ahead each rate then is. What was admitted beyond a rate is a debt, which holds everybody back until it
/// is paid off; it is limited to three bursts, so that nobody waits for ever for what others did.
const SETTLE: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local ahead = {}
for rate = 1, #KEYS do
  local interval, tolerance, steps = tonumber(ARGV[3 * rate - 2]), tonumber(ARGV[3 * rate - 1]), tonumber(ARGV[3 * rate])
  local most = now + 4 * (tolerance + interval)
  local whole_at = math.max(tonumber(redis.call('GET', KEYS[rate]) or '') or 0, now)
  if whole_at > most then whole_at = now + tolerance end
  whole_at = math.min(whole_at + steps * interval, most)
  redis.call('SET', KEYS[rate], string.format('%.0f', whole_at), 'PX', string.format('%.0f', math.ceil((whole_at - now) / 1000)))
  ahead[rate] = whole_at - now
end
return ahead";

/// How many claims go into one pipeline, and how many rates into one settlement.
const PIPELINE: usize = 500;

#[derive(Debug, Clone)]
pub(super) struct SharedAdmission {
    connection: RedisConnection,
    /// For what a request waits for.
    hurried: RedisConnection,
    admit: Arc<Script>,
    settle: Arc<Script>,
}

impl SharedAdmission {
    pub(super) fn new(connection: RedisConnection) -> Self {
        let hurried = connection.clone().hurried();
        Self { connection, hurried, admit: Arc::new(Script::new(ADMIT)), settle: Arc::new(Script::new(SETTLE)) }
    }

    pub(super) async fn admit(&self, owner_id: &OwnerId, request: &AdmissionRequest<'_>) -> Result<Admitted, Error> {
        let mut call = self.admit.prepare_invoke();
        call.arg(request.rates.len());
        call.arg(request.nonce.map_or(0, |(_, window)| millis(window)));
        for rate in request.rates {
            let Some(pace) = rate.pace() else { return Ok(Admitted::Limited { retry_after: NOTHING_ALLOWED }) };
            call.key(redis_key(owner_id, rate));
            call.arg(pace.interval).arg(pace.tolerance);
        }
        if let Some((digest, _)) = request.nonce {
            call.key(nonce_key(owner_id, &digest));
        }
        let answer: i64 = call.invoke_async(&mut self.hurried.clone()).await?;
        Ok(match u64::try_from(answer) {
            Ok(0) => Admitted::Accepted,
            Ok(wait) => Admitted::Limited { retry_after: Duration::from_micros(wait) },
            Err(_) => Admitted::Replayed,
        })
    }

    /// Adds the steps of rates; answers how many microseconds ahead each of them is with what all nodes have counted, or
    /// nothing for those that were not settled. One call for some hundred rates, on a Redis Cluster of one tenant.
    pub(super) async fn settle(&self, steps: &[(Counted, Steps)]) -> Vec<Option<i64>> {
        let tenants = steps.chunk_by(|(_, one), (_, next)| !self.connection.is_cluster() || one.owner_id == next.owner_id);
        let calls = tenants.flat_map(|steps| steps.chunks(PIPELINE)).map(|steps| self.settle_together(steps));
        futures_util::future::join_all(calls).await.concat()
    }

    async fn settle_together(&self, steps: &[(Counted, Steps)]) -> Vec<Option<i64>> {
        let mut call = self.settle.prepare_invoke();
        for (_, steps) in steps {
            call.key(&steps.key).arg(steps.pace.interval).arg(steps.pace.tolerance).arg(steps.count);
        }
        let ahead: Result<Vec<i64>, redis::RedisError> = call.invoke_async(&mut self.hurried.clone()).await;
        match ahead {
            Ok(ahead) if ahead.len() == steps.len() => ahead.into_iter().map(Some).collect(),
            Ok(_) => vec![None; steps.len()],
            Err(error) => {
                tracing::debug!(%error, "rates were not settled; this node goes on by itself");
                vec![None; steps.len()]
            }
        }
    }

    /// Tells the other nodes what this one has claimed while Redis was away.
    pub(super) async fn publish(&self, claims: &UnsavedClaims, now: Timestamp) -> Result<(), Error> {
        let (owner_id, until, digests) = claims;
        for page in digests.as_chunks().0.chunks(PIPELINE) {
            let mut pipeline = Pipeline::with_capacity(page.len());
            for digest in page {
                let left = millis(now.until(*until));
                pipeline.cmd("SET").arg(nonce_key(owner_id, digest)).arg("1").arg("NX").arg("PX").arg(left).ignore();
            }
            pipeline.query_async::<()>(&mut self.connection.clone()).await?;
        }
        Ok(())
    }
}

fn nonce_key(owner_id: &OwnerId, digest: &[u8; 16]) -> String {
    let mut text = String::with_capacity(32);
    for byte in digest {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    key::value(owner_id, "nonce", &text)
}

/// A window as Redis takes it; it refuses zero.
fn millis(window: Duration) -> u64 {
    u64::try_from(window.as_millis()).unwrap_or(u64::MAX).max(1)
}
