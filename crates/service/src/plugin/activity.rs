//! What plugins did since it was last written down: counts on their meters, the last failures, recorded answers. Kept in memory
//! within bounds, and written out in batches beside the requests.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::random::Random;
use bo_auth_core::session::time_ordered_id;
use bo_auth_core::time::Timestamp;
use bo_auth_plugin::{Context, Counted, Failure, FailureCode, Plugin};
use bo_auth_store::plugin_record::{PluginFailureRecord, PluginOwner, PluginRuns, PluginSample, SampleContext};
use serde_json::Value;

use super::redact;
use crate::{Error, Service};

/// The span of time that runs are counted in, in milliseconds.
pub(super) const BUCKET_MS: i64 = 300_000;
/// Failures that are held until they are written, of one owner and of all; beyond them only their number is known.
const FAILURES_OF_OWNER: usize = 40;
const FAILURES: usize = 200;
/// Recorded answers that are held until they are written, of one owner and of all.
const SAMPLES_OF_OWNER: usize = 20;
const SAMPLES: usize = 200;
/// How many failures of a plugin are kept.
const FAILURES_KEPT: i64 = 200;
/// How long what plugins did is kept.
const RETENTION: Duration = Duration::from_hours(30 * 24);
/// The largest recorded answer, in bytes.
const SAMPLE_BYTES: usize = 64 << 10;

/// What is held until it is written.
#[derive(Default)]
pub struct PluginActivity {
    failures: Mutex<Vec<(OwnerId, PluginFailureRecord)>>,
    samples: Mutex<BTreeMap<OwnerId, Vec<PluginSample>>>,
    recorded: RwLock<HashMap<Box<str>, i64>>,
    is_recording: AtomicBool,
}

impl PluginActivity {
    /// Takes over which owners have asked for their answers to be recorded.
    pub(super) fn record_for(&self, owners: &[PluginOwner]) {
        let mut present = self.recorded.write().unwrap_or_else(PoisonError::into_inner);
        let recorded: HashMap<Box<str>, i64> =
            owners.iter().filter_map(|owner| Some((owner.owner_id.as_str().into(), owner.samples?))).collect();
        self.is_recording.store(!recorded.is_empty(), Ordering::Relaxed);
        *present = recorded;
    }

    /// The same for one of them.
    pub(super) fn record_for_one(&self, owner: &PluginOwner) {
        let mut recorded = self.recorded.write().unwrap_or_else(PoisonError::into_inner);
        match owner.samples {
            Some(samples) => recorded.insert(owner.owner_id.as_str().into(), samples),
            None => recorded.remove(owner.owner_id.as_str()),
        };
        self.is_recording.store(!recorded.is_empty(), Ordering::Relaxed);
    }

    /// Whether an owner's answers are recorded.
    pub fn records(&self, owner_id: Option<&str>) -> bool {
        let (Some(owner_id), true) = (owner_id, self.is_recording.load(Ordering::Relaxed)) else { return false };
        self.recorded.read().unwrap_or_else(PoisonError::into_inner).contains_key(owner_id)
    }

    /// Keeps an answer, redacted, where its tenant has asked for it and there is room.
    pub(super) fn record_sample(&self, envelope: &Value, context: &Context, random: &dyn Random) {
        if !self.records(context.owner_id.as_deref()) {
            return;
        }
        let Some(owner_id) = context.owner_id.as_deref().and_then(|text| OwnerId::parse(text).ok()) else { return };
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.values().map(Vec::len).sum::<usize>() >= SAMPLES
            || samples.get(&owner_id).is_some_and(|own| own.len() >= SAMPLES_OF_OWNER)
        {
            return;
        }
        let mut envelope = envelope.clone();
        redact(&mut envelope);
        if envelope.to_string().len() > SAMPLE_BYTES {
            return;
        }
        let at = Timestamp(context.now_ms);
        let context = SampleContext {
            route: context.route.to_string(),
            method: context.method.to_string(),
            status: context.status,
            language: context.language.to_string(),
            sys_id: context.sys_id.as_deref().map(str::to_owned),
        };
        samples.entry(owner_id).or_default().push(PluginSample { sample_id: time_ordered_id(at, random), context, envelope, at });
    }

