//! Renewing the session without a person, while the identity provider allows it.
//!
//! ```text
//! lock: of several processes one renews, the others take what it brought
//! refresh at the provider      -> an ID token, and another refresh token
//! store the refresh token      the old one may be worthless by now, and using it again an alarm
//!                              (RFC 9700, section 4.14.2)
//! exchange the ID token        -> a session
//! store the session
//! end the old session at the authority, if it answers
//! ```
//!
//! Sessions that the environment gives are neither renewed nor stored.

use nt_api::auth::{Session, TokenExchange};
use nt_identity::login::{self, RefreshError};
use nt_token::{Secret, Timestamp};

use crate::client::address::Authority;
use crate::client::failure::ClientError;
use crate::client::{Client, idempotency_key};
use crate::context::now;
use crate::credentials::{Credentials, Grant, StoredSession};
use crate::error::Error;
use crate::file::Folder;
use crate::provider;
use crate::ui;

/// The lock that keeps renewals apart.
pub(crate) const LOCK: &str = "renewal";

/// How long a provider that did not answer is left alone, where the session still lasts.
const PAUSE: i64 = 60;

/// Why a session is to be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Half of its life is over.
    Due,
    /// The authority no longer knows it.
    Ended,
}

/// The renewal of one session.
#[derive(Debug)]
pub(crate) struct Renewal<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) authority: &'a Authority,
    pub(crate) client: &'a Client,
    /// The session as this process knows it.
    pub(crate) known: StoredSession,
}

impl Renewal<'_> {
    /// Whether half of the session's life is over, and there is something to renew it with.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        is_due(&self.known, now)
    }

    /// The session that goes on, by this process or another; nothing where the old one is all there
    /// is. That the provider has ended it is an error.
    pub(crate) fn run(&self, need: Need) -> Result<Option<Secret>, Error> {
        if self.known.grant.is_none() {
            return Ok(None);
        }
        let _lock = self.folder.lock(LOCK)?;
        let all = Credentials::read(self.folder)?;
        let kept = all.at(self.authority).and_then(|at| at.session.clone());
        let Some(kept) = kept else { return Ok(None) };
        if kept.access_token != self.known.access_token || kept.expires_at != self.known.expires_at
        {
            return kept.access_token.reveal();
        }
        let Some(grant) = kept.grant.clone() else { return Ok(None) };
        if need == Need::Due && grant.paused_until.is_some_and(|until| now() < until) {
            return Ok(None);
        }
        let Some(id_token) = self.ask_provider(&kept, &grant)? else { return Ok(None) };
        let exchange = TokenExchange { oauth_token: id_token, nonce: None };
        match self.client.exchange_token(&exchange, &idempotency_key()?) {
            Ok(session) => self.replace(&kept, session).map(Some),
            Err(error) => {
                self.pause(&error.to_string())?;
                Ok(None)
            }
        }
    }

    /// Asks the provider for another ID token, and keeps the refresh token that comes with it.
    fn ask_provider(&self, kept: &StoredSession, grant: &Grant) -> Result<Option<Secret>, Error> {
        let agent = provider::agent_for(&grant.issuer)?;
        let Some(refresh_token) = grant.refresh_token.reveal()? else { return Ok(None) };
        match login::refresh(&agent, &grant.issuer, &grant.client_id, &refresh_token) {
            Ok(refreshed) => {
                self.change(|session| {
                    if let Some(grant) = &mut session.grant {
                        grant.paused_until = None;
                        if refreshed.refresh_token != refresh_token {
                            grant.refresh_token = refreshed.refresh_token.into();
                        }
                    }
                })?;
                Ok(Some(refreshed.id_token))
            }
            Err(RefreshError::Refused { .. }) => Err(self.end(kept)),
            Err(no_answer) => {
                self.pause(&no_answer.to_string())?;
                Ok(None)
            }
        }
    }

    /// The provider ended the sign-in: what was built on it ends, too.
    fn end(&self, kept: &StoredSession) -> Error {
        let forget = || -> Result<(), Error> {
            if let Some(session) = kept.access_token.reveal()? {
                self.end_at_authority(session);
            }
            Credentials::update(self.folder, |all| all.at_mut(self.authority).session = None)
        };
        forget().err().unwrap_or_else(Error::sign_in_ended)
    }

    /// Keeps the new session, then ends the old one.
    fn replace(&self, kept: &StoredSession, session: Session) -> Result<Secret, Error> {
        let old = kept.access_token.reveal()?;
        let new = session.access_token.clone();
        self.change(|kept| {
            let began_at = now();
            kept.access_token = session.access_token.into();
            kept.user = session.user;
            kept.began_at = Some(began_at);
            kept.expires_at = began_at.plus_seconds(session.expires_in);
        })?;
        if let Some(old) = old {
            self.end_at_authority(old);
        }
        Ok(new)
    }

    /// An old session that could not be ended ends by itself.
    fn end_at_authority(&self, session: Secret) {
        match self.client.operator(session, "this").end_session() {
            Ok(_) | Err(ClientError::Refused(_)) => {}
            Err(error) => self.tell(&format!("the old session was not ended: {error}")),
        }
    }

    /// The provider, or the authority, is left alone for a while.
    fn pause(&self, why: &str) -> Result<(), Error> {
        self.tell(&format!("the session was not renewed: {why}"));
        self.change(|session| {
            if let Some(grant) = &mut session.grant {
                grant.paused_until = Some(now().plus_seconds(PAUSE));
            }
        })
    }

    fn change(&self, change: impl FnOnce(&mut StoredSession)) -> Result<(), Error> {
        Credentials::update(self.folder, |all| {
            if let Some(session) = &mut all.at_mut(self.authority).session {
                change(session);
            }
        })
    }

    fn tell(&self, what: &str) {
        if self.client.tells() {
            ui::debug(what);
        }
    }
}

fn is_due(session: &StoredSession, now: Timestamp) -> bool {
    let Some(began_at) = session.began_at.filter(|_| session.grant.is_some()) else { return false };
    let life = session.expires_at.unix().saturating_sub(began_at.unix());
    now.unix().saturating_sub(began_at.unix()) > life / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_due_in_the_second_half_of_its_life() {
        let session = |grant: bool, began_at: Option<i64>| {
            let grant = r#""grant":{"issuer":"i","client_id":"c","refresh_token":"r"},"#
                .repeat(usize::from(grant));
            let began = began_at.map(|at| format!(r#""began_at":{at},"#)).unwrap_or_default();
            let text = format!(
                r#"{{{grant}{began}"access_token":"nts_a","expires_at":1100,
                "user":{{"id":"op_a","email":null,"name":null}}}}"#
            );
            serde_json::from_str::<StoredSession>(&text).expect("well-formed")
        };
        let due = |session: &StoredSession, at| is_due(session, Timestamp::from_unix(at));
        let renewable = session(true, Some(1000));
        assert!(!due(&renewable, 900) && !due(&renewable, 1050));
        assert!(due(&renewable, 1051) && due(&renewable, 5000));
        assert!(!due(&session(false, Some(1000)), 1090), "there is nothing to renew it with");
        assert!(!due(&session(true, None), 1090), "its life is not known");
    }
}
