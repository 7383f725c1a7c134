//! What a verifier does by itself: it renews, goes to other nodes, crashes and leaves.

use nt_revocation::protocol::{Leases, Lengths, Member, Rules};

use super::known::{Known, Tokens};
use super::life::{Bug, Life};
use super::network::{Message, Says};

impl<R: Rules> Life<R> {
    pub(super) fn run_verifier(&mut self, v: usize) {
        let (t, turbulent) = (self.t, self.turbulent());
        let verifier = &mut self.verifiers[v];
        if verifier.host.stands_until(t).is_some() || t < verifier.down_until {
            return;
        }
        if self.bug == Bug::AckBeforeApply && self.dice.once_in(10) {
            verifier.state = verifier.applied;
        }
        if turbulent && self.dice.once_in(2_000) {
            if self.dice.once_in(2) {
                self.verify(v, Leases::leave);
            }
            self.end(v);
            return;
        }
        let silent = t - self.verifiers[v].heard_at > 1_500;
        if silent || (turbulent && self.dice.once_in(700)) {
            self.connect(v);
        }
        self.verify(v, Leases::tick);
    }

    /// This process ends; the next one starts with what was kept on disk, or with nothing.
    fn end(&mut self, v: usize) {
        let (down, kept) = (self.dice.below(3_000), self.dice.once_in(2));
        let verifier = &mut self.verifiers[v];
        let applied = if kept { verifier.state } else { Known::nothing() };
        verifier.leases = Leases::new(Lengths::default(), applied.at.seq);
        verifier.sessions.clear();
        verifier.down_until = self.t + down;
        verifier.end = None;
        verifier.state = applied;
        verifier.applied = applied;
        verifier.refused = if kept { verifier.refused } else { Tokens::default() };
        verifier.checks = [None; 2];
        verifier.cached.clear();
    }

    /// Its streams broke; the nodes may or may not see it.
    fn drop_streams(&mut self, v: usize) {
        for (session, to) in std::mem::take(&mut self.verifiers[v].sessions) {
            self.verifiers[v].leases.broke(session);
            self.post(if self.bug == Bug::ReleasedTooEarly {
                Message::ToNode { session, to, says: Says::Release }
            } else {
                Message::Close { session, to }
            });
        }
    }

    /// Goes to a node that may be another. The streams before go on until that one has granted a lease,
    /// or they break.
    fn connect(&mut self, v: usize) {
        let up = self.nodes.iter().filter_map(|seat| seat.process.as_ref());
        let up: Vec<Member> = up.map(|process| process.me).collect();
        if up.is_empty() {
            return;
        }
        let breaks = self.dice.once_in(2) || self.verifiers[v].sessions.len() > 2;
        if breaks || self.bug == Bug::ReleasedTooEarly {
            self.drop_streams(v);
        }
        let which = self.dice.below(up.len() as u64);
        let to = up[usize::try_from(which).expect("few nodes")];
        self.sessions += 1;
        let session = self.sessions;
        self.verifiers[v].heard_at = self.t;
        self.verifiers[v].sessions.push((session, to));
        let from = self.verifiers[v].state.at;
        self.post(Message::Connect { v, session, to, from });
        let nonces = self.dice.below(1 << 40) << 20;
        self.verify(v, |leases, now| leases.open(now, session, nonces));
        self.ask_for_state(v, session);
    }
}
