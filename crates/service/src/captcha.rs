//! The captcha that a login needs after repeated failures: drawn for a GUID that the frontend chose, answered once.

mod picture;

use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::random::Random;
use bo_auth_store::admission::AdmissionRequest;
use bo_auth_store::cache::Cached;
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

/// Capitals and digits that cannot be taken for one another, turned and crossed out as they are.
const ALPHABET: &[u8; 20] = b"ACDEFHJKMNPRTUWXY379";

const LENGTH: usize = 5;

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
        let random = Arc::clone(&self.random);
        let drawn = tokio::task::spawn_blocking(move || picture::draw(&text, &*random));
        drawn
            .await
            .map_err(|error| Error::Internal(Box::new(error)))?
            .ok_or_else(|| Error::Internal("a character of the captcha has no strokes".into()))
    }

    /// What was read from the picture of a GUID. An answer counts once, right or wrong.
    ///
    /// # Errors
    /// [`Error::CaptchaInvalid`].
    pub(crate) async fn verify_captcha(&self, owner_id: &OwnerId, guid: &str, code: &str) -> Result<CaptchaAnswer, Error> {
        if !is_verify_guid(guid) {
            return Err(Error::CaptchaInvalid);
        }
        let expected = self.cache.take::<CachedCaptcha>(owner_id, guid).await?.ok_or(Error::CaptchaInvalid)?;
        let answer = expected.value.as_ref();
        if answer.0.eq_ignore_ascii_case(code.trim()) { Ok(answer.clone()) } else { Err(Error::CaptchaInvalid) }
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
    use bo_auth_core::random::SystemRandom;

    use super::*;

    #[test]
    fn every_character_can_be_drawn() {
        let random = SystemRandom::default();
        for character in ALPHABET {
            let text = char::from(*character).to_string().repeat(LENGTH);
            let png = picture::draw(&text, &random).unwrap();
            assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"), "{text}");
            let size = [picture::SIZE.0, picture::SIZE.1].map(|pixels| u32::from(pixels).to_be_bytes());
            // IHDR: width and height, big-endian.
            assert_eq!([&png[16..20], &png[20..24]], [size[0], size[1]]);
        }
        assert_eq!(picture::draw("L", &random), None);
    }

    #[test]
    fn no_two_pictures_of_a_text_are_alike() {
        let random = SystemRandom::default();
        assert_ne!(picture::draw("ACDEF", &random), picture::draw("ACDEF", &random));
    }

    /// Writes pictures to look at, and to hold against a reader of text: `BO_AUTH_PICTURES=directory scripts/test write_pictures`.
    #[test]
    fn write_pictures() {
        let Some(directory) = std::env::var_os("BO_AUTH_PICTURES") else { return };
        let random = SystemRandom::default();
        for number in 0..300 {
            let text = random_text(&random);
            let path = std::path::Path::new(&directory).join(format!("{number:04}-{text}.png"));
            std::fs::write(path, picture::draw(&text, &random).unwrap()).unwrap();
        }
    }
}
