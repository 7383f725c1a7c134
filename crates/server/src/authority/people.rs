//! Who asks: by a session, or by the identity provider's own token.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use nt_api::auth::SESSION_PREFIX;
use nt_identity::id_token::VerifiedIdentity;
use nt_identity::provider::{Identified, IdentifyError, Liveness};
use nt_store::{Grant, Identity, Operator, Organisation};
use nt_token::check::check_signature;
use nt_token::sign::PREFIX;
use nt_token::{OperatorId, Timestamp};

use crate::authority::entropy::random;
use crate::authority::error::{Answer, Refusal};
use crate::authority::sessions::LiveSession;
use crate::authority::{Authority, limits};

/// An operator who asks for something: by what right, and from where.
#[derive(Debug, Clone)]
pub struct Caller {
    credential: Credential,
    /// From where.
    pub from: Option<IpAddr>,
}

/// By what right somebody asks.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A session of ours.
    Session(Arc<LiveSession>),
    /// A token of the identity provider's, presented directly.
    ProviderToken {
        /// Whose it is.
        operator: Operator,
        /// The session at the provider, for asking whether it still is.
        sid: Option<String>,
        /// The organisation that the operator acts for.
        organisation: Option<Organisation>,
    },
}

impl Caller {
    /// Somebody with a session.
    pub fn with_session(session: Arc<LiveSession>, from: Option<IpAddr>) -> Self {
        Self { credential: Credential::Session(session), from }
    }

    /// Who asks.
    pub fn operator(&self) -> &Operator {
        match &self.credential {
            Credential::Session(live) => &live.session.operator,
            Credential::ProviderToken { operator, .. } => operator,
        }
    }

    /// By what right.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The organisation that the operator acts for.
    pub fn organisation(&self) -> Option<&Organisation> {
        match &self.credential {
            Credential::Session(live) => live.session.organisation.as_ref(),
            Credential::ProviderToken { organisation, .. } => organisation.as_ref(),
        }
    }

    /// What the caller is limited to, where it is a CI job.
    pub fn grant(&self) -> Option<&Grant> {
        match &self.credential {
            Credential::Session(live) => live.session.grant.as_ref(),
            Credential::ProviderToken { .. } => None,
        }
    }
}

impl Authority {
    /// Who is asking, by the credential of the request. With a session no provider is asked, and
    /// no database that nobody shares; with a provider's token only where its keys are not at hand, or the operator is new.
    pub async fn caller(&self, credential: Option<&str>, from: Option<IpAddr>) -> Answer<Caller> {
        let credential = credential.ok_or(Refusal::NotSignedIn)?;
        if credential.starts_with(SESSION_PREFIX) {
            return Ok(Caller::with_session(self.session(credential).await?, from));
        }
        if self.is_workspace_token(credential) {
            return Err(Refusal::OperatorNeeded.into());
        }
        self.caller_of_provider(credential, from).await
    }

    async fn caller_of_provider(&self, token: &str, from: Option<IpAddr>) -> Answer<Caller> {
        let provider = self.provider.as_ref().ok_or(Refusal::NotSignedIn)?;
        let identified = match provider.identify_direct(token, self.clock.now()).await {
            Ok(identified) => identified,
            Err(IdentifyError::Refused(reason)) => {
                tracing::info!(%reason, from = from.map(tracing::field::display), "a credential was refused");
                return Err(Refusal::NotSignedIn.into());
            }
            Err(IdentifyError::Unavailable(reason)) => return Err(unavailable(&reason)),
        };
        let Identified { identity, session, .. } = identified;
        let operator = self.operator(stored(identity)).await?;
        let (sid, organisation) = match session {
            Some(session) => (Some(session.sid), session.organisation.map(organisation)),
            None => (None, None),
        };
        let credential = Credential::ProviderToken { operator, sid, organisation };
        Ok(Caller { credential, from })
    }

