//! The node's machine with names to its sessions, and a note of who was cut off.
//!
//! Only rules: no clock, no sockets.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use nt_revocation::protocol::{Boot, Input, Lengths, Mono, Node, Now, Output, SessionView, Tenure};

use super::outcome::{Cut, CutOff, Outcome};

/// A session's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Who a session is with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Who {
    /// What the credential says.
    pub identity: String,
    /// What the verifier calls itself.
    pub name: String,
    /// The process, as it drew it at random.
    pub instance: [u8; 16],
}

/// Whether a session's stream is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// It is.
    Open,
    /// It ended without a release; its last lease is still waited for.
    Ended,
}

/// A session, for listings.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its number.
    pub id: SessionId,
    /// Who it is with.
    pub who: Arc<Who>,
    /// Whether its stream is open.
    pub stream: Stream,
    /// The last entry that it is known to have applied.
    pub acked: u64,
    /// How long ago it first said so.
    pub acked_ago: Duration,
    /// How long ago it last said how far it is.
    pub heard_ago: Duration,
    /// How long it may at most still say "good"; zero if it may not.
    pub lease_left: Duration,
}

struct Known {
    who: Arc<Who>,
    /// When it last said how far it is.
    heard: Mono,
    /// The last entry that it said to have applied, and when it first did.
    reached: (u64, Mono),
    /// The end of lease for which it was noted as cut off.
    noted: Option<Mono>,
}

pub(super) struct Roster {
    node: Node<SessionId>,
    known: HashMap<SessionId, Known>,
    cuts: VecDeque<Cut>,
    /// The log's end when it was last looked at who had been cut off before.
    looked: u64,
}

/// So many cut-off verifiers are remembered for receipts.
const CUTS_MAX: usize = 1_024;

impl Roster {
    pub(super) fn new(now: Now, lengths: Lengths, tenure: Tenure, applied: u64) -> Self {
        let node = Node::new(now, lengths, tenure, applied);
        Self { node, known: HashMap::new(), cuts: VecDeque::new(), looked: applied }
    }

    /// Up to where every verifier of this node has applied everything, or has run out of lease.
    pub(super) fn complete(&self) -> u64 {
        self.node.complete()
    }

    /// Until when this node may give verdicts.
    pub(super) fn lease_end(&self) -> Boot {
        self.node.lease_end()
    }

    /// When time alone may next change something.
    pub(super) fn next_deadline(&self, now: Mono) -> Option<Mono> {
        self.node.next_deadline(now)
    }

    pub(super) fn open(&mut self, now: Now, session: SessionId, who: Who, acked: u64) {
        self.known.insert(
            session,
            Known { who: Arc::new(who), heard: now.mono, reached: (acked, now.mono), noted: None },
        );
        self.step(now, Input::SessionOpened { session, acked });
    }

    pub(super) fn step(&mut self, now: Now, input: Input<SessionId>) -> Vec<Output<SessionId>> {
        if let Input::Renew { session, acked, .. } | Input::Ack { session, seq: acked } = &input
            && let Some(known) = self.known.get_mut(session)
        {
            known.heard = now.mono;
            if *acked > known.reached.0 {
                known.reached = (*acked, now.mono);
            }
        }
        // Before the step, which forgets sessions that are gone for good.
        self.note_cuts(now.mono);
        let outputs = self.node.step(now, input);
        if self.node.sessions_known() != self.known.len() {
            let left: Vec<SessionId> = self.node.sessions().map(|view| view.session).collect();
            self.known.retain(|session, _| left.binary_search(session).is_ok());
        }
        outputs
    }

    pub(super) fn outcome(&self, seq: u64) -> Outcome {
        let acked = self.node.sessions().filter(|view| view.acked >= seq);
        // A process that came back by another session was not cut off, and counts once.
        let acked: HashSet<Arc<Who>> = acked.filter_map(|view| self.who(&view)).collect();
        let cut = self.cuts.iter().filter(|cut| cut.missed(seq)).map(|cut| &cut.verifier);
        let cut_off = cut.filter(|cut| !acked.contains(&cut.who)).cloned().collect();
        Outcome { acked: acked.into_iter().collect(), cut_off }
    }

