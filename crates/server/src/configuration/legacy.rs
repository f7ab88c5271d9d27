//! The v1.0 fleets that are served: a file that lists them, since each has a tenant, a system and secrets of its own.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bo_auth_core::identifier::{OwnerId, SystemId};
use clap::Args;
use serde::Deserialize;

use super::store::{has_scheme, secret};
use super::{ConfigurationError, Secret};

/// The shortest service token, in bytes: 32 characters of `openssl rand -hex 16`.
const TOKEN_BYTES: usize = 32;

/// Options of the v1.0 contract.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Legacy v1.0")]
pub struct LegacyOptions {
    /// File that lists the fleets whose v1.0 sessions and gRPC service are served; without it both are off
    #[arg(long, env = "BO_AUTH_LEGACY_V1", value_name = "FILE")]
    pub legacy_v1: Option<PathBuf>,

    /// One more address and port, for gRPC alone; beside HTTP it is served in any case
    #[arg(long, env = "BO_AUTH_GRPC_LISTEN", value_name = "ADDRESS")]
    pub grpc_listen: Option<SocketAddr>,
}

/// What is served of the v1.0 contract; nothing where there is no fleet.
#[derive(Debug, Clone, Default)]
pub struct LegacyConfiguration {
    /// The fleets.
    pub fleets: Vec<FleetConfiguration>,
    /// An address for gRPC alone.
    pub grpc_listen: Option<SocketAddr>,
}

/// A fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetConfiguration {
    /// The names it is reached under, in lower case; none for every name that is no other fleet's.
    pub hosts: Vec<String>,
    /// Its tenant.
    pub owner_id: OwnerId,
    /// Its system.
    pub sys_id: SystemId,
    /// The cookie's name.
    pub cookie: String,
    /// Its old servers, while there are any.
    pub old_servers: Option<OldServersConfiguration>,
    /// What its gateways show; where there is none, those of this machine may call.
    pub service_token: Option<Secret>,
}

impl FleetConfiguration {
    /// Whether nothing but the service token differs.
    pub fn is_same_but_for_its_token(&self, other: &Self) -> bool {
        let whole = Self { service_token: other.service_token.clone(), ..self.clone() };
        whole == *other
    }
}

/// The old servers of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldServersConfiguration {
    /// Their Redis.
    pub redis: Secret,
    /// What their keys begin with.
    pub app: String,
    /// How they write a user's number.
    pub user_id: UserIdForm,
    /// For how long a new session is shown to them; `None` where it is not.
    pub shown_for: Option<Duration>,
}

/// How old servers write a user's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserIdForm {
    /// Decimal text.
    Decimal,
    /// One UTF-8 code point.
    CodePoint,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    legacy_v1: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    hosts: Vec<String>,
    owner: String,
    system: String,
    cookie: Option<String>,
    app: Option<String>,
    shared_redis: Option<String>,
    shared_redis_file: Option<PathBuf>,
    user_id: Option<UserIdForm>,
    write_sessions: Option<bool>,
    session_seconds: Option<u64>,
    service_token: Option<String>,
    service_token_file: Option<PathBuf>,
}

impl LegacyOptions {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// Where something in it is wrong; the text says what to do and repeats no secret.
    pub fn validate(&self) -> Result<LegacyConfiguration, ConfigurationError> {
        let Some(path) = self.legacy_v1.as_deref().filter(|path| !path.as_os_str().is_empty()) else {
            return match self.grpc_listen {
                Some(_) => Err(ConfigurationError::GrpcWithoutFleet),
                None => Ok(LegacyConfiguration::default()),
            };
        };
        let option = "--legacy-v1 (BO_AUTH_LEGACY_V1)";
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigurationError::Unreadable { option, path: path.to_owned(), source })?;
        let fleets = read(path, &text)?;
        Ok(LegacyConfiguration { fleets, grpc_listen: self.grpc_listen })
    }
}

