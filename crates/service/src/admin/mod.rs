//! Administrators over the admin API: who they are, how they sign in, and what they reach. They are users of a tenant
//! that is reserved for them, so that passwords, lockout, sessions and their ends are the ordinary ones.

mod session;
mod sign_in;

use std::sync::Arc;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::time::Timestamp;
use bo_auth_store::record::{AdminReach, AdminRecord, RequestTrace, SessionRecord};

pub use self::sign_in::{AdminPasswordChange, AdminSignIn, SignedInAdmin};

use crate::operator::{Author, Operator};
use crate::tenant::Tenant;
use crate::{Call, Error, RequestFacts, Service};

/// The system of the reserved tenant that administrators sign in to.
pub const CONSOLE: &str = "console";

/// An administrator with a live session.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Who, and what is reached.
    pub record: AdminRecord,
    /// The session that the request came with.
    pub session: SessionRecord,
    /// From which address.
    pub address: String,
}

impl Admin {
    /// The tenant that a request names, if this administrator reaches it. Whether it exists is not known yet.
    ///
    /// # Errors
    /// [`Error::NotFound`] for any other name, as if there were no such tenant.
    pub fn reaches(&self, owner_id: &str) -> Result<OwnerId, Error> {
        let reached = OwnerId::parse(owner_id).ok().filter(|owner_id| !owner_id.is_reserved());
        let reached = reached.filter(|owner_id| match &self.record.reach {
            AdminReach::Platform => true,
            AdminReach::Tenant(own) => own == owner_id,
        });
        reached.ok_or_else(|| Error::NotFound("there is no such tenant".to_owned()))
    }

    /// Refuses all but those who reach every tenant.
    ///
    /// # Errors
    /// [`Error::RoleForbidden`].
    pub fn require_platform(&self) -> Result<(), Error> {
        match self.record.reach {
            AdminReach::Platform => Ok(()),
            AdminReach::Tenant(_) => Err(Error::RoleForbidden),
        }
    }

    /// The operator that carries out what this administrator asks for.
    pub fn operator(&self, service: &Arc<Service>) -> Operator {
        service.operator(self.author())
    }

    /// The administrator as the audit trail names them.
    pub fn author(&self) -> Author {
        Author { user_id: Some(self.record.user.user_id.clone()), address: Some(self.address.clone()) }
    }
}

impl Service {
    /// A call of the reserved tenant; `None` where nobody has been made an administrator yet.
    async fn open_admin_call<'a>(self: &'a Arc<Self>, facts: &'a RequestFacts<'a>) -> Result<Option<Call<'a>>, Error> {
        let now = self.clock.now();
        let Some(tenant) = self.admin_tenant().await? else { return Ok(None) };
        let system = Arc::clone(tenant.system(None)?);
        Ok(Some(Call { service: self, facts, tenant, system, now }))
    }

    async fn admin_tenant(&self) -> Result<Option<Arc<Tenant>>, Error> {
        self.tenant(&OwnerId::admin()).await
    }

    /// Draws the captcha that a sign-in needs after repeated failures, as PNG.
    ///
    /// # Errors
    /// [`Error::ParameterInvalid`] where the GUID is not one, [`Error::RateLimited`].
    pub async fn draw_admin_captcha(&self, verify_guid: &str, address: &str) -> Result<Vec<u8>, Error> {
        self.draw_captcha_of(&OwnerId::admin(), verify_guid, address).await
    }
}

impl Call<'_> {
    fn admin_trace(&self) -> RequestTrace {
        RequestTrace { address: Some(self.facts.address.to_owned()), ..RequestTrace::default() }
    }

    /// The administrator, as far as the row goes: not disabled, and with a tenant that is there and enabled.
    async fn enabled_admin(&self, record: AdminRecord) -> Result<AdminRecord, Error> {
        if record.user.disabled {
            return Err(Error::UserDisabled);
        }
        if let AdminReach::Tenant(own) = &record.reach {
            let found = self.service.tenant(own).await?;
            if found.is_none_or(|tenant| tenant.disabled) {
                return Err(Error::TenantDisabled);
            }
        }
        Ok(record)
    }
}

/// When a session is over if it is not used.
pub(crate) fn idle_end(session: &SessionRecord) -> Timestamp {
    session.idle_expires_at.min(session.expires_at)
}
