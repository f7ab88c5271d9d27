//! Sessions of a tenant's users: listed, and ended one or many at a time. When an end is answered, no node accepts
//! anything of the session any more.

use std::sync::Arc;

use bo_auth_core::identifier::{SystemId, UserId};
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::time::Timestamp;
use bo_auth_service::operator::session::Target;
use bo_auth_store::record::{SessionFilter, SessionRecord};
use poem::Request;
use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};

use super::Frame;
use super::body::{IDENTIFIER, invalid};
use super::page::{PageRequest, page};
use super::problem::{NOT_FOUND, Problem};
use super::reply::{NoContent, Reply, Success};
use crate::api::body::JsonBody;

/// The routes of users' sessions.
pub(super) struct UserSessions(pub(super) Arc<Frame>);

/// A session. It carries no token.
#[derive(Object)]
#[oai(rename = "Session", rename_all = "camelCase")]
pub(super) struct SessionView {
    /// The id.
    session_id: String,
    /// Whose it is.
    user_id: String,
    /// In which system.
    sys_id: String,
    /// When it was opened (Unix ms).
    created_at: i64,
    /// When it was last refreshed (Unix ms).
    refreshed_at: i64,
    /// When it is over if it is not refreshed (Unix ms).
    idle_expires_at: i64,
    /// When it is over in any case (Unix ms).
    expires_at: i64,
    /// The address it was opened from.
    address: Option<String>,
    /// The user agent it was opened with.
    user_agent: Option<String>,
    /// When it ended (Unix ms).
    ended_at: Option<i64>,
    /// Why it ended.
    end_reason: Option<String>,
}

page! {
    /// A page of sessions, the newest first.
    SessionPage of SessionView
}

/// Which sessions are to end: those of a user, of a system, of a user in a system, or all. `userId`, `sysId` or both are
/// named, or `all`.
#[derive(Object)]
#[oai(rename = "EndSessionsRequest", rename_all = "camelCase")]
pub(super) struct EndBody {
    /// Those of this user.
    user_id: Option<String>,
    /// Those in this system.
    sys_id: Option<String>,
    /// `true`: those of the whole tenant.
    all: Option<bool>,
    /// `KICKED` (if absent), `LOGGED_OUT`, `PASSWORD_CHANGED` or `EXPIRED`: what their owners are told.
    reason: Option<String>,
    /// `true`: nothing ends, and the answer says how many would.
    dry_run: Option<bool>,
    /// Only those that began before this instant (Unix ms), as a dry run has answered it: exactly those that it counted, save
    /// for those that have ended since. If absent, all that there are.
    before: Option<u64>,
}

/// What has ended, or would. None of what has ended is accepted any more, on any node.
#[derive(Object)]
#[oai(rename = "EndedTogether", rename_all = "camelCase")]
pub(super) struct EndedTogetherView {
    /// How many sessions of the user have ended; null for a system or tenant, whose sessions' rows follow.
    ended_sessions: Option<u64>,
    /// For a system or tenant: every session that began earlier is refused (Unix ms).
    not_before: Option<i64>,
    /// In a dry run: how many live sessions would end.
    live_sessions: Option<u64>,
    /// In a dry run: whether there are more than those, which is as far as they are counted.
    more: Option<bool>,
    /// In a dry run: these sessions began before this instant (Unix ms).
    before: Option<i64>,
}

impl SessionView {
    fn new(session: SessionRecord) -> Self {
        Self {
            session_id: session.session_id.to_string(),
            user_id: session.user_id.to_string(),
            sys_id: session.sys_id.to_string(),
            created_at: session.created_at.0,
            refreshed_at: session.refreshed_at.0,
            idle_expires_at: session.idle_expires_at.0,
            expires_at: session.expires_at.0,
            address: session.address,
            user_agent: session.user_agent,
            ended_at: session.ended.map(|(at, _)| at.0),
            end_reason: session.ended.map(|(_, reason)| reason.as_str().to_owned()),
        }
    }
}

#[OpenApi]
impl UserSessions {
    /// List sessions
    ///
    /// The newest first; those that are live, or all that are remembered.
    #[oai(path = "/tenants/:ownerId/sessions", method = "get", operation_id = "listUserSessions")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the request")]
    async fn list(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        /// Only those of this user.
        #[oai(name = "userId")]
        user_id: Query<Option<String>>,
        /// Only those of this system.
        #[oai(name = "sysId")]
        sys_id: Query<Option<String>>,
        /// Show those that have ended too.
        ended: Query<Option<bool>>,
        limit: Query<Option<u32>>,
        cursor: Query<Option<String>>,
    ) -> Reply<SessionPage> {
        let filter = (user_id.0.as_deref(), sys_id.0.as_deref(), ended.0.unwrap_or(false));
        self.page(request, &owner_id, filter, (limit.0, cursor.0)).await.into()
    }

