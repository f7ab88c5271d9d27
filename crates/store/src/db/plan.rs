//! Statements that find rows in tables which grow large, each by a name: whoever reads their plans
//! sees that each goes by an index, whatever the statistics of the table say.

use super::{database_feed, ending, not_before_pending, outbox, retention, session};

/// A statement, and the indexes by which it may go.
#[derive(Debug, Clone, Copy)]
pub struct LookUp {
    /// What it does.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
    /// The indexes.
    pub indexes: &'static [&'static str],
}

const fn look_up(name: &'static str, text: &'static str, indexes: &'static [&'static str]) -> LookUp {
    LookUp { name, text, indexes }
}

const SESSION: &[&str] = &["bo_session_pkey"];
const LIVE: &[&str] = &["bo_session_live"];
const KEPT: &[&str] = &["bo_session_kept"];
const OUTBOX: &[&str] = &["bo_outbox_pkey"];

/// Those that both engines run.
pub const BOTH: &[LookUp] = &[
    look_up("hold a live session", ending::HOLD_LIVE, SESSION),
    look_up("rotate a session", session::ROTATE, SESSION),
    look_up("extend the access of a session", session::EXTEND_ACCESS, SESSION),
    look_up("end the sessions of a user", ending::END_SESSIONS_OF_USER, LIVE),
    look_up("replace sessions of a user", session::REPLACE, LIVE),
    look_up("list the sessions that a mark refuses", not_before_pending::LIST_MARKED, LIVE),
    look_up("list ended sessions", ending::LIST_ENDED, KEPT),
    look_up("remove ended sessions", retention::REMOVE_ENDED, &["bo_session_kept", "bo_session_pkey"]),
    look_up("remove expired sessions", retention::REMOVE_EXPIRED, &["bo_session_expiry", "bo_session_pkey"]),
    look_up("remove lines of the audit trail", retention::REMOVE_AUDIT, &["bo_audit_event_at", "bo_audit_event_pkey"]),
    look_up("read the feed", database_feed::READ_FEED, &["bo_database_feed_pkey"]),
    look_up("remove entries of the feed", database_feed::REMOVE_FEED, &["bo_database_feed_at", "bo_database_feed_pkey"]),
];

/// Those of Postgres alone: each looks up a list of keys.
pub const POSTGRES: &[LookUp] = &[
    look_up("end sessions", ending::END_SESSIONS, SESSION),
    look_up("find ended sessions", ending::FIND_ENDED, SESSION),
    look_up("mark events as untold", outbox::MARK_UNTOLD, OUTBOX),
    look_up("remove events", outbox::REMOVE_EVENTS, OUTBOX),
    look_up("mark marks as untold", not_before_pending::MARK_UNTOLD_MARKS, &["bo_not_before_pkey"]),
];

/// Those of `SQLite` alone: the same.
pub const SQLITE: &[LookUp] = &[
    look_up("end sessions", ending::END_SESSIONS_SQLITE, SESSION),
    look_up("find ended sessions", ending::FIND_ENDED_SQLITE, SESSION),
    look_up("mark events as untold", outbox::MARK_UNTOLD_SQLITE, OUTBOX),
    look_up("remove events", outbox::REMOVE_EVENTS_SQLITE, OUTBOX),
    look_up("mark marks as untold", not_before_pending::MARK_UNTOLD_MARKS_SQLITE, &["bo_not_before_pkey"]),
];
