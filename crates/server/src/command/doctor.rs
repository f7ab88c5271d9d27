//! `bo-auth doctor`: looks at everything a server needs, and says what to do about what it finds.

use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;
use std::time::Duration;

use bo_auth_core::sealing::MasterKey;
use bo_auth_core::time::{Clock, SystemClock};
use bo_auth_service::tenant::Tenant;
use bo_auth_store::revocation::{NodeStatus, read_cluster_status};
use bo_auth_store::{Db, RedisHealth, Transport};
use clap::Args;
use serde::Serialize;

use super::Failure;
use super::output::Output;
use crate::configuration::{DatabaseChoice, StoreConfiguration, StoreOptions};
use crate::control::{Told, tell};
use crate::stores::{open_database, open_master_key, open_redis};

/// How far the database's clock may be from ours.
const SKEW: Duration = Duration::from_secs(2);

/// How many tenants are looked at in one step.
const TENANTS_AT_A_TIME: i64 = 200;

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Show the nodes too: their leases, and how far each has come.
    #[arg(long)]
    cluster: bool,
    #[command(flatten)]
    stores: StoreOptions,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    subject: &'static str,
    ok: bool,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Finding {
    fn good(subject: &'static str, found: impl Into<String>) -> Self {
        Self { subject, ok: true, found: found.into(), advice: None }
    }

    fn bad(subject: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { subject, ok: false, found: found.into(), advice: Some(advice.into()) }
    }
}