    /// End a session
    ///
    /// One that has ended already is answered as if it ended now.
    #[oai(path = "/tenants/:ownerId/sessions/:sessionId", method = "delete", operation_id = "endUserSession")]
    async fn end_one(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        #[oai(name = "sessionId")] session_id: Path<String>,
        /// `KICKED` (where absent), `LOGGED_OUT`, `PASSWORD_CHANGED` or `EXPIRED`: what its owner is told.
        reason: Query<Option<String>>,
    ) -> NoContent {
        self.end(request, &owner_id, &session_id, reason.0.as_deref()).await.into()
    }

    /// End many sessions
    ///
    /// Those that were open when this began: of a user, of a system, of a user in a system, or of the whole tenant. A dry run
    /// counts them, and says before which instant they began; with that instant, the same sessions end and no others.
    #[oai(path = "/tenants/:ownerId/sessions/end", method = "post", operation_id = "endUserSessions")]
    async fn end_many(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        body: JsonBody<EndBody>,
    ) -> Reply<EndedTogetherView> {
        self.end_those(request, &owner_id, body).await.into()
    }
}

/// The latest instant that is read: the year 2255.
const LATEST: u64 = 9_000_000_000_000;

/// What a reason is.
const REASON: &str = "it is KICKED, LOGGED_OUT, PASSWORD_CHANGED or EXPIRED";

/// The reasons that an administrator may give; the others say what the service has found out.
fn parse_reason(text: &str) -> Option<EndReason> {
    let given = [EndReason::Kicked, EndReason::LoggedOut, EndReason::PasswordChanged, EndReason::Expired];
    given.into_iter().find(|reason| reason.as_str() == text)
}

impl UserSessions {
    async fn page(
        &self,
        request: &Request,
        owner_id: &str,
        (user_id, sys_id, ended): (Option<&str>, Option<&str>, bool),
        (limit, cursor): (Option<u32>, Option<String>),
    ) -> Result<Success<SessionPage>, Problem> {
        let caller = self.0.caller(request, owner_id).await?;
        let page = PageRequest::read("sessions", limit, cursor.as_deref())?;
        let before = page.after(SessionId::parse)?;
        let filter = SessionFilter {
            user_id: user_id.map(UserId::parse).transpose().map_err(|_| Problem::parameter("userId", IDENTIFIER))?,
            sys_id: sys_id.map(SystemId::parse).transpose().map_err(|_| Problem::parameter("sysId", IDENTIFIER))?,
            live_at: (!ended).then(|| self.0.service.clock.now()),
        };
        caller.operator.get_tenant(&caller.owner_id).await?;
        let sessions = caller.operator.db.find_sessions(&caller.owner_id, &filter, before, page.rows()).await?;
        let (sessions, next) = page.cut(sessions, |last| last.session_id.to_string());
        let views: Vec<SessionView> = sessions.into_iter().map(SessionView::new).collect();
        Ok(Success::of((views, next).into()))
    }

    async fn end(&self, request: &Request, owner_id: &str, session_id: &str, reason: Option<&str>) -> Result<Success<()>, Problem> {
        let caller = self.0.caller(request, owner_id).await?;
        let reason = match reason {
            None => EndReason::Kicked,
            Some(text) => parse_reason(text).ok_or_else(|| Problem::parameter("reason", REASON))?,
        };
        let session_id = SessionId::parse(session_id).ok_or_else(|| Problem::of(NOT_FOUND))?;
        caller.operator.end_session(&caller.owner_id, session_id, reason).await?;
        Ok(Success::of(()))
    }

    async fn end_those(&self, request: &Request, owner_id: &str, body: JsonBody<EndBody>) -> Result<Success<EndedTogetherView>, Problem> {
        let caller = self.0.caller(request, owner_id).await?;
        let mut members = self.0.read(request, body).await?;
        let (user_id, sys_id) = (members.text("userId"), members.system("sysId"));
        let (all, reason) = (members.boolean("all"), members.parsed("reason", REASON, parse_reason));
        let dry_run = members.boolean("dryRun").unwrap_or(false);
        let before = members.number("before", LATEST).and_then(|before| i64::try_from(before).ok()).map(Timestamp);
        members.finish()?;
        if (user_id.is_some() || sys_id.is_some()) == (all == Some(true)) {
            return Err(invalid("", "it names userId, sysId or both, or else all: true"));
        }
        let user_id = match user_id {
            Some(text) => Some(UserId::parse(&text).map_err(|_| Problem::of(NOT_FOUND))?),
            None => None,
        };
        let target = Target { user_id, sys_id };
        if dry_run {
            let counted = caller.operator.count_sessions(&caller.owner_id, &target).await?;
            return Ok(Success::of(EndedTogetherView {
                ended_sessions: None,
                not_before: None,
                live_sessions: Some(counted.sessions),
                more: Some(counted.more),
                before: Some(counted.before.0),
            }));
        }
        let reason = reason.unwrap_or(EndReason::Kicked);
        let ended = caller.operator.end_sessions(&caller.owner_id, &target, before, reason).await?;
        Ok(Success::of(EndedTogetherView {
            ended_sessions: ended.sessions.map(|sessions| sessions.len() as u64),
            not_before: ended.not_before.map(|at| at.0),
            live_sessions: None,
            more: None,
            before: None,
        }))
    }
}
