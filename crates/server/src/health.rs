//! Whether the process lives (`/healthz`), and whether it can serve (`/readyz`): which store is gone, whether it holds its
//! lease, and how far its clock is off.

use std::sync::Arc;

use bo_auth_service::Service;
use bo_auth_service::service::MAX_CLOCK_SKEW;
use bo_auth_store::RedisConnection;
use poem::http::StatusCode;
use poem::{Endpoint, Request, Response, Result};
use serde_json::json;

/// `GET /healthz`: the process answers.
pub struct Alive;

impl Endpoint for Alive {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        Ok(answer(StatusCode::OK, &json!({"status": "ok"})))
    }
}

/// `GET /readyz`: the database answers and the clocks agree. Without Redis, or without a lease, a node is slower and still
/// right: it says so and stays ready, or a failure of Redis would take every node out of service at once.
pub struct Ready {
    /// For its database, clock and lease.
    pub service: Arc<Service>,
    /// The shared cache, where there is one.
    pub redis: Option<RedisConnection>,
}

impl Endpoint for Ready {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        let database = self.service.db.ping().await.is_ok();
        let skew = if database { self.service.clock_skew().await.ok().flatten() } else { None };
        let in_time = skew.is_none_or(|skew| skew <= MAX_CLOCK_SKEW);
        let redis = match &self.redis {
            None => None,
            Some(redis) => Some(redis.ping().await.is_ok()),
        };
        let lease = self.service.revocations.is_among_many().then(|| self.service.revocations.answers_from_memory());
        let ready = database && in_time;
        let whole = redis != Some(false) && lease != Some(false);
        let word = |ok: bool| if ok { "ok" } else { "unavailable" };
        let mut body = json!({
            "status": if !ready { "unavailable" } else if whole { "ok" } else { "degraded" },
            "database": if in_time { word(database) } else { "clock skew" },
        });
        if let Some(redis) = redis {
            body["redis"] = json!(word(redis));
        }
        if let Some(held) = lease {
            body["lease"] = json!(if held { "held" } else { "none" });
        }
        if let Some(skew) = skew {
            body["clockSkewMillis"] = json!(skew.as_millis());
        }
        Ok(answer(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body))
    }
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response {
    Response::builder().status(status).content_type("application/json").header("cache-control", "no-store").body(body.to_string())
}
