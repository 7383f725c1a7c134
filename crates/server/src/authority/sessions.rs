//! The sessions, mirrored in memory so that a request with one asks no database. Where other nodes
//! share the database it is asked each time, and only the last uses are kept here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use nt_store::{Session, SessionHash, Sharing};
use nt_token::{Lifetime, OperatorId, Timestamp};

use crate::authority::entropy::session_hash;
use crate::authority::error::{Answer, Refusal};
use crate::authority::{Authority, limits};

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
}

/// The sessions that have not ended.
#[derive(Debug)]
pub struct Sessions {
    by_hash: RwLock<HashMap<SessionHash, Arc<LiveSession>>>,
    /// How long a session lasts without being used.
    idle: Lifetime,
    sharing: Sharing,
}

impl Sessions {
    /// Those that the store kept.
    pub fn new(sessions: Vec<Session>, idle: Lifetime, sharing: Sharing) -> Self {
        let by_hash = sessions.into_iter().map(|session| (session.hash, LiveSession::new(session)));
        Self { by_hash: RwLock::new(by_hash.collect()), idle, sharing }
    }

    /// Nobody is signed out who is at work at another node: what that has not written down yet counts
    /// as used.
    fn is_over(&self, live: &LiveSession, now: Timestamp) -> bool {
        let unknown = match self.sharing {
            Sharing::Alone => 0,
            Sharing::WithOthers => limits::SESSION_USE_UNKNOWN,
        };
        let idle_end = live.last_used_at().plus(self.idle).plus_seconds(unknown);
        now >= live.session.expires_at || now >= idle_end
    }

    /// The session with this secret, if it holds at this moment; it counts as used.
    pub fn find(&self, secret: &str, now: Timestamp) -> Result<Arc<LiveSession>, Refusal> {
        let hash = session_hash(secret);
        let sessions = self.by_hash.read().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(&hash).ok_or(Refusal::NotSignedIn)?;
        if self.is_over(session, now) {
            return Err(Refusal::SessionExpired);
        }
        session.last_used.fetch_max(now.unix(), Ordering::Relaxed);
        Ok(Arc::clone(session))
    }

    /// A session as the store has it now, if it holds at this moment; it counts as used.
    pub fn meet(&self, kept: Session, now: Timestamp) -> Result<Arc<LiveSession>, Refusal> {
        let mut sessions = self.by_hash.write().unwrap_or_else(PoisonError::into_inner);
        let live = Self::with_uses_here(&sessions, kept);
        if self.is_over(&live, now) {
            return Err(Refusal::SessionExpired);
        }
        live.last_used.fetch_max(now.unix(), Ordering::Relaxed);
        sessions.insert(live.session.hash, Arc::clone(&live));
        Ok(live)
    }

    /// Those of these that hold at this moment, as the store has them now.
    pub fn met(&self, kept: Vec<Session>, now: Timestamp) -> Vec<Arc<LiveSession>> {
        let sessions = self.by_hash.read().unwrap_or_else(PoisonError::into_inner);
        let met = kept.into_iter().map(|kept| Self::with_uses_here(&sessions, kept));
        met.filter(|live| !self.is_over(live, now)).collect()
    }

    /// What is known here of the last use may be later than what was written down, and the other way
    /// round.
    fn with_uses_here(
        sessions: &HashMap<SessionHash, Arc<LiveSession>>,
        kept: Session,
    ) -> Arc<LiveSession> {
        let live = LiveSession::new(kept);
        if let Some(known) = sessions.get(&live.session.hash) {
            live.last_used.fetch_max(known.last_used.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        live
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
            theirs.filter(|live| !self.is_over(live, now)).map(Arc::clone).collect();
        theirs.sort_by(|a, b| {
            (b.session.created_at, &b.session.id).cmp(&(a.session.created_at, &a.session.id))
        });
        theirs
    }

    /// The uses that are worth writing down; they count as written.
    pub fn to_write(&self) -> Vec<(SessionHash, Timestamp)> {
        let noted_every = match self.sharing {
            Sharing::Alone => limits::SESSION_USE_NOTED,
            Sharing::WithOthers => limits::SESSION_USE_NOTED_SHARED,
        };
        let sessions = self.by_hash.read().unwrap_or_else(PoisonError::into_inner);
        let used = sessions.values().filter_map(|live| {
            let used = live.last_used.load(Ordering::Relaxed);
            let written = live.written.load(Ordering::Relaxed);
            let is_due = used >= written.saturating_add(noted_every);
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
        sessions.retain(|_, live| !self.is_over(live, kept_since));
    }
}

impl Authority {
    /// The session with this secret, if it holds now. Where other nodes may have ended it, the store
    /// is asked.
    pub(super) async fn session(&self, secret: &str) -> Answer<Arc<LiveSession>> {
        let now = self.clock.now();
        if self.store.sharing() == Sharing::Alone {
            return Ok(self.sessions.find(secret, now)?);
        }
        let hash = session_hash(secret);
        let Some(kept) = self.store.session(hash).await? else {
            self.sessions.remove(&[hash]);
            return Err(Refusal::NotSignedIn.into());
        };
        Ok(self.sessions.meet(kept, now)?)
    }

    /// An operator's sessions that hold now, the latest first.
    pub(super) async fn live_sessions(
        &self,
        operator: &OperatorId,
    ) -> Answer<Vec<Arc<LiveSession>>> {
        let now = self.clock.now();
        Ok(match self.store.sharing() {
            Sharing::Alone => self.sessions.of(operator, now),
            Sharing::WithOthers => {
                self.sessions.met(self.store.sessions_of(operator, now).await?, now)
            }
        })
    }
}
