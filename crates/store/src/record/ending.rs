//! Sessions that end one by one, each with its row: what is asked for, and what came of it.

use bo_auth_core::identifier::{OwnerId, SystemId, UserId};
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::audit::{Actor, RequestTrace};
use super::mark::{NotBefore, Scope};

/// One session that is to end.
#[derive(Debug, Clone)]
pub struct Ending {
    /// The tenant.
    pub owner_id: OwnerId,
    /// The session.
    pub session_id: SessionId,
    /// Why.
    pub reason: EndReason,
    /// By whom.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// Until when access tokens of the session could still be alive, at least.
    pub keep_until: Timestamp,
    /// The id of the event, should this call be the one that ends it.
    pub event_id: i64,
    /// The request it came with.
    pub trace: RequestTrace,
}

/// Several sessions of one user that are to end together.
#[derive(Debug, Clone)]
pub struct UserEnding {
    /// The tenant.
    pub owner_id: OwnerId,
    /// The user.
    pub user_id: UserId,
    /// Only those in this system; no mark is made then.
    pub sys_id: Option<SystemId>,
    /// Only those that began earlier; all that there are if absent.
    pub before: Option<Timestamp>,
    /// One session that goes on.
    pub except: Option<SessionId>,
    /// Nothing is ended, and nobody is answered, where this session is not live (not ended and not run out) at that
    /// moment, checked in the same transaction: the proofs of a session that is over end no others.
    pub while_live: Option<SessionId>,
    /// Why.
    pub reason: EndReason,
    /// By whom.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// Until when access tokens of the sessions could still be alive, at least.
    pub keep_until: Timestamp,
    /// The request it came with.
    pub trace: RequestTrace,
}

/// A session that this call has ended, or that had ended before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedSession {
    /// The tenant.
    pub owner_id: OwnerId,
    /// The session.
    pub session_id: SessionId,
    /// The system it belonged to.
    pub sys_id: SystemId,
    /// Whose it was.
    pub user_id: UserId,
    /// Why it ended.
    pub reason: EndReason,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Until when its access tokens could be alive: how long it must be remembered.
    pub keep_until: Timestamp,
    /// The id of the event that its end is; 0 where it is not known any more.
    pub event_id: i64,
}

/// What became of an [`Ending`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndOutcome {
    /// This call ended it; the transaction is durable.
    Ended(EndedSession),
    /// It had ended before; nothing was written.
    AlreadyEnded(EndedSession),
    /// There is no such session in this tenant; nothing was written.
    Unknown,
}

/// What a change has ended: sessions whose rows say so, and whole scopes whose rows follow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked {
    /// Sessions that this call has ended.
    pub sessions: Vec<EndedSession>,
    /// Marks that this call has made.
    pub marks: Vec<NotBefore>,
}

impl Revoked {
    /// How many sessions of a user end in the transaction that makes the user's mark; the others follow.
    pub const AT_ONCE: usize = 1_000;

    /// Marks about which nothing is left to do once they are told: every session of theirs has its end already.
    pub fn finished_marks(&self) -> impl Iterator<Item = &NotBefore> {
        let all = self.sessions.len() < Self::AT_ONCE;
        self.marks.iter().filter(move |mark| mark.not_before == Timestamp(0) || (all && matches!(mark.scope, Scope::User(_))))
    }

    /// Sessions alone.
    pub const fn of_sessions(sessions: Vec<EndedSession>) -> Self {
        Self { sessions, marks: Vec::new() }
    }

    /// Whether there is nothing that anybody must hear of.
    pub const fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.marks.is_empty()
    }
}
