//! The logins that can be renewed, each with the one refresh token that is good at the moment.
//!
//! Every use puts another token in its place (RFC 9700, section 4.14.2). Whoever comes with one that
//! was used before shows that two have it, and nobody can say which of them is the thief: the login
//! ends for both.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use nt_token::Timestamp;

use super::user::User;
use crate::entropy::{NoEntropy, unguessable};

/// How long a login can be renewed, in seconds.
pub(super) const LIFETIME: i64 = 30 * 86_400;

/// How many logins may be open at once.
pub(super) const MOST: usize = 1_000;

/// A login that can be renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: &'static User,
    pub(super) scope: String,
    pub(super) signed_in_at: Timestamp,
}

#[derive(Debug)]
struct Open {
    login: Login,
    /// The hash of the secret half of the token that is good.
    current: Vec<u8>,
}

/// Logins by the hash of the first half of their tokens, which stays; the second half changes.
#[derive(Debug, Default)]
pub(super) struct Logins(Mutex<HashMap<Vec<u8>, Open>>);

impl Logins {
    /// The first token of a login; none where too many are open.
    pub(super) fn open(&self, login: Login, now: Timestamp) -> Result<Option<String>, NoEntropy> {
        let (name, secret) = (unguessable()?, unguessable()?);
        let mut all = self.all();
        if all.len() >= MOST {
            all.retain(|_, open| is_good(&open.login, now));
        }
        if all.len() >= MOST {
            return Ok(None);
        }
        all.insert(hash(&name), Open { login, current: hash(&secret) });
        Ok(Some(format!("{name}.{secret}")))
    }

    /// The login that this token renews, and the token to renew it with the next time.
    pub(super) fn renew(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<(Login, String)>, NoEntropy> {
        let next = unguessable()?;
        let Some((name, secret)) = token.split_once('.') else { return Ok(None) };
        let mut all = self.all();
        let Some(open) = all.get_mut(&hash(name)) else { return Ok(None) };
        let current = verify_slices_are_equal(&hash(secret), &open.current).is_ok();
        if !current || !is_good(&open.login, now) {
            all.remove(&hash(name));
            return Ok(None);
        }
        open.current = hash(&next);
        Ok(Some((open.login.clone(), format!("{name}.{next}"))))
    }

    /// Ends all logins of the user.
    pub(super) fn end(&self, user: &User) {
        self.all().retain(|_, open| open.login.user != user);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_good(login: &Login, now: Timestamp) -> bool {
    now < login.signed_in_at.plus_seconds(LIFETIME)
}

fn hash(text: &str) -> Vec<u8> {
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::super::user::USERS;
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_723_000_000);

    fn login(user: usize) -> Login {
        Login { user: &USERS[user], scope: "openid".to_owned(), signed_in_at: NOW }
    }

    fn open(logins: &Logins, user: usize) -> String {
        logins.open(login(user), NOW).expect("entropy").expect("there is room")
    }

    fn renew(logins: &Logins, token: &str) -> Option<String> {
        logins.renew(token, NOW).expect("entropy").map(|(_, next)| next)
    }

    #[test]
    fn a_token_is_good_once_and_its_second_use_ends_the_login() {
        let logins = Logins::default();
        let (first, other) = (open(&logins, 0), open(&logins, 0));
        let second = renew(&logins, &first).expect("good");
        let third = renew(&logins, &second).expect("good");
        assert_eq!(renew(&logins, &first), None);
        assert_eq!(renew(&logins, &third), None);
        assert!(renew(&logins, &other).is_some());
    }

    #[test]
    fn a_users_logins_end_together_and_nobody_elses() {
        let logins = Logins::default();
        let (owner, again, member) = (open(&logins, 0), open(&logins, 0), open(&logins, 1));
        logins.end(&USERS[0]);
        assert_eq!((renew(&logins, &owner), renew(&logins, &again)), (None, None));
        assert!(renew(&logins, &member).is_some());
    }

    #[test]
    fn what_is_no_token_or_an_old_one_renews_nothing() {
        let logins = Logins::default();
        let token = open(&logins, 0);
        let name = token.split_once('.').expect("two halves").0.to_owned();
        for text in ["", ".", "a", "a.b", &name, &token[1..]] {
            assert_eq!(renew(&logins, text), None, "{text:?}");
        }
        let late = NOW.plus_seconds(LIFETIME);
        assert_eq!(logins.renew(&token, late), Ok(None));
    }

    #[test]
    fn the_number_of_logins_is_bounded_and_old_ones_make_room() {
        let logins = Logins::default();
        for _ in 0..MOST {
            open(&logins, 0);
        }
        assert_eq!(logins.open(login(0), NOW), Ok(None));
        let later = NOW.plus_seconds(LIFETIME);
        let new = Login { signed_in_at: later, ..login(1) };
        assert!(matches!(logins.open(new, later), Ok(Some(_))));
    }
}
