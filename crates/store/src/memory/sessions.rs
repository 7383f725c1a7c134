//! Sessions, operators, and what is fixed at the first start.

use nt_token::{OperatorId, Timestamp};

use super::state::State;
use crate::audit::{Act, Action};
use crate::error::StoreError;
use crate::record::{Authority, Identity, NewSession, Operator, Session, SessionHash};

impl State {
    pub(super) fn found(&mut self, issuer: &str) -> Authority {
        let issuer = self.issuer.get_or_insert_with(|| issuer.to_owned());
        Authority { issuer: issuer.clone() }
    }

    pub(super) fn open_session(&mut self, new: NewSession) -> Result<Session, StoreError> {
        let is_there = self.sessions.values().any(|known| known.id == new.id);
        if is_there || self.sessions.contains_key(&new.hash.0) {
            return Err(StoreError::Database("such a session is there".to_owned()));
        }
        let NewSession { at, from, .. } = new;
        let operator = self.signed_in(new.identity, new.operator)?;
        let session = Session {
            id: new.id,
            hash: new.hash,
            operator: operator.clone(),
            created_at: at,
            last_used_at: at,
            expires_at: new.expires_at,
            from,
            client: new.client,
            organisation: new.organisation,
            grant: new.grant,
        };
        self.sessions.insert(session.hash.0, session.clone());
        let act = Act { operator: operator.id.clone(), at, from, note: None };
        self.record(&act, Action::SessionCreated, None, None, None);
        self.accept_invitations(&operator, &Act::of_invited(operator.id.clone(), at, from));
        Ok(session)
    }

    pub(super) fn operator(
        &mut self,
        identity: Identity,
        candidate: OperatorId,
        at: Timestamp,
    ) -> Result<Operator, StoreError> {
        let operator = self.signed_in(identity, candidate)?;
        self.accept_invitations(&operator, &Act::of_invited(operator.id.clone(), at, None));
        Ok(operator)
    }

    /// Brings the operator up to date; the identifier stays that of the first sign-in, and what a
    /// proof says nothing of stays as well.
    fn signed_in(
        &mut self,
        mut identity: Identity,
        candidate: OperatorId,
    ) -> Result<Operator, StoreError> {
        let id = match self.signed_in_before(&identity.issuer, &identity.subject) {
            Some(known) => known,
            None if self.operators.contains_key(&candidate) => {
                return Err(StoreError::Database("an operator of this ID is there".to_owned()));
            }
            None => candidate,
        };
        if let Some(known) = self.operators.get(&id) {
            identity.email = identity.email.or_else(|| known.email.clone());
            identity.name = identity.name.or_else(|| known.name.clone());
        }
        self.operators.insert(id.clone(), identity.clone());
        Ok(Operator { id, identity })
    }

    fn signed_in_before(&self, issuer: &str, subject: &str) -> Option<OperatorId> {
        let mut known = self.operators.iter();
        let found = known.find(|(_, is)| is.issuer == issuer && is.subject == subject);
        found.map(|(id, _)| id.clone())
    }

    /// An operator as last seen.
    pub(super) fn operator_of(&self, id: &OperatorId) -> Option<Operator> {
        let identity = self.operators.get(id)?.clone();
        Some(Operator { id: id.clone(), identity })
    }

    pub(super) fn end_sessions(&mut self, hashes: &[SessionHash], act: &Act) -> u64 {
        let mut ended = 0;
        for hash in hashes {
            if self.sessions.remove(&hash.0).is_some() {
                self.record(act, Action::SessionEnded, None, None, None);
                ended += 1;
            }
        }
        ended
    }

    pub(super) fn touch_sessions(&mut self, used: &[(SessionHash, Timestamp)]) {
        for (hash, at) in used {
            if let Some(session) = self.sessions.get_mut(&hash.0) {
                session.last_used_at = session.last_used_at.max(*at);
            }
        }
    }

    pub(super) fn live_sessions(&mut self, now: Timestamp) -> Vec<Session> {
        self.sessions.retain(|_, session| session.expires_at > now);
        let mut live: Vec<_> = self
            .sessions
            .values()
            .filter_map(|session| {
                let operator = self.operator_of(&session.operator.id)?;
                Some(Session { operator, ..session.clone() })
            })
            .collect();
        live.sort_by_key(|session| (session.created_at, session.hash.0));
        live
    }
}
