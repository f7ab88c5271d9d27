//! Who am I: the current user's profile, with where it came from.

use std::sync::Arc;

use bo_auth_store::record::UserRecord;

use crate::call::{PluginRule, RequestFacts, Shaping};
use crate::user_profile::Fetched;
use crate::{Error, Service};

/// The current user in the current system.
pub struct CurrentUser {
    /// The profile.
    pub user: Fetched<UserRecord>,
    /// The tenant.
    pub owner_id: Arc<str>,
    /// The system.
    pub sys_id: Arc<str>,
}

impl Service {
    /// Answers the user whom the access token names.
    ///
    /// # Errors
    /// Those of [`Service::open_call`] and [`crate::Call::verify_access`], and those of the area and share ids.
    pub async fn current_user(self: &Arc<Self>, facts: &RequestFacts<'_>, shaping: &mut Shaping) -> Result<CurrentUser, Error> {
        let call = self.open_call(facts, PluginRule::Optional, shaping).await?;
        let access = call.verify_access(shaping).await?;
        let user = self.find_profile(&call.tenant.owner_id, access.user_id()).await?.ok_or(Error::TokenInvalid)?;
        call.verify_area_and_share(&user.value).await?;
        Ok(CurrentUser { user, owner_id: call.tenant.owner_id.shared(), sys_id: call.system.sys_id.shared() })
    }
}
