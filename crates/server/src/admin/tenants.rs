//! Tenants: listed, added, read, changed.

use std::sync::Arc;

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_core::signing_key::Algorithm;
use bo_auth_service::Error;
use bo_auth_service::operator::tenant::{NewTenant, TenantChange};
use bo_auth_store::record::{AdminReach, TenantRecord};
use poem::Request;
use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};
use serde_json::Value;

use super::Frame;
use super::body::IDENTIFIER;
use super::caller::Caller;
use super::condition::if_match;
use super::page::{PageRequest, page};
use super::problem::Problem;
use super::reply::{Reply, Success};
use crate::api::body::JsonBody;

/// The routes of tenants.
pub(super) struct Tenants(pub(super) Arc<Frame>);

/// A tenant.
#[derive(Object)]
#[oai(rename = "Tenant", rename_all = "camelCase")]
pub(super) struct TenantView {
    /// The id, sent as `XownerId`.
    owner_id: String,
    /// The name for people.
    name: String,
    /// The system where `XsysId` is absent.
    default_sys_id: String,
    /// Settings that its systems inherit.
    settings: Value,
    /// Whether it is disabled: nothing of it is answered then.
    disabled: bool,
    /// When it last changed (Unix ms).
    updated_at: i64,
}

page! {
    /// A page of tenants, in the order of their ids.
    TenantPage of TenantView
}

/// A tenant that is to be added.
#[derive(Object)]
#[oai(rename = "NewTenantRequest", rename_all = "camelCase")]
pub(super) struct NewTenantBody {
    /// The id; it cannot be changed.
    owner_id: String,
    /// The name for people; the id where absent.
    name: Option<String>,
    /// The id of its first system, which becomes the default one; `web` where absent.
    sys_id: Option<String>,
    /// The name of the first system; its id where absent.
    sys_name: Option<String>,
    /// How access tokens are signed: `HS256` (where absent), `RS256`, `ES256` or `EdDSA`.
    algorithm: Option<String>,
    /// The DES key that frontends encrypt with; made where absent.
    des_key: Option<String>,
    /// Settings that its systems inherit.
    settings: Option<Value>,
}

/// A tenant that was added.
#[derive(Object)]
#[oai(rename = "AddedTenant", rename_all = "camelCase")]
pub(super) struct AddedTenantView {
    /// The tenant.
    tenant: TenantView,
    /// The DES key, for the frontends; shown this once.
    des_key: String,
}

/// What is to change about a tenant; what is absent stays.
#[derive(Object)]
#[oai(rename = "TenantChangeRequest", rename_all = "camelCase")]
pub(super) struct TenantChangeBody {
    /// The name for people.
    name: Option<String>,
    /// Disable or enable it; for platform administrators only.
    disabled: Option<bool>,
    /// The system where `XsysId` is absent.
    default_sys_id: Option<String>,
    /// Settings to be laid over the present ones, member by member; null takes one back.
    settings: Option<Value>,
}

impl TenantView {
    fn new(tenant: TenantRecord) -> Self {
        Self {
            owner_id: tenant.owner_id.to_string(),
            name: tenant.name,
            default_sys_id: tenant.default_sys_id.to_string(),
            settings: tenant.settings,
            disabled: tenant.disabled,
            updated_at: tenant.updated_at.0,
        }
    }
}

#[OpenApi]
impl Tenants {
    /// List tenants
    ///
    /// Those within reach, in the order of their ids.
    #[oai(path = "/tenants", method = "get", operation_id = "listTenants")]
    async fn list(&self, request: &Request, limit: Query<Option<u32>>, cursor: Query<Option<String>>) -> Reply<TenantPage> {
        self.page(request, limit.0, cursor.0).await.into()
    }

    /// Add a tenant
    ///
    /// With its first system and its keys. For platform administrators only.
    #[oai(path = "/tenants", method = "post", operation_id = "addTenant")]
    async fn add(&self, request: &Request, body: JsonBody<NewTenantBody>) -> Reply<AddedTenantView, 201> {
        self.insert(request, body).await.into()
    }

    /// Read a tenant
    #[oai(path = "/tenants/:ownerId", method = "get", operation_id = "readTenant")]
    async fn read(&self, request: &Request, #[oai(name = "ownerId")] owner_id: Path<String>) -> Reply<TenantView> {
        self.find(request, &owner_id).await.map(|(_, tenant)| answer(tenant)).into()
    }

