//! The admin API: tenants, systems, users, areas, sessions, keys, plugins and the audit trail, for administrators and the console.
//! One resource a file; every change goes through the operator's use cases, as the command line's does.

mod areas;
mod audit;
mod body;
mod caller;
mod condition;
mod detached;
pub mod document;
mod keys;
mod page;
mod plugin_activity;
mod plugin_caller;
mod plugin_trials;
mod plugin_versions;
mod plugins;
pub mod problem;
mod reply;
mod sessions;
mod systems;
mod tenants;
mod user_sessions;
mod users;

use std::sync::Arc;
use std::time::Duration;

use bo_auth_service::Service;
use bo_auth_service::plugin::ResponseSchemas;
use poem::{Endpoint, IntoEndpoint};
use poem_openapi::OpenApiService;

use self::areas::Areas;
use self::audit::Audit;
use self::detached::Detached;
use self::keys::Keys;
use self::plugin_activity::PluginActivity;
use self::plugin_trials::PluginTrials;
use self::plugin_versions::PluginVersions;
use self::plugins::Plugins;
use self::sessions::Sessions;
use self::systems::Systems;
use self::tenants::Tenants;
use self::user_sessions::UserSessions;
use self::users::Users;

/// Where the routes stand.
pub const PREFIX: &str = "/admin/api/v1";

/// What every resource works with.
pub struct Frame {
    /// The use cases.
    pub service: Arc<Service>,
    /// The largest body, in bytes.
    pub body_limit: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// What generated clients expect of answers behind plugins.
    pub schemas: ResponseSchemas,
}

/// All resources; a new one is added here and in [`resources`].
type Resources =
    (Sessions, Tenants, Systems, Users, Areas, UserSessions, Keys, Audit, Plugins, PluginVersions, PluginTrials, PluginActivity);

fn resources(frame: &Arc<Frame>) -> Resources {
    let frame = || Arc::clone(frame);
    (
        Sessions(frame()),
        Tenants(frame()),
        Systems(frame()),
        Users(frame()),
        Areas(frame()),
        UserSessions(frame()),
        Keys(frame()),
        Audit(frame()),
        Plugins(frame()),
        PluginVersions(frame()),
        PluginTrials(frame()),
        PluginActivity(frame()),
    )
}

/// The routes as an endpoint.
pub fn service(frame: Frame) -> impl IntoEndpoint<Endpoint = impl Endpoint + 'static> {
    let resources = resources(&Arc::new(frame));
    Detached::new(OpenApiService::new(resources, "bo-auth admin", env!("CARGO_PKG_VERSION")).into_endpoint())
}

/// Whether a path is one of this API's, known or not: what is refused there is a problem document.
pub fn owns(path: &str) -> bool {
    path.strip_prefix("/admin").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