    /// Keeps a failure, where there is room.
    pub(super) fn record_failure(&self, plugin: &Plugin, failure: &Failure, context: &Context, random: &dyn Random) {
        // That it stands back was said when it began to.
        if failure.code == FailureCode::SwitchedOff {
            return;
        }
        tracing::warn!(
            plugin = plugin.name(),
            version = plugin.version(),
            code = failure.code.as_str(),
            "a response plugin failed; the untouched envelope went out"
        );
        let Some(owner_id) = plugin.owner_id().and_then(|text| OwnerId::parse(text).ok()) else { return };
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let own = failures.iter().filter(|(other, _)| *other == owner_id).count();
        if failures.len() >= FAILURES || own >= FAILURES_OF_OWNER {
            return;
        }
        let number = |number: Option<usize>| number.and_then(|number| i64::try_from(number).ok());
        let at = Timestamp(context.now_ms);
        let record = PluginFailureRecord {
            failure_id: time_ordered_id(at, random),
            name: plugin.name().to_owned(),
            version: plugin.version(),
            code: failure.code.as_str().to_owned(),
            message: failure.detail.clone(),
            line: number(failure.line),
            column: number(failure.column),
            route: context.route.to_string(),
            sys_id: context.sys_id.as_deref().map(str::to_owned),
            at,
        };
        failures.push((owner_id, record));
    }
}

impl Service {
    /// Writes down what plugins did. What cannot be written is kept for the next time.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn save_plugin_activity(&self) -> Result<(), Error> {
        self.save_runs().await?;
        let failures = std::mem::take(&mut *self.plugin_activity.failures.lock().unwrap_or_else(PoisonError::into_inner));
        if !failures.is_empty()
            && let Err(error) = self.db.insert_plugin_failures(&failures, FAILURES_KEPT).await
        {
            self.plugin_activity.failures.lock().unwrap_or_else(PoisonError::into_inner).extend(failures);
            return Err(error.into());
        }
        let samples = std::mem::take(&mut *self.plugin_activity.samples.lock().unwrap_or_else(PoisonError::into_inner));
        for (owner_id, samples) in samples {
            // One recorded answer more or less is no loss.
            self.db.insert_plugin_samples(&owner_id, &samples).await?;
        }
        Ok(())
    }

    pub(super) async fn save_runs(&self) -> Result<(), Error> {
        let now = self.clock.now().millis();
        let at = Timestamp(now - now.rem_euclid(BUCKET_MS));
        let mut taken = Vec::new();
        let mut rows = Vec::new();
        for plugin in self.plugins.versions() {
            let counted = plugin.meter().take();
            let Some(owner_id) = plugin.owner_id().and_then(|text| OwnerId::parse(text).ok()).filter(|_| counted != Counted::default())
            else {
                continue;
            };
            let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
            let runs = PluginRuns {
                version: plugin.version(),
                at,
                runs: number(counted.runs),
                failures: number(counted.failures),
                microseconds: number(counted.microseconds),
            };
            rows.push((owner_id, plugin.name().to_owned(), runs));
            taken.push((plugin, counted));
        }
        // All nodes write in one order, so that none waits for another in a circle.
        rows.sort_by(|one, other| (&one.0, &one.1, one.2.version).cmp(&(&other.0, &other.1, other.2.version)));
        if !rows.is_empty()
            && let Err(error) = self.db.add_plugin_runs(&rows).await
        {
            for (plugin, counted) in taken {
                plugin.meter().put_back(counted);
            }
            return Err(error.into());
        }
        Ok(())
    }

    /// Forgets what plugins did long ago.
    pub(crate) async fn forget_plugin_activity(&self, rows: i64) -> Result<(), Error> {
        let before = self.clock.now().minus(RETENTION);
        while self.db.remove_plugin_activity(before, rows).await? >= rows.unsigned_abs() {
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}
