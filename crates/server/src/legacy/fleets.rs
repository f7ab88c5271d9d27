//! Which fleet a request is for: by the name it was sent to, or by the token that a gateway shows.

use std::sync::{Arc, PoisonError, RwLock};

use bo_auth_core::identifier::SystemId;
use bo_auth_service::legacy_fleet::{Fleet, OldServers};
use bo_auth_store::RedisConnection;
use bo_auth_store::old_sessions::{OldSessions, UserIdEncoding};
use http::HeaderMap;
use http::header::HOST;
use poem::Request;
use subtle::ConstantTimeEq as _;

use crate::configuration::{FleetConfiguration, Secret, UserIdForm};

/// A fleet that is served.
#[derive(Debug, Clone)]
pub struct ServedFleet {
    /// The fleet.
    pub fleet: Arc<Fleet>,
    /// The cookie's name.
    pub cookie: String,
    hosts: Vec<String>,
    service_token: Arc<RwLock<Option<Secret>>>,
}

/// All of them. Clones are the same.
#[derive(Debug, Clone)]
pub struct Fleets(Arc<[ServedFleet]>);

/// Why a gateway is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayRefusal {
    /// It shows no token, or one that is nobody's.
    Unknown,
    /// It is on another machine, and no token is configured that would let it in.
    Remote,
    /// Several fleets could be meant.
    Ambiguous,
}

