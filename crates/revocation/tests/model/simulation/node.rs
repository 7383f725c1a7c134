//! The nodes' side: processes that join, renew, grant, report, suspect each other, leave, and crash.

use std::collections::BTreeSet;

use nt_revocation::protocol::{
    Change, Event, Input, Lengths, Member, Membership, Node, Output, Proof, Revoke, Rules, Tenure,
};

use super::host::{Dice, Host};
use super::life::{Bug, Entry, Kind, Life, PROMISE};
use super::network::Message;

pub(super) struct Process<R: Rules> {
    pub(super) me: Member,
    pub(super) machine: Node<u64, R>,
    pub(super) members: Membership<R>,
    pub(super) revokes: Vec<Revoke<R>>,
    /// The revokes whose commit was answered.
    committed: BTreeSet<u64>,
    /// Whose session is whose.
    pub(super) sessions: Vec<(u64, usize)>,
}

/// A machine on which a node is started again and again.
pub(super) struct Seat<R: Rules> {
    pub(super) host: Host,
    pub(super) process: Option<Process<R>>,
    pub(super) start_at: u64,
    /// The file that says that leases may be out (Sole).
    granted: bool,
}

impl<R: Rules> Seat<R> {
    pub(super) fn new(dice: &mut Dice, drift: u64) -> Self {
        Self { host: Host::new(dice, drift), process: None, start_at: 0, granted: false }
    }
}

impl<R: Rules> Life<R> {
    pub(super) fn start(&mut self, i: usize) {
        let me = self.join(i);
        let seat = &mut self.nodes[i];
        let before = (seat.granted && self.bug != Bug::BeforeForgotten)
            .then_some(Lengths::default().verifier);
        let (tenure, applied) = match self.kind {
            Kind::Leased => (Tenure::Leased, 0),
            Kind::Sole => (Tenure::Sole { before }, self.log.len() as u64),
        };
        let machine = Node::new(seat.host.now(), Lengths::default(), tenure, applied);
        let mut members = Membership::new();
        if self.kind == Kind::Sole {
            // Its only member: what the process before left behind is the business of `before`.
            members.apply(applied, seat.host.now().mono, Some(Change::Joined(me)));
        }
        let (revokes, sessions) = (Vec::new(), Vec::new());
        seat.process =
            Some(Process { me, machine, members, revokes, committed: BTreeSet::new(), sessions });
    }

    pub(super) fn stop(&mut self, i: usize) {
        let down = self.dice.below(if self.turbulent() { 4_000 } else { 200 });
        self.nodes[i].process = None;
        self.nodes[i].start_at = self.t + down;
    }

    /// The process that is meant, if it still runs.
    pub(super) fn process(&mut self, member: Member) -> Option<&mut Process<R>> {
        let process = self.nodes[Self::row(member)].process.as_mut();
        process.filter(|process| process.me == member)
    }

    pub(super) fn open(&mut self, to: Member, v: usize, session: u64, acked: u64) {
        let Some(process) = self.process(to) else { return };
        // A doubled request opens nothing anew.
        if !process.sessions.iter().any(|(known, _)| *known == session) {
            process.sessions.push((session, v));
            self.tell(to, Input::SessionOpened { session, acked });
        }
    }

    pub(super) fn tell(&mut self, to: Member, input: Input<u64>) {
        let now = self.nodes[Self::row(to)].host.now();
        let Some(process) = self.process(to) else { return };
        if let Input::Disconnected(closed) | Input::Released(closed) = input {
            process.sessions.retain(|(session, _)| *session != closed);
        }
        let outputs = process.machine.step(now, input);
        let sessions = process.sessions.clone();
        for output in outputs {
            match output {
                Output::Grant { session, nonce, length, min } => {
                    self.nodes[Self::row(to)].granted = true;
                    let v = sessions.iter().find(|(known, _)| *known == session);
                    let v = v.expect("only sessions that were opened are granted leases").1;
                    self.post(Message::Grant { v, session, nonce, length, min });
                }
                Output::Complete(seq) => self.report(to, seq),
                Output::LeaseLost => self.stop(Self::row(to)),
                Output::Left => {
                    self.fence(to, Proof::Dead);
                    self.log.push(Entry::Membership(Change::Gone(to)));
                    self.nodes[Self::row(to)].granted = false;
                    self.stop(Self::row(to));
                }
                Output::Refused { .. } => {}
            }
        }
    }

    pub(super) fn report(&mut self, member: Member, seq: u64) {
        self.node_ack(Self::row(member), member, seq);
        for to in (0..self.nodes.len()).filter(|to| *to != Self::row(member)) {
            self.post(Message::NodeAck { to, member, seq });
        }
    }

    pub(super) fn node_ack(&mut self, to: usize, member: Member, seq: u64) {
        self.advance(to, |_| Event::NodeAck { member, seq });
    }

    pub(super) fn committed(&mut self, by: Member, seq: u64) {
        let now = self.nodes[Self::row(by)].host.now().mono;
        let Some(process) = self.process(by) else { return };
        // A doubled answer is one answer.
        if process.committed.insert(seq) {
            let revoke = Revoke::new(seq, now, &process.members, &Lengths::default());
            process.revokes.push(revoke);
        }
    }

    pub(super) fn advance(&mut self, i: usize, event: impl Fn(&Membership<R>) -> Event<'_, R>) {
        let Seat { host, process: Some(process), .. } = &mut self.nodes[i] else { return };
        let (now, members) = (host.now().mono, &process.members);
        let (log, tokens, figures) = (&self.log, &mut self.tokens, &mut self.figures);
        let newest_dead = &mut self.newest_dead;
        process.revokes.retain_mut(|revoke| {
            let in_force = revoke.step(now, event(members));
            let at = usize::try_from(revoke.seq() - 1).expect("a short log");
            if let (Some(_), Entry::Revoked(token)) = (in_force, log[at]) {
                tokens[token].answered = true;
                let first = tokens[token].first.map_or(0, |(seq, _)| seq);
                *newest_dead = (*newest_dead).max(first);
                figures.answered += 1;
            }
            in_force.is_none()
        });
    }

    pub(super) fn resync(&mut self, v: usize, session: u64, to: Member) {
        let Some(process) = self.process(to) else { return };
        if process.sessions.contains(&(session, v)) {
            let upto = process.machine.applied();
            self.post(Message::Snapshot { v, session, upto });
        }
    }

    /// The node's own door gives verdicts as well.
    pub(super) fn check_door(&mut self, i: usize) {
        let seat = &self.nodes[i];
        if seat.host.stands_until(self.t).is_none()
            && let Some(process) = &seat.process
            && process.machine.serves(seat.host.now().boot)
            && process.machine.applied() < self.newest_dead
        {
            self.fails(PROMISE);
        }
    }
}
