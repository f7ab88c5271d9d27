//! A scenario: a fault, and the guards whose absence it shows.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::Failure;
use crate::cluster::Cluster;
use crate::form::Form;
use crate::history::History;
use crate::load::Load;

/// What one run of a scenario leaves.
#[derive(Default)]
pub(crate) struct Trial {
    pub(crate) history: Arc<History>,
    /// Violations of rules that are the scenario's own, in words.
    pub(crate) found: Vec<String>,
    /// How long the cluster took to answer again, where there was a fault to recover from.
    pub(crate) recovery: Option<Duration>,
    /// Whether the scenario has replayed the old proofs by itself, on nodes of its own.
    pub(crate) is_replayed: bool,
    /// Figures for the report.
    pub(crate) notes: Vec<String>,
}

impl Trial {
    /// Ends a load, and takes what happened under it.
    pub(crate) async fn of(load: Load, recovery: Option<Duration>) -> Result<Self, Failure> {
        Ok(Self { history: load.finish().await?, recovery, ..Self::default() })
    }
}

/// How a scenario runs, on a cluster whose nodes have just been started.
pub(crate) type Run = for<'a> fn(&'a mut Cluster, Form) -> BoxFuture<'a, Result<Trial, Failure>>;

/// A scenario.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What is done, in a few words.
    pub(crate) about: &'static str,
    /// The guards that it shows to be needed, as `bo_auth_store::failpoint::Guard` names them.
    pub(crate) guards: &'static [&'static str],
    pub(crate) run: Run,
}
