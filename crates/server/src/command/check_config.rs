//! `bo-auth check-config`.

use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use super::output::Output;
use crate::configuration::{CacheChoice, DatabaseChoice, FleetConfiguration, LogOptions, ServeOptions, UserIdForm};

#[derive(Debug, Args)]
pub(crate) struct CheckConfig {
    #[command(flatten)]
    options: ServeOptions,
    #[command(flatten)]
    log: LogOptions,
}

impl CheckConfig {
    pub(crate) fn run(self, output: Output) -> Result<(), Failure> {
        let configuration = self.options.validate()?;
        let database = match &configuration.store.database {
            DatabaseChoice::Postgres(_) => "postgres".to_owned(),
            DatabaseChoice::Sqlite(path) => format!("sqlite {}", path.display()),
        };
        let cache = match configuration.store.cache {
            CacheChoice::Redis(_) => "redis",
            CacheChoice::Sqlite => "sqlite",
            CacheChoice::Local => "local",
        };
        let nodes = if configuration.store.single_node { "one node" } else { "any number of nodes" };
        let fleets: Vec<_> = configuration.legacy.fleets.iter().map(fleet).collect();
        let served: String = fleets.iter().flat_map(|(_, line)| ["\nv1.0      ", line.as_str()]).collect();
        let grpc = configuration.legacy.grpc_listen.map(|address| address.to_string());
        let listeners = [("admin", "adminListen", configuration.admin_listen), ("metrics", "metricsListen", configuration.metrics_listen)];
        let own_ports: String =
            listeners.iter().filter_map(|(name, _, address)| address.map(|address| format!("\n{name:<9} {address}"))).collect();
        let mut result = json!({"listen": configuration.listen.to_string(), "data": configuration.store.data, "database": database, "cache": cache,
            "singleNode": configuration.store.single_node});
        if !fleets.is_empty() {
            result["legacyV1"] = fleets.iter().map(|(fleet, _)| fleet.clone()).collect();
        }
        if let Some(address) = &grpc {
            result["grpcListen"] = json!(address);
        }
        for (_, member, address) in listeners {
            if let Some(address) = address {
                result[member] = json!(address.to_string());
            }
        }
        output.result(&result, || {
            format!(
                "the options fit together\nlisten    {}{own_ports}\ndata      {}\ndatabase  {database}\ncache     {cache}\nserves as {nodes}{served}{}\nnext: `bo-auth doctor` tries the stores",
                configuration.listen,
                configuration.store.data.display(),
                grpc.as_ref().map(|address| format!("\ngRPC      {address}, beside HTTP")).unwrap_or_default(),
            )
        })
    }
}

/// A fleet as a value and as a line, without its secrets.
fn fleet(fleet: &FleetConfiguration) -> (Value, String) {
    let hosts = if fleet.hosts.is_empty() { "every other host".to_owned() } else { fleet.hosts.join(", ") };
    let (owner, system, cookie) = (&fleet.owner_id, &fleet.sys_id, &fleet.cookie);
    let old = fleet.old_servers.as_ref().map(|old| {
        let user_id = if old.user_id == UserIdForm::Decimal { "decimal" } else { "code-point" };
        json!({"app": old.app, "userId": user_id, "sessionSeconds": old.shown_for.map(|lifetime| lifetime.as_secs())})
    });
    let beside = fleet.old_servers.as_ref().map(|old| format!(", beside old servers as {}", old.app)).unwrap_or_default();
    let callers = if fleet.service_token.is_some() { "whoever has the service token" } else { "this machine" };
    let line = format!("{hosts}: {owner}/{system}, cookie {cookie}{beside}, gRPC for {callers}");
    let value = json!({"hosts": fleet.hosts, "owner": owner, "system": system, "cookie": cookie, "oldServers": old,
        "serviceToken": fleet.service_token.is_some()});
    (value, line)
}
