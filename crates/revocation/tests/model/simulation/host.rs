//! Chance, and a machine's clocks: they drift, stand still in part while it is suspended, and nothing
//! runs on it while it is paused.

use nt_revocation::protocol::{Boot, Mono, Now, Wall};

/// One step of the world, in milliseconds of true time.
pub(super) const STEP_MS: u64 = 10;

/// SplitMix64.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    pub(super) fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// The machine under one process.
pub(super) struct Host {
    drift: u64,
    /// In thousandths of true time.
    rate: u64,
    boot: u64,
    mono: u64,
    runs_from: u64,
    suspended: bool,
}

impl Host {
    pub(super) fn new(dice: &mut Dice, drift: u64) -> Self {
        let mut host =
            Self { drift, rate: 1_000, boot: 0, mono: 0, runs_from: 0, suspended: false };
        host.drift_anew(dice);
        host
    }

    /// The ends of the range are the dangerous rates: a fast waiter and a slow holder.
    fn drift_anew(&mut self, dice: &mut Dice) {
        self.rate = 1_000 - self.drift + dice.below(3) * self.drift;
    }

    pub(super) fn now(&self) -> Now {
        Now { boot: Boot::from_nanos(self.boot), mono: Mono(self.mono), wall: Wall(self.boot) }
    }

    /// When it runs again, if it stands still at `t`.
    pub(super) fn stands_until(&self, t: u64) -> Option<u64> {
        (t < self.runs_from).then_some(self.runs_from)
    }

    /// The step that ends at `t`.
    pub(super) fn pass(&mut self, t: u64, turbulent: bool, dice: &mut Dice) {
        let nanos = STEP_MS * self.rate * 1_000;
        self.boot += nanos;
        if !(self.suspended && t <= self.runs_from) {
            self.mono += nanos;
        }
        if turbulent && t >= self.runs_from && dice.once_in(700) {
            self.suspended = dice.once_in(2);
            let at_most = if dice.once_in(4) { 8_000 } else { 1_500 };
            self.runs_from = t + dice.below(at_most);
            self.drift_anew(dice);
        }
    }
}
