//! Whether the process lives (`/healthz`), and whether it can serve (`/readyz`).

use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::time::Timestamp;
use bo_auth_service::Service;
use bo_auth_store::RedisConnection;
use poem::http::StatusCode;
use poem::{Endpoint, Request, Response, Result};
use serde_json::json;

/// How far this node's clock may be from the database's.
const SKEW: Duration = Duration::from_secs(2);

/// `GET /healthz`: the process answers.
pub struct Alive;

impl Endpoint for Alive {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        Ok(answer(StatusCode::OK, &json!({"status": "ok"})))
    }
}

/// `GET /readyz`: the stores answer, and the clocks agree.
pub struct Ready {
    /// For its database and clock.
    pub service: Arc<Service>,
    /// The shared cache, where there is one.
    pub redis: Option<RedisConnection>,
}

impl Endpoint for Ready {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        let database = self.service.db.now().await;
        let database_text = match &database {
            Ok(theirs) if apart(self.service.clock.now(), *theirs) <= SKEW => "ok",
            Ok(_) => "clock skew",
            Err(_) => "unavailable",
        };
        let redis_text = match &self.redis {
            None => None,
            Some(redis) => Some(if redis.ping().await.is_ok() { "ok" } else { "unavailable" }),
        };
        let ready = database_text == "ok" && redis_text.is_none_or(|text| text == "ok");
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let mut body = json!({"status": if ready { "ok" } else { "unavailable" }, "database": database_text});
        if let Some(text) = redis_text {
            body["redis"] = json!(text);
        }
        Ok(answer(status, &body))
    }
}

fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.until(other).max(other.until(one))
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response {
    Response::builder().status(status).content_type("application/json").header("cache-control", "no-store").body(body.to_string())
}