impl Doctor {
    pub(crate) async fn run(self, output: Output) -> ExitCode {
        let findings = match self.stores.validate() {
            Ok(configuration) => {
                let mut findings = examine(&configuration).await;
                if self.cluster {
                    findings.extend(examine_cluster(&configuration).await);
                }
                findings
            }
            Err(error) => vec![Finding::bad("configuration", error.to_string(), "mend the options named")],
        };
        let healthy = findings.iter().all(|finding| finding.ok);
        let text = || {
            let line = |finding: &Finding| {
                let mark = match (finding.ok, &finding.advice) {
                    (true, None) => "ok  ",
                    (true, Some(_)) => "WARN",
                    (false, _) => "BAD ",
                };
                let advice = finding.advice.as_ref().map_or_else(String::new, |advice| format!("\n     → {advice}"));
                format!("{mark} {:<14} {}{advice}\n", finding.subject, finding.found)
            };
            findings.iter().map(line).collect::<String>()
        };
        let printed = output.result(&findings, text);
        if let Err(failure) = &printed {
            output.fail(failure);
        }
        if healthy && printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

async fn examine(configuration: &StoreConfiguration) -> Vec<Finding> {
    let mut findings = vec![Finding::good("configuration", "the options fit together"), examine_data(configuration)];
    let master_key = match open_master_key(configuration, false) {
        Ok(key) => {
            findings.push(Finding::good("master key", "found"));
            Some(key)
        }
        Err(error) if matches!(configuration.database, DatabaseChoice::Sqlite(_)) && configuration.master_key.is_none() => {
            findings.push(Finding::bad(
                "master key",
                Failure::from(error).text,
                "`bo-auth serve` makes one on the first start; restore it from a backup if there was one",
            ));
            None
        }
        Err(error) => {
            findings.push(Finding::bad("master key", Failure::from(error).text, "give every node the same --master-key-file"));
            None
        }
    };
    if let DatabaseChoice::Sqlite(path) = &configuration.database
        && !path.exists()
    {
        findings.push(Finding::bad("database", format!("{} is not there yet", path.display()), "start the server once: `bo-auth serve`"));
        return findings;
    }
    match open_database(configuration).await {
        Ok(db) => examine_database(&db, master_key.as_ref(), &mut findings).await,
        Err(error) => {
            findings.push(Finding::bad("database", Failure::from(error).text, "check that it runs, and its address and password"));
        }
    }
    findings.extend(examine_redis(configuration).await.into_iter().flatten());
    findings.push(match tell(&configuration.data, &[]).await {
        Ok(Told::Done) => Finding::good("server", "one runs on this data directory, and answers"),
        Ok(Told::NobodyThere) => Finding::good("server", "none runs on this data directory"),
        Err(error) => Finding::bad("server", error.to_string(), "it is there and does not answer: look at its log"),
    });
    findings
}

fn examine_data(configuration: &StoreConfiguration) -> Finding {
    let data = &configuration.data;
    match std::fs::metadata(data) {
        Ok(metadata) if !metadata.is_dir() => {
            Finding::bad("data", format!("{} is no directory", data.display()), "give --data a directory")
        }
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
            Finding::bad("data", format!("other users may look into {}", data.display()), format!("chmod 700 {}", data.display()))
        }
        Ok(_) => Finding::good("data", data.display().to_string()),
        Err(_) => Finding::bad("data", format!("{} is not there yet", data.display()), "`bo-auth serve` makes it"),
    }
}

async fn examine_database(db: &Db, master_key: Option<&MasterKey>, findings: &mut Vec<Finding>) {
    let health = db.health().await;
    findings.push(match &health {
        Ok(health) if health.is_writable => Finding::good("database", format!("{} answers", db.engine())),
        Ok(_) => Finding::bad(
            "database",
            format!("{} answers and takes no writes", db.engine()),
            "it is a standby or read-only: lead --database-url to the primary (`target_session_attrs` of a proxy, or the address)",
        ),
        Err(_) => Finding::bad("database", "it does not answer", "check that it runs"),
    });
    if matches!(db, Db::Postgres(_)) {
        findings.push(match db.transport().await {
            Ok(transport) => describe_transport("database link", &transport, "give --database-url sslmode=verify-full"),
            Err(error) => Finding::bad("database link", Failure::from(error).text, "the database did not say"),
        });
    }
    findings.push(match db.migrations_pending().await {
        Ok(false) => Finding::good("migrations", "all applied"),
        Ok(true) => {
            let found = match db.migrations_applied().await {
                Ok(0) => "nobody has started on this database yet",
                _ => "some are not applied",
            };
            findings.push(Finding::bad("migrations", found, "start the server once: it applies them"));
            return;
        }
        Err(error) => Finding::bad("migrations", Failure::from(error).text, "the database may be of a newer version: update this program"),
    });
    findings.push(match health {
        Ok(health) => {
            let (ours, theirs) = (SystemClock.now(), health.now);
            let apart = ours.until(theirs).max(theirs.until(ours));
            let found = format!("{} ms from the database's", apart.as_millis());
            if apart <= SKEW { Finding::good("clock", found) } else { Finding::bad("clock", found, "set both machines' clocks by NTP") }
        }
        Err(error) => Finding::bad("clock", Failure::from(error).text, "the database did not tell its time"),
    });
    if let Some(master_key) = master_key {
        findings.push(match examine_tenants(db, master_key).await {
            Ok(0) => Finding::bad("tenants", "there is none, so that nobody can sign in", "add one: `bo-auth tenant add`"),
            Ok(count) => Finding::good("tenants", format!("{count}, and their keys and settings can be read")),
            Err(failure) => Finding::bad("tenants", failure.text, "restore the master key that sealed them, or mend the settings named"),
        });
    }
}

async fn examine_tenants(db: &Db, master_key: &MasterKey) -> Result<usize, Failure> {
    let (mut count, mut after) = (0, None);
    loop {
        let page = db.list_tenants(after.as_ref(), TENANTS_AT_A_TIME).await?;
        let Some(last) = page.last() else { return Ok(count) };
        after = Some(last.owner_id.clone());
        for listed in page {
            if let Some(record) = db.find_tenant(&listed.owner_id).await? {
                Tenant::assemble(record, master_key)
                    .map_err(|error| Failure::of(format!("{}: {}", listed.owner_id, Failure::from(error).text)))?;
                count += 1;
            }
        }
    }
}

async fn examine_cluster(configuration: &StoreConfiguration) -> Vec<Finding> {
    // It looks and changes nothing: no migration runs, no name is drawn.
    let status = async {
        match open_redis(configuration)? {
            Some(redis) if !configuration.single_node => {
                let db = open_database(configuration).await?;
                let status = read_cluster_status(&db, &redis).await?;
                db.close().await;
                Ok::<_, Failure>(Some(status.unwrap_or_default()))
            }
            _ => Ok(None),
        }
    };
    match status.await {
        Ok(None) => vec![Finding::good("nodes", "this deployment has one node, which needs no lease")],
        Ok(Some(status)) => {
            let mut findings: Vec<_> = status.nodes.iter().map(|node| describe_node(node, status.announcements)).collect();
            findings.extend(
                status.reading.iter().map(|name| {
                    Finding::good("node", format!("{name}: reads the ended sessions from the database before it takes a lease"))
                }),
            );
            if findings.is_empty() {
                findings.push(Finding::bad(
                    "nodes",
                    "none holds a lease",
                    "none runs, or none reaches Redis: those that run ask the database for each request",
                ));
            }
            findings
        }
        Err(Failure { text, .. }) => vec![Finding::bad("nodes", text, "Redis did not say")],
    }
}

fn describe_node(node: &NodeStatus, announcements: u64) -> Finding {
    let behind = node.acknowledged.map_or_else(
        || "nothing to acknowledge lately".to_owned(),
        |number| format!("{} of {announcements} announcements to apply", announcements.saturating_sub(number)),
    );
    Finding::good("node", format!("{}: lease for {} ms, {behind}", node.name, node.lease_millis))
}

async fn examine_redis(configuration: &StoreConfiguration) -> Option<Vec<Finding>> {
    let advice = "check that it runs, and its address and password";
    let redis = match open_redis(configuration) {
        Ok(redis) => redis?,
        Err(error) => return Some(vec![Finding::bad("redis", Failure::from(error).text, advice)]),
    };
    let health = match redis.health().await {
        Ok(RedisHealth::Writable) => Finding::good("redis", "answers"),
        Ok(RedisHealth::ReadOnly) => {
            Finding::bad("redis", "answers and is a replica, which takes no writes", "lead --redis-url to the primary")
        }
        Ok(RedisHealth::RefusesWrites) => {
            Finding::bad("redis", "answers and refuses writes", "look at its memory, its disk and its replicas: its log says which")
        }
        Err(error) => Finding::bad("redis", Failure::from(error).text, advice),
    };
    Some(vec![health, describe_transport("redis link", redis.transport(), "begin --redis-url with rediss://")])
}

/// Clear text that leaves the machine is nothing that keeps a server from running: it is said, with advice.
fn describe_transport(subject: &'static str, transport: &Transport, advice: &str) -> Finding {
    let advice = (*transport == Transport::ClearText).then(|| advice.to_owned());
    Finding { subject, ok: true, found: transport.to_string(), advice }
}
