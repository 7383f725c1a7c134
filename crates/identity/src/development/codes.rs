//! The authorization codes that are out: single-use, short-lived and bounded in number.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use nt_token::Timestamp;

use super::request::RedirectUri;
use super::user::User;
use crate::entropy::unguessable;
use crate::pkce::Challenge;

/// How long a code is good, in seconds. A program redeems it at once, without a person's help
/// (RFC 6749, section 4.1.2 allows ten minutes).
pub(super) const LIFETIME: i64 = 60;

/// How many codes may be out at once.
pub(super) const MOST: usize = 1_000;

/// What a code stands for. All codes are the one client's.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) user: &'static User,
    pub(super) redirect_uri: RedirectUri,
    pub(super) challenge: Challenge,
    pub(super) nonce: Option<String>,
    pub(super) scope: String,
    pub(super) signed_in_at: Timestamp,
}

/// No code can be handed out at the moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoneLeft;

/// Grants by the hash of their code, so that the look-up's time says nothing about a code.
#[derive(Debug, Default)]
pub(super) struct Codes(Mutex<HashMap<Vec<u8>, Grant>>);

impl Codes {
    /// Hands out a code.
    pub(super) fn issue(&self, grant: Grant, now: Timestamp) -> Result<String, NoneLeft> {
        let code = unguessable().map_err(|_| NoneLeft)?;
        let mut grants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if grants.len() >= MOST {
            grants.retain(|_, grant| is_good(grant, now));
        }
        if grants.len() >= MOST {
            return Err(NoneLeft);
        }
        grants.insert(hash(&code), grant);
        Ok(code)
    }

    /// Takes a code back for what it stands for. Whatever becomes of the attempt, the code is used
    /// up: nobody gets to guess at its verifier twice.
    pub(super) fn redeem(&self, code: &str, now: Timestamp) -> Option<Grant> {
        let mut grants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        grants.remove(&hash(code)).filter(|grant| is_good(grant, now))
    }
}

fn is_good(grant: &Grant, now: Timestamp) -> bool {
    now < grant.signed_in_at.plus_seconds(LIFETIME)
}

fn hash(code: &str) -> Vec<u8> {
    digest(&SHA256, code.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::super::user::USERS;
    use super::*;
    use crate::pkce::Verifier;

    const NOW: Timestamp = Timestamp::from_unix(1_723_000_000);

    fn grant() -> Grant {
        Grant {
            user: &USERS[0],
            redirect_uri: RedirectUri::parse("http://127.0.0.1:41247/callback").expect("loopback"),
            challenge: Verifier::draw().expect("entropy").challenge(),
            nonce: None,
            scope: "openid".to_owned(),
            signed_in_at: NOW,
        }
    }

    #[test]
    fn a_code_is_redeemed_once() {
        let codes = Codes::default();
        let code = codes.issue(grant(), NOW).expect("there is room");
        assert!(codes.redeem("another", NOW).is_none());
        assert!(codes.redeem(&code, NOW.plus_seconds(LIFETIME - 1)).is_some());
        assert!(codes.redeem(&code, NOW).is_none());
    }

    #[test]
    fn an_old_code_is_refused() {
        let codes = Codes::default();
        let code = codes.issue(grant(), NOW).expect("there is room");
        assert!(codes.redeem(&code, NOW.plus_seconds(LIFETIME)).is_none());
    }

    #[test]
    fn the_number_of_codes_is_bounded_and_old_ones_make_room() {
        let codes = Codes::default();
        for _ in 0..MOST {
            codes.issue(grant(), NOW).expect("there is room");
        }
        assert_eq!(codes.issue(grant(), NOW).err(), Some(NoneLeft));
        let later = NOW.plus_seconds(LIFETIME);
        assert!(codes.issue(Grant { signed_in_at: later, ..grant() }, later).is_ok());
    }
}
