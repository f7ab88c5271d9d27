//! What happened in a tenant, and which kinds of stamps its frontends still send.

use std::sync::Arc;

use bo_auth_core::identifier::{OwnerId, UserId};
use bo_auth_core::session::SessionId;
use bo_auth_store::record::{AuditFilter, AuditRecord, StampUse};
use poem::Request;
use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};
use serde_json::Value;

use super::Frame;
use super::body::IDENTIFIER;
use super::page::{PageRequest, page};
use super::problem::Problem;
use super::reply::{Reply, Success};

/// The routes of the audit trail and of the use of stamps.
pub(super) struct Audit(pub(super) Arc<Frame>);

/// A line of the audit trail.
#[derive(Object)]
#[oai(rename = "AuditEvent", rename_all = "camelCase")]
pub(super) struct EventView {
    /// The id: 16 hexadecimal digits, in the order of time.
    event_id: String,
    /// What happened, such as `session.ended` or `system.changed`.
    kind: String,
    /// When (Unix ms).
    at: i64,
    /// `user`, `admin` or `service`.
    actor: String,
    /// The administrator who did it; null on the command line.
    admin_user_id: Option<String>,
    /// From which address.
    address: Option<String>,
    /// In or to which system.
    sys_id: Option<String>,
    /// To which user.
    user_id: Option<String>,
    /// To which session.
    session_id: Option<String>,
    /// Why a session ended.
    reason: Option<String>,
    /// The first of the users from whom a sign-in came (`XuserFromFirstShareId`).
    first_share_user_id: Option<String>,
    /// The second (`XuserFromSecondShareId`).
    second_share_user_id: Option<String>,
    /// The area that a sign-in was for (`XfilterAreaCode`).
    area_code: Option<String>,
    /// What was changed; never a secret.
    details: Option<Value>,
}

page! {
    /// A page of the audit trail, the newest first.
    EventPage of EventView
}

/// How often stamps of one kind were accepted.
#[derive(Object)]
#[oai(rename = "StampUse", rename_all = "camelCase")]
pub(super) struct StampUseView {
    /// The system.
    sys_id: String,
    /// `des-ecb-pkcs7`, `des-cbc-pkcs7` or `hmac-v2`.
    scheme: String,
    /// The key's version.
    key_id: String,
    /// How often.
    uses: i64,
    /// When last (Unix ms).
    last_used_at: i64,
}

page! {
    /// A page of the use of stamps, by system, scheme and key.
    StampUsePage of StampUseView
}

impl EventView {
    fn new(event: AuditRecord) -> Self {
        let text = |name: &str| event.trace.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            event_id: SessionId::from_number(event.event_id).to_string(),
            kind: event.kind,
            at: event.at.0,
            actor: event.actor.as_str().to_owned(),
            admin_user_id: text("admin_user_id"),
            address: text("address"),
            sys_id: event.sys_id.map(|id| id.to_string()),
            user_id: event.user_id.map(|id| id.to_string()),
            session_id: event.session_id.map(|id| id.to_string()),
            reason: event.reason.map(|reason| reason.as_str().to_owned()),
            first_share_user_id: text("first_share_user_id"),
            second_share_user_id: text("second_share_user_id"),
            area_code: text("area_code"),
            details: event.trace.get("details").cloned().or_else(|| details_of_old(&event.trace)),
        }
    }
}

/// Lines about plugins once had their details beside what is known of the request, and nothing of that.
fn details_of_old(trace: &Value) -> Option<Value> {
    trace.get("plugin").or_else(|| trace.get("samples"))?;
    Some(trace.clone())
}

