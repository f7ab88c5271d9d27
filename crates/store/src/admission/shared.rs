//! Admission counted in Redis, for all nodes together: rates and nonce in one script and one round trip, by the clock
//! of Redis, so that nodes whose clocks differ agree.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::time::Timestamp;
use redis::{Pipeline, Script};

use super::rate::NOTHING_ALLOWED;
use super::replay::UnsavedClaims;
use super::{AdmissionRequest, Admitted};
use crate::cache::key;
use crate::{Error, RedisConnection};

/// Checks every rate, counts against all of them or none, then claims the nonce. The arithmetic is that of
/// `Pace::step`. Answers 0, -1 for a replay, or how many microseconds to wait. Numbers are written with all their
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
  if whole_at > now + tolerance + interval then whole_at = now + tolerance end
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

/// How many claims go into one pipeline.
const PIPELINE: usize = 500;

#[derive(Debug, Clone)]
pub(super) struct SharedAdmission {
    connection: RedisConnection,
    admit: Arc<Script>,
}

impl SharedAdmission {
    pub(super) fn new(connection: RedisConnection) -> Self {
        Self { connection, admit: Arc::new(Script::new(ADMIT)) }
    }

    pub(super) async fn admit(&self, owner_id: &OwnerId, request: &AdmissionRequest<'_>) -> Result<Admitted, Error> {
        let mut call = self.admit.prepare_invoke();
        call.arg(request.rates.len());
        call.arg(request.nonce.map_or(0, |(_, window)| millis(window)));
        for rate in request.rates {
            let Some(pace) = rate.pace() else { return Ok(Admitted::Limited { retry_after: NOTHING_ALLOWED }) };
            call.key(key::value(owner_id, "rate", &format_args!("{}:{}", rate.name, rate.key)));
            call.arg(pace.interval).arg(pace.tolerance);
        }
        if let Some((digest, _)) = request.nonce {
            call.key(nonce_key(owner_id, &digest));
        }
        let answer: i64 = call.invoke_async(&mut self.connection.clone()).await?;
        Ok(match u64::try_from(answer) {
            Ok(0) => Admitted::Accepted,
            Ok(wait) => Admitted::Limited { retry_after: Duration::from_micros(wait) },
            Err(_) => Admitted::Replayed,
        })
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
