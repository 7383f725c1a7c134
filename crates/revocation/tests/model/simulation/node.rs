//! The nodes' side: processes that join, grant and end. What they report and answer is in
//! [`super::answers`].

use std::collections::BTreeMap;

use nt_revocation::Position;
use nt_revocation::protocol::{
    Change, History, Input, Lengths, Member, Membership, Node, Output, Proof, Revoke, Rules,
    Tenure, history,
};

use super::host::{Dice, Host};
use super::journal::Journal;
use super::known::{Known, Row, find};
use super::life::{Bug, Kind, Life, PROMISE};
use super::network::{Message, Says};
use super::transactions::Append;

pub(super) struct Process<R: Rules> {
    pub(super) me: Member,
    pub(super) machine: Node<u64, R>,
    pub(super) members: Membership<R>,
    pub(super) revokes: Vec<Revoke<R>>,
    /// The tokens of the revokes whose commit was answered, by entry.
    pub(super) committed: BTreeMap<u64, usize>,
    /// Whose session is whose.
    pub(super) sessions: Vec<(u64, usize)>,
    /// The server that it is connected to and has judged.
    pub(super) link: Option<u64>,
    pub(super) history: History,
    pub(super) epoch: u64,
    /// What it has applied.
    pub(super) log: Vec<Row>,
    pub(super) known: Known,
    pub(super) appends: Vec<Append>,
}

/// A machine on which a node is started again and again.
pub(super) struct Seat<R: Rules> {
    pub(super) host: Host,
    pub(super) process: Option<Process<R>>,
    pub(super) start_at: u64,
    pub(super) journal: Journal,
    /// The file that says that leases may be out (Sole).
    granted: bool,
}

impl<R: Rules> Seat<R> {
    pub(super) fn new(dice: &mut Dice, drift: u64) -> Self {
        let (host, journal) = (Host::new(dice, drift), Journal::default());
        Self { host, process: None, start_at: 0, journal, granted: false }
    }
}

impl<R: Rules> Life<R> {
    pub(super) fn start(&mut self, i: usize) {
        self.nodes[i].start_at = self.t + 100 + self.dice.below(400);
        let Some(server) = self.reach() else { return };
        let history = History::new(self.nodes[i].journal.witness(), self.failover());
        if self.settle(server, &history).is_none() {
            return;
        }
        let Some(me) = self.join(server, i) else { return };
        let Some(disk) = self.db.server(server, self.t).map(|server| &server.disk) else { return };
        let (epoch, mut log) = (disk.epoch, Vec::new());
        let seat = &mut self.nodes[i];
        let before = (seat.granted && self.bug != Bug::BeforeForgotten)
            .then_some(Lengths::default().verifier);
        let mut members = Membership::new();
        let tenure = match self.kind {
            Kind::Leased | Kind::Replicated(_) => Tenure::Leased,
            Kind::Sole => {
                log.clone_from(&disk.log);
                // Its only member: what the process before left behind is the business of `before`.
                let head = disk.head().seq;
                members.apply(head, seat.host.now().mono, Some(Change::Joined(me)));
                Tenure::Sole { before }
            }
        };
        let mut known = Known::nothing();
        for row in &log {
            known.apply(row);
        }
        let machine = Node::new(seat.host.now(), Lengths::default(), tenure, known.at.seq);
        seat.process = Some(Process {
            me,
            machine,
            members,
            revokes: Vec::new(),
            committed: BTreeMap::new(),
            sessions: Vec::new(),
            link: Some(server),
            history: history.begun(epoch),
            epoch,
            log,
            known,
            appends: Vec::new(),
        });
    }

    pub(super) fn stop(&mut self, i: usize) {
        let down = self.dice.below(if self.turbulent() { 4_000 } else { 200 });
        self.nodes[i].process = None;
        self.nodes[i].start_at = self.t + down;
    }

    pub(super) fn crash(&mut self, i: usize) {
        self.stop(i);
        self.nodes[i].journal.crash();
    }

