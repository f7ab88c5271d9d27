//! Who works on whose plugins, and what of them the administrator may see and change.

use bo_auth_core::identifier::OwnerId;
use bo_auth_service::admin::Admin;
use bo_auth_service::plugin::{PluginDesk, platform};
use bo_auth_store::record::AdminReach;
use poem::Request;

use super::Frame;
use super::problem::{NOT_FOUND, Problem};

/// Who works on whose plugins.
pub(super) struct PluginCaller {
    admin: Admin,
    pub(super) owner_id: OwnerId,
}

impl Frame {
    /// The administrator of a request about plugins, and whose plugins it is about. What is offered to all may be read by
    /// every administrator.
    ///
    /// # Errors
    /// As [`Frame::admin`]; 404 where the tenant is out of reach.
    pub(super) async fn plugin_reader(&self, request: &Request, owner_id: &str) -> Result<PluginCaller, Problem> {
        let admin = self.admin(request).await?;
        if owner_id == "platform" {
            return Ok(PluginCaller { admin, owner_id: platform() });
        }
        let owner_id = admin.reaches(owner_id)?;
        match self.service.db.find_tenant(&owner_id).await? {
            Some(_) => Ok(PluginCaller { admin, owner_id }),
            None => Err(Problem::of(NOT_FOUND)),
        }
    }

    /// The same for what changes something, or shows what happened at other tenants' requests.
    ///
    /// # Errors
    /// As [`Frame::plugin_reader`]; 403 where the plugins are the platform's and the administrator is not.
    pub(super) async fn plugin_editor(&self, request: &Request, owner_id: &str) -> Result<PluginCaller, Problem> {
        let caller = self.plugin_reader(request, owner_id).await?;
        if caller.owner_id == platform() {
            caller.admin.require_platform()?;
        }
        Ok(caller)
    }

    pub(super) fn desk(&self) -> PluginDesk<'_> {
        self.service.plugin_desk()
    }
}

impl PluginCaller {
    /// Whose share of what checks may use this is: nobody uses up the platform's who only looks at its plugins.
    pub(super) fn payer(&self) -> &OwnerId {
        match &self.admin.record.reach {
            AdminReach::Tenant(own) => own,
            AdminReach::Platform => &self.owner_id,
        }
    }

    /// The place where plugins are worked on, in the administrator's name.
    pub(super) fn desk<'a>(&self, frame: &'a Frame) -> PluginDesk<'a> {
        PluginDesk { by: self.admin.author(), ..frame.desk() }
    }

    pub(super) fn author(&self) -> &str {
        &self.admin.record.user.account
    }
}
