//! A frontend of the tenant: makes the requests of the v3 and of the v1.0 contract.

use std::fmt::Write as _;

use bo_auth_core::identifier::KeyId;
use bo_auth_core::random::SystemRandom;
use bo_auth_core::settings::SystemSettings;
use bo_auth_core::stamp::{StampKey, StampRules, encrypt_stamp, new_stamp_plaintext};
use serde_json::json;

use crate::Failure;

/// The tenant, its stamp key, and its users' account and number, with the password of all.
pub(crate) const OWNER: &str = "torture";
pub(crate) const STAMP_KEY: &str = "k3y-of-t";
pub(crate) const PASSWORD: &str = "correct horse 密码";

/// What proves a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A pair of tokens.
    Pair {
        /// The access token.
        access: String,
        /// The refresh token.
        refresh: String,
    },
    /// The cookie of the v1.0 contract.
    Cookie(String),
}

/// The tenant's system whose frontends send one stamp for many calls: a GUID counts as often as it is sent (`replay: off`).
pub(crate) const REUSING: &str = "reusing";

/// A frontend.
pub(crate) struct Frontend {
    key: StampKey,
    rules: StampRules,
    /// The system; the default one where none is named.
    system: Option<&'static str>,
}

impl Frontend {
    pub(crate) fn new() -> Result<Self, Failure> {
        Self::of(None)
    }

    /// One of a system.
    pub(crate) fn of(system: Option<&'static str>) -> Result<Self, Failure> {
        let id = KeyId::parse("torture").map_err(|error| error.to_string())?;
        let key = StampKey::new(id, STAMP_KEY.as_bytes()).map_err(|error| error.to_string())?;
        Ok(Self { key, rules: StampRules::new(&SystemSettings::default()), system })
    }

    /// A request with the X headers. Its stamp carries no time: clocks are part of the torture.
    fn stamped(&self, method: &str, path: &str, authorization: Option<&str>, body: &str) -> String {
        let stamp = encrypt_stamp(&new_stamp_plaintext(&SystemRandom::default(), None), &self.key, &self.rules);
        let mut text = format!("{method} /bo/api/v3{path} HTTP/1.1\r\nHost: torture\r\nXownerId: {OWNER}\r\nXverifyApi: {stamp}\r\n");
        if let Some(system) = self.system {
            let _ = write!(text, "XsysId: {system}\r\n");
        }
        if let Some(token) = authorization {
            let _ = write!(text, "Authorization: Bearer {token}\r\n");
        }
        finish(text, body)
    }

    /// Signs a user in by account.
    pub(crate) fn login(&self, account: &str) -> String {
        let password = encrypt_stamp(PASSWORD, &self.key, &self.rules);
        self.stamped("POST", "/auth/login", None, &json!({"userName": account, "password": password}).to_string())
    }

    /// Who am I, by access token or by cookie.
    pub(crate) fn verify(&self, proof: &Proof) -> String {
        match proof {
            Proof::Pair { access, .. } => self.stamped("GET", "/auth/user/current", Some(access), ""),
            Proof::Cookie(cookie) => with_cookie("GET", cookie),
        }
    }

    /// The next pair.
    pub(crate) fn refresh(&self, refresh: &str) -> String {
        self.stamped("GET", &format!("/auth/token/refresh?refreshToken={refresh}"), None, "")
    }

    /// Signs out, with a receipt.
    pub(crate) fn logout(&self, proof: &Proof) -> String {
        match proof {
            Proof::Pair { access, refresh } => {
                let path = format!("/auth/token/logout?refreshToken={refresh}&_nodejs=common-data");
                let request = self.stamped("DELETE", &path, Some(access), "");
                request.replacen("\r\n", "\r\nPrefer: return=representation\r\n", 1)
            }
            Proof::Cookie(cookie) => with_cookie("DELETE", cookie),
        }
    }

    /// Signs a user in by mobile number, for a cookie.
    pub(crate) fn cookie_login(mobile: &str) -> String {
        finish(
            "POST /api/v1.0/sessions HTTP/1.1\r\nHost: torture\r\n".to_owned(),
            &json!({"mobile": mobile, "password": PASSWORD}).to_string(),
        )
    }
}

fn with_cookie(method: &str, cookie: &str) -> String {
    finish(format!("{method} /api/v1.0/session HTTP/1.1\r\nHost: torture\r\nCookie: userlogin={cookie}\r\n"), "")
}

fn finish(mut text: String, body: &str) -> String {
    if !body.is_empty() {
        text += "Content-Type: application/json; charset=utf-8\r\n";
    }
    let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
    text
}

/// A request without headers of ours.
pub(crate) fn plain(path: &str) -> String {
    finish(format!("GET {path} HTTP/1.1\r\nHost: torture\r\n"), "")
}
