//! The use cases: sign in, refresh, sign out, who am I, my sessions, and what an operator does. Each file tells one
//! of them on one screen, in the order in which the contract says its steps happen.

pub mod admin;
pub mod background;
pub mod call;
pub mod captcha;
pub mod current_user;
pub mod ending;
pub mod legacy_fleet;
pub mod legacy_session;
pub mod login;
pub mod logout;
pub mod mark;
pub mod operator;
pub mod plugin;
pub mod refresh;
pub mod service;
pub mod session_list;
pub mod tenant;
pub mod user_profile;

mod announcer;
mod authentication;
mod error;
mod failed_sign_in;
mod guesses;
mod password_desk;
mod settings_index;
mod shaping;
mod stamp_counter;
mod tenant_registry;
mod token_pair;

pub use call::{Call, RequestFacts, Shaping};
pub use error::Error;
pub use service::Service;
pub use token_pair::TokenPair;
