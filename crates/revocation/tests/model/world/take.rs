//! A step, taken.

use nt_revocation::protocol::{
    Change, Event, Input, Next, Proof, Rules, VerifierInput, VerifierLease,
};

use super::{Asking, Record, SESSION, Step, World, now};

impl<R: Rules> World<R> {
    pub(crate) fn take(&mut self, step: Step) {
        match step {
            Step::Tick => self.tick(),
            Step::Start(i) => {
                self.left.starts -= 1;
                self.start(i);
            }
            Step::Crash(i) => {
                self.left.crashes -= 1;
                self.stop(i);
            }
            Step::Leave(i) => {
                self.left.leaves -= 1;
                self.node(i, Input::Leave);
            }
            Step::Apply(i) => self.apply(i),
            Step::Ask(i) => {
                self.left.node_renewals[i] -= 1;
                let anchor = now(self.t).boot;
                self.process(i).asking = Asking::Asked(anchor);
            }
            Step::Serve(i) => {
                let head = self.head();
                let active = self.active[i];
                let process = self.process(i);
                let served = active == Some(process.me.incarnation);
                if let Asking::Asked(anchor) = process.asking {
                    process.asking = Asking::Answered(anchor, served.then_some(head));
                }
            }
            Step::Failover => self.zombie = Some(self.head()),
            Step::ServeByZombie(i) => {
                let head = self.zombie;
                let process = self.process(i);
                if let Asking::Asked(anchor) = process.asking {
                    process.asking = Asking::Answered(anchor, head);
                }
            }
            Step::Answer(i) => self.answer(i),
            Step::Connect(i) => {
                let acked = self.verifier.applied();
                self.process(i).connected = true;
                self.node(i, Input::SessionOpened { session: SESSION, acked });
            }
            Step::Close(i) => {
                self.left.closes -= 1;
                self.process(i).connected = false;
                self.node(i, Input::Disconnected(SESSION));
            }
            Step::Renew(i) => {
                self.left.verifier_renewals -= 1;
                self.verify(i, VerifierInput::Connected);
            }
            Step::Push(i) => {
                let next = self.verifier.applied() + 1;
                assert_eq!(self.verifier.entry(next), Next::Apply);
                self.verify(i, VerifierInput::Applied(next));
            }
            Step::Deliver(message) => self.deliver(message),
            Step::DeliverCopy(message) => {
                self.left.copies -= 1;
                self.deliver(message);
                self.net.insert(message);
            }
            Step::Restart => {
                self.left.restarts -= 1;
                self.verifier = VerifierLease::new(self.lengths, 0, 1_000);
            }
            Step::Fence(_, member) => {
                self.left.fences -= 1;
                self.fence(member, Proof::Suspected);
            }
            Step::DeclareGone(_, member) => {
                self.log.push(Record::Membership(Change::Gone(member)));
            }
            Step::Revoke(c, i) => self.revoke(c, i),
            Step::Report(c, member) => {
                let seq = self.complete[&member];
                self.call(c, Event::NodeAck { member, seq });
            }
        }
    }
}
