//! Whose name and password are these: the one road of every sign-in, whichever contract it came by. An unknown name and a
//! wrong password take the same steps.

use bo_auth_core::identifier::UserId;
use bo_auth_core::password::Fit;
use bo_auth_store::record::Credentials;

use crate::guesses::GuessSubject;
use crate::{Call, Error};

/// The longest name to sign in with, in bytes.
const NAME_BYTES: usize = 128;

/// By which contract somebody signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contract {
    /// The third version, by account.
    V3,
    /// The v1.0 contract, by mobile number.
    V1,
    /// The admin API, by account.
    Admin,
}

impl Contract {
    /// The word of the audit trail and the log.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::V3 => "v3",
            Self::V1 => "v1",
            Self::Admin => "admin",
        }
    }
}

/// Who somebody says they are. Not `Debug`: the password is a secret.
pub(crate) struct Claim<'a> {
    pub(crate) contract: Contract,
    /// The account or mobile number, as it was typed.
    pub(crate) name: &'a str,
    /// The password, as it was typed.
    pub(crate) password: Vec<u8>,
    /// GUID of a captcha, and what was read from its picture.
    pub(crate) captcha: Option<(&'a str, &'a str)>,
}

/// Whether a name can be looked for at all.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= NAME_BYTES && !text.chars().any(char::is_control)
}

impl Call<'_> {
    /// The user, if name and password fit and the user is not disabled. A failure is counted, written to the audit trail
    /// and logged.
    ///
    /// # Errors
    /// [`Error::CaptchaRequired`], [`Error::CaptchaInvalid`], [`Error::RateLimited`], [`Error::LoginFailed`],
    /// [`Error::UserDisabled`].
    pub(crate) async fn authenticate(&self, claim: &Claim<'_>) -> Result<Credentials, Error> {
        let mut found = None;
        let authenticated = self.verify_claim(claim, &mut found).await;
        if let Err(error) = &authenticated {
            self.record_failed_sign_in(claim, found, error).await;
        }
        authenticated
    }

    async fn verify_claim(&self, claim: &Claim<'_>, found_id: &mut Option<UserId>) -> Result<Credentials, Error> {
        let (service, owner_id) = (self.service, &self.tenant.owner_id);
        let subject = GuessSubject::new(claim.name, service.client_prefix.key(self.facts.address).into_owned());
        let guess = service.admit_guess(owner_id, &self.system.settings, &subject, claim.captcha, self.now).await?;
        let found = match claim.contract {
            Contract::V1 => service.db.find_credentials_by_mobile(owner_id, claim.name).await?,
            Contract::V3 | Contract::Admin => service.db.find_credentials(owner_id, claim.name).await?,
        };
        *found_id = found.as_ref().map(|credentials| credentials.user.user_id.clone());
        let hash = found.as_ref().map(|credentials| credentials.password_hash.clone());
        let fits = service.passwords.verify(claim.password.clone(), hash).await?;
        let Some(mut credentials) = found.filter(|_| fits != Fit::Not) else {
            service.count_failure(owner_id, &guess).await;
            return Err(Error::LoginFailed);
        };
        if credentials.user.disabled {
            return Err(Error::UserDisabled);
        }
        service.clear_failures(owner_id, &subject, &guess, self.now).await;
        if fits == Fit::AsTyped || service.passwords.needs_rehash(&credentials.password_hash) {
            credentials.password_hash = self.renew_hash(&credentials, claim.password.clone()).await?;
        }
        Ok(credentials)
    }

    /// Hashes the password anew, at what a hash costs now; answers the hash that the user's row then holds.
    async fn renew_hash(&self, credentials: &Credentials, password: Vec<u8>) -> Result<String, Error> {
        let (service, owner_id, user) = (self.service, &self.tenant.owner_id, &credentials.user);
        let renewed = service.passwords.hash(password.clone()).await?;
        if service.db.set_password_hash(owner_id, &user.user_id, &credentials.password_hash, &renewed).await? {
            return Ok(renewed);
        }
        // Another login has renewed it at the same time, or the password has changed: what stands there now decides.
        let hash = service.db.find_credentials(owner_id, &user.account).await?.map(|present| present.password_hash);
        let fits = service.passwords.verify(password, hash.clone()).await?;
        hash.filter(|_| fits != Fit::Not).ok_or(Error::LoginFailed)
    }
}
