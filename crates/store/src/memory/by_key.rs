//! What is asked by one key each time: a login, and whether a CI job's token was used before.

use nt_token::{OperatorId, Timestamp};

use super::state::State;
use crate::record::{JobToken, Session, SessionHash};
use crate::verifier::{CredentialHash, Verifier};

impl State {
    pub(super) fn session(&self, hash: SessionHash) -> Option<Session> {
        self.as_seen_now(self.sessions.get(&hash.0)?)
    }

    pub(super) fn sessions_of(&self, operator: &OperatorId, now: Timestamp) -> Vec<Session> {
        let all = self.sessions.values();
        let theirs = all.filter(|session| session.operator.id == *operator);
        let live = theirs.filter(|session| session.expires_at > now);
        let mut live: Vec<_> = live.filter_map(|session| self.as_seen_now(session)).collect();
        live.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        live
    }

    fn as_seen_now(&self, session: &Session) -> Option<Session> {
        let operator = self.operator_of(&session.operator.id)?;
        Some(Session { operator, ..session.clone() })
    }

    pub(super) fn use_job_token(&mut self, token: JobToken, now: Timestamp) -> bool {
        self.job_tokens.retain(|_, until| *until > now);
        let JobToken { issuer, digest, until } = token;
        self.job_tokens.insert((issuer, digest), until).is_none()
    }

    pub(super) fn verifier(&self, hash: CredentialHash) -> Option<Verifier> {
        self.verifiers.values().find(|known| known.hash == hash).cloned()
    }
}
