//! Sessions, operators, and what is fixed at the first start.

use nt_token::{OperatorId, Timestamp};

use super::state::{Login, State};
use crate::audit::{Act, Action};
use crate::error::StoreError;
use crate::record::{Authority, NewSession, Operator, Session, SessionHash};

impl State {
    pub(super) fn found(&mut self, issuer: &str) -> Authority {
        let issuer = self.issuer.get_or_insert_with(|| issuer.to_owned());
        Authority { issuer: issuer.clone() }
    }

    pub(super) fn open_session(&mut self, new: NewSession) -> Result<Session, StoreError> {
        if self.sessions.contains_key(&new.hash.0) {
            return Err(StoreError::Database("a session of this hash is there".to_owned()));
        }
        let NewSession { identity, operator, hash, at, expires_at, from } = new;
        let operator = match self.signed_in_before(&identity.issuer, &identity.subject) {
            Some(known) => known,
            None if self.operators.contains_key(&operator) => {
                return Err(StoreError::Database("an operator of this ID is there".to_owned()));
            }
            None => operator,
        };
        self.operators.insert(operator.clone(), identity);
        let login = Login { operator: operator.clone(), created_at: at, expires_at };
        self.sessions.insert(hash.0, login);
        self.record(&Act { operator, at, from }, Action::SessionCreated, None, None, None);
        self.session(hash).ok_or(StoreError::Corrupt("a session"))
    }

    fn signed_in_before(&self, issuer: &str, subject: &str) -> Option<OperatorId> {
        let mut known = self.operators.iter();
        let found = known.find(|(_, is)| is.issuer == issuer && is.subject == subject);
        found.map(|(id, _)| id.clone())
    }

    fn session(&self, hash: SessionHash) -> Option<Session> {
        let Login { operator, created_at, expires_at } = self.sessions.get(&hash.0)?;
        let identity = self.operators.get(operator)?.clone();
        let operator = Operator { id: operator.clone(), identity };
        Some(Session { hash, operator, created_at: *created_at, expires_at: *expires_at })
    }

    pub(super) fn end_session(&mut self, hash: SessionHash, act: &Act) -> bool {
        let found = self.sessions.remove(&hash.0).is_some();
        if found {
            self.record(act, Action::SessionEnded, None, None, None);
        }
        found
    }

    pub(super) fn live_sessions(&mut self, now: Timestamp) -> Vec<Session> {
        self.sessions.retain(|_, login| login.expires_at > now);
        let mut live: Vec<_> =
            self.sessions.keys().filter_map(|hash| self.session(SessionHash(*hash))).collect();
        live.sort_by_key(|session| (session.created_at, session.hash.0));
        live
    }
}
