//! The sessions, mirrored in memory so that a request with one asks no database.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use nt_store::{Session, SessionHash};
use nt_token::{Lifetime, OperatorId, Timestamp};

use crate::authority::entropy::session_hash;
use crate::authority::error::Refusal;

/// How much later than what was written down a use must be to be written down again, in seconds.
const NOTED_EVERY: i64 = 60;

/// A session that has not ended, and when it was last used.
#[derive(Debug)]
pub struct LiveSession {
    /// What the store keeps of it.
    pub session: Session,
    last_used: AtomicI64,
    written: AtomicI64,
}

impl LiveSession {
    fn new(session: Session) -> Arc<Self> {
        let last_used = session.last_used_at.unix();
        let (last_used, written) = (AtomicI64::new(last_used), AtomicI64::new(last_used));
        Arc::new(Self { session, last_used, written })
    }

    /// When it was last used.
    pub fn last_used_at(&self) -> Timestamp {
        Timestamp::from_unix(self.last_used.load(Ordering::Relaxed))
    }

    fn is_over(&self, now: Timestamp, idle: Lifetime) -> bool {
        now >= self.session.expires_at || now >= self.last_used_at().plus(idle)
    }
}

/// The sessions that have not ended.
#[derive(Debug)]
pub struct Sessions {
    by_hash: RwLock<HashMap<SessionHash, Arc<LiveSession>>>,
    /// How long a session lasts without being used.
    idle: Lifetime,
}

impl Sessions {
    /// Those that the store kept.
    pub fn new(sessions: Vec<Session>, idle: Lifetime) -> Self {
        let by_hash = sessions.into_iter().map(|session| (session.hash, LiveSession::new(session)));
        Self { by_hash: RwLock::new(by_hash.collect()), idle }
    }

    /// The session with this secret, if it holds at this moment; it counts as used.
    pub fn find(&self, secret: &str, now: Timestamp) -> Result<Arc<LiveSession>, Refusal> {
        let hash = session_hash(secret);
        let sessions = self.by_hash.read().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(&hash).ok_or(Refusal::NotSignedIn)?;
        if session.is_over(now, self.idle) {
            return Err(Refusal::SessionExpired);
        }
        session.last_used.fetch_max(now.unix(), Ordering::Relaxed);
        Ok(Arc::clone(session))
    }

    /// Adds one, once the store has it.
    pub fn add(&self, session: Session) -> Arc<LiveSession> {
        let session = LiveSession::new(session);
        let mut sessions = self.by_hash.write().unwrap_or_else(PoisonError::into_inner);
        sessions.insert(session.session.hash, Arc::clone(&session));
        session
    }

    /// Removes some. Before the store forgets them: an ended session must not be used meanwhile.
    pub fn remove(&self, hashes: &[SessionHash]) {
        let mut sessions = self.by_hash.write().unwrap_or_else(PoisonError::into_inner);
        for hash in hashes {
            sessions.remove(hash);
        }
    }

    /// An operator's sessions that hold at this moment, the latest first.
    pub fn of(&self, operator: &OperatorId, now: Timestamp) -> Vec<Arc<LiveSession>> {
        let sessions = self.by_hash.read().unwrap_or_else(PoisonError::into_inner);
        let theirs = sessions.values().filter(|live| live.session.operator.id == *operator);
        let mut theirs: Vec<_> =
            theirs.filter(|live| !live.is_over(now, self.idle)).map(Arc::clone).collect();
        theirs.sort_by(|a, b| {
            (b.session.created_at, &b.session.id).cmp(&(a.session.created_at, &a.session.id))
        });
        theirs
    }

    /// The uses that are worth writing down; they count as written.
    pub fn to_write(&self) -> Vec<(SessionHash, Timestamp)> {
        let sessions = self.by_hash.read().unwrap_or_else(PoisonError::into_inner);
        let used = sessions.values().filter_map(|live| {
            let used = live.last_used.load(Ordering::Relaxed);
            let written = live.written.load(Ordering::Relaxed);
            let is_due = used >= written.saturating_add(NOTED_EVERY);
            is_due.then(|| live.written.store(used, Ordering::Relaxed))?;
            Some((live.session.hash, Timestamp::from_unix(used)))
        });
        used.collect()
    }

    /// Forgets those that ended before this time. They are kept for a day, so that their owners
    /// learn that they expired and not that they never were.
    pub fn forget_ended(&self, now: Timestamp) {
        let kept_since = now.plus_seconds(-86_400);
        let mut sessions = self.by_hash.write().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, live| !live.is_over(kept_since, self.idle));
    }
}