fn read(path: &Path, text: &str) -> Result<Vec<FleetConfiguration>, ConfigurationError> {
    let refuse = |problem: String| ConfigurationError::Legacy { path: path.to_owned(), problem };
    // The parser's own text would show the line, and a secret may stand in it.
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        refuse(format!("line {line}: {}", error.message()))
    })?;
    if file.legacy_v1.is_empty() {
        return Err(refuse("it lists no fleet: write a table [[legacy_v1]] with owner and system".to_owned()));
    }
    let mut fleets = Vec::new();
    for (position, entry) in file.legacy_v1.into_iter().enumerate() {
        let number = position + 1;
        fleets.push(entry.validate(&|problem| refuse(format!("fleet {number}: {problem}")))?);
    }
    tell_apart(&fleets).map_err(refuse)?;
    Ok(fleets)
}

/// Every name and every token leads to one fleet.
fn tell_apart(fleets: &[FleetConfiguration]) -> Result<(), String> {
    let mut hosts = HashSet::new();
    if let Some(twice) = fleets.iter().flat_map(|fleet| &fleet.hosts).find(|host| !hosts.insert(host.as_str())) {
        return Err(format!("two fleets have the host {twice}: give each name to one of them"));
    }
    if fleets.iter().filter(|fleet| fleet.hosts.is_empty()).count() > 1 {
        return Err("two fleets have no hosts: only one can take what is no other's".to_owned());
    }
    let mut tokens = HashSet::new();
    if fleets.iter().filter_map(|fleet| fleet.service_token.as_ref()).any(|token| !tokens.insert(token.expose())) {
        return Err("two fleets have the same service_token: give each its own".to_owned());
    }
    Ok(())
}

impl Entry {
    fn validate(self, refuse: &dyn Fn(String) -> ConfigurationError) -> Result<FleetConfiguration, ConfigurationError> {
        let identifier = |name: &str| refuse(format!("{name} must be 1 to 64 characters of 0-9 A-Z a-z _ . : -"));
        let cookie = self.cookie.unwrap_or_else(|| "userlogin".to_owned());
        if !is_cookie_name(&cookie) {
            return Err(refuse("cookie must be 1 to 64 letters, digits, - or _".to_owned()));
        }
        let hosts: Vec<String> = self.hosts.iter().map(|host| host.trim_end_matches('.').to_ascii_lowercase()).collect();
        if let Some(bad) = hosts.iter().find(|host| !is_host(host)) {
            return Err(refuse(format!("{bad:?} is no host: give a name or an address, without scheme and port")));
        }
        let redis = secret(
            (self.shared_redis.map(Secret::new).as_ref(), "shared_redis"),
            (self.shared_redis_file.as_deref(), "shared_redis_file"),
        )?;
        let service_token = secret(
            (self.service_token.map(Secret::new).as_ref(), "service_token"),
            (self.service_token_file.as_deref(), "service_token_file"),
        )?;
        if service_token
            .as_ref()
            .is_some_and(|token| token.expose().len() < TOKEN_BYTES || !token.expose().bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(refuse(format!(
                "service_token must be at least {TOKEN_BYTES} printable characters: `openssl rand -hex 16` makes them"
            )));
        }
        let old_servers = match redis {
            Some(redis) => Some(old_servers(redis, self.app, self.user_id, self.write_sessions, self.session_seconds).map_err(refuse)?),
            None if self.app.is_some() || self.user_id.is_some() || self.write_sessions.is_some() || self.session_seconds.is_some() => {
                let text = "app, user_id, write_sessions and session_seconds are about the old servers' Redis: give shared_redis, or leave them out";
                return Err(refuse(text.to_owned()));
            }
            None => None,
        };
        Ok(FleetConfiguration {
            hosts,
            owner_id: OwnerId::parse(&self.owner).map_err(|_| identifier("owner"))?,
            sys_id: SystemId::parse(&self.system).map_err(|_| identifier("system"))?,
            cookie,
            old_servers,
            service_token,
        })
    }
}

