//! Metrics: the recorder, what `/metrics` answers, and the request counters with their handles kept at hand.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use http::{Method, StatusCode};
use metrics::{Counter, Histogram, counter, describe_counter, describe_gauge, describe_histogram, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use poem::{Endpoint, Request, Response, Result};

/// Upper bounds of the request histogram, in seconds: from a cache hit to Argon2 under load.
const SECONDS: &[f64] = &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How often samples are folded into their buckets where nobody asks for `/metrics`.
const UPKEEP: Duration = Duration::from_secs(5);

/// The process's metrics.
#[derive(Clone, Debug)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Installs the process's recorder, or finds the one an earlier call has installed.
    ///
    /// # Errors
    /// Where another library has installed a recorder.
    pub fn install() -> Result<Self, BuildError> {
        static INSTALLED: OnceLock<PrometheusHandle> = OnceLock::new();
        if let Some(handle) = INSTALLED.get() {
            return Ok(Self(handle.clone()));
        }
        let recorder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?.build_recorder();
        let handle = recorder.handle();
        match metrics::set_global_recorder(recorder) {
            Ok(()) => {
                describe();
                Ok(Self(INSTALLED.get_or_init(|| handle).clone()))
            }
            // Two first calls at once: the other's recorder is the one that counts.
            Err(error) => INSTALLED.get().map(|handle| Self(handle.clone())).ok_or(BuildError::FailedToSetGlobalRecorder(error)),
        }
    }

    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds samples until the runtime ends; to be spawned once. Without it they would pile up where nobody scrapes.
    pub async fn keep_up(self) {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            self.0.run_upkeep();
        }
    }
}

/// `GET /metrics`.
impl Endpoint for Metrics {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        Ok(Response::builder().content_type("text/plain; version=0.0.4; charset=utf-8").body(self.render()))
    }
}

fn describe() {
    describe_gauge!("bo_auth_connections", "Connections that are open.");
    describe_counter!("bo_auth_connections_total", "Connections that were accepted.");
    describe_counter!(
        "bo_auth_connections_cap_reached_total",
        "Times that a newcomer needed the place of another connection because --max-connections were open."
    );
    describe_counter!("bo_auth_connections_refused_total", "Connections closed because their client held all it may, none of them idle.");
    describe_counter!("bo_auth_connections_evicted_total", "Idle connections closed to make room for a newcomer.");
    describe_counter!("bo_auth_connections_timed_out_total", "Connections closed for slowness, by phase.");
    describe_counter!("bo_auth_accept_errors_total", "Connections the system failed to hand over.");
    describe_counter!("bo_auth_requests_refused_total", "Requests that could not be parsed, by reason.");
    describe_counter!("bo_auth_requests_total", "Requests answered, by operation, method and status.");
    describe_counter!("bo_auth_failed_sign_ins_total", "Sign-ins that were refused, by contract and reason.");
    describe_counter!("bo_auth_failed_sign_ins_unrecorded_total", "Those that the audit trail had no room for.");
    describe_counter!("bo_auth_errors_total", "Requests answered with an error code, by operation and code.");
    describe_histogram!("bo_auth_request_seconds", "Time to the answer's headers, by operation.");
    describe_gauge!("bo_auth_ended_sessions_in_memory", "Ended sessions remembered because an access token of theirs may live.");
    describe_gauge!("bo_auth_outbox_events", "Events that have not been removed from the outbox.");
    describe_gauge!("bo_auth_outbox_age_seconds", "Age of the oldest event in the outbox.");
    describe_gauge!("bo_auth_lease_alive", "1 while this node may answer from its memory; absent on a single node.");
    describe_gauge!("bo_auth_lease_age_seconds", "Time since the renewal of the lease that was granted last was sent.");
    describe_gauge!("bo_auth_ended_sessions_reading", "1 while this node reads all ended sessions before it takes a lease.");
    describe_gauge!("bo_auth_ended_sessions_read", "Rows that the last such reading, or the one under way, has read.");
    describe_gauge!("bo_auth_ended_sessions_reading_seconds", "How long it took, or has taken so far.");
    describe_counter!("bo_auth_ended_sessions_readings_total", "Readings of all ended sessions before a lease.");
    describe_gauge!("bo_auth_acknowledgements_outstanding", "Acknowledgements of other nodes that logouts are waiting for.");
    describe_gauge!("bo_auth_user_marks_in_memory", "Not-before marks of users that are remembered because an access token may be older.");
    describe_gauge!("bo_auth_revocation_memory_bytes", "Bytes of the tables of ended sessions and marks, empty slots included.");
    describe_gauge!("bo_auth_revocation_memory_overflown_parts", "Parts, of 64, in which not every ended session fits.");
    describe_gauge!("bo_auth_marks_unfinished", "Not-before marks whose sessions have not all ended one by one yet.");
    describe_gauge!("bo_auth_marks_unfinished_age_seconds", "Age of the oldest of them.");
    describe_gauge!("bo_auth_database_writable", "1 while the database takes writes, 0 while it is a standby or read-only.");
    describe_gauge!("bo_auth_clock_skew_seconds", "How far this node's clock is from the database's.");
    describe_counter!("bo_auth_verifications_total", "Sessions asked for, by who answered: memory, or database.");
    describe_counter!("bo_auth_verifications_without_lease_total", "Verifications that asked the database for want of a lease.");
    describe_counter!("bo_auth_announcements_total", "Ends announced to other nodes, by way.");
    describe_counter!("bo_auth_acknowledgements_missed_total", "Acknowledgements that did not come before a lease had run out.");
    describe_counter!("bo_auth_announcement_gaps_total", "Gaps found in the feed, each followed by a reload.");
    describe_histogram!("bo_auth_revoke_to_deny_seconds", "Time from a commit to the refusal on every node.");
    describe_counter!(
        "bo_auth_refresh_replays_from_elsewhere_total",
        "Refreshes asked for again from another address or user agent than had them first."
    );
    describe_counter!("bo_auth_admission_degraded_total", "Calls judged by this node alone because Redis did not answer.");
    describe_counter!("bo_auth_plugin_failures_total", "Response plugins that failed, by code.");
    describe_counter!("bo_auth_plugin_name_collisions_total", "Member names left alone because two would have become one.");
    describe_counter!("bo_auth_log_lines_dropped_total", "Log lines dropped because their buffer was full.");
}