    /// The operator of an identity. Remembered, as every request with a provider's token asks.
    async fn operator(&self, identity: Identity) -> Answer<Operator> {
        let now = self.clock.now();
        if let Some(known) = self.people.known(&identity, now) {
            return Ok(known);
        }
        let candidate = OperatorId::mint(self.clock.wall_ms(), random()?);
        let operator = self.store.operator(identity, candidate, now).await?;
        self.people.remember(operator.clone(), now);
        Ok(operator)
    }

    /// Whether the credential is a workspace token, in whatever standing: one is never an operator.
    fn is_workspace_token(&self, credential: &str) -> bool {
        credential.starts_with(PREFIX)
            || check_signature(credential, self.keys.now().checking()).is_ok()
    }

    /// Before something is taken back for good by a provider's short-lived token: whether the session
    /// behind it still is, so that somebody who was dismissed a moment ago cannot revoke. Where the
    /// provider gives no answer it goes on, since a leaked token must not stay alive because of that;
    /// what is returned then goes into the audit record.
    pub(super) async fn vouched(&self, caller: &Caller) -> Answer<Option<String>> {
        let (Credential::ProviderToken { sid: Some(sid), .. }, Some(provider)) =
            (caller.credential(), &self.provider)
        else {
            return Ok(None);
        };
        match provider.session_is_live(sid).await {
            Liveness::Live | Liveness::NotChecked => Ok(None),
            Liveness::Ended => Err(Refusal::SessionExpired.into()),
            Liveness::Unavailable(reason) => {
                tracing::warn!(%reason, operator.id = %caller.operator().id,
                    "a session at the identity provider could not be checked");
                Ok(Some("the provider's session was not checked: no answer".to_owned()))
            }
        }
    }
}

pub(super) fn unavailable(reason: &nt_identity::provider::Unavailable) -> super::error::Error {
    tracing::warn!(%reason, "the identity provider gives no answer");
    Refusal::ProviderUnavailable.into()
}

pub(super) fn stored(identity: VerifiedIdentity) -> Identity {
    let VerifiedIdentity { issuer, subject, email, name } = identity;
    Identity { issuer, subject, email, name }
}

pub(super) fn organisation(organisation: nt_identity::provider::Organisation) -> Organisation {
    Organisation { id: organisation.id, role: organisation.role }
}

/// The operators who present tokens of the provider's, each as known at a time.
#[derive(Debug, Default)]
pub struct People(RwLock<HashMap<(String, String), (Operator, Timestamp)>>);

impl People {
    /// The operator, if nothing about the identity has changed, and for a while: what a login says of
    /// it, here or at another node, is not told here.
    fn known(&self, identity: &Identity, now: Timestamp) -> Option<Operator> {
        let people = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (known, at) = people.get(&(identity.issuer.clone(), identity.subject.clone()))?;
        // Clerk's session tokens carry no e-mail address; what a login said of it stays.
        let same = identity.email.is_none() || identity.email == known.identity.email;
        let is_fresh = now < at.plus_seconds(limits::PEOPLE_FOR);
        (same && is_fresh).then(|| known.clone())
    }

    fn remember(&self, operator: Operator, now: Timestamp) {
        let mut people = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if people.len() >= limits::PEOPLE {
            people.clear();
        }
        let key = (operator.identity.issuer.clone(), operator.identity.subject.clone());
        people.insert(key, (operator, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_is_remembered_for_a_while_and_only_as_long_as_nothing_else_is_said() {
        let identity = |email: Option<&str>| Identity {
            issuer: "test".to_owned(),
            subject: "1".to_owned(),
            email: email.map(str::to_owned),
            name: None,
        };
        let at = |seconds| Timestamp::from_unix(1_000 + seconds);
        let operator = Operator {
            id: OperatorId::mint(1, [1; 10]),
            identity: identity(Some("a@example.com")),
        };
        let people = People::default();
        assert_eq!(people.known(&identity(None), at(0)), None);
        people.remember(operator.clone(), at(0));
        for said in [None, Some("a@example.com")] {
            assert_eq!(people.known(&identity(said), at(59)).as_ref(), Some(&operator));
        }
        assert_eq!(people.known(&identity(Some("b@example.com")), at(0)), None);
        assert_eq!(people.known(&identity(None), at(limits::PEOPLE_FOR)), None, "ask again");
    }
}
