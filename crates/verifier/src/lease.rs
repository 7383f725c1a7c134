//! Until when this verifier may say "good".

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nt_token::Timestamp;
use nt_token::clock::{Boot, Clock};

/// What the clocks show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) boot: Boot,
    pub(crate) wall_ms: u64,
}

impl Moment {
    pub(crate) fn read(clock: &dyn Clock) -> Self {
        Self { boot: clock.boot(), wall_ms: clock.wall_ms() }
    }

    /// The wall time, for what the claims say of time.
    pub(crate) fn wall(self) -> Timestamp {
        Timestamp::from_unix(i64::try_from(self.wall_ms / 1_000).unwrap_or(i64::MAX))
    }
}

/// A lease as a check saw it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term {
    pub(crate) end: Boot,
    wall_limit: u64,
}

impl Term {
    /// Whether it is over. The boot time of a machine that was paused may have stood still with it;
    /// its wall time is set soon after, and a jump of that ends the lease too.
    pub(crate) fn is_over(self, now: Moment) -> bool {
        now.boot >= self.end || now.wall_ms >= self.wall_limit
    }

    /// What is left of it; nothing where it is over.
    pub(crate) fn left(self, now: Moment) -> Duration {
        if self.is_over(now) { Duration::ZERO } else { self.end.since(now.boot) }
    }
}

/// The lease, and how long what is already running may go on without one.
#[derive(Debug)]
pub(crate) struct Lease {
    /// End of the lease, in nanoseconds of boot time; 0 while there is none.
    end: AtomicU64,
    /// A wall time, in milliseconds, that is not reached before the end unless the wall time jumps.
    wall_limit: AtomicU64,
    /// Until when streams that began under the lease go on.
    streams: AtomicU64,
    length: Duration,
}

impl Lease {
    pub(crate) fn new(length: Duration) -> Self {
        let zero = AtomicU64::default;
        Self { end: zero(), wall_limit: zero(), streams: zero(), length }
    }

    /// The lease as it stands. `Acquire`: whoever sees a lease sees the state that it was granted
    /// for. The limit is loaded before the end and stored before it, so that a limit is never newer
    /// than its end: that can only refuse too much.
    pub(crate) fn load(&self) -> Term {
        let wall_limit = self.wall_limit.load(Ordering::Acquire);
        Term { end: Boot::from_nanos(self.end.load(Ordering::Acquire)), wall_limit }
    }

    /// Moves the end forward, never back. One caller at a time.
    pub(crate) fn extend(&self, end: Boot, now: Moment) {
        if end <= self.load().end {
            return;
        }
        self.wall_limit.store(self.wall_limit(end, now), Ordering::Release);
        self.streams.fetch_max(end.after(self.length).nanos(), Ordering::AcqRel);
        // Last, so that whoever sees the lease sees what belongs to it.
        self.end.fetch_max(end.nanos(), Ordering::AcqRel);
    }

    /// Moves the end back, never forward: what it rested on is to be released. One caller at a time.
    pub(crate) fn lower(&self, end: Boot, now: Moment) {
        if end >= self.load().end {
            return;
        }
        // First, so that a limit is never newer than its end.
        self.end.store(end.nanos(), Ordering::SeqCst);
        self.wall_limit.store(self.wall_limit(end, now), Ordering::Release);
        self.streams.fetch_min(end.after(self.length).nanos(), Ordering::AcqRel);
    }

    fn wall_limit(&self, end: Boot, now: Moment) -> u64 {
        let left = end.since(now.boot);
        let spare = u64::try_from((left + left.max(self.length)).as_millis()).unwrap_or(u64::MAX);
        now.wall_ms.saturating_add(spare)
    }

    /// Ends it at once.
    pub(crate) fn drop(&self, now: Boot) {
        self.end.store(0, Ordering::SeqCst);
        self.streams.fetch_min(now.after(self.length).nanos(), Ordering::AcqRel);
    }

    /// Until when a stream goes on that began at this moment.
    pub(crate) fn streams_end(&self, began: Boot) -> Boot {
        Boot::from_nanos(self.streams.load(Ordering::Acquire)).max(began.after(self.length))
    }
}