fn old_servers(
    redis: Secret,
    app: Option<String>,
    user_id: Option<UserIdForm>,
    write: Option<bool>,
    seconds: Option<u64>,
) -> Result<OldServersConfiguration, String> {
    if !redis.expose().split(',').all(|url| has_scheme(url.trim(), &["redis", "redis+unix", "unix"])) {
        return Err("shared_redis must begin with redis://, redis+unix:// or unix://".to_owned());
    }
    let app = app.unwrap_or_else(|| "ihome".to_owned());
    if !(1..=64).contains(&app.len()) || !app.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("app must be 1 to 64 printable characters: what the keys in the old Redis begin with".to_owned());
    }
    let user_id = user_id.ok_or("say how the old servers write user_id: \"decimal\" or \"code-point\" (`redis-cli get` shows it)")?;
    let seconds = seconds.unwrap_or(3600);
    if !(1..=90 * 86_400).contains(&seconds) {
        return Err("session_seconds must be 1 to 7776000".to_owned());
    }
    let shown_for = write.unwrap_or(true).then(|| Duration::from_secs(seconds));
    Ok(OldServersConfiguration { redis, app, user_id, shown_for })
}

fn is_cookie_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// A name or an IPv4 address; an IPv6 address in brackets.
fn is_host(text: &str) -> bool {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.map_or_else(
        || (1..=253).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)),
        |inner| inner.parse::<std::net::Ipv6Addr>().is_ok(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleets(text: &str) -> Result<Vec<FleetConfiguration>, String> {
        read(Path::new("fleets.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_fleet_needs_a_tenant_and_a_system_only() {
        let read = fleets("[[legacy_v1]]\nowner = \"acme\"\nsystem = \"web\"\n").unwrap();
        let [fleet] = &read[..] else { panic!("one fleet") };
        assert_eq!((fleet.owner_id.as_str(), fleet.sys_id.as_str(), fleet.cookie.as_str()), ("acme", "web", "userlogin"));
        assert!(fleet.hosts.is_empty() && fleet.old_servers.is_none() && fleet.service_token.is_none());
    }

    #[test]
    fn old_servers_have_their_own_ways() {
        let entry = "[[legacy_v1]]\nowner = \"acme\"\nsystem = \"web\"\nhosts = [\"WWW.acme.example.\", \"[::1]\"]\n\
             shared_redis = \"redis://:hunter2@old\"\nuser_id = \"code-point\"\n";
        let read = fleets(entry).unwrap();
        let old = read[0].old_servers.as_ref().unwrap();
        assert_eq!((old.app.as_str(), old.user_id, old.shown_for), ("ihome", UserIdForm::CodePoint, Some(Duration::from_hours(1))));
        assert_eq!(read[0].hosts, ["www.acme.example", "[::1]"]);
        assert!(!format!("{read:?}").contains("hunter2"));
        let silent = fleets(&format!("{entry}write_sessions = false\n")).unwrap();
        assert_eq!(silent[0].old_servers.as_ref().unwrap().shown_for, None);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        const ONE: &str = "[[legacy_v1]]\nowner = \"acme\"\nsystem = \"web\"\n";
        for (text, advice) in [
            (String::new(), "it lists no fleet"),
            ("[[legacy_v1]]\nowner = \"acme\"\n".to_owned(), "missing field `system`"),
            (format!("{ONE}colour = 1\n"), "unknown field `colour`"),
            (format!("{ONE}shared_redis = redis://:hunter2@old\n"), "line 4"),
            (format!("{ONE}shared_redis = \"redis://:hunter2@old\"\n"), "say how the old servers write user_id"),
            (format!("{ONE}shared_redis = \"http://:hunter2@old\"\nuser_id = \"decimal\"\n"), "must begin with redis://"),
            (format!("{ONE}user_id = \"decimal\"\n"), "give shared_redis"),
            (format!("{ONE}user_id = \"octal\"\n"), "line 4"),
            (format!("{ONE}cookie = \"a b\"\n"), "cookie must be"),
            (format!("{ONE}hosts = [\"https://www.acme.example\"]\n"), "without scheme and port"),
            (format!("{ONE}service_token = \"hunter2\"\n"), "at least 32 printable characters"),
            (format!("{ONE}{ONE}"), "two fleets have no hosts"),
            (format!("{ONE}hosts = [\"a\"]\n{ONE}hosts = [\"A\"]\n"), "two fleets have the host a"),
            ("[[legacy_v1]]\nowner = \"a b\"\nsystem = \"web\"\n".to_owned(), "owner must be"),
            (format!("{ONE}service_token_file = \"/nowhere/token\"\n"), "check that the file is there"),
        ] {
            let error = fleets(&text).unwrap_err();
            assert!(error.contains(advice) && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}
