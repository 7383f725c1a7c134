//! What a node does by itself: it tails the log, asks, reports, suspects others, and ends.

use nt_revocation::protocol::{Change, Event, Input, Lengths, Member, Proof, Rules};

use super::life::{Entry, Kind, Life};
use super::network::Message;

impl<R: Rules> Life<R> {
    pub(super) fn run_node(&mut self, i: usize) {
        if self.nodes[i].host.stands_until(self.t).is_some() {
            return;
        }
        let Some(me) = self.nodes[i].process.as_ref().map(|process| process.me) else {
            if self.t >= self.nodes[i].start_at {
                self.start(i);
            }
            return;
        };
        if self.turbulent() && self.dice.once_in(1_500) {
            self.stop(i);
            return;
        }
        if self.turbulent() && self.dice.once_in(1_500) {
            self.tell(me, Input::Leave);
        }
        if self.dice.once_in(60) {
            self.commit_revoke(me);
        }
        if self.kind == Kind::Leased && self.dice.once_in(60) {
            let anchor = self.nodes[i].host.now().boot;
            self.post(Message::Ask { by: me, anchor });
        }
        if self.turbulent() && self.dice.once_in(300) {
            // A stream that the node gives up; whoever was at its other end does not know.
            let which = usize::try_from(self.dice.below(4)).expect("few");
            let session =
                self.nodes[i].process.as_ref().and_then(|p| p.sessions.iter().rev().nth(which));
            if let Some((session, _)) = session.copied() {
                self.tell(me, Input::Disconnected(session));
            }
        }
        if self.dice.once_in(10) {
            let complete = self.nodes[i].process.as_ref().map_or(0, |p| p.machine.complete());
            self.report(me, complete);
        }
        let behind = |life: &Self| {
            let applied = life.nodes[i].process.as_ref().map(|p| p.machine.applied());
            applied.is_some_and(|applied| applied + 20 < life.head())
        };
        while (behind(self) || self.dice.below(4) > 0) && self.apply_next(me) {}
        self.judge(me);
        self.tell(me, Input::Tick);
        self.advance(i, |_| Event::Tick);
    }

    /// Tails the log; whether there was something.
    fn apply_next(&mut self, me: Member) -> bool {
        let now = self.nodes[Self::row(me)].host.now().mono;
        let log = std::mem::take(&mut self.log);
        let applied = self.process(me).and_then(|process| {
            let seq = process.machine.applied() + 1;
            let entry = *log.get(usize::try_from(seq - 1).expect("a short log"))?;
            let change = match entry {
                Entry::Membership(change) => Some(change),
                Entry::Revoked(_) => None,
            };
            process.members.apply(seq, now, change);
            Some((seq, change, process.sessions.clone()))
        });
        self.log = log;
        let Some((seq, change, sessions)) = applied else { return false };
        self.tell(me, Input::Applied(seq));
        for (session, v) in sessions {
            if self.verifiers[v].hears(session) {
                self.post(Message::Entry { v, session, seq });
            }
        }
        self.advance(Self::row(me), |members| Event::Folded(members));
        if let Some(Change::Gone(member)) = change {
            self.advance(Self::row(me), |_| Event::NodeGone(member));
        }
        true
    }

    /// Suspects somebody, rightly or not, and declares gone whose leases are over.
    fn judge(&mut self, me: Member) {
        let now = self.nodes[Self::row(me)].host.now().mono;
        let suspects = self.turbulent() && self.dice.once_in(1_000);
        let (which, head) = (self.dice.below(3), self.head());
        let Some(process) = self.process(me) else { return };
        let suspect = {
            let mut others = process.members.members().filter(|member| *member != me);
            others.nth(usize::try_from(which).expect("few")).filter(|_| suspects)
        };
        let caught_up = process.machine.applied() == head;
        let ended = process.members.ended(now, &Lengths::default());
        if let Some(member) = suspect {
            self.fence(member, Proof::Suspected);
        }
        for member in ended.into_iter().filter(|member| caught_up && *member != me) {
            self.log.push(Entry::Membership(Change::Gone(member)));
        }
    }
}
