//! Cheap random choices for the load.

use bo_auth_core::random::{MIX_STEP, Random, SystemRandom, mix};

/// A sequence of choices (`SplitMix64`).
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// A sequence of its own.
    pub(crate) fn new() -> Self {
        let mut seed = [0; 8];
        SystemRandom::default().fill(&mut seed);
        Self(u64::from_le_bytes(seed))
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(MIX_STEP);
        mix(self.0)
    }

    /// A number below `end`, which is not zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end.max(1) as u64).unwrap_or(0)
    }

    /// True once in `times`.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}
