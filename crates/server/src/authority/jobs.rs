//! CI jobs' tokens that were exchanged: each opens one session.
//!
//! A job's token travels through logs and caches of its platform more easily than a person's. What was
//! exchanged once is of no use to whoever finds it. Remembered in memory, as such tokens live for
//! minutes: a restart forgets, and then a token could be used once more until it expires.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use nt_token::Timestamp;

use crate::authority::entropy::sha256;
use crate::authority::limits;

/// The tokens that were used, by their SHA-256, until they expire.
#[derive(Debug, Default)]
pub struct UsedTokens(Mutex<HashMap<[u8; 32], Timestamp>>);

impl UsedTokens {
    /// Whether this token is used for the first time.
    pub fn admit(&self, token: &str, expires_at: Timestamp, now: Timestamp) -> bool {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= limits::USED_TOKENS {
            used.retain(|_, expires_at| *expires_at > now);
        }
        if used.len() >= limits::USED_TOKENS {
            return false;
        }
        // Clocks may differ a little: a token is remembered for a minute longer than it lives.
        used.insert(sha256(token.as_bytes()), expires_at.plus_seconds(60)).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_admitted_once_and_memory_is_bounded() {
        let (used, now) = (UsedTokens::default(), Timestamp::from_unix(1_000));
        assert!(used.admit("one", now.plus_seconds(60), now));
        assert!(!used.admit("one", now.plus_seconds(60), now));
        for i in 1..limits::USED_TOKENS {
            assert!(used.admit(&i.to_string(), now, now));
        }
        assert!(
            !used.admit("another", now.plus_seconds(60), now),
            "no room, and nothing to forget"
        );
        let later = now.plus_seconds(61);
        assert!(used.admit("another", later.plus_seconds(60), later), "expired ones are forgotten");
        assert!(!used.admit("one", later, later), "and those that have not expired are not");
    }
}
