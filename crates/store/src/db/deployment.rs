//! The deployment's own name, drawn once: what its nodes call each other by where several deployments share a Redis.

use futures_util::TryFutureExt;

use super::{Db, on};
use crate::Error;

impl Db {
    /// The name of this deployment; `proposed` becomes it where there is none yet. Of many nodes that start at once, all
    /// get the same.
    pub async fn deployment_id(&self, proposed: &str) -> Result<String, Error> {
        on!(self, write, |connection| sqlx::query(
            "INSERT INTO bo_deployment (singleton, deployment_id) VALUES (1, $1) ON CONFLICT (singleton) DO NOTHING",
        )
        .bind(proposed)
        .execute(connection)
        .map_ok(|_| ()))?;
        self.find_deployment_id().await?.ok_or(Error::Missing("deployment"))
    }

    /// The name of this deployment, if it has one yet.
    pub async fn find_deployment_id(&self) -> Result<Option<String>, Error> {
        on!(self, read, |connection| sqlx::query_scalar("SELECT deployment_id FROM bo_deployment WHERE singleton = 1")
            .fetch_optional(connection))
    }
}