impl Fleets {
    /// Prepares the fleets; their old servers' Redis is connected to when it is first needed.
    ///
    /// # Errors
    /// Where the address of a Redis is not usable.
    pub fn open(configured: &[FleetConfiguration]) -> Result<Self, bo_auth_store::Error> {
        configured.iter().map(ServedFleet::open).collect::<Result<Vec<_>, _>>().map(|fleets| Self(fleets.into()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fleets, as the use cases take them.
    pub fn for_service(&self) -> Vec<Arc<Fleet>> {
        self.0.iter().map(|served| Arc::clone(&served.fleet)).collect()
    }

    /// The fleet that is reached under the name of this request.
    pub fn of_browser(&self, request: &Request) -> Option<&ServedFleet> {
        let host = host_of(request.headers(), request.uri());
        self.named(host.as_deref()).or_else(|| self.0.iter().find(|served| served.hosts.is_empty()))
    }

    /// The fleet that a gateway speaks for.
    ///
    /// # Errors
    /// Where it may not, or does not say which.
    pub fn of_gateway<'a>(
        &self,
        host: Option<&str>,
        tokens: impl IntoIterator<Item = &'a [u8]>,
        is_local: bool,
    ) -> Result<&ServedFleet, GatewayRefusal> {
        if let Some(served) = tokens.into_iter().find_map(|token| self.with_token(token)) {
            return Ok(served);
        }
        let open: Vec<&ServedFleet> = self.0.iter().filter(|served| !served.has_token()).collect();
        if !is_local {
            let is_token_wanted = open.len() < self.0.len();
            return Err(if is_token_wanted { GatewayRefusal::Unknown } else { GatewayRefusal::Remote });
        }
        match &open[..] {
            [] => Err(GatewayRefusal::Unknown),
            // Gateways dial an address; with one fleet there is nothing to tell apart.
            [only] => Ok(only),
            _ => {
                let named = self.named(host).filter(|served| !served.has_token());
                named.or_else(|| open.iter().copied().find(|served| served.hosts.is_empty())).ok_or(GatewayRefusal::Ambiguous)
            }
        }
    }

    /// Gives each fleet the service token of its place in the list; whether any is another than before.
    pub fn set_service_tokens(&self, tokens: impl IntoIterator<Item = Option<Secret>>) -> bool {
        let mut changed = false;
        for (served, token) in self.0.iter().zip(tokens) {
            let mut own = served.service_token.write().unwrap_or_else(PoisonError::into_inner);
            changed |= *own != token;
            *own = token;
        }
        changed
    }

    fn named(&self, host: Option<&str>) -> Option<&ServedFleet> {
        self.0.iter().find(|served| served.hosts.iter().any(|own| Some(own.as_str()) == host))
    }

    /// Compares with every token, in the same time.
    fn with_token(&self, token: &[u8]) -> Option<&ServedFleet> {
        let fits = |served: &ServedFleet| {
            let own = served.service_token.read().unwrap_or_else(PoisonError::into_inner);
            own.as_ref().is_some_and(|own| bool::from(own.expose().as_bytes().ct_eq(token)))
        };
        self.0.iter().fold(None, |found, served| if fits(served) { Some(served) } else { found })
    }
}

impl ServedFleet {
    fn open(configured: &FleetConfiguration) -> Result<Self, bo_auth_store::Error> {
        let old = configured.old_servers.as_ref().map(|old| {
            let encoding = match old.user_id {
                UserIdForm::Decimal => UserIdEncoding::Decimal,
                UserIdForm::CodePoint => UserIdEncoding::CodePoint,
            };
            let connection = RedisConnection::open(old.redis.expose())?;
            let sessions = OldSessions::new(connection, old.app.clone(), encoding);
            Ok::<_, bo_auth_store::Error>(OldServers { sessions, shown_for: old.shown_for })
        });
        let fleet = Fleet { owner_id: configured.owner_id.clone(), sys_id: configured.sys_id.clone(), old: old.transpose()? };
        Ok(Self {
            fleet: Arc::new(fleet),
            cookie: configured.cookie.clone(),
            hosts: configured.hosts.clone(),
            service_token: Arc::new(RwLock::new(configured.service_token.clone())),
        })
    }

    fn has_token(&self) -> bool {
        self.service_token.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Its system.
    pub fn sys_id(&self) -> &SystemId {
        &self.fleet.sys_id
    }
}

/// The name a request was sent to, in lower case and without a port.
pub(crate) fn host_of(headers: &HeaderMap, uri: &http::Uri) -> Option<String> {
    let mut values = headers.get_all(HOST).iter();
    let host = match (values.next(), values.next()) {
        (Some(one), None) => one.to_str().ok()?,
        // HTTP/2 has the name in the address.
        (None, None) => uri.authority()?.as_str(),
        (_, Some(_)) => return None,
    };
    Some(without_port(host).trim_end_matches('.').to_ascii_lowercase())
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && (!host.contains(':') || host.ends_with(']')) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use bo_auth_core::identifier::OwnerId;

    use super::*;

    fn fleet(owner: &str, hosts: &[&str], token: Option<&str>) -> FleetConfiguration {
        FleetConfiguration {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            owner_id: OwnerId::parse(owner).unwrap(),
            sys_id: SystemId::parse("web").unwrap(),
            cookie: "userlogin".to_owned(),
            old_servers: None,
            service_token: token.map(|token| Secret::new(token.to_owned())),
        }
    }

    fn owner(found: Option<&ServedFleet>) -> Option<String> {
        found.map(|served| served.fleet.owner_id.to_string())
    }

    #[test]
    fn browsers_are_told_apart_by_name() {
        let fleets = Fleets::open(&[fleet("a", &["a.example", "[::1]"], None), fleet("rest", &[], None)]).unwrap();
        let strict = Fleets::open(&[fleet("a", &["a.example"], None)]).unwrap();
        for (host, expected) in
            [("a.example", "a"), ("A.example.:8480", "a"), ("[::1]:80", "a"), ("b.example", "rest"), ("a.example.evil.example", "rest")]
        {
            let request = Request::builder().header("Host", host).finish();
            assert_eq!(owner(fleets.of_browser(&request)).as_deref(), Some(expected), "{host}");
            assert_eq!(
                owner(strict.of_browser(&request)).as_deref(),
                (host == "a.example" || host.starts_with("A.")).then_some("a"),
                "{host}"
            );
        }
        let twice = Request::builder().header("Host", "a.example").header("Host", "b.example").finish();
        assert_eq!(owner(strict.of_browser(&twice)), None);
    }

    #[test]
    fn gateways_are_local_or_show_a_token() {
        let one = Fleets::open(&[fleet("a", &["a.example"], None)]).unwrap();
        assert_eq!(owner(one.of_gateway(Some("127.0.0.1"), None, true).ok()).as_deref(), Some("a"));
        assert_eq!(one.of_gateway(Some("a.example"), None, false).unwrap_err(), GatewayRefusal::Remote);
        // What a gateway passes on of its users is no token of ours.
        assert!(one.of_gateway(None, [&b"of a user"[..]], true).is_ok());

        let several = Fleets::open(&[
            fleet("a", &["a.example"], Some("token-a")),
            fleet("b", &["b.example"], None),
            fleet("c", &["c.example"], None),
        ]);
        let several = several.unwrap();
        for (host, token, is_local, expected) in [
            (None, Some(b"token-a"), false, Ok("a")),
            (Some("b.example"), None, true, Ok("b")),
            (Some("a.example"), None, true, Err(GatewayRefusal::Ambiguous)),
            (Some("b.example"), None, false, Err(GatewayRefusal::Unknown)),
            (None, Some(b"token-b"), false, Err(GatewayRefusal::Unknown)),
        ] {
            let tokens = token.map(|token: &[u8; 7]| token.as_slice());
            let found = several.of_gateway(host, tokens, is_local).map(|served| served.fleet.owner_id.to_string());
            assert_eq!(found, expected.map(str::to_owned), "{host:?} {token:?} {is_local}");
        }
        let closed = Fleets::open(&[fleet("a", &[], Some("token-a"))]).unwrap();
        assert_eq!(closed.of_gateway(None, None, true).unwrap_err(), GatewayRefusal::Unknown);
    }
}
