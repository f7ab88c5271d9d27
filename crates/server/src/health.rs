//! Whether the process lives (`/healthz`), and whether it can serve (`/readyz`): which store is gone or takes no writes,
//! whether it holds its lease, and how far its clock is off.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bo_auth_core::time::Timestamp;
use bo_auth_service::Service;
use bo_auth_service::service::DatabaseState;
use bo_auth_store::{RedisConnection, RedisHealth};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use poem::http::StatusCode;
use poem::{Endpoint, Request, Response, Result};
use serde_json::json;

/// For how long one look at the stores serves everybody who asks: strangers may ask as often as they like.
const LOOK_LIFETIME: Duration = Duration::from_millis(200);

/// `GET /healthz`: the process answers.
pub struct Alive;

impl Endpoint for Alive {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        Ok(answer(StatusCode::OK, &json!({"status": "ok"})))
    }
}

/// `GET /readyz`: the database answers and takes writes, and the clocks agree. Without Redis, or without a lease, a node is
/// slower and still right: it says so and stays ready, or a failure of Redis would take every node out of service at once.
/// While it reads the ended sessions before it takes a lease, it says how far it is.
pub struct Ready {
    service: Arc<Service>,
    redis: Option<RedisConnection>,
    latest: Mutex<Option<Look>>,
}

/// What the stores said; one that is under way is waited for by all who ask.
struct Look {
    begun: Timestamp,
    report: Shared<BoxFuture<'static, Report>>,
}

/// What the stores say.
#[derive(Debug, Clone, Copy)]
struct Report {
    /// `None` if the database does not answer.
    database: Option<DatabaseState>,
    /// `None` if there is no Redis.
    redis: Option<RedisReport>,
}

/// What Redis says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RedisReport {
    Answers(RedisHealth),
    Silent,
}

impl RedisReport {
    const fn word(self) -> &'static str {
        match self {
            Self::Silent => "unavailable",
            Self::Answers(RedisHealth::Writable) => "ok",
            Self::Answers(RedisHealth::ReadOnly) => "read-only",
            Self::Answers(RedisHealth::RefusesWrites) => "refuses writes",
        }
    }
}

impl Ready {
    /// For a service, and the shared cache if there is one.
    pub const fn new(service: Arc<Service>, redis: Option<RedisConnection>) -> Self {
        Self { service, redis, latest: Mutex::new(None) }
    }

    /// What the stores said a moment ago, or say now.
    fn look(&self) -> Shared<BoxFuture<'static, Report>> {
        let now = self.service.clock.now();
        // By the clock that is judged: one that was set back has no look to repeat.
        let is_recent = |begun: Timestamp| begun <= now && begun.until(now) < LOOK_LIFETIME;
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let current = latest.as_ref().filter(|look| look.report.peek().is_none() || is_recent(look.begun));
        if let Some(look) = current {
            return look.report.clone();
        }
        let report = ask(Arc::clone(&self.service), self.redis.clone()).boxed().shared();
        *latest = Some(Look { begun: now, report: report.clone() });
        report
    }
}

async fn ask(service: Arc<Service>, redis: Option<RedisConnection>) -> Report {
    let redis = async {
        match redis {
            None => None,
            Some(redis) => Some(redis.health().await.map_or(RedisReport::Silent, RedisReport::Answers)),
        }
    };
    let (database, redis) = futures_util::join!(service.database_state(), redis);
    Report { database: database.ok(), redis }
}

impl Endpoint for Ready {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        let report = self.look().await;
        let lease = self.service.revocations.is_among_many().then(|| self.service.revocations.answers_from_memory());
        let ready = report.database.is_some_and(|state| state.is_ready());
        let whole = report.redis.is_none_or(|redis| redis == RedisReport::Answers(RedisHealth::Writable)) && lease != Some(false);
        let mut body = json!({
            "status": if !ready { "unavailable" } else if whole { "ok" } else { "degraded" },
            "database": match report.database {
                None => "unavailable",
                Some(state) if !state.is_writable => "read-only",
                Some(state) if !state.is_in_time() => "clock skew",
                Some(_) => "ok",
            },
        });
        if let Some(redis) = report.redis {
            body["redis"] = json!(redis.word());
        }
        if let Some(held) = lease {
            body["lease"] = json!(if held { "held" } else { "none" });
        }
        if let Some((rows, time)) = self.service.revocations.reading() {
            body["reading"] = json!({"rows": rows, "milliseconds": time.as_millis()});
        }
        if let Some(skew) = report.database.and_then(|state| state.clock_skew) {
            body["clockSkewMillis"] = json!(skew.as_millis());
        }
        Ok(answer(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body))
    }
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response {
    Response::builder().status(status).content_type("application/json").header("cache-control", "no-store").body(body.to_string())
}
