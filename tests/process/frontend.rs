//! A frontend of a tenant: makes the X headers and the calls of the v3 contract.

use bo_auth_core::identifier::KeyId;
use bo_auth_core::random::{SystemRandom, alphanumeric};
use bo_auth_core::settings::SystemSettings;
use bo_auth_core::stamp::{StampKey, StampRules, encrypt_stamp, new_stamp_plaintext};
use bo_auth_core::time::{Clock, SystemClock};
use serde_json::json;

use super::{Answer, Request};

/// An owner id that no other test has: those on one Redis share its keys.
pub(crate) fn new_owner(name: &str) -> String {
    format!("{name}-{}", alphanumeric(&SystemRandom::default(), 12))
}

/// What a frontend knows.
#[derive(Clone)]
pub(crate) struct Frontend {
    pub(crate) owner: String,
    key: String,
}

/// A pair of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Pair {
    /// The pair that a login or a refresh was answered with.
    #[track_caller]
    pub(crate) fn of(answer: &Answer) -> Self {
        let token = &answer.json()["data"]["token"];
        let text = |name: &str| token[name].as_str().unwrap_or_else(|| panic!("no {name}: {answer:?}")).to_owned();
        Self { access: text("accessToken"), refresh: text("refreshToken") }
    }
}

impl Frontend {
    /// The password of the user `lin`.
    pub(crate) const PASSWORD: &'static str = "correct horse 密码";

    /// What a logout is answered with, to the byte.
    pub(crate) const SIGNED_OUT: &'static str = r#"{"code":0,"success":true,"message":"退出成功"}"#;

    pub(crate) fn new(owner: &str, key: &str) -> Self {
        Self { owner: owner.to_owned(), key: key.to_owned() }
    }

    /// Text as `encryptByDES` writes it, with the settings that systems have by default.
    pub(crate) fn encrypt(&self, text: &str) -> String {
        let key = StampKey::new(KeyId::parse("test").unwrap(), self.key.as_bytes()).unwrap();
        encrypt_stamp(text, &key, &StampRules::new(&SystemSettings::default()))
    }

    /// A fresh `XverifyApi`.
    pub(crate) fn stamp(&self) -> String {
        self.encrypt(&new_stamp_plaintext(&SystemRandom::default(), Some(SystemClock.now())))
    }

    /// A request with the X headers.
    pub(crate) fn request(&self, method: &'static str, path: &str) -> Request {
        Request::new(method, format!("/bo/api/v3{path}")).header("XownerId", &self.owner).header("XverifyApi", self.stamp())
    }

    pub(crate) fn login(&self) -> Request {
        self.login_as("lin", Self::PASSWORD)
    }

    pub(crate) fn login_as(&self, account: &str, password: &str) -> Request {
        self.request("POST", "/auth/login").json(&json!({"userName": account, "password": self.encrypt(password)}))
    }

    pub(crate) fn current(&self, pair: &Pair) -> Request {
        self.request("GET", "/auth/user/current").header("Authorization", format!("Bearer {}", pair.access))
    }

    pub(crate) fn refresh(&self, pair: &Pair) -> Request {
        self.request("GET", &format!("/auth/token/refresh?refreshToken={}", pair.refresh))
    }

    /// A logout by `GET` or `DELETE`.
    pub(crate) fn logout(&self, method: &'static str, pair: &Pair) -> Request {
        self.request(method, &format!("/auth/token/logout?refreshToken={}&_nodejs=common-data", pair.refresh))
            .header("Authorization", format!("Bearer {}", pair.access))
    }
}
