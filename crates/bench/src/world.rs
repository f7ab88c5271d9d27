//! A tenant with users and many sessions, and the requests that their owners send. Tokens are issued with the tenant's
//! own keys, as a login would, without a login's cost.

use std::sync::Arc;

use bo_auth_core::identifier::{OwnerId, SystemId, UserId};
use bo_auth_core::password::{PasswordCost, PasswordHasher};
use bo_auth_core::random::{SystemRandom, alphanumeric};
use bo_auth_core::session::SessionId;
use bo_auth_core::signing_key::Algorithm;
use bo_auth_core::stamp::{encrypt_stamp, new_stamp_plaintext};
use bo_auth_core::time::{Clock, SystemClock, Timestamp};
use bo_auth_core::token::access::AccessClaims;
use bo_auth_plugin::Plugins;
use bo_auth_server::configuration::{CacheChoice, DatabaseChoice, Secret, StoreConfiguration};
use bo_auth_server::stores::{make_data_directory, open_database, open_master_key};
use bo_auth_service::operator::tenant::NewTenant;
use bo_auth_service::operator::user::NewUser;
use bo_auth_service::operator::{Author, Operator};
use bo_auth_service::plugin::PluginDesk;
use bo_auth_service::tenant::Tenant;
use serde_json::json;

use crate::Failure;
use crate::load::Requests;
use crate::product::Stores;
use crate::rows::Rows;

/// The tenant.
pub(crate) const OWNER: &str = "bench";
/// Its system.
pub(crate) const SYSTEM: &str = "web";

/// A plugin of the tenant's own: a small script, as most are.
pub(crate) const OWN_PLUGIN: &str = "own";
const OWN_SOURCE: &str = r#"fn process(response, ctx) { response.set("data.displayName", `${response.data.name} (${ctx.sys_id})`) }"#;

/// Scripts that take what they can get: steps, time, memory, texts, arrays, depth; and one that stays just within its limits.
const HOSTILE_BODIES: [&str; 12] = [
    "loop { }",
    "loop { response.camel(); response.snake(); }",
    "loop { try { loop { } } catch { } }",
    "let s = \"x\"; loop { s += s; }",
    "let s = \"\"; s.pad(200000, \"ab\"); loop { s.index_of(\"aa\"); s.split(\"aa\"); s.to_upper(); }",
    "let s = \"\"; s.pad(200000, 'x'); let a = []; loop { a.push(s + a.len()); }",
    "let a = []; for n in 0..9000 { a.push(9000 - n); } loop { let b = a; b.sort(); }",
    "let a = []; for n in 0..9000 { a.push(n); } a.sort(|x, y| if (x * 7 + y) % 3 == 0 { -1 } else { 1 }); loop { a.sort(|x, y| 1); }",
    "let m = #{a: 1}; loop { m = #{a: m, b: m}; }",
    "process(response, ctx)",
    "let a = []; loop { a = [[[[[[a]]]]]]; }",
    "let t = 0; for n in 0..60000 { t += n; } response",
];

/// Tenants beside that do nothing but run a script as long as it may run.
const HOSTILE_TENANTS: usize = 8;
const HOSTILE_PLUGIN: &str = "hostile";
const HOSTILE_SOURCE: &str = "fn process(response, ctx) { loop { response.camel(); response.snake(); } }";
/// Their user and their session.
const HOSTILE_USER: &str = "u1";

/// Each script under so many names: one that fails too often is switched off.
const NAMES_OF_EACH: usize = 8;

/// The names of the hostile plugins.
pub(crate) fn hostile_names() -> impl Iterator<Item = String> {
    (0..HOSTILE_BODIES.len() * NAMES_OF_EACH).map(|number| format!("hostile-{number}"))
}

const MINUTE: i64 = 60_000;

/// A tenant that is there, and its keys.
pub(crate) struct World {
    tenant: Tenant,
    hostile: Vec<Tenant>,
    rows: Rows,
    random: SystemRandom,
    next_session: u32,
}