    /// Change a tenant
    ///
    /// In effect on every node when it is answered. Only platform administrators disable and enable.
    #[oai(path = "/tenants/:ownerId", method = "patch", operation_id = "changeTenant")]
    async fn change(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        body: JsonBody<TenantChangeBody>,
    ) -> Reply<TenantView> {
        self.update(request, &owner_id, body).await.into()
    }
}

fn answer(tenant: TenantRecord) -> Success<TenantView> {
    let updated_at = tenant.updated_at;
    Success::at(TenantView::new(tenant), updated_at)
}

impl Tenants {
    async fn page(&self, request: &Request, limit: Option<u32>, cursor: Option<String>) -> Result<Success<TenantPage>, Problem> {
        let admin = self.0.admin(request).await?;
        let page = PageRequest::read("tenants", limit, cursor.as_deref())?;
        let after = page.after(|text| OwnerId::parse(text).ok())?;
        let operator = admin.operator(&self.0.service);
        let tenants = match &admin.record.reach {
            AdminReach::Platform => operator.list_tenants(after.as_ref(), page.rows()).await?,
            AdminReach::Tenant(own) if after.is_none() => vec![operator.get_tenant(own).await?],
            AdminReach::Tenant(_) => Vec::new(),
        };
        let (tenants, next) = page.cut(tenants, |last| last.owner_id.to_string());
        let views: Vec<TenantView> = tenants.into_iter().map(TenantView::new).collect();
        Ok(Success::of((views, next).into()))
    }

    async fn find(&self, request: &Request, owner_id: &str) -> Result<(Caller, TenantRecord), Problem> {
        let caller = self.0.caller(request, owner_id).await?;
        let tenant = caller.operator.get_tenant(&caller.owner_id).await?;
        Ok((caller, tenant))
    }

    async fn insert(&self, request: &Request, body: JsonBody<NewTenantBody>) -> Result<Success<AddedTenantView>, Problem> {
        let admin = self.0.admin(request).await?;
        admin.require_platform()?;
        let mut members = self.0.read(request, body).await?;
        let owner_id = members.required("ownerId", IDENTIFIER, |text| OwnerId::parse(text).ok());
        let (name, sys_id, sys_name) = (members.name("name"), members.system("sysId"), members.name("sysName"));
        let algorithm = members.parsed("algorithm", "it is HS256, RS256, ES256 or EdDSA", Algorithm::parse);
        let (des_key, settings) = (members.text("desKey"), members.object("settings"));
        members.finish()?;
        let Some(owner_id) = owner_id else { return Err(super::body::invalid("ownerId", "it is missing")) };
        let sys_id = sys_id.map_or_else(|| SystemId::parse("web"), Ok).map_err(bo_auth_service::Error::from)?;
        let new = NewTenant {
            name: name.unwrap_or_else(|| owner_id.to_string()),
            system: (sys_id.clone(), sys_name.unwrap_or_else(|| sys_id.to_string())),
            algorithm: algorithm.unwrap_or(Algorithm::HS256),
            settings: Value::Object(settings),
            owner_id,
        };
        let operator = admin.operator(&self.0.service);
        let des_key = operator.add_tenant(&new, des_key.as_deref()).await?;
        let tenant = operator.get_tenant(&new.owner_id).await.map_err(Error::after_commit)?;
        let updated_at = tenant.updated_at;
        Ok(Success::at(AddedTenantView { tenant: TenantView::new(tenant), des_key }, updated_at))
    }

    async fn update(&self, request: &Request, owner_id: &str, body: JsonBody<TenantChangeBody>) -> Result<Success<TenantView>, Problem> {
        let (caller, tenant) = self.find(request, owner_id).await?;
        let unchanged_since = if_match(request, tenant.updated_at)?;
        let mut members = self.0.read(request, body).await?;
        let change = TenantChange {
            name: members.name("name"),
            disabled: members.boolean("disabled"),
            default_sys_id: members.system("defaultSysId"),
            settings: members.object("settings"),
        };
        members.finish()?;
        if change.disabled.is_some() {
            caller.admin.require_platform()?;
        }
        caller.operator.change_tenant(tenant, change, Some(unchanged_since)).await?;
        Ok(answer(caller.operator.get_tenant(&caller.owner_id).await.map_err(Error::after_commit)?))
    }
}
