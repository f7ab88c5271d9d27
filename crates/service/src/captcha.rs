//! The captcha that a login needs after repeated failures: drawn for a GUID that the frontend chose, answered once.

use std::time::Duration;

use bo_auth_core::address::ClientPrefix;
use bo_auth_core::identifier::OwnerId;
use bo_auth_core::random::Random;
use bo_auth_core::settings::SystemSettings;
use bo_auth_store::admission::AdmissionRequest;
use bo_auth_store::cache::Cached;
use captcha::Captcha;
use captcha::filters::{Dots, Noise, Wave};
use serde::{Deserialize, Serialize};

use crate::call::per_minute;
use crate::{Error, Service};

/// What the picture shows, until it is answered or too old.
pub(crate) struct CachedCaptcha;

impl Cached for CachedCaptcha {
    const PURPOSE: &'static str = "captcha";
    const LIFETIME: Duration = Duration::from_mins(5);
    type Id = str;
    type Value = CaptchaAnswer;
}

/// The characters of a picture.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CaptchaAnswer(pub String);

/// How long failures are remembered.
const FAILURE_MEMORY: Duration = Duration::from_mins(15);

/// Failures of one address, over all accounts, count a quarter: many people may share an address.
const ADDRESS_ALLOWANCE: u64 = 4;

/// Capitals and digits that cannot be taken for one another.
const ALPHABET: &[u8] = b"ACDEFGHJKMNPQRTUVWXY34679";

const LENGTH: usize = 5;

/// Width and height in pixels: room for the widest text.
const SIZE: (u32, u32) = (280, 96);

/// Pictures per minute for one address.
const PICTURES_PER_MINUTE: u32 = 60;

impl Service {
    /// Draws a new captcha for `verify_guid`, as PNG. An earlier one of the same GUID is void.
    ///
    /// # Errors
    /// [`Error::ParameterInvalid`] where the GUID is not 1 to 64 characters of letters, digits and `-`, the tenant's
    /// refusals, and [`Error::RateLimited`].
    pub async fn draw_captcha(&self, owner_id: Option<&str>, verify_guid: &str, address: &str) -> Result<Vec<u8>, Error> {
        let tenant = match self.find_tenant(owner_id).await {
            // Here the tenant travels in the query.
            Err(Error::ParameterMissing(_)) => return Err(Error::ParameterMissing("ownerId")),
            Err(Error::ParameterInvalid(_)) => return Err(Error::ParameterInvalid("ownerId")),
            other => other?,
        };
        if tenant.disabled {
            return Err(Error::TenantDisabled);
        }
        self.draw_captcha_of(&tenant.owner_id, verify_guid, address).await
    }

    /// The same for a tenant that is known.
    pub(crate) async fn draw_captcha_of(&self, owner_id: &OwnerId, verify_guid: &str, address: &str) -> Result<Vec<u8>, Error> {
        if !is_verify_guid(verify_guid) {
            return Err(Error::ParameterInvalid("verifyGuid"));
        }
        let client = self.client_prefix.key(address);
        let rates = [per_minute("captcha", &client, PICTURES_PER_MINUTE)];
        self.admit(owner_id, &AdmissionRequest { nonce: None, rates: &rates }, self.clock.now()).await?;

        let answer = random_text(&*self.random);
        let picture = self.draw(answer.clone()).await?;
        self.cache.put::<CachedCaptcha>(owner_id, verify_guid, &CaptchaAnswer(answer), self.clock.now()).await?;
        Ok(picture)
    }

    async fn draw(&self, text: String) -> Result<Vec<u8>, Error> {
        let _turn = self.captcha_drawing.acquire().await.map_err(|_| Error::Unavailable(None))?;
        let drawn = tokio::task::spawn_blocking(move || png_of(&text));
        drawn
            .await
            .map_err(|error| Error::Internal(Box::new(error)))?
            .ok_or_else(|| Error::Internal("the captcha's font lacks a character".into()))
    }