    pub(super) fn list(&self, now: Mono) -> Vec<Listed> {
        let listed = |view: SessionView<SessionId>| {
            let known = self.known.get(&view.session)?;
            Some(Listed {
                id: view.session,
                who: Arc::clone(&known.who),
                heard_ago: now.since(known.heard),
                stream: if view.connected { Stream::Open } else { Stream::Ended },
                acked: view.acked,
                acked_ago: now.since(known.reached.1),
                lease_left: view.deadline.map_or(Duration::ZERO, |end| end.since(now)),
            })
        };
        // The machine remembers for a while who is gone; nobody waits for those.
        let counts = |view: &SessionView<SessionId>| {
            view.connected || view.deadline.is_some_and(|end| now < end)
        };
        self.node.sessions().filter(counts).filter_map(listed).collect()
    }

    fn who(&self, view: &SessionView<SessionId>) -> Option<Arc<Who>> {
        self.known.get(&view.session).map(|known| Arc::clone(&known.who))
    }

    /// A walk over all sessions only when the log has grown: else only those are news whose leases
    /// have just ended.
    fn note_cuts(&mut self, now: Mono) {
        let applied = self.node.applied();
        let ended: Vec<SessionView<SessionId>> = if self.looked == applied {
            self.node.run_out(now).collect()
        } else {
            self.node.sessions().collect()
        };
        self.looked = applied;
        for view in ended.into_iter().filter(|view| view.acked < applied) {
            let Some(known) = self.known.get_mut(&view.session) else { continue };
            if view.deadline.is_some_and(|end| end <= now) && known.noted != view.deadline {
                known.noted = view.deadline;
                let verifier =
                    CutOff { who: Arc::clone(&known.who), silent: now.since(known.heard) };
                self.cuts.push_back(Cut { verifier, after: view.acked, upto: applied });
            }
        }
        let surplus = self.cuts.len().saturating_sub(CUTS_MAX);
        self.cuts.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use nt_revocation::protocol::Wall;

    use super::*;

    const SOLE: Tenure = Tenure::Sole { before: None };

    fn at(ms: u64) -> Now {
        let nanos = ms * 1_000_000;
        Now { boot: Boot::from_nanos(nanos), mono: Mono(nanos), wall: Wall(nanos) }
    }

    fn process(number: u8) -> Arc<Who> {
        let instance = [number; 16];
        Arc::new(Who { identity: "vrf".to_owned(), name: "edge".to_owned(), instance })
    }

    /// A roster in which these processes got a lease at the beginning and were not heard of again.
    fn with_lost(processes: &[u8]) -> Roster {
        let mut roster = Roster::new(at(0), Lengths::default(), SOLE, 0);
        for (number, id) in processes.iter().zip(1..) {
            let session = SessionId(id);
            roster.open(at(0), session, Who::clone(&process(*number)), 0);
            roster.step(at(0), Input::Renew { session, nonce: 1, acked: 0 });
            roster.step(at(1), Input::Disconnected(session));
        }
        roster
    }

    #[test]
    fn a_process_that_came_back_by_another_session_counts_once_and_was_not_cut_off() {
        let mut roster = with_lost(&[1]);
        let back = SessionId(9);
        roster.open(at(5_000), back, Who::clone(&process(1)), 0);
        roster.step(at(5_000), Input::Applied(1));
        roster.step(at(5_001), Input::Ack { session: back, seq: 1 });
        assert_eq!(roster.complete(), 1);
        assert_eq!(roster.outcome(1), Outcome { acked: vec![process(1)], cut_off: vec![] });
    }

    #[test]
    fn another_process_under_the_same_credential_does_not_speak_for_one_that_was_cut_off() {
        let mut roster = with_lost(&[1]);
        let other = SessionId(9);
        roster.open(at(1_000), other, Who::clone(&process(2)), 0);
        roster.step(at(1_000), Input::Applied(1));
        roster.step(at(1_001), Input::Ack { session: other, seq: 1 });
        assert_eq!(roster.complete(), 0, "the lost one may still accept");
        roster.step(at(5_000), Input::Tick);
        assert_eq!(roster.complete(), 1);
        let outcome = roster.outcome(1);
        assert_eq!(outcome.acked, [process(2)]);
        let cut_off: Vec<Arc<Who>> = outcome.cut_off.into_iter().map(|cut| cut.who).collect();
        assert_eq!(cut_off, [process(1)]);
    }
}
