//! What a system demands of a stamp, taken from its settings once.

use std::time::Duration;

use super::{Stamp, StampScheme};
use crate::Error;
use crate::settings::{StampCipher, StampOutput, SystemSettings};
use crate::time::Timestamp;

/// A system's rules for stamps and for the passwords that are encrypted like them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StampRules {
    pub(super) cipher: StampCipher,
    pub(super) initialisation_vector: Option<[u8; 8]>,
    pub(super) output: StampOutput,
    window: Duration,
    require_timestamp: bool,
    des_refused_from: Option<Timestamp>,
}

impl StampRules {
    /// The rules that these settings give.
    pub fn new(settings: &SystemSettings) -> Self {
        Self {
            cipher: settings.cipher,
            initialisation_vector: settings.initialisation_vector(),
            output: settings.output,
            window: Duration::from_secs(settings.stamp_window_seconds.into()),
            require_timestamp: settings.require_timestamp,
            des_refused_from: settings.des_refused_from.map(Timestamp),
        }
    }

    /// Whether an authentic stamp comes at an acceptable time. The ends of the window belong to it.
    pub(super) fn admit(&self, stamp: &Stamp, now: Timestamp) -> Result<(), Error> {
        if stamp.scheme != StampScheme::HmacV2 && self.des_refused_from.is_some_and(|cut_off| now >= cut_off) {
            return Err(Error::StampExpired);
        }
        match stamp.timestamp {
            None if self.require_timestamp => Err(Error::StampInvalid),
            Some(made_at) if made_at < now.minus(self.window) || made_at > now.plus(self.window) => Err(Error::StampExpired),
            _ => Ok(()),
        }
    }
}