#[OpenApi]
impl Audit {
    /// List audit events
    ///
    /// What users, administrators and the service did, the newest first. `platform` in the place of a tenant's id stands for what
    /// is offered to all, and `bo-admin` for what concerns administrators themselves: their sign-ins, failed ones included. Both are
    /// for administrators of the platform.
    #[oai(path = "/tenants/:ownerId/audit-events", method = "get", operation_id = "listAuditEvents")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the request")]
    async fn list(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        /// Only those about this user.
        #[oai(name = "userId")]
        user_id: Query<Option<String>>,
        /// Only those about this session.
        #[oai(name = "sessionId")]
        session_id: Query<Option<String>>,
        /// Only those of this kind.
        kind: Query<Option<String>>,
        limit: Query<Option<u32>>,
        cursor: Query<Option<String>>,
    ) -> Reply<EventPage> {
        let filter = (user_id.0.as_deref(), session_id.0.as_deref(), kind.0);
        self.page(request, &owner_id, filter, (limit.0, cursor.0)).await.into()
    }

    /// Use of XverifyApi
    ///
    /// How often stamps were accepted, by system, scheme and key: what says when DES, or an old key, can go. Counted
    /// within a few seconds.
    #[oai(path = "/tenants/:ownerId/stamp-usage", method = "get", operation_id = "listStampUsage")]
    async fn stamp_usage(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        limit: Query<Option<u32>>,
        cursor: Query<Option<String>>,
    ) -> Reply<StampUsePage> {
        self.uses(request, &owner_id, limit.0, cursor.0).await.into()
    }
}

impl Audit {
    async fn page(
        &self,
        request: &Request,
        owner_id: &str,
        (user_id, session_id, kind): (Option<&str>, Option<&str>, Option<String>),
        (limit, cursor): (Option<u32>, Option<String>),
    ) -> Result<Success<EventPage>, Problem> {
        let owner_id = self.trail_of(request, owner_id).await?;
        let page = PageRequest::read("audit-events", limit, cursor.as_deref())?;
        let before = page.after(|text| SessionId::parse(text).map(SessionId::number))?;
        let session = |text: &str| SessionId::parse(text).ok_or_else(|| Problem::parameter("sessionId", "it is 16 hexadecimal digits"));
        let filter = AuditFilter {
            kind,
            user_id: user_id.map(UserId::parse).transpose().map_err(|_| Problem::parameter("userId", IDENTIFIER))?,
            session_id: session_id.map(session).transpose()?,
        };
        let events = self.0.service.db.list_audit_events(&owner_id, &filter, before, page.rows()).await?;
        let (events, next) = page.cut(events, |last| SessionId::from_number(last.event_id).to_string());
        let views: Vec<EventView> = events.into_iter().map(EventView::new).collect();
        Ok(Success::of((views, next).into()))
    }

    /// Whose trail a request is about: a tenant's within reach, or for administrators of the platform what is offered to all
    /// and what administrators did themselves.
    async fn trail_of(&self, request: &Request, owner_id: &str) -> Result<OwnerId, Problem> {
        if owner_id == OwnerId::admin().as_str() && self.0.admin(request).await?.require_platform().is_ok() {
            return Ok(OwnerId::admin());
        }
        Ok(self.0.plugin_editor(request, owner_id).await?.owner_id)
    }

    async fn uses(
        &self,
        request: &Request,
        owner_id: &str,
        limit: Option<u32>,
        cursor: Option<String>,
    ) -> Result<Success<StampUsePage>, Problem> {
        let caller = self.0.caller(request, owner_id).await?;
        let page = PageRequest::read("stamp-usage", limit, cursor.as_deref())?;
        caller.operator.get_tenant(&caller.owner_id).await?;
        let uses = caller.operator.db.list_stamp_uses(&caller.owner_id).await?;
        let key = |used: &StampUse| format!("{} {} {}", used.sys_id, used.scheme, used.key_id);
        // None of the three has a space, which sorts before whatever they have.
        let behind = |used: &StampUse| page.after.as_ref().is_none_or(|after| key(used) > *after);
        let (uses, next) = page.cut(uses.into_iter().filter(behind).collect(), key);
        let view = |used: StampUse| StampUseView {
            sys_id: used.sys_id.to_string(),
            scheme: used.scheme,
            key_id: used.key_id.to_string(),
            uses: used.uses,
            last_used_at: used.last_used_at.0,
        };
        let views: Vec<StampUseView> = uses.into_iter().map(view).collect();
        Ok(Success::of((views, next).into()))
    }
}