impl World {
    /// Makes the tenant, so many users with a row, and so many sessions.
    pub(crate) async fn make(stores: &Stores<'_>, users: u32, sessions: u32) -> Result<Self, Failure> {
        make_data_directory(stores.data)?;
        let configuration = StoreConfiguration {
            data: stores.data.to_owned(),
            database: match stores.cluster {
                Some((postgres, _)) => DatabaseChoice::Postgres(Secret::new(postgres.to_owned())),
                None => DatabaseChoice::Sqlite(stores.data.join("bo-auth.db")),
            },
            cache: CacheChoice::Local,
            single_node: true,
            master_key: None,
        };
        let operator = Operator {
            db: open_database(&configuration).await?,
            cache: None,
            revocations: None,
            master_key: Arc::new(open_master_key(&configuration, true)?),
            hasher: Arc::new(PasswordHasher::new(PasswordCost { memory_kib: 64, iterations: 1, lanes: 1 })?),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom::default()),
            running: None,
            author: Author::default(),
        };
        operator.db.migrate().await?;
        let owner_id = OwnerId::parse(OWNER)?;
        add_tenant(&operator, &owner_id).await?;
        let rows = Rows { count: sessions, newest: Timestamp(SystemClock.now().millis() - MINUTE) };
        for session in 0..users {
            add_user(&operator, &owner_id, &rows.user_id(session), &format!("account-{session}")).await?;
        }
        let plugins = Plugins::new()?;
        let desk = operator.plugin_desk(&plugins);
        publish(&desk, &owner_id, OWN_PLUGIN, OWN_SOURCE).await?;
        for (name, body) in hostile_names().zip(HOSTILE_BODIES.iter().cycle()) {
            publish(&desk, &owner_id, &name, &format!("fn process(response, ctx) {{ {body} }}")).await?;
        }
        let mut hostile = Vec::new();
        for number in 0..HOSTILE_TENANTS {
            let owner_id = OwnerId::parse(&format!("hostile-{number}"))?;
            add_tenant(&operator, &owner_id).await?;
            add_user(&operator, &owner_id, HOSTILE_USER, HOSTILE_USER).await?;
            publish(&desk, &owner_id, HOSTILE_PLUGIN, HOSTILE_SOURCE).await?;
            hostile.push(Tenant::assemble(operator.get_tenant(&owner_id).await?, &operator.master_key)?);
        }
        let tenant = Tenant::assemble(operator.get_tenant(&owner_id).await?, &operator.master_key)?;
        operator.db.close().await;
        match stores.cluster {
            Some((postgres, _)) => rows.insert_into_postgres(postgres).await?,
            None => rows.insert_into_sqlite(&stores.data.join("bo-auth.db"))?,
        }
        Ok(Self { tenant, hostile, rows, random: SystemRandom::default(), next_session: 0 })
    }

    /// Requests for the profiles of the users of the first sessions, each with a stamp of its own.
    pub(crate) fn current_user(&self, path: &str, users: u32, count: usize) -> Result<Requests, Failure> {
        self.current_user_by(&[path.to_owned()], users, count)
    }

    /// The same by several paths in turn.
    pub(crate) fn current_user_by(&self, paths: &[String], users: u32, count: usize) -> Result<Requests, Failure> {
        let tokens: Vec<String> = (0..users).map(|session| self.access_token(session)).collect::<Result<_, _>>()?;
        let mut requests = Requests::default();
        for (token, path) in tokens.iter().cycle().zip(paths.iter().cycle()).take(count) {
            requests.add(&self.request(&self.tenant, path, token)?);
        }
        Ok(requests)
    }

    /// Requests of the hostile tenants' own users, by turns, each with the script that takes what it can get.
    pub(crate) fn of_hostile_tenants(&self, path: &str, count: usize) -> Result<Requests, Failure> {
        let path = format!("{path}?_nodejs={HOSTILE_PLUGIN}");
        let user_id = UserId::parse(HOSTILE_USER)?;
        let mut requests = Requests::default();
        for tenant in self.hostile.iter().cycle().take(count) {
            let token = self.access_token_of(tenant, user_id.clone(), self.rows.session_id(0))?;
            requests.add(&self.request(tenant, &path, &token)?);
        }
        Ok(requests)
    }

    /// Logouts of sessions that nobody has ended yet, picked from everywhere in the table.
    pub(crate) fn logouts(&mut self, count: u32) -> Result<Requests, Failure> {
        let mut requests = Requests::default();
        for pick in self.next_session..self.next_session + count {
            let session = self.rows.scattered(pick).ok_or("there are no sessions left to sign out of")?;
            let refresh_token = self.tenant.refresh_keys.issue(self.rows.session_id(session), 0);
            let path = format!("/bo/api/v3/auth/token/logout?refreshToken={refresh_token}&_nodejs=common-data");
            requests.add(&self.request(&self.tenant, &path, &self.access_token(session)?)?);
        }
        self.next_session += count;
        Ok(requests)
    }

    /// How many sessions [`World::logouts`] has not given out.
    pub(crate) const fn sessions_left(&self) -> u32 {
        self.rows.count - self.next_session
    }

    fn request(&self, tenant: &Tenant, path: &str, token: &str) -> Result<String, Failure> {
        let (key, _) = tenant.stamp_keys.first().ok_or("the tenant has no stamp key")?;
        let rules = &tenant.system(None)?.stamp_rules;
        let owner_id = &tenant.owner_id;
        let stamp = encrypt_stamp(&new_stamp_plaintext(&self.random, Some(SystemClock.now())), key, rules);
        Ok(format!(
            "GET {path} HTTP/1.1\r\nHost: bench\r\nAccept: application/json\r\nXownerId: {owner_id}\r\nXsysId: {SYSTEM}\r\n\
             XverifyApi: {stamp}\r\nAuthorization: Bearer {token}\r\n\r\n"
        ))
    }

    fn access_token(&self, session: u32) -> Result<String, Failure> {
        self.access_token_of(&self.tenant, UserId::parse(&self.rows.user_id(session))?, self.rows.session_id(session))
    }

    fn access_token_of(&self, tenant: &Tenant, user_id: UserId, session_id: SessionId) -> Result<String, Failure> {
        let now = SystemClock.now();
        let claims = AccessClaims {
            issuer: "bo-auth".to_owned(),
            user_id,
            name: "压测用户".to_owned(),
            client_id: SYSTEM.to_owned(),
            push_name: None,
            owner_id: tenant.owner_id.clone(),
            sys_id: SystemId::parse(SYSTEM)?,
            session_id,
            jti: alphanumeric(&self.random, 22),
            issued_at: now,
            expires_at: Timestamp(now.millis() + 60 * MINUTE),
        };
        Ok(tenant.signing_keys.issue(&claims)?)
    }
}

