//! Systems of a tenant: listed, added, read, changed.

use std::sync::Arc;

use bo_auth_core::identifier::SystemId;
use bo_auth_service::operator::system::SystemChange;
use bo_auth_store::record::{SystemRecord, TenantRecord};
use poem::Request;
use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};
use serde_json::Value;

use super::Frame;
use super::body::{IDENTIFIER, invalid};
use super::caller::Caller;
use super::condition::if_match;
use super::page::{PageRequest, page};
use super::problem::{NOT_FOUND, Problem};
use super::reply::{Reply, Success};
use crate::api::body::JsonBody;

/// The routes of systems.
pub(super) struct Systems(pub(super) Arc<Frame>);

/// A system.
#[derive(Object)]
#[oai(rename = "System", rename_all = "camelCase")]
pub(super) struct SystemView {
    /// The id, sent as `XsysId`.
    sys_id: String,
    /// The name for people.
    name: String,
    /// Whether it is the one where `XsysId` is absent and no access token names another.
    is_default: bool,
    /// Its own settings, which are laid over its tenant's.
    settings: Value,
    /// Whether it is disabled.
    disabled: bool,
    /// When it last changed (Unix ms).
    updated_at: i64,
}

page! {
    /// A page of systems, in the order of their ids.
    SystemPage of SystemView
}

/// A system that is to be added.
#[derive(Object)]
#[oai(rename = "NewSystemRequest", rename_all = "camelCase")]
pub(super) struct NewSystemBody {
    /// The id; it cannot be changed.
    sys_id: String,
    /// The name for people; the id where absent.
    name: Option<String>,
    /// Its own settings.
    settings: Option<Value>,
}

/// What is to change about a system; what is absent stays.
#[derive(Object)]
#[oai(rename = "SystemChangeRequest", rename_all = "camelCase")]
pub(super) struct SystemChangeBody {
    /// The name for people.
    name: Option<String>,
    /// Disable or enable it.
    disabled: Option<bool>,
    /// Settings to be laid over its own, member by member; null takes one back.
    settings: Option<Value>,
}

impl SystemView {
    fn new(tenant: &TenantRecord, system: SystemRecord) -> Self {
        Self {
            is_default: tenant.default_sys_id == system.sys_id,
            sys_id: system.sys_id.to_string(),
            name: system.name,
            settings: system.settings,
            disabled: system.disabled,
            updated_at: system.updated_at.0,
        }
    }
}

#[OpenApi]
impl Systems {
    /// List systems
    #[oai(path = "/tenants/:ownerId/systems", method = "get", operation_id = "listSystems")]
    async fn list(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        limit: Query<Option<u32>>,
        cursor: Query<Option<String>>,
    ) -> Reply<SystemPage> {
        self.page(request, &owner_id, limit.0, cursor.0).await.into()
    }

    /// Add a system
    #[oai(path = "/tenants/:ownerId/systems", method = "post", operation_id = "addSystem")]
    async fn add(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        body: JsonBody<NewSystemBody>,
    ) -> Reply<SystemView, 201> {
        self.insert(request, &owner_id, body).await.into()
    }

    /// Read a system
    #[oai(path = "/tenants/:ownerId/systems/:sysId", method = "get", operation_id = "readSystem")]
    async fn read(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        #[oai(name = "sysId")] sys_id: Path<String>,
    ) -> Reply<SystemView> {
        self.find(request, &owner_id, &sys_id).await.map(Found::answer).into()
    }

    /// Change a system
    ///
    /// In effect on every node when it is answered.
    #[oai(path = "/tenants/:ownerId/systems/:sysId", method = "patch", operation_id = "changeSystem")]
    async fn change(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        #[oai(name = "sysId")] sys_id: Path<String>,
        body: JsonBody<SystemChangeBody>,
    ) -> Reply<SystemView> {
        self.update(request, (&owner_id, &sys_id), body).await.into()
    }
}

/// A system with its tenant, and who asks for it.
struct Found {
    caller: Caller,
    tenant: TenantRecord,
    system: SystemRecord,
}

impl Found {
    fn answer(self) -> Success<SystemView> {
        let updated_at = self.system.updated_at;
        Success::at(SystemView::new(&self.tenant, self.system), updated_at)
    }
}

impl Systems {
    async fn page(
        &self,
        request: &Request,
        owner_id: &str,
        limit: Option<u32>,
        cursor: Option<String>,
    ) -> Result<Success<SystemPage>, Problem> {
        let caller = self.0.caller(request, owner_id).await?;
        let page = PageRequest::read("systems", limit, cursor.as_deref())?;
        let tenant = caller.operator.get_tenant(&caller.owner_id).await?;
        let after = page.after.as_deref().unwrap_or_default();
        let systems = tenant.systems.iter().filter(|system| system.sys_id.as_str() > after).cloned().collect();
        let (systems, next) = page.cut(systems, |last: &SystemRecord| last.sys_id.to_string());
        let views: Vec<SystemView> = systems.into_iter().map(|system| SystemView::new(&tenant, system)).collect();
        Ok(Success::of((views, next).into()))
    }

    async fn find(&self, request: &Request, owner_id: &str, sys_id: &str) -> Result<Found, Problem> {
        let caller = self.0.caller(request, owner_id).await?;
        found(caller, sys_id).await
    }

    async fn insert(&self, request: &Request, owner_id: &str, body: JsonBody<NewSystemBody>) -> Result<Success<SystemView>, Problem> {
        let caller = self.0.caller(request, owner_id).await?;
        let mut members = self.0.read(request, body).await?;
        let sys_id = members.required("sysId", IDENTIFIER, |text| SystemId::parse(text).ok());
        let (name, settings) = (members.name("name"), members.object("settings"));
        members.finish()?;
        let sys_id = sys_id.ok_or_else(|| invalid("sysId", IDENTIFIER))?;
        let name = name.unwrap_or_else(|| sys_id.to_string());
        caller.operator.add_system(&caller.owner_id, sys_id.clone(), name, settings).await?;
        Ok(found(caller, sys_id.as_str()).await.map_err(Problem::after_change)?.answer())
    }

    async fn update(
        &self,
        request: &Request,
        (owner_id, sys_id): (&str, &str),
        body: JsonBody<SystemChangeBody>,
    ) -> Result<Success<SystemView>, Problem> {
        let Found { caller, tenant, system } = self.find(request, owner_id, sys_id).await?;
        let unchanged_since = if_match(request, system.updated_at)?;
        let mut members = self.0.read(request, body).await?;
        let change = SystemChange {
            name: members.name("name"),
            disabled: members.boolean("disabled"),
            settings: members.object("settings"),
            make_default: false,
        };
        members.finish()?;
        caller.operator.change_system_from(&tenant, system, change, Some(unchanged_since)).await?;
        Ok(found(caller, sys_id).await.map_err(Problem::after_change)?.answer())
    }
}

async fn found(caller: Caller, sys_id: &str) -> Result<Found, Problem> {
    let tenant = caller.operator.get_tenant(&caller.owner_id).await?;
    let system = tenant.systems.iter().find(|system| system.sys_id.as_str() == sys_id).cloned();
    let system = system.ok_or_else(|| Problem::of(NOT_FOUND))?;
    Ok(Found { caller, tenant, system })
}
