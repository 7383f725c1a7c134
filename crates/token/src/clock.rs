//! The only file that reads the time. Everything else is told it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use crate::time::Timestamp;

/// A moment since the machine was started, suspend included: what leases are held by. Wall time may
/// be set, and the time that `Instant` shows stands still in suspend, so that neither would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Boot(u64);

impl Boot {
    /// The moment this many nanoseconds after the start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the start: enough for 584 years.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// This much later; the last moment where that overflows.
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// What lies between an earlier moment and this one; nothing if that one is not earlier.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Where a shell gets the time from.
pub trait Clock: Send + Sync {
    /// Milliseconds since the Unix epoch. They serve `exp`, `nbf` and `iat` and the records people
    /// read; no rule about revocation rests on them.
    fn wall_ms(&self) -> u64;

    /// The moment since the machine was started, suspend included.
    fn boot(&self) -> Boot;

    /// Seconds since the Unix epoch.
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(i64::try_from(self.wall_ms() / 1_000).unwrap_or(i64::MAX))
    }
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one file that reads the time")]
    fn wall_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn boot(&self) -> Boot {
        let since = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has had it since 2.6.39");
        Boot::default().after(Duration::from(since))
    }
}

/// A clock that stands until it is told to move: for tests of what happens later.
#[derive(Debug, Default)]
pub struct ManualClock {
    wall_ms: AtomicU64,
    boot_nanos: AtomicU64,
}

impl ManualClock {
    /// A clock that shows this time.
    pub fn at(now: Timestamp) -> Self {
        let seconds = u64::try_from(now.unix()).unwrap_or(0);
        Self { wall_ms: AtomicU64::new(seconds * 1_000), boot_nanos: AtomicU64::new(0) }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.step_wall(by);
        self.boot_nanos.fetch_add(Boot::default().after(by).nanos(), Ordering::SeqCst);
    }

    /// Moves the wall time alone forward, as when somebody sets it.
    pub fn step_wall(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.wall_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn wall_ms(&self) -> u64 {
        self.wall_ms.load(Ordering::SeqCst)
    }

    fn boot(&self) -> Boot {
        Boot::from_nanos(self.boot_nanos.load(Ordering::SeqCst))
    }
}

/// Measures how long something takes, for people to read.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    #[expect(clippy::disallowed_methods, reason = "this is the one file that reads the time")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long ago it was started.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_boot_time_goes_on_and_never_back() {
        let (earlier, later) = (SystemClock.boot(), SystemClock.boot());
        assert!(Boot::default() < earlier && earlier <= later);
        assert_eq!(earlier.since(later.after(Duration::from_secs(1))), Duration::ZERO);
    }
}
