//! Passwords at rest: Argon2id in PHC string form, and the same work for users that do not exist.

use std::fmt;

use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordVerifier as _, Version};

use crate::Error;
use crate::random::Random;
use crate::text::password_form;

/// The longest password, in bytes.
pub const PASSWORD_BYTES: usize = 1024;
/// Length of a salt, in bytes (RFC 9106 section 3.1).
const SALT_BYTES: usize = 16;
/// The most memory a stored hash may ask for, in KiB: a row with a wild number must not exhaust the server.
const MOST_MEMORY_KIB: u32 = 1 << 20;
/// The most passes over the memory a stored hash may ask for.
const MOST_ITERATIONS: u32 = 64;
/// The most lanes a stored hash may ask for.
const MOST_LANES: u32 = 64;

/// What one hash costs (RFC 9106 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory, in KiB; at least eight times the lanes, at most 1 GiB.
    pub memory_kib: u32,
    /// Passes over the memory; 1 to 64.
    pub iterations: u32,
    /// Lanes; 1 to 64.
    pub lanes: u32,
}

impl Default for PasswordCost {
    /// 19 MiB, two passes, one lane: what the argon2 crate recommends.
    fn default() -> Self {
        Self { memory_kib: Params::DEFAULT_M_COST, iterations: Params::DEFAULT_T_COST, lanes: Params::DEFAULT_P_COST }
    }
}

/// Whether a password is the one that was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It is another.
    Not,
    /// It is, in its normal form.
    Normal,
    /// It is, in the form in which it was typed: it should be hashed anew, in its normal form.
    AsTyped,
}

/// Hashes passwords at one cost, and verifies them at whatever cost they were hashed.
pub struct PasswordHasher {
    cost: PasswordCost,
    argon2: Argon2<'static>,
    nobody: String,
}

impl PasswordHasher {
    /// A hasher of this cost.
    ///
    /// # Errors
    /// [`Error::Password`] for a cost outside the bounds that [`PasswordCost`] gives.
    pub fn new(cost: PasswordCost) -> Result<Self, Error> {
        const COST: Error = Error::Password("its cost is out of bounds");
        if cost.memory_kib > MOST_MEMORY_KIB || cost.iterations > MOST_ITERATIONS || cost.lanes > MOST_LANES {
            return Err(COST);
        }
        let params = Params::new(cost.memory_kib, cost.iterations, cost.lanes, None).map_err(|_| COST)?;
        // Verifying costs the same whatever the hash to compare with is, so nobody's hash need not be computed.
        let nobody = format!(
            "$argon2id$v=19$m={},t={},p={}$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            cost.memory_kib, cost.iterations, cost.lanes
        );
        Ok(Self { cost, argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params), nobody })
    }

    /// Hashes a password, in its normal form, with a fresh salt; the result is a PHC string, `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
    ///
    /// # Errors
    /// [`Error::Password`] for a password that is empty or longer than [`PASSWORD_BYTES`].
    pub fn hash(&self, password: &[u8], random: &dyn Random) -> Result<String, Error> {
        let password = &*password_form(password);
        if !has_accepted_length(password) {
            return Err(Error::Password("it must have 1 to 1024 bytes"));
        }
        let mut salt = [0; SALT_BYTES];
        random.fill(&mut salt);
        let hash = self.argon2.hash_password_with_salt(password, &salt).map_err(|_| Error::Password("it could not be hashed"))?;
        Ok(hash.to_string())
    }

    /// Whether this is the password that was hashed, in its normal form or as it was typed: older hashes are of what was
    /// typed. Only a password that has two forms is tried twice, whatever it is compared with. A text that is not a usable hash fits no password, at the
    /// price of a hash. A hash of another cost takes that cost's time: [`PasswordHasher::needs_rehash`] evens it out.
    pub fn verify(&self, password: &[u8], phc: &str) -> Fit {
        let form = password_form(password);
        if self.verify_bytes(&form, phc) {
            Fit::Normal
        } else if *form != *password && self.verify_bytes(password, phc) {
            Fit::AsTyped
        } else {
            Fit::Not
        }
    }

    fn verify_bytes(&self, password: &[u8], phc: &str) -> bool {
        if !has_accepted_length(password) {
            return false;
        }
        if let Some((hash, _)) = usable(phc) {
            self.argon2.verify_password(password, &hash).is_ok()
        } else {
            self.work_for_nobody(password);
            false
        }
    }

    /// Does the work of [`PasswordHasher::verify`] for a user who does not exist, so that nobody can tell.
    pub fn verify_nothing(&self, password: &[u8]) {
        let form = password_form(password);
        self.work_for_nobody(&form);
        if *form != *password {
            self.work_for_nobody(password);
        }
    }

    fn work_for_nobody(&self, password: &[u8]) {
        if has_accepted_length(password)
            && let Ok(hash) = PasswordHash::new(&self.nobody)
        {
            std::hint::black_box(self.argon2.verify_password(password, &hash).is_ok());
        }
    }

    /// Whether the password should be hashed anew, since its hash has another form or cost than new ones have.
    pub fn needs_rehash(&self, phc: &str) -> bool {
        usable(phc).is_none_or(|(hash, params)| {
            let cost = PasswordCost { memory_kib: params.m_cost(), iterations: params.t_cost(), lanes: params.p_cost() };
            hash.algorithm != Algorithm::Argon2id.ident() || hash.version != Some(Version::V0x13.into()) || cost != self.cost
        })
    }
}

