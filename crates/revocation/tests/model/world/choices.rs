//! What may happen next.

use nt_revocation::protocol::{Change, Rules};

use super::{Asking, Bounds, Caller, Kind, Process, Record, Step, World, now};

impl<R: Rules> World<R> {
    pub(crate) fn steps(&self, bounds: &Bounds, steps: &mut Vec<Step>) {
        if self.t < bounds.ticks {
            steps.push(Step::Tick);
        }
        if R::RENEWAL_BY_READ && self.zombie.is_none() {
            steps.push(Step::Failover);
        }
        for (i, node) in self.nodes.iter().enumerate() {
            match node {
                Some(process) => self.steps_of(i, process, steps),
                None if self.left.starts > 0 && (i == 0 || self.kind == Kind::Leased) => {
                    steps.push(Step::Start(i));
                }
                None => {}
            }
        }
        steps.extend(self.net.iter().map(|message| Step::Deliver(*message)));
        if self.left.copies > 0 {
            steps.extend(self.net.iter().map(|message| Step::DeliverCopy(*message)));
        }
        if self.left.restarts > 0 {
            steps.push(Step::Restart);
        }
        for (c, caller) in self.callers.iter().enumerate() {
            if let Caller::Waits { revoke, .. } = caller {
                let reports = self.complete.iter().filter(|(member, seq)| {
                    **seq >= revoke.seq()
                        && revoke.waiting_for().is_some_and(|waiting| waiting.contains(member))
                });
                steps.extend(reports.map(|(member, _)| Step::Report(c, *member)));
            }
        }
    }

    fn steps_of(&self, i: usize, process: &Process<R>, steps: &mut Vec<Step>) {
        if self.left.crashes > 0 {
            steps.push(Step::Crash(i));
        }
        if self.left.leaves > 0 {
            steps.push(Step::Leave(i));
        }
        if self.can_apply(i) {
            steps.push(Step::Apply(i));
        }
        match process.asking {
            Asking::Nothing if self.left.node_renewals[i] > 0 && self.kind == Kind::Leased => {
                steps.push(Step::Ask(i));
            }
            Asking::Nothing => {}
            Asking::Asked(_) => {
                steps.push(Step::Serve(i));
                if self.zombie.is_some() {
                    steps.push(Step::ServeByZombie(i));
                }
            }
            Asking::Answered(..) => steps.push(Step::Answer(i)),
        }
        if process.connected {
            if self.left.closes > 0 {
                steps.push(Step::Close(i));
            }
            if self.left.verifier_renewals > 0 {
                steps.push(Step::Renew(i));
            }
            let next = self.verifier.applied() + 1;
            if next <= process.machine.applied() {
                steps.push(Step::Push(i));
            }
        } else {
            steps.push(Step::Connect(i));
        }
        if self.left.fences > 0 {
            let others = process.members.members().filter(|member| *member != process.me);
            steps.extend(others.map(|member| Step::Fence(i, member)));
        }
        for member in process.members.ended(now(self.t).mono, &self.lengths) {
            let gone = Record::Membership(Change::Gone(member));
            if member != process.me && !self.log.contains(&gone) {
                steps.push(Step::DeclareGone(i, member));
            }
        }
        // Callers are alike: the first that is idle stands for all.
        let idle = self.callers.iter().position(|caller| *caller == Caller::Idle);
        steps.extend(idle.map(|c| Step::Revoke(c, i)));
    }

    pub(super) fn can_apply(&self, i: usize) -> bool {
        self.nodes[i].as_ref().is_some_and(|process| process.machine.applied() < self.head())
    }
}