/// One request as the metrics see it. All labels are of closed sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Labels {
    pub(super) operation: &'static str,
    pub(super) method: &'static str,
    pub(super) status: u16,
    pub(super) error_code: Option<&'static str>,
}

struct Handles {
    requests: Counter,
    errors: Option<Counter>,
    seconds: Histogram,
}

/// Counts a request. Finding a handle by its labels costs more than counting, so each thread keeps those it has used.
pub(super) fn count(labels: Labels, took: Duration) {
    thread_local! {
        static HANDLES: RefCell<HashMap<Labels, Handles>> = RefCell::default();
    }
    HANDLES.with_borrow_mut(|known| {
        let handles = known.entry(labels).or_insert_with(|| handles(labels));
        handles.requests.increment(1);
        if let Some(errors) = &handles.errors {
            errors.increment(1);
        }
        handles.seconds.record(took.as_secs_f64());
    });
}

fn handles(labels: Labels) -> Handles {
    let status = StatusCode::from_u16(labels.status).map_or_else(|_| String::new(), |status| status.as_str().to_owned());
    Handles {
        requests: counter!("bo_auth_requests_total", "operation" => labels.operation, "method" => labels.method, "status" => status),
        errors: labels.error_code.map(|code| counter!("bo_auth_errors_total", "operation" => labels.operation, "errorCode" => code)),
        seconds: histogram!("bo_auth_request_seconds", "operation" => labels.operation),
    }
}

/// A method as a label; what HTTP does not define is one label together, for a peer can make up as many as it likes.
pub(super) fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_rendered_with_their_labels() {
        let first = Metrics::install();
        assert!(first.is_ok());
        let labels = Labels { operation: "logout", method: "GET", status: 401, error_code: Some("TOKEN_INVALID") };
        count(labels, Duration::from_micros(300));
        count(labels, Duration::from_micros(300));
        let text = Metrics::install().unwrap().render();
        for line in [
            r#"bo_auth_requests_total{operation="logout",method="GET",status="401"} 2"#,
            r#"bo_auth_errors_total{operation="logout",errorCode="TOKEN_INVALID"} 2"#,
            r#"bo_auth_request_seconds_bucket{operation="logout",le="0.0005"} 2"#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn invented_methods_share_a_label() {
        assert_eq!(method_label(&Method::from_bytes(b"BREW").unwrap()), "OTHER");
    }
}