    /// The process that is meant, if it still runs.
    pub(super) fn process(&mut self, member: Member) -> Option<&mut Process<R>> {
        let process = self.nodes[Self::row(member)].process.as_mut();
        process.filter(|process| process.me == member)
    }

    pub(super) fn open(&mut self, to: Member, v: usize, session: u64, from: Position) {
        let t = self.t;
        let Some(link) = self.process(to).and_then(|process| process.link) else { return };
        let Some(server) = self.db.server(link, t) else { return };
        let mut here = find(&server.disk.log, from.seq);
        if self.bug == Bug::NumberIsIdentity {
            here = here.map(|_| from);
        }
        if history::loss(from, server.disk.epoch, here).is_some() {
            self.alarm();
            return;
        }
        let by_number = self.bug == Bug::NumberIsIdentity;
        let Some(process) = self.process(to) else { return };
        // Only what is of this very log is acknowledged.
        let known = by_number || find(&process.log, from.seq) == Some(from);
        let acked = if known { from.seq } else { 0 };
        // A doubled request opens nothing anew.
        if !process.sessions.iter().any(|(known, _)| *known == session) {
            process.sessions.push((session, v));
            self.tell(to, Input::SessionOpened { session, acked });
        }
    }

    /// What a verifier says of another epoch counts for nothing, whatever its numbers.
    pub(super) fn hear(&mut self, session: u64, to: Member, says: Says) {
        let Some(at) = self.process(to).map(|process| process.known.at) else { return };
        let input = match says {
            Says::Renew { nonce, epoch, acked } => {
                let acked = if epoch == at.epoch { acked.min(at.seq) } else { 0 };
                Input::Renew { session, nonce, acked }
            }
            Says::Ack { epoch, .. } if epoch != at.epoch => return,
            Says::Ack { seq, .. } => Input::Ack { session, seq: seq.min(at.seq) },
            Says::Release => Input::Released(session),
        };
        self.tell(to, input);
    }

    pub(super) fn tell(&mut self, to: Member, input: Input<u64>) {
        let now = self.nodes[Self::row(to)].host.now();
        let Some(process) = self.process(to) else { return };
        if let Input::Disconnected(closed) | Input::Released(closed) = input {
            process.sessions.retain(|(session, _)| *session != closed);
        }
        let (outputs, epoch) = (process.machine.step(now, input), process.known.at.epoch);
        let sessions = process.sessions.clone();
        for output in outputs {
            match output {
                Output::Grant { session, nonce, length, min } => {
                    self.nodes[Self::row(to)].granted = true;
                    let v = sessions.iter().find(|(known, _)| *known == session);
                    let v = v.expect("only sessions that were opened are granted leases").1;
                    self.post(Message::Grant { v, session, nonce, length, epoch, min });
                }
                Output::Complete(seq) => self.report(to, seq),
                Output::LeaseLost => self.stop(Self::row(to)),
                Output::Left => self.left(to),
                Output::Refused { .. } => {}
            }
        }
    }

    /// Its last lease is over.
    pub(super) fn left(&mut self, me: Member) {
        if let Some(link) = self.process(me).and_then(|process| process.link) {
            self.change(link, &[Change::Fenced(me, Proof::Dead), Change::Gone(me)]);
        }
        self.nodes[Self::row(me)].granted = false;
        self.stop(Self::row(me));
    }

    pub(super) fn resync(&mut self, v: usize, session: u64, to: Member) {
        let Some(process) = self.process(to) else { return };
        if process.sessions.contains(&(session, v)) {
            let known = process.known;
            self.post(Message::Snapshot { v, session, known });
        }
    }

    /// The node's own door gives verdicts as well.
    pub(super) fn check_door(&mut self, i: usize) {
        let seat = &self.nodes[i];
        if seat.host.stands_until(self.t).is_none()
            && let Some(process) = &seat.process
            && process.machine.serves(seat.host.now().boot)
            && !process.known.dead.cover(&self.dead)
        {
            self.fails(PROMISE);
        }
    }
}
