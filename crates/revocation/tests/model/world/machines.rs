//! The machines driven: what goes in, and where what comes out goes.

use nt_revocation::protocol::{
    Change, Event, How, Incarnation, Input, Member, Membership, Node, NodeId, Output, Proof,
    Revoke, Rules, Tenure, VerifierInput, VerifierOutput,
};

use super::{Asking, Caller, Kind, Message, Process, Record, SESSION, World, now};

impl<R: Rules> World<R> {
    pub(super) fn process(&mut self, i: usize) -> &mut Process<R> {
        self.nodes[i].as_mut().expect("only steps of processes that run are offered")
    }

    pub(super) fn tick(&mut self) {
        self.t += 1;
        for i in 0..2 {
            if self.nodes[i].is_some() {
                self.node(i, Input::Tick);
            }
        }
        (0..self.callers.len()).for_each(|c| self.call(c, Event::Tick));
    }

    pub(super) fn start(&mut self, i: usize) {
        self.incarnations += 1;
        let node = NodeId(i as u64);
        let me = Member { node, incarnation: Incarnation(self.incarnations) };
        if self.kind == Kind::Sole {
            let (seen, head) = (now(self.t), self.head());
            let before = self.granted.then_some(self.lengths.verifier);
            let machine = Node::new(seen, self.lengths, Tenure::Sole { before }, head);
            let mut members = Membership::new();
            members.apply(head, seen.mono, Some(Change::Joined(me)));
            let asking = Asking::Nothing;
            self.nodes[i] = Some(Process { me, machine, members, asking, connected: false });
            return;
        }
        if let Some(incarnation) = self.active[i] {
            self.fence(Member { node, incarnation }, Proof::Dead);
        }
        self.active[i] = Some(me.incarnation);
        self.log.push(Record::Membership(Change::Joined(me)));
        let machine = Node::new(now(self.t), self.lengths, Tenure::Leased, 0);
        let members = Membership::new();
        let asking = Asking::Nothing;
        self.nodes[i] = Some(Process { me, machine, members, asking, connected: false });
    }

    pub(super) fn fence(&mut self, member: Member, proof: Proof) {
        let row = usize::try_from(member.node.0).expect("two nodes");
        if self.active[row] == Some(member.incarnation) {
            self.active[row] = None;
        }
        self.log.push(Record::Membership(Change::Fenced(member, proof)));
    }

    pub(super) fn stop(&mut self, i: usize) {
        self.nodes[i] = None;
        for caller in &mut self.callers {
            if matches!(caller, Caller::Waits { node, .. } if *node == i) {
                *caller = Caller::Failed;
            }
        }
    }

    pub(super) fn apply(&mut self, i: usize) {
        let seen = now(self.t).mono;
        let seq = self.process(i).machine.applied() + 1;
        let at = usize::try_from(seq - 1).expect("a short log");
        let change = match self.log[at] {
            Record::Revoked => None,
            Record::Membership(change) => Some(change),
        };
        self.process(i).members.apply(seq, seen, change);
        self.node(i, Input::Applied(seq));
        let members = self.process(i).members.clone();
        for c in 0..self.callers.len() {
            if matches!(self.callers[c], Caller::Waits { node, .. } if node == i) {
                self.call(c, Event::Folded(&members));
                if let Some(Change::Gone(member)) = change {
                    self.call(c, Event::NodeGone(member));
                }
            }
        }
    }

    pub(super) fn answer(&mut self, i: usize) {
        let process = self.process(i);
        let asking = std::mem::replace(&mut process.asking, Asking::Nothing);
        match asking {
            Asking::Answered(anchor, Some(head)) => self.node(i, Input::Renewed { anchor, head }),
            Asking::Answered(_, None) => self.node(i, Input::RenewalRefused),
            Asking::Nothing | Asking::Asked(_) => {}
        }
    }

    pub(super) fn node(&mut self, i: usize, input: Input<u8>) {
        let now = now(self.t);
        let Some(process) = &mut self.nodes[i] else { return };
        let (me, outputs) = (process.me, process.machine.step(now, input));
        for output in outputs {
            match output {
                Output::Grant { nonce, length, min, .. } => {
                    self.granted = self.kind == Kind::Sole;
                    self.net.insert(Message::Grant { nonce, length, min });
                }
                Output::Left => self.left(i, me),
                Output::Complete(seq) => {
                    self.complete.insert(me, seq);
                }
                Output::Refused { .. } | Output::LeaseLost => {}
            }
        }
    }

    /// The last lease of a node that ends in order is over.
    fn left(&mut self, i: usize, me: Member) {
        self.granted = false;
        if self.kind == Kind::Leased {
            self.fence(me, Proof::Dead);
            self.log.push(Record::Membership(Change::Gone(me)));
        }
        self.stop(i);
    }

    pub(super) fn verify(&mut self, i: usize, input: VerifierInput) {
        for output in self.verifier.step(now(self.t), input) {
            match output {
                VerifierOutput::Renew { nonce, acked } => {
                    self.net.insert(Message::Renew { node: i, nonce, acked });
                }
                VerifierOutput::Ack(seq) => {
                    self.net.insert(Message::Ack { node: i, seq });
                }
                VerifierOutput::LeaseUntil(_)
                | VerifierOutput::LeaseOver
                | VerifierOutput::Release => {}
            }
        }
    }

    pub(super) fn deliver(&mut self, message: Message) {
        self.net.remove(&message);
        let session = SESSION;
        match message {
            Message::Renew { node, nonce, acked } if self.nodes[node].is_some() => {
                self.node(node, Input::Renew { session, nonce, acked });
            }
            Message::Ack { node, seq } if self.nodes[node].is_some() => {
                self.node(node, Input::Ack { session, seq });
            }
            Message::Renew { .. } | Message::Ack { .. } => {}
            Message::Grant { nonce, length, min } => {
                self.verify(0, VerifierInput::Granted { nonce, length, min });
            }
        }
    }

    pub(super) fn revoke(&mut self, c: usize, i: usize) {
        if !Revoke::<R>::needs_entry(self.first().is_some()) {
            self.callers[c] = Caller::Done(How::Acked);
            return;
        }
        self.log.push(Record::Revoked);
        let (seq, committed) = (self.head(), now(self.t).mono);
        let lengths = self.lengths;
        let revoke = Revoke::new(seq, committed, &self.process(i).members, &lengths);
        self.callers[c] = Caller::Waits { node: i, revoke };
        // A commit on the process's own database is applied before anything else is done with it.
        while self.kind == Kind::Sole && self.can_apply(i) {
            self.apply(i);
        }
        self.call(c, Event::Tick);
    }

    pub(super) fn call(&mut self, c: usize, event: Event<'_, R>) {
        if let Caller::Waits { revoke, .. } = &mut self.callers[c]
            && let Some(in_force) = revoke.step(now(self.t).mono, event)
        {
            self.callers[c] = Caller::Done(in_force.how);
        }
    }
}
