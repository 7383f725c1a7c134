//! Signing in and out, and one's sessions.

use std::net::IpAddr;

use nt_api::auth::{AuthConfiguration, Session, SessionInfo, TokenExchange, User};
use nt_api::sessions::{SessionList, SessionRecord, SessionsEnded};
use nt_identity::provider::IdentifyError;
use nt_store::{
    Grant, Identity, JobToken, NewSession, Operator, Organisation, Role, SessionHash, SessionId,
};
use nt_token::{Lifetime, OperatorId};

use crate::authority::entropy::{random, session_hash, session_secret};
use crate::authority::error::{Answer, Refusal};
use crate::authority::jobs::used_once;
use crate::authority::people::{Caller, Credential, organisation, stored, unavailable};
use crate::authority::sessions::LiveSession;
use crate::authority::{Authority, limits};

/// From where, and with which program, somebody signs in.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// From where.
    pub from: Option<IpAddr>,
    /// The program, as it names itself.
    pub client: Option<String>,
}

/// What is made of a proof of identity.
enum Proof {
    /// It proves who this is.
    Of(Box<Admitted>),
    /// There is nobody to ask whom it proves.
    NoProvider,
}

/// What a proof of identity comes to.
struct Admitted {
    identity: Identity,
    organisation: Option<Organisation>,
    grant: Option<Grant>,
    lifetime: Lifetime,
    /// What must not have been used before.
    once: Option<JobToken>,
}

impl Authority {
    /// What a client needs to know to sign in.
    pub fn auth_configuration(&self) -> Result<AuthConfiguration, Refusal> {
        let provider = self.provider.as_ref().ok_or(Refusal::NoProvider)?;
        Ok(AuthConfiguration {
            issuer: provider.issuer().to_owned(),
            client_id: provider.client_id().to_owned(),
            scopes: provider.scopes(),
            development: provider.is_development(),
        })
    }

    /// Exchanges a proof of identity for a session: the identity provider's token, or a CI job's.
    pub async fn sign_in(&self, request: TokenExchange, origin: Origin) -> Answer<Session> {
        let from = origin.from;
        let admitted = match self.admit(&request).await {
            Ok(admitted) => admitted,
            Err(IdentifyError::Refused(reason)) => {
                // Whoever goes on and on is told so, and fills no log.
                self.rates.fails(from)?;
                tracing::warn!(
                    %reason, from = from.map(tracing::field::display), "a sign-in was refused"
                );
                return Err(Refusal::SignInRefused.into());
            }
            Err(IdentifyError::Unavailable(reason)) => return Err(unavailable(&reason)),
        };
        let admitted = match admitted {
            Proof::Of(admitted) => *admitted,
            Proof::NoProvider => return Err(Refusal::NoProvider.into()),
        };
        let (secret, now) = (session_secret()?, self.clock.now());
        // Before the session is there: whatever fails from now on costs the job a token, and no token
        // opens two sessions.
        if let Some(token) = admitted.once
            && !self.store.use_job_token(token, now).await?
        {
            tracing::warn!(
                from = from.map(tracing::field::display),
                "a CI job's token was used twice"
            );
            return Err(Refusal::SignInRefused.into());
        }
        let new = NewSession {
            identity: admitted.identity,
            operator: OperatorId::mint(self.clock.wall_ms(), random()?),
            id: SessionId::mint(self.clock.wall_ms(), random()?),
            hash: session_hash(secret.expose()),
            at: now,
            expires_at: now.plus(admitted.lifetime),
            from,
            client: origin.client,
            organisation: admitted.organisation,
            grant: admitted.grant,
        };
        let live = self.sessions.add(self.store.open_session(new).await?);
        let operator = &live.session.operator;
        tracing::info!(
            operator.id = %operator.id, from = from.map(tracing::field::display), "signed in"
        );
        self.end_surplus(&Caller::with_session(live.clone(), from)).await?;
        Ok(Session {
            access_token: secret,
            token_type: "Bearer".to_owned(),
            expires_in: admitted.lifetime.seconds(),
            user: user(operator),
        })
    }

