//! Signing in and out, and who is asking.

use std::net::IpAddr;

use nt_api::auth::{AuthConfiguration, SESSION_PREFIX, Session, SessionInfo, TokenExchange, User};
use nt_identity::id_token::{self, ExpectedLogin};
use nt_store::{Identity, NewSession, Operator};
use nt_token::OperatorId;
use nt_token::check::check_signature;
use nt_token::sign::PREFIX;

use crate::authority::entropy::{random, session_hash, session_secret};
use crate::authority::error::{Answer, Refusal};
use crate::authority::{Authority, Caller};

impl Authority {
    /// What a client needs to know to sign in.
    pub fn auth_configuration(&self) -> Result<AuthConfiguration, Refusal> {
        let provider = self.provider.as_ref().ok_or(Refusal::NoProvider)?;
        Ok(AuthConfiguration {
            issuer: provider.issuer().to_owned(),
            client_id: provider.client_id().to_owned(),
            scopes: provider.scopes().iter().map(ToString::to_string).collect(),
            development: true,
        })
    }

    /// Exchanges the identity provider's ID token for a session.
    pub async fn sign_in(&self, request: TokenExchange, from: Option<IpAddr>) -> Answer<Session> {
        let provider = self.provider.as_ref().ok_or(Refusal::NoProvider)?;
        let expected = ExpectedLogin {
            issuer: provider.issuer().to_owned(),
            client_id: provider.client_id().to_owned(),
            nonce: request.nonce,
        };
        let (id_token, now) = (request.oauth_token.expose(), self.clock.now());
        let who = id_token::check(id_token, provider.keys(), &expected, now).map_err(|reason| {
            tracing::warn!(%reason, from = from.map(tracing::field::display), "a sign-in was refused");
            Refusal::SignInRefused
        })?;
        let secret = session_secret()?;
        let new = NewSession {
            identity: Identity {
                issuer: who.issuer,
                subject: who.subject,
                email: who.email,
                name: who.name,
            },
            operator: OperatorId::mint(self.clock.wall_ms(), random()?),
            hash: session_hash(secret.expose()),
            at: now,
            expires_at: now.plus(self.policy.session),
            from,
        };
        let session = self.sessions.add(self.store.open_session(new).await?);
        tracing::info!(operator.id = %session.operator.id, from = from.map(tracing::field::display), "signed in");
        Ok(Session {
            access_token: secret,
            token_type: "Bearer".to_owned(),
            expires_in: self.policy.session.seconds(),
            user: user(&session.operator),
        })
    }

    /// Ends the caller's session: here at once, then for good.
    pub async fn sign_out(&self, caller: &Caller) -> Answer<()> {
        self.sessions.remove(caller.session.hash);
        self.store.end_session(caller.session.hash, self.act(caller)).await?;
        tracing::info!(operator.id = %caller.operator().id, "signed out");
        Ok(())
    }

    /// Who is asking, by the credential of the request. Asks no database.
    pub fn caller(
        &self,
        credential: Option<&str>,
        from: Option<IpAddr>,
    ) -> Result<Caller, Refusal> {
        let credential = credential.ok_or(Refusal::NotSignedIn)?;
        if credential.starts_with(SESSION_PREFIX) {
            let session = self.sessions.find(credential, self.clock.now())?;
            return Ok(Caller { session, from });
        }
        if self.is_workspace_token(credential) {
            return Err(Refusal::OperatorNeeded);
        }
        Err(Refusal::NotSignedIn)
    }

    /// Whether the credential is a workspace token, in whatever standing: one is never an operator.
    fn is_workspace_token(&self, credential: &str) -> bool {
        credential.starts_with(PREFIX)
            || check_signature(credential, self.keyring.checking()).is_ok()
    }

    /// The caller's session, as shown to the caller.
    pub fn session_info(caller: &Caller) -> SessionInfo {
        SessionInfo {
            user: user(caller.operator()),
            created_at: caller.session.created_at.into(),
            expires_at: caller.session.expires_at.into(),
        }
    }

    /// Forgets sessions that ended long ago.
    pub fn forget_ended_sessions(&self) {
        self.sessions.forget_ended(self.clock.now());
    }
}

fn user(operator: &Operator) -> User {
    User {
        id: operator.id.clone(),
        email: operator.identity.email.clone(),
        name: operator.identity.name.clone(),
    }
}
