//! Guesses at passwords, counted so that a stranger can neither go on guessing nor keep an owner out.
//!
//! Everything is counted by the name that was typed, whether a user has it or not, and in the same way whichever
//! contract it was typed into: what is answered tells nobody which names exist. An address that has signed a name in
//! before is known for it, and strangers' guesses from other addresses do not concern it.

use std::time::Duration;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::settings::SystemSettings;
use bo_auth_core::text::account_form;
use bo_auth_core::time::Timestamp;
use bo_auth_store::Cache;
use bo_auth_store::admission::{AdmissionRequest, Admitted, Rate};
use bo_auth_store::cache::Cached;
use bo_auth_store::record::UserRecord;

use crate::captcha::{CachedCaptcha, CaptchaAnswer};
use crate::{Error, Service};

/// How long failures from one address are remembered.
const ADDRESS_MEMORY: Duration = Duration::from_mins(15);

/// How long failures of one name without a captcha are remembered, over all addresses.
const NAME_MEMORY: Duration = Duration::from_hours(1);

/// Longer than anything that is counted: what was counted before an unlock never comes back.
const UNLOCK_MEMORY: Duration = Duration::from_hours(24);

/// Failures of one address over all names, and of one name over all addresses, count a quarter: many people share an
/// address, and one address alone must not make others answer a captcha.
const SHARED_ALLOWANCE: u64 = 4;

/// Failures of a name from one address after which each further attempt must wait.
const FAILURES_WITHOUT_DELAY: u64 = 5;

/// The longest delay between two attempts from one address.
const LONGEST_DELAY: Duration = Duration::from_mins(2);

/// Attempts with an answered captcha, of one name over all addresses that are not known for it. An address that has
/// failed before shares one allowance with its like; those that begin have another, which repeated guessing cannot use up.
const REPEATED: (Duration, u32) = (Duration::from_mins(12), 5);
const BEGUN: (Duration, u32) = (Duration::from_secs(450), 7);

/// That an address has signed a name in.
struct KnownAddress;

impl Cached for KnownAddress {
    const PURPOSE: &'static str = "known-address";
    const LIFETIME: Duration = Duration::from_hours(24 * 90);
    type Id = str;
    type Value = bool;
}

/// Whose guesses are counted.
pub(crate) struct GuessSubject {
    /// The name in its normal form.
    name: String,
    /// The client's address, as far as it tells clients apart.
    address: String,
}

/// A guess that may be made.
pub(crate) struct Guess {
    /// The name and the address, since the name was last unlocked.
    pair: String,
    by_address: String,
    by_name: String,
    is_known: bool,
    has_captcha: bool,
}

impl GuessSubject {
    pub(crate) fn new(typed: &str, address: impl Into<String>) -> Self {
        Self { name: account_form(typed).into_owned(), address: address.into() }
    }
}

impl Service {
    /// Whether a password may be tried now. Nothing here looks at whether the name exists.
    ///
    /// # Errors
    /// [`Error::CaptchaRequired`], [`Error::CaptchaInvalid`], [`Error::RateLimited`].
    pub(crate) async fn admit_guess(
        &self,
        owner_id: &OwnerId,
        settings: &SystemSettings,
        subject: &GuessSubject,
        answered: Option<(&str, &str)>,
        now: Timestamp,
    ) -> Result<Guess, Error> {
        let GuessSubject { name, address } = subject;
        let unlocks = self.counted(owner_id, &unlocks_of(name)).await;
        // No address has a space, so that no two pairs are written alike.
        let pair = format!("{unlocks} {address} {name}");
        let by_name = format!("failed-name-{unlocks} {name}");
        let mut guess = Guess { by_address: format!("failed-address-{address}"), by_name, pair, is_known: false, has_captcha: false };
        let (known_id, failed_pair) = (known_id(subject), guess.failed_pair());
        let (of_pair, of_address, of_name, known) = tokio::join!(
            self.counted(owner_id, &failed_pair),
            self.counted(owner_id, &guess.by_address),
            self.counted(owner_id, &guess.by_name),
            self.cache.get::<KnownAddress>(owner_id, &known_id),
        );
        guess.is_known = known.is_ok_and(|known| known.is_some());

        let few = u64::from(settings.captcha_after_failures);
        let many = few.saturating_mul(SHARED_ALLOWANCE);
        let mut wants_captcha = of_pair >= few || (!guess.is_known && (of_address >= many || of_name >= many));
        if !wants_captcha && !guess.is_known {
            // Whoever finds no room here can answer a captcha instead.
            let rates = [Rate::per_minute("account", &guess.by_name, settings.account_logins_per_minute, burst(settings))];
            wants_captcha = self.limited(owner_id, &rates, now).await?.is_some();
        }
        let taken = if wants_captcha { Some(self.take_captcha(owner_id, answered).await?) } else { None };
        guess.has_captcha = taken.is_some();

        let delay = delay_after(of_pair);
        let mut rates = vec![Rate::per_minute("account-address", &guess.pair, settings.account_logins_per_minute, burst(settings))];
        if !delay.is_zero() {
            rates.push(Rate::every("guess-delay", &guess.pair, delay, 1));
        }
        if guess.has_captcha && !guess.is_known {
            let (rate, (period, burst)) = if of_pair > 0 { ("guess-again", REPEATED) } else { ("guess-first", BEGUN) };
            rates.push(Rate::every(rate, &guess.by_name, period, burst));
        }
        let Some(retry_after) = self.limited(owner_id, &rates, now).await? else { return Ok(guess) };
        // An answer pays for one guess, and none was made.
        if let (Some(answer), Some((guid, _))) = (taken, answered) {
            self.cache.put::<CachedCaptcha>(owner_id, guid, &answer, now).await?;
        }
        Err(Error::RateLimited { retry_after })
    }

