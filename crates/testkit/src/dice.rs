//! Chance that can be repeated.

use std::time::Duration;

use anyhow::Result;

use crate::settings;

/// Numbers that look random and are the same for the same seed (SplitMix64).
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Those of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Those of an earlier run where it is to be run again, else others each time; and their seed.
    pub fn cast() -> Result<(Self, u64)> {
        let mut drawn = [0; 8];
        aws_lc_rs::rand::fill(&mut drawn).map_err(|_| anyhow::anyhow!("no randomness"))?;
        let seed = settings::seed().unwrap_or(u64::from_le_bytes(drawn));
        Ok((Self::new(seed), seed))
    }

    /// Less than this.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// A duration between these two, which are possible too.
    pub fn between(&mut self, least_ms: u64, most_ms: u64) -> Duration {
        Duration::from_millis(least_ms + self.below(most_ms - least_ms + 1))
    }
}
