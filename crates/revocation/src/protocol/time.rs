//! The clocks of the protocol, as values.
//!
//! Who holds a lease must not think that too little time has passed, so it reads `CLOCK_BOOTTIME`,
//! which counts suspend. Who waits for another's lease to run out must not think that too much has
//! passed, so it reads `CLOCK_MONOTONIC`, which does not.

use std::time::Duration;

pub use nt_token::clock::Boot;

/// Clock rates may differ from real time by this many thousandths: chrony slews 8.3 % by default,
/// the kernel allows 10 %.
pub const RHO_PER_MILLE: u32 = 120;

/// κ = (1 + ρ) / (1 − ρ) in thousandths, rounded up: what a waiter multiplies a holder's time with.
pub const KAPPA_PER_MILLE: u32 = 1_273;

/// `length` by a holder's clock, at its slowest, as seen by a waiter's clock at its fastest.
pub fn kappa(length: Duration) -> Duration {
    let nanos = (length.as_nanos() * u128::from(KAPPA_PER_MILLE)).div_ceil(1_000);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn nanos(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds of `CLOCK_MONOTONIC`: for those who wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(pub u64);

impl Mono {
    /// This much later.
    pub fn after(self, length: Duration) -> Self {
        Self(self.0.saturating_add(nanos(length)))
    }

    /// How long ago `earlier` was; nothing if it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Nanoseconds of `CLOCK_REALTIME` since 1970: only its jumps are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wall(pub u64);

/// One reading of the three clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Now {
    /// For holding.
    pub boot: Boot,
    /// For waiting.
    pub mono: Mono,
    /// For noticing that the machine stood still.
    pub wall: Wall,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kappa_covers_the_largest_drift_and_rounds_up() {
        let (slow, fast) = (1_000 - RHO_PER_MILLE, 1_000 + RHO_PER_MILLE);
        assert!(KAPPA_PER_MILLE * slow >= fast * 1_000);
        assert_eq!(kappa(Duration::from_secs(10)), Duration::from_millis(12_730));
        assert_eq!(kappa(Duration::from_nanos(1)), Duration::from_nanos(2));
        assert_eq!(kappa(Duration::MAX), Duration::from_nanos(u64::MAX));
    }

    #[test]
    fn times_saturate_and_never_wrap() {
        assert_eq!(Mono(u64::MAX).after(Duration::from_secs(1)), Mono(u64::MAX));
        assert_eq!(Mono(1).since(Mono(2)), Duration::ZERO);
    }
}
