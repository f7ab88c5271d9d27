//! What a tenant decides for its systems. A system's settings document is laid over its tenant's, and that over
//! the defaults here; every member is optional in a document, and an unknown one is refused.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::origin::spelling_of_origin;

/// The cipher of `XverifyApi` and of passwords on their way (contract 1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StampCipher {
    /// DES in ECB mode with PKCS#7 padding.
    #[serde(rename = "des-ecb-pkcs7")]
    DesEcbPkcs7,
    /// DES in CBC mode with PKCS#7 padding.
    #[serde(rename = "des-cbc-pkcs7")]
    DesCbcPkcs7,
}

/// How ciphertext is written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StampOutput {
    /// RFC 4648 section 4, with padding.
    Base64,
    /// Hexadecimal digits of either case.
    Hex,
}

/// Whether a stamp's GUID counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplayRule {
    /// A GUID is accepted once within the replay window.
    Once,
    /// For frontends that send one value for many calls.
    Off,
}

/// What becomes of a session whose last refresh is asked for again from elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplayFromElsewhere {
    /// It is answered, counted, and stands in the audit trail.
    Allow,
    /// It ends as reuse.
    End,
}

/// Which casing the answers have that a system's generated clients read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResponseSchema {
    /// That of the published document.
    Camel,
    /// The same in `snake_case`, as `common-data-under` makes it.
    Snake,
    /// No schema: plugins may shape answers as they like.
    None,
}

/// Settings of a system, complete. Names in a document are lower camelCase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in the settings document")]
pub struct SystemSettings {
    /// Cipher of `XverifyApi` and of login passwords.
    pub cipher: StampCipher,
    /// Initialisation vector for CBC, 16 hexadecimal digits; the first eight key bytes where absent.
    pub cipher_iv: Option<String>,
    /// How the ciphertext is written.
    pub output: StampOutput,
    /// Refuse a stamp that carries no time.
    pub require_timestamp: bool,
    /// How far a stamp's time may lie from ours, both ways, in seconds.
    pub stamp_window_seconds: u32,
    /// Whether a GUID counts once.
    pub replay: ReplayRule,
    /// For how long a GUID is remembered, in seconds.
    pub replay_window_seconds: u32,
    /// From this instant on (Unix ms) DES stamps are refused (contract 1.9).
    pub des_refused_from: Option<i64>,
    /// Accept a login password that is not encrypted.
    pub allow_plain_password: bool,
    /// Lifetime of an access token, in seconds.
    pub access_token_seconds: u32,
    /// A session ends when it was not refreshed for so many seconds.
    pub session_idle_seconds: u32,
    /// A session ends so many seconds after its login, whatever happens.
    pub session_seconds: u32,
    /// How many sessions one user may have in this system; the oldest gives way.
    pub session_limit: Option<u32>,
    /// What becomes of a session whose last refresh is asked for again from another address or user agent.
    pub refresh_replay_from_elsewhere: ReplayFromElsewhere,
    /// Refuse an expired access token on logout too.
    pub logout_requires_fresh_token: bool,
    /// Answer HTTP 200 always, as the old platform did.
    pub legacy_status200: bool,
    /// The response plugin where `_nodejs` is absent.
    pub default_plugin: Option<String>,
    /// What the system's clients expect of answers behind its plugins; drafts are checked against it.
    pub response_schema: ResponseSchema,
    /// Origins that browsers may call from: exact, no wildcard.
    pub allowed_origins: Vec<String>,
    /// Headers that pages of these origins may send beside those that every page may.
    pub allowed_headers: Vec<String>,
    /// Failed logins of one account from one address after which a captcha is asked for; four times as many of one
    /// address over all accounts, and of one account over all addresses.
    pub captcha_after_failures: u32,
    /// The fewest characters of a password that is set.
    pub password_min_length: u32,
    /// Refuse a password that many people have.
    pub password_refuse_common: bool,
    /// Requests per minute from one address.
    pub address_requests_per_minute: u32,
    /// Logins per minute of one account from one address; over all addresses, those without a captcha.
    pub account_logins_per_minute: u32,
    /// Requests per minute of the whole tenant.
    pub tenant_requests_per_minute: u32,
}

