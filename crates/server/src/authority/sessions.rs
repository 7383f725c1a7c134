//! The sessions, mirrored in memory so that a request with one asks no database.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use nt_store::{Session, SessionHash};
use nt_token::Timestamp;

use crate::authority::entropy::session_hash;
use crate::authority::error::Refusal;

/// The sessions that have not ended.
#[derive(Debug, Default)]
pub struct Sessions(RwLock<HashMap<SessionHash, Arc<Session>>>);

impl Sessions {
    /// Those that the store kept.
    pub fn new(sessions: Vec<Session>) -> Self {
        let by_hash = sessions.into_iter().map(|session| (session.hash, Arc::new(session)));
        Self(RwLock::new(by_hash.collect()))
    }

    /// The session with this secret, if it holds at this moment.
    pub fn find(&self, secret: &str, now: Timestamp) -> Result<Arc<Session>, Refusal> {
        let hash = session_hash(secret);
        let sessions = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(&hash).ok_or(Refusal::NotSignedIn)?;
        if now >= session.expires_at {
            return Err(Refusal::SessionExpired);
        }
        Ok(Arc::clone(session))
    }

    /// Adds one, once the store has it.
    pub fn add(&self, session: Session) -> Arc<Session> {
        let session = Arc::new(session);
        let mut sessions = self.0.write().unwrap_or_else(PoisonError::into_inner);
        sessions.insert(session.hash, Arc::clone(&session));
        session
    }

    /// Removes one. Before the store forgets it: an ended session must not be used meanwhile.
    pub fn remove(&self, hash: SessionHash) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&hash);
    }

    /// Forgets those that ended before this time. They are kept for a day, so that their owners
    /// learn that they expired and not that they never were.
    pub fn forget_ended(&self, now: Timestamp) {
        let kept_since = now.plus_seconds(-86_400);
        let mut sessions = self.0.write().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.expires_at > kept_since);
    }
}
