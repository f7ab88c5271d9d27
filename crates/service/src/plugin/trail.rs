//! Lines of the audit trail about plugins, of the same shape as all others: who and from where, and below `details` what.

use bo_auth_core::random::Random;
use bo_auth_core::session::time_ordered_id;
use bo_auth_core::time::Timestamp;
use bo_auth_store::record::{Actor, AuditRecord, RequestTrace};
use serde_json::{Value, json};

use crate::operator::Author;
use crate::operator::tenant::without_nulls;

/// A line of the audit trail.
pub(super) fn event(kind: &str, actor: Actor, by: &Author, details: Value, at: Timestamp, random: &dyn Random) -> AuditRecord {
    let trace = RequestTrace {
        address: by.address.clone(),
        admin_user_id: by.user_id.clone(),
        details: Some(without_nulls(details)),
        ..RequestTrace::default()
    };
    AuditRecord {
        event_id: time_ordered_id(at, random),
        kind: kind.to_owned(),
        sys_id: None,
        user_id: None,
        session_id: None,
        reason: None,
        actor,
        trace: json!(trace),
        at,
    }
}