async fn add_tenant(operator: &Operator, owner_id: &OwnerId) -> Result<(), Failure> {
    let new = NewTenant {
        owner_id: owner_id.clone(),
        name: "压测".to_owned(),
        system: (SystemId::parse(SYSTEM)?, "压测".to_owned()),
        algorithm: Algorithm::HS256,
        // As many as one machine's generator can send.
        settings: json!({"addressRequestsPerMinute": 60_000_000, "tenantRequestsPerMinute": 60_000_000}),
    };
    operator.add_tenant(&new, None).await?;
    Ok(())
}

async fn add_user(operator: &Operator, owner_id: &OwnerId, user_id: &str, account: &str) -> Result<(), Failure> {
    let new = NewUser {
        user_id: Some(UserId::parse(user_id)?),
        account: account.to_owned(),
        name: "压测用户".to_owned(),
        mobile: None,
        push_name: None,
        area_codes: Vec::new(),
    };
    operator.add_user(owner_id, new, "never-used-to-sign-in").await?;
    Ok(())
}

async fn publish(desk: &PluginDesk<'_>, owner_id: &OwnerId, name: &str, source: &str) -> Result<(), Failure> {
    let version = desk.store(owner_id, name, source, "bench", "").await?.version;
    desk.publish(owner_id, name, version, None, None, "bench").await?;
    Ok(())
}
