//! What a tenant, a token, a session and a request stamp *are*, and whether they are valid at a given instant.
//! Pure: no I/O, no clock and no randomness of its own.

pub mod address;
pub mod area;
pub mod digest;
pub mod identifier;
pub mod origin;
pub mod password;
pub mod password_rule;
pub mod random;
pub mod sealing;
pub mod session;
pub mod settings;
pub mod signing_key;
pub mod stamp;
pub mod text;
pub mod time;
pub mod token;

mod error;
mod hex;

pub use error::Error;