impl Default for SystemSettings {
    fn default() -> Self {
        Self {
            cipher: StampCipher::DesEcbPkcs7,
            cipher_iv: None,
            output: StampOutput::Base64,
            require_timestamp: false,
            stamp_window_seconds: 300,
            replay: ReplayRule::Once,
            replay_window_seconds: 600,
            des_refused_from: None,
            allow_plain_password: false,
            access_token_seconds: 7_200,
            session_idle_seconds: 30 * 86_400,
            session_seconds: 90 * 86_400,
            session_limit: None,
            refresh_replay_from_elsewhere: ReplayFromElsewhere::Allow,
            logout_requires_fresh_token: false,
            legacy_status200: false,
            default_plugin: None,
            response_schema: ResponseSchema::Camel,
            allowed_origins: Vec::new(),
            allowed_headers: Vec::new(),
            captcha_after_failures: 3,
            password_min_length: 8,
            password_refuse_common: true,
            address_requests_per_minute: 6_000,
            account_logins_per_minute: 30,
            tenant_requests_per_minute: 600_000,
        }
    }
}

impl SystemSettings {
    /// Lays the documents over the defaults, the later over the earlier, member by member. A member that is
    /// `null` goes back to the default.
    ///
    /// # Errors
    /// [`Error::Settings`] where a document is not an object, has an unknown member or one of the wrong type;
    /// [`Error::Setting`] where a value is not allowed.
    pub fn from_documents(documents: &[&serde_json::Value]) -> Result<Self, Error> {
        let mut merged = serde_json::Map::new();
        for document in documents {
            let members = document.as_object().ok_or_else(|| Error::Settings("it must be a JSON object".to_owned()))?;
            for (name, value) in members {
                if value.is_null() {
                    merged.remove(name);
                } else {
                    merged.insert(name.clone(), value.clone());
                }
            }
        }
        let mut settings: Self =
            serde_json::from_value(serde_json::Value::Object(merged)).map_err(|error| Error::Settings(error.to_string()))?;
        settings.validate()?;
        // Some were stored before another spelling was refused.
        for origin in &mut settings.allowed_origins {
            *origin = spelling_of_origin(origin).unwrap_or_default();
        }
        Ok(settings)
    }

    /// Refuses, in what is to be set, what would be understood and yet never match.
    ///
    /// # Errors
    /// [`Error::Settings`], with the right spelling.
    pub fn verify_spelling(document: &serde_json::Value) -> Result<(), Error> {
        let origins = document.get("allowedOrigins").and_then(serde_json::Value::as_array);
        for origin in origins.into_iter().flatten().filter_map(serde_json::Value::as_str) {
            if let Some(right) = spelling_of_origin(origin).filter(|right| right != origin) {
                let text = format!("allowedOrigins: browsers send this origin as `{right}`; write it so");
                return Err(Error::Settings(text));
            }
        }
        Ok(())
    }

    /// The initialisation vector that was set, if any.
    pub fn initialisation_vector(&self) -> Option<[u8; 8]> {
        self.cipher_iv.as_deref().and_then(parse_vector)
    }