    /// The captcha's answer, which counts once, right or wrong.
    async fn take_captcha(&self, owner_id: &OwnerId, answered: Option<(&str, &str)>) -> Result<CaptchaAnswer, Error> {
        let (guid, code) = answered.ok_or(Error::CaptchaRequired)?;
        self.verify_captcha(owner_id, guid, code).await
    }

    /// How long to wait, where one of the rates has no room.
    async fn limited(&self, owner_id: &OwnerId, rates: &[Rate<'_>], now: Timestamp) -> Result<Option<Duration>, Error> {
        Ok(match self.admission.admit(owner_id, &AdmissionRequest { nonce: None, rates }, now).await? {
            Admitted::Limited { retry_after } => Some(retry_after),
            Admitted::Accepted | Admitted::Replayed => None,
        })
    }

    /// Counts a guess that was wrong.
    pub(crate) async fn count_failure(&self, owner_id: &OwnerId, guess: &Guess) {
        let of_name = (!guess.has_captcha && !guess.is_known).then_some((guess.by_name.as_str(), NAME_MEMORY));
        let pair = guess.failed_pair();
        for (key, memory) in [(pair.as_str(), ADDRESS_MEMORY), (guess.by_address.as_str(), ADDRESS_MEMORY)].into_iter().chain(of_name) {
            if let Err(error) = self.cache.increase(owner_id, key, memory).await {
                forgiven(&error);
            }
        }
    }

    /// A sign-in that succeeded clears the failures of the name from this address, which is known for it from now on.
    /// The address keeps its failures over all names, or one good account would hide the guessing of others.
    pub(crate) async fn clear_failures(&self, owner_id: &OwnerId, subject: &GuessSubject, guess: &Guess, now: Timestamp) {
        let mut cleared = self.cache.reset(owner_id, &guess.failed_pair()).await;
        if !guess.is_known {
            let known = self.cache.put::<KnownAddress>(owner_id, &known_id(subject), &true, now).await;
            cleared = cleared.and(known);
        }
        if let Err(error) = cleared {
            forgiven(&error);
        }
    }

    /// How far a counter has come. A cache that is away keeps nobody from signing in: guessing is then slowed by the rates
    /// alone, which each node goes on judging by itself.
    async fn counted(&self, owner_id: &OwnerId, key: &str) -> u64 {
        self.cache.counter(owner_id, key).await.unwrap_or_else(|error| {
            forgiven(&error);
            0
        })
    }
}

/// Forgets all guesses at the names of a user: what is counted from now on is counted anew. Addresses stay known.
pub(crate) async fn unlock_names(cache: &Cache, owner_id: &OwnerId, user: &UserRecord) -> Result<(), bo_auth_store::Error> {
    for name in [Some(&user.account), user.mobile.as_ref()].into_iter().flatten() {
        cache.increase(owner_id, &unlocks_of(&account_form(name)), UNLOCK_MEMORY).await?;
    }
    Ok(())
}

impl Guess {
    fn failed_pair(&self) -> String {
        format!("failed-pair-{}", self.pair)
    }
}

fn known_id(subject: &GuessSubject) -> String {
    format!("{} {}", subject.address, subject.name)
}

fn unlocks_of(name: &str) -> String {
    format!("unlocked-{name}")
}

/// A minute's worth at once: a name is used from one address by one person, or by a program that begins.
const fn burst(settings: &SystemSettings) -> u32 {
    if settings.account_logins_per_minute < 10 { 10 } else { settings.account_logins_per_minute }
}

/// 1 s after five failures, twice as much after each further one, 2 minutes at most.
fn delay_after(failures: u64) -> Duration {
    match failures.checked_sub(FAILURES_WITHOUT_DELAY) {
        Some(more) => Duration::from_secs(1 << more.min(8)).min(LONGEST_DELAY),
        None => Duration::ZERO,
    }
}

fn forgiven(error: &bo_auth_store::Error) {
    metrics::counter!("bo_auth_admission_degraded_total").increment(1);
    tracing::debug!(%error, "failed sign-ins are not remembered");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_delay_up_to_two_minutes() {
        let seconds: Vec<u64> = [0, 4, 5, 6, 7, 11, 12, 13, 400, u64::MAX].map(|failures| delay_after(failures).as_secs()).to_vec();
        assert_eq!(seconds, [0, 0, 1, 2, 4, 64, 120, 120, 120, 120]);
    }

    #[test]
    fn no_address_and_name_are_written_like_another_pair() {
        let of = |address, name| known_id(&GuessSubject::new(name, address));
        assert_ne!(of("10.0.0.1", "1 li"), of("10.0.0.1 1", "li x"));
        assert_eq!(of("10.0.0.1", "ｌｉ "), of("10.0.0.1", "li"));
    }
}
