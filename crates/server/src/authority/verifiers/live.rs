//! What the feed knows of the verifiers that are connected: shown to people, and no rule rests on it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nt_api::verifiers::LogPosition;
use nt_token::VerifierId;
use nt_token::clock::Stopwatch;

/// What is known of a verifier that is connected.
#[derive(Debug, Clone, Default)]
pub struct LiveState {
    /// How far it has applied the log.
    pub position: Option<LogPosition>,
    lease: Option<(Stopwatch, Duration)>,
    last_ack: Option<Stopwatch>,
}

impl LiveState {
    /// How long it may still give verdicts, at the most; nothing where it never had a lease.
    pub fn lease_ms_left(&self) -> Option<u64> {
        self.lease.map(|(since, length)| ms(length.saturating_sub(since.elapsed())))
    }

    /// How long ago it acknowledged an entry.
    pub fn last_ack_ms_ago(&self) -> Option<u64> {
        self.last_ack.map(|since| ms(since.elapsed()))
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The sessions that the feed has open, by verifier.
#[derive(Debug, Clone, Default)]
pub struct LiveSessions(Arc<Mutex<Sessions>>);

#[derive(Debug, Default)]
struct Sessions {
    /// Each with the number of its session.
    by_verifier: HashMap<VerifierId, (u64, LiveState)>,
    opened: u64,
}

impl LiveSessions {
    /// A verifier is connected until the value that is returned is dropped. Of several sessions of one
    /// verifier the latest is shown.
    pub fn open(&self, verifier: VerifierId) -> LiveVerifier {
        let mut sessions = self.lock();
        sessions.opened += 1;
        let session = sessions.opened;
        sessions.by_verifier.insert(verifier.clone(), (session, LiveState::default()));
        drop(sessions);
        LiveVerifier { sessions: self.clone(), verifier, session }
    }

    /// What is known of a verifier, if it is connected.
    pub fn state(&self, verifier: &VerifierId) -> Option<LiveState> {
        self.lock().by_verifier.get(verifier).map(|(_, state)| state.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The feed's end of a verifier's session: here it says what becomes known. Dropped when the session
/// ends.
#[derive(Debug)]
pub struct LiveVerifier {
    sessions: LiveSessions,
    verifier: VerifierId,
    session: u64,
}

impl LiveVerifier {
    /// It was granted a lease of this length just now.
    pub fn granted(&self, length: Duration) {
        self.change(|state| state.lease = Some((Stopwatch::start(), length)));
    }

    /// It has said just now that it applied the log up to here.
    pub fn acknowledged(&self, position: LogPosition) {
        self.change(|state| {
            state.position = Some(position);
            state.last_ack = Some(Stopwatch::start());
        });
    }

    /// A session that a later one has replaced has nothing to say any more.
    fn change(&self, change: impl FnOnce(&mut LiveState)) {
        let mut sessions = self.sessions.lock();
        if let Some((session, state)) = sessions.by_verifier.get_mut(&self.verifier)
            && *session == self.session
        {
            change(state);
        }
    }
}

impl Drop for LiveVerifier {
    fn drop(&mut self) {
        let mut sessions = self.sessions.lock();
        if sessions.by_verifier.get(&self.verifier).is_some_and(|(open, _)| *open == self.session) {
            sessions.by_verifier.remove(&self.verifier);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_gone_when_the_session_ends() {
        let (sessions, id) = (LiveSessions::default(), VerifierId::mint(1, [1; 10]));
        assert!(sessions.state(&id).is_none());
        let session = sessions.open(id.clone());
        let fresh = sessions.state(&id).expect("connected");
        assert_eq!((fresh.lease_ms_left(), fresh.last_ack_ms_ago()), (None, None));
        let position = LogPosition { epoch: 1, seq: 7 };
        session.acknowledged(position);
        session.granted(Duration::from_hours(1));
        let state = sessions.state(&id).expect("connected");
        assert_eq!(state.position, Some(position));
        let left = state.lease_ms_left().expect("a lease");
        assert!((3_000_000..=3_600_000).contains(&left), "{left}");
        assert!(state.last_ack_ms_ago().is_some());
        session.granted(Duration::ZERO);
        assert_eq!(sessions.state(&id).expect("connected").lease_ms_left(), Some(0));
        drop(session);
        assert!(sessions.state(&id).is_none());
    }

    #[test]
    fn a_session_that_was_replaced_changes_and_ends_nothing() {
        let (sessions, id) = (LiveSessions::default(), VerifierId::mint(1, [1; 10]));
        let first = sessions.open(id.clone());
        let second = sessions.open(id.clone());
        first.acknowledged(LogPosition { epoch: 1, seq: 7 });
        assert_eq!(sessions.state(&id).expect("connected").position, None);
        drop(first);
        assert!(sessions.state(&id).is_some());
        drop(second);
        assert!(sessions.state(&id).is_none());
    }
}