    /// Refuses where a captcha is needed and was not, or wrongly, answered. An answer counts once, right or wrong.
    pub(crate) async fn verify_captcha(
        &self,
        owner_id: &OwnerId,
        settings: &SystemSettings,
        subject: &FailureSubject<'_>,
        answered: Option<(&str, &str)>,
    ) -> Result<(), Error> {
        let threshold = u64::from(settings.captcha_after_failures);
        let account = self.failures(owner_id, &subject.account_key()).await;
        let address = self.failures(owner_id, &subject.address_key(self.client_prefix)).await;
        if account < threshold && address < threshold.saturating_mul(ADDRESS_ALLOWANCE) {
            return Ok(());
        }
        let (guid, code) = answered.ok_or(Error::CaptchaRequired)?;
        if !is_verify_guid(guid) {
            return Err(Error::CaptchaInvalid);
        }
        let expected = self.cache.take::<CachedCaptcha>(owner_id, guid).await?.ok_or(Error::CaptchaInvalid)?;
        if expected.value.0.eq_ignore_ascii_case(code) { Ok(()) } else { Err(Error::CaptchaInvalid) }
    }

    /// How many failures are remembered. A cache that is away keeps nobody from signing in: guessing is then slowed by the
    /// rates alone, which each node goes on judging by itself.
    async fn failures(&self, owner_id: &OwnerId, key: &str) -> u64 {
        let counted = self.cache.counter(owner_id, key).await;
        counted.unwrap_or_else(|error| {
            forgiven(&error);
            0
        })
    }

    /// Counts a failed login against the account and the address.
    pub(crate) async fn count_failure(&self, owner_id: &OwnerId, subject: &FailureSubject<'_>) {
        for key in [subject.account_key(), subject.address_key(self.client_prefix)] {
            if let Err(error) = self.cache.increase(owner_id, &key, FAILURE_MEMORY).await {
                forgiven(&error);
            }
        }
    }

    /// A login that succeeded clears the account's failures; the address keeps its own, or one good account would
    /// hide the guessing of others.
    pub(crate) async fn clear_failures(&self, owner_id: &OwnerId, subject: &FailureSubject<'_>) {
        if let Err(error) = self.cache.reset(owner_id, &subject.account_key()).await {
            forgiven(&error);
        }
    }
}

/// The text as a picture; `None` where the font lacks one of its characters. Takes some milliseconds.
fn png_of(text: &str) -> Option<Vec<u8>> {
    let mut picture = Captcha::new();
    for character in text.chars() {
        picture.set_chars(&[character]).add_char();
    }
    if picture.chars_as_string() != text {
        return None;
    }
    picture.apply_filter(Wave::new(2.0, 9.0).horizontal()).apply_filter(Wave::new(1.0, 5.0).vertical());
    picture.view(SIZE.0, SIZE.1).apply_filter(Noise::new(0.2)).apply_filter(Dots::new(6).min_radius(2).max_radius(5));
    picture.as_png()
}

fn forgiven(error: &bo_auth_store::Error) {
    metrics::counter!("bo_auth_admission_degraded_total").increment(1);
    tracing::debug!(%error, "failed logins are not remembered");
}

/// Whose failures are counted.
pub(crate) struct FailureSubject<'a> {
    /// The name that was signed in with, whether it exists or not.
    pub(crate) account: &'a str,
    /// The client's address.
    pub(crate) address: &'a str,
}

impl FailureSubject<'_> {
    fn account_key(&self) -> String {
        format!("failed-account-{}", self.account)
    }

    fn address_key(&self, prefix: ClientPrefix) -> String {
        format!("failed-address-{}", prefix.key(self.address))
    }
}

fn is_verify_guid(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn random_text(random: &dyn Random) -> String {
    let mut bytes = [0u8; LENGTH];
    random.fill(&mut bytes);
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_can_be_drawn_and_five_of_the_widest_fit() {
        for character in ALPHABET {
            let text = char::from(*character).to_string().repeat(LENGTH);
            let png = png_of(&text).unwrap();
            assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"), "{text}");
            // IHDR: width and height, big-endian.
            assert_eq!([&png[16..20], &png[20..24]], [SIZE.0.to_be_bytes(), SIZE.1.to_be_bytes()]);
        }
        assert_eq!(png_of("L"), None);
    }
}
