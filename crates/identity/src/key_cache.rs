//! When a provider's keys are used, and when they are fetched (again). Pure, and told the time.
//!
//! ```text
//!  fetched        80 % of it: in the background     no longer fresh                      OUTAGE
//!     |------------------------|--------------------------|--------------------------------|
//!     '------ used without asking anybody ---------------' '- used; asked for once a      ' '- none
//!                                                             COOL_DOWN
//! ```
//!
//! An unknown `kid` asks for the keys too, but whoever sends how many of them: between two attempts
//! there is always a [`COOL_DOWN`]. Fetching is [`crate::provider_keys`]'s business.

use std::sync::Arc;

use nt_token::{KeySet, Timestamp};

use crate::provider::Unavailable;

/// How many seconds lie between two attempts, at least.
pub const COOL_DOWN: i64 = 30;

/// For how many seconds keys are fresh where the provider does not say.
pub const FRESH: i64 = 3_600;

/// The bounds of what a provider may say about it.
pub const SHORTEST_FRESH: i64 = 300;
/// See [`SHORTEST_FRESH`].
pub const LONGEST_FRESH: i64 = 86_400;

/// For how many seconds after the last success the keys are used while the provider is away.
pub const OUTAGE: i64 = 86_400;

/// The keys of one provider.
#[derive(Debug, Default)]
pub struct KeyCache {
    good: Option<Good>,
    tried_at: Option<Timestamp>,
    being_asked: bool,
    failed: Option<Unavailable>,
}

#[derive(Debug)]
struct Good {
    keys: Arc<KeySet>,
    fetched_at: Timestamp,
    fresh_for: i64,
}

/// What to do for a token.
#[derive(Debug, Clone)]
pub enum Step {
    /// These keys decide; the one that the token names may not be among them.
    Use(Arc<KeySet>),
    /// The keys are to be fetched first. Who finds that somebody else is about it may use the old
    /// ones, if there are any, instead of waiting for the outcome.
    Fetch {
        /// Keys that know the token's key.
        meanwhile: Option<Arc<KeySet>>,
    },
    /// There are no keys, and it is too early to ask again.
    Without(Unavailable),
}

impl KeyCache {
    /// What to do for a token whose header names this key.
    pub fn step(&self, kid: Option<&str>, now: Timestamp) -> Step {
        let usable = self.good.as_ref().filter(|good| good.age(now) < OUTAGE);
        match usable {
            Some(good) => {
                // A token that names no key is refused with whatever keys.
                let known = kid.is_none_or(|kid| good.keys.key(kid).is_some());
                let content = known && good.age(now) < good.fresh_for;
                if content || !(self.being_asked || self.may_try(now)) {
                    Step::Use(Arc::clone(&good.keys))
                } else {
                    Step::Fetch { meanwhile: known.then(|| Arc::clone(&good.keys)) }
                }
            }
            None if self.being_asked || self.may_try(now) => Step::Fetch { meanwhile: None },
            None => {
                let reason = self.failed.as_ref().map_or_else(String::new, ToString::to_string);
                Step::Without(Unavailable::CoolingDown(reason))
            }
        }
    }

    /// Notes that the provider is being asked.
    pub fn asking(&mut self, now: Timestamp) {
        self.tried_at = Some(now);
        self.being_asked = true;
    }

    /// Keeps what the provider answered, with the `max-age` that it gave.
    pub fn fetched(&mut self, keys: KeySet, max_age: Option<i64>, now: Timestamp) {
        let fresh_for = max_age.unwrap_or(FRESH).clamp(SHORTEST_FRESH, LONGEST_FRESH);
        self.good = Some(Good { keys: Arc::new(keys), fetched_at: now, fresh_for });
        self.failed = None;
        self.being_asked = false;
    }

    /// Notes that there was no answer, or none that could be used. What was good stays.
    pub fn failed(&mut self, reason: Unavailable) {
        self.failed = Some(reason);
        self.being_asked = false;
    }

    /// In how many seconds the keys should be fetched in the background.
    pub fn refresh_in(&self, now: Timestamp) -> i64 {
        let since_tried = self.tried_at.map(|at| distance(at, now));
        match (&self.good, since_tried) {
            (_, None) => 0,
            (Some(good), _) if self.failed.is_none() => {
                (good.fresh_for / 5 * 4 - good.age(now)).max(0)
            }
            (_, Some(since)) => (2 * COOL_DOWN - since).max(0),
        }
    }

    /// Whether enough time has gone by since the last attempt.
    pub fn may_try(&self, now: Timestamp) -> bool {
        self.tried_at.is_none_or(|at| distance(at, now) >= COOL_DOWN)
    }
}

impl Good {
    fn age(&self, now: Timestamp) -> i64 {
        distance(self.fetched_at, now)
    }
}

/// A clock that was set back must not stop the fetching for as long as it was set back; hence the
/// distance, whichever is later.
fn distance(one: Timestamp, other: Timestamp) -> i64 {
    other.unix().saturating_sub(one.unix()).saturating_abs()
}

#[cfg(test)]
mod tests;