    async fn admit(&self, request: &TokenExchange) -> Result<Proof, IdentifyError> {
        let (token, now) = (request.oauth_token.expose(), self.clock.now());
        if self.trusted.knows_issuer_of(token) {
            let job = self.trusted.identify(token, now).await?;
            let once = Some(used_once(token, &job));
            let role = Role::named(&job.rule.role).unwrap_or(Role::Viewer);
            let grant =
                Grant { workspace: job.rule.workspace, role, may_revoke: job.rule.may_revoke };
            return Ok(Proof::Of(Box::new(Admitted {
                identity: stored(job.identity),
                organisation: None,
                grant: Some(grant),
                lifetime: self.policy.job_session,
                once,
            })));
        }
        let Some(provider) = &self.provider else { return Ok(Proof::NoProvider) };
        let identified = provider.identify(token, request.nonce.as_deref(), now).await?;
        let session = identified.session;
        Ok(Proof::Of(Box::new(Admitted {
            identity: stored(identified.identity),
            organisation: session.and_then(|session| session.organisation).map(organisation),
            grant: None,
            lifetime: self.policy.session,
            once: None,
        })))
    }

    /// Ends the oldest sessions of somebody who has more than anybody needs.
    pub(super) async fn end_surplus(&self, caller: &Caller) -> Answer<()> {
        let sessions = self.live_sessions(&caller.operator().id).await?;
        let surplus: Vec<_> =
            sessions.iter().skip(limits::SESSIONS).map(|live| live.session.hash).collect();
        self.end(caller, surplus).await.map(drop)
    }

    /// Ends the caller's session: here at once, then for good.
    pub async fn sign_out(&self, caller: &Caller) -> Answer<()> {
        let live = session_of(caller)?;
        self.end(caller, vec![live.session.hash]).await?;
        tracing::info!(operator.id = %caller.operator().id, "signed out");
        Ok(())
    }

    /// The caller's sessions.
    pub async fn sessions_of(&self, caller: &Caller) -> Answer<SessionList> {
        let current = session_of(caller).ok().map(|live| live.session.hash);
        let sessions = self.live_sessions(&caller.operator().id).await?;
        let sessions: Vec<SessionRecord> =
            sessions.iter().map(|live| shown(live, current)).collect();
        Ok(SessionList { total: sessions.len() as u64, sessions })
    }

    /// Ends one of the caller's sessions, or all but the one that the request was made with.
    pub async fn end_sessions(
        &self,
        caller: &Caller,
        which: Option<SessionId>,
    ) -> Answer<SessionsEnded> {
        let current = session_of(caller).ok().map(|live| live.session.hash);
        let sessions = self.live_sessions(&caller.operator().id).await?;
        let meant = sessions.iter().filter(|live| match &which {
            Some(id) => live.session.id == *id,
            None => Some(live.session.hash) != current,
        });
        let meant: Vec<_> = meant.map(|live| live.session.hash).collect();
        if which.is_some() && meant.is_empty() {
            return Err(Refusal::NoSession.into());
        }
        let count = self.end(caller, meant).await?;
        Ok(SessionsEnded { status: "ended".to_owned(), count })
    }

    async fn end(&self, caller: &Caller, hashes: Vec<SessionHash>) -> Answer<u64> {
        if hashes.is_empty() {
            return Ok(0);
        }
        self.sessions.remove(&hashes);
        Ok(self.store.end_sessions(hashes, self.act(caller)).await?)
    }

    /// The caller's session, as shown to the caller.
    pub fn session_info(caller: &Caller) -> Result<SessionInfo, Refusal> {
        let live = session_of(caller)?;
        Ok(SessionInfo {
            user: user(caller.operator()),
            created_at: live.session.created_at.into(),
            expires_at: live.session.expires_at.into(),
        })
    }

    /// Forgets sessions that ended long ago.
    pub fn forget_ended_sessions(&self) {
        self.sessions.forget_ended(self.clock.now());
    }
}

fn session_of(caller: &Caller) -> Result<&LiveSession, Refusal> {
    match caller.credential() {
        Credential::Session(live) => Ok(live),
        Credential::ProviderToken { .. } => Err(Refusal::NoSession),
    }
}

fn shown(live: &LiveSession, current: Option<SessionHash>) -> SessionRecord {
    let session = &live.session;
    SessionRecord {
        id: session.id.as_str().to_owned(),
        created_at: session.created_at.into(),
        last_used_at: live.last_used_at().into(),
        expires_at: session.expires_at.into(),
        from: session.from,
        client: session.client.clone(),
        current: Some(session.hash) == current,
    }
}

fn user(operator: &Operator) -> User {
    User {
        id: operator.id.clone(),
        email: operator.identity.email.clone(),
        name: operator.identity.name.clone(),
    }
}