/// Names the cost and nothing else.
impl fmt::Debug for PasswordHasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("PasswordHasher").field(&self.cost).finish()
    }
}

fn has_accepted_length(password: &[u8]) -> bool {
    (1..=PASSWORD_BYTES).contains(&password.len())
}

/// An Argon2 hash with a salt, an output and a bearable cost.
fn usable(phc: &str) -> Option<(PasswordHash, Params)> {
    let hash = PasswordHash::new(phc).ok()?;
    Algorithm::try_from(hash.algorithm.as_str()).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let bearable = params.m_cost() <= MOST_MEMORY_KIB && params.t_cost() <= MOST_ITERATIONS && params.p_cost() <= MOST_LANES;
    (bearable && hash.salt.is_some() && hash.hash.is_some()).then_some((hash, params))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandom;

    const CHEAP: PasswordCost = PasswordCost { memory_kib: 64, iterations: 1, lanes: 1 };

    #[test]
    fn a_password_fits_its_own_hash_only() {
        let random = SystemRandom::default();
        let hasher = PasswordHasher::new(CHEAP).unwrap();
        let hash = hasher.hash("密码 123".as_bytes(), &random).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        assert_eq!(hasher.verify("密码 123".as_bytes(), &hash), Fit::Normal);
        assert_eq!(hasher.verify("密码 124".as_bytes(), &hash), Fit::Not);
        assert_ne!(hasher.hash("密码 123".as_bytes(), &random).unwrap(), hash, "salts are fresh");
    }

    #[test]
    fn a_password_fits_in_every_form_in_which_it_can_be_typed() {
        let random = SystemRandom::default();
        let hasher = PasswordHasher::new(CHEAP).unwrap();
        for (one, other) in
            [("ｐａｓｓ１２", "pass12"), ("cafe\u{301}", "caf\u{e9}"), ("密码１２３", "密码123"), ("\u{1100}\u{1161}", "\u{ac00}")]
        {
            for (set, typed) in [(one, other), (other, one), (one, one)] {
                let hash = hasher.hash(set.as_bytes(), &random).unwrap();
                assert_eq!(hasher.verify(typed.as_bytes(), &hash), Fit::Normal, "{set:?} {typed:?}");
            }
            // A hash of an older version is of what was typed.
            let old = hasher.argon2.hash_password_with_salt(one.as_bytes(), &[3; SALT_BYTES]).unwrap().to_string();
            assert_eq!(hasher.verify(one.as_bytes(), &old), Fit::AsTyped, "{one:?}");
        }
        let hash = hasher.hash(b" two ", &random).unwrap();
        assert_eq!(hasher.verify(b"two", &hash), Fit::Not, "white space counts");
    }

    #[test]
    fn passwords_have_1_to_1024_bytes() {
        let random = SystemRandom::default();
        let hasher = PasswordHasher::new(CHEAP).unwrap();
        let longest = hasher.hash(&[7; PASSWORD_BYTES], &random).unwrap();
        assert_eq!(hasher.verify(&[7; PASSWORD_BYTES], &longest), Fit::Normal);
        assert_eq!(hasher.verify(&[7; PASSWORD_BYTES + 1], &longest), Fit::Not);
        assert!(hasher.hash(&[], &random).is_err());
        assert!(hasher.hash(&[7; PASSWORD_BYTES + 1], &random).is_err());
    }

    #[test]
    fn nobodys_hash_asks_for_the_same_work_and_fits_no_password() {
        let hasher = PasswordHasher::new(PasswordCost::default()).unwrap();
        let (_, params) = usable(&hasher.nobody).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (19 * 1024, 2, 1));
        assert!(!hasher.needs_rehash(&hasher.nobody));
        assert_eq!(hasher.verify(b"", &hasher.nobody), Fit::Not);
        assert_eq!(hasher.verify(b"password", &hasher.nobody), Fit::Not);
        hasher.verify_nothing(b"password");
    }

    #[test]
    fn another_form_or_cost_needs_a_new_hash() {
        let random = SystemRandom::default();
        let cheap = PasswordHasher::new(CHEAP).unwrap();
        let dear = PasswordHasher::new(PasswordCost { iterations: 2, ..CHEAP }).unwrap();
        let hash = cheap.hash(b"password", &random).unwrap();
        assert!(!cheap.needs_rehash(&hash));
        assert!(dear.needs_rehash(&hash));
        assert_eq!(dear.verify(b"password", &hash), Fit::Normal, "an older cost still verifies");
        for other in ["", "password", "$2b$12$abcdefghijklmnopqrstuv", &hash.replace("argon2id", "argon2i"), &hash.replace("v=19", "v=16")]
        {
            assert!(cheap.needs_rehash(other), "{other}");
        }
    }

    #[test]
    fn a_hash_that_asks_for_too_much_is_not_computed() {
        let hasher = PasswordHasher::new(CHEAP).unwrap();
        let hash = hasher.hash(b"password", &SystemRandom::default()).unwrap();
        for (from, to) in [("m=64", "m=4294967295"), ("t=1", "t=4294967295"), ("p=1", "p=8000000")] {
            assert_eq!(hasher.verify(b"password", &hash.replace(from, to)), Fit::Not, "{to}");
        }
        assert!(PasswordHasher::new(PasswordCost { memory_kib: u32::MAX, ..CHEAP }).is_err());
        assert!(PasswordHasher::new(PasswordCost { memory_kib: 1, ..CHEAP }).is_err());
    }
}