    fn validate(&self) -> Result<(), Error> {
        let refuse = |name, reason| Err(Error::Setting { name, reason });
        if self.cipher_iv.as_deref().is_some_and(|text| parse_vector(text).is_none()) {
            return refuse("cipherIv", "must be 16 hexadecimal digits");
        }
        if !(1..=86_400).contains(&self.stamp_window_seconds) {
            return refuse("stampWindowSeconds", "must be 1 to 86400");
        }
        if !(1..=86_400).contains(&self.replay_window_seconds) {
            return refuse("replayWindowSeconds", "must be 1 to 86400");
        }
        // A stamp that is still inside its own window must still be remembered.
        if self.replay == ReplayRule::Once && self.replay_window_seconds < 2 * self.stamp_window_seconds {
            return refuse("replayWindowSeconds", "must be at least twice stampWindowSeconds");
        }
        if !(10..=86_400).contains(&self.access_token_seconds) {
            return refuse("accessTokenSeconds", "must be 10 to 86400");
        }
        if self.session_idle_seconds < self.access_token_seconds {
            return refuse("sessionIdleSeconds", "must not be less than accessTokenSeconds");
        }
        if self.session_seconds < self.session_idle_seconds {
            return refuse("sessionSeconds", "must not be less than sessionIdleSeconds");
        }
        if self.session_limit == Some(0) {
            return refuse("sessionLimit", "must be at least 1");
        }
        if self.address_requests_per_minute == 0 || self.account_logins_per_minute == 0 || self.tenant_requests_per_minute == 0 {
            return refuse("requestsPerMinute", "must be at least 1");
        }
        if !(1..=128).contains(&self.password_min_length) {
            return refuse("passwordMinLength", "must be 1 to 128");
        }
        if self.allowed_origins.iter().any(|origin| spelling_of_origin(origin).is_none()) {
            return refuse("allowedOrigins", "must be exact origins such as https://app.example");
        }
        if self.allowed_headers.len() > HEADERS || !self.allowed_headers.iter().all(|name| is_header_name(name)) {
            return refuse("allowedHeaders", "must be at most 32 names of headers, none of them `*`");
        }
        Ok(())
    }
}

fn parse_vector(text: &str) -> Option<[u8; 8]> {
    let well_formed = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    well_formed.then(|| u64::from_str_radix(text, 16).ok()).flatten().map(u64::to_be_bytes)
}

/// How many headers of its own a system may list.
const HEADERS: usize = 32;

/// A token (RFC 9110 section 5.6.2). `*` is one too, and stands for all headers in a preflight.
fn is_header_name(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=64).contains(&text.len()) && text != "*" && text.bytes().all(is_token)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_system_is_laid_over_its_tenant_and_null_undoes() {
        let tenant = json!({"accessTokenSeconds": 60, "requireTimestamp": true});
        let system = json!({"requireTimestamp": null, "output": "hex"});
        let settings = SystemSettings::from_documents(&[&tenant, &system]).unwrap();
        assert_eq!((settings.access_token_seconds, settings.require_timestamp, settings.output), (60, false, StampOutput::Hex));
    }

    #[test]
    fn wrong_documents_are_refused() {
        for document in [
            json!([]),
            json!({"unknownMember": 1}),
            json!({"accessTokenSeconds": "60"}),
            json!({"accessTokenSeconds": 1}),
            json!({"cipherIv": "12"}),
            json!({"cipher": "des3"}),
            json!({"allowedOrigins": ["*"]}),
            json!({"allowedOrigins": ["https://*.example"]}),
            json!({"allowedHeaders": ["*"]}),
            json!({"allowedHeaders": ["X-App, Cookie"]}),
            json!({"allowedHeaders": ["X-应用"]}),
            json!({"allowedHeaders": vec!["X-App"; 33]}),
            json!({"replayWindowSeconds": 10}),
            json!({"sessionLimit": 0}),
        ] {
            assert!(SystemSettings::from_documents(&[&document]).is_err(), "{document}");
        }
        assert!(SystemSettings::from_documents(&[&json!({"allowedOrigins": ["https://a.example:8443", "http://localhost"]})]).is_ok());
    }

    #[test]
    fn an_origin_is_set_as_browsers_send_it_and_was_stored_otherwise() {
        for (text, right) in [("https://App.Example", "https://app.example"), ("https://app.example:443", "https://app.example")] {
            let document = json!({"allowedOrigins": ["http://localhost", text]});
            let refused = SystemSettings::verify_spelling(&document).unwrap_err().to_string();
            assert!(refused.contains(&format!("`{right}`")), "{refused}");
            let settings = SystemSettings::from_documents(&[&document]).unwrap();
            assert_eq!(settings.allowed_origins, ["http://localhost", right]);
        }
        for document in [json!({}), json!({"allowedOrigins": null}), json!({"allowedOrigins": ["https://app.example"]})] {
            assert!(SystemSettings::verify_spelling(&document).is_ok(), "{document}");
        }
    }
}
