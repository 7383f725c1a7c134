//! The network, which loses, delays, reorders and doubles.

use std::time::Duration;

use nt_revocation::Position;
use nt_revocation::protocol::{Boot, Input, Member, Rules};

use super::known::{Known, Row};
use super::life::Life;
use super::transactions::{Answer, Append};

/// What a verifier says to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Renew { nonce: u64, epoch: u64, acked: u64 },
    Ack { epoch: u64, seq: u64 },
    Release,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Message {
    /// A node asks a server, and is answered.
    Ask {
        by: Member,
        server: u64,
        anchor: Boot,
        epoch: u64,
    },
    Renewed {
        by: Member,
        anchor: Boot,
        answer: Answer,
    },
    Append {
        by: Member,
        server: u64,
        append: Append,
        epoch: u64,
    },
    Committed {
        by: Member,
        id: u64,
        answer: Answer,
        warned: bool,
    },
    NodeAck {
        to: usize,
        member: Member,
        upto: Position,
    },
    Connect {
        v: usize,
        session: u64,
        to: Member,
        from: Position,
    },
    Close {
        session: u64,
        to: Member,
    },
    ToNode {
        session: u64,
        to: Member,
        says: Says,
    },
    Grant {
        v: usize,
        session: u64,
        nonce: u64,
        length: Duration,
        epoch: u64,
        min: u64,
    },
    Entry {
        v: usize,
        session: u64,
        row: Row,
    },
    Resync {
        v: usize,
        session: u64,
        to: Member,
    },
    Snapshot {
        v: usize,
        session: u64,
        known: Known,
    },
}

impl<R: Rules> Life<R> {
    /// Sends a message: lost, delayed, overtaken or doubled.
    pub(super) fn post(&mut self, message: Message) {
        let turbulent = self.turbulent();
        if turbulent && self.dice.once_in(12) {
            return;
        }
        let copies = if turbulent && self.dice.once_in(15) { 2 } else { 1 };
        for _ in 0..copies {
            // In the calm a stream keeps its order, as it does in life.
            let far = if self.dice.once_in(15) { 3_000 } else { 40 };
            let delay = if turbulent { self.dice.below(far) } else { 20 };
            let at = self.t + delay;
            self.queue(at, message);
        }
    }

    pub(super) fn queue(&mut self, at: u64, message: Message) {
        self.posted += 1;
        self.mail.insert((at, self.posted), message);
    }

    pub(super) fn deliver(&mut self, message: Message) {
        let host = match message {
            Message::Ask { .. } | Message::Append { .. } => None,
            Message::Renewed { by: to, .. }
            | Message::Committed { by: to, .. }
            | Message::Connect { to, .. }
            | Message::Close { to, .. }
            | Message::ToNode { to, .. }
            | Message::Resync { to, .. } => Some(&self.nodes[Self::row(to)].host),
            Message::NodeAck { to, .. } => Some(&self.nodes[to].host),
            Message::Grant { v, .. } | Message::Entry { v, .. } | Message::Snapshot { v, .. } => {
                Some(&self.verifiers[v].host)
            }
        };
        if let Some(later) = host.and_then(|host| host.stands_until(self.t)) {
            self.queue(later, message);
            return;
        }
        match message {
            Message::Ask { by, server, anchor, epoch } => self.renew(by, server, anchor, epoch),
            Message::Renewed { by, anchor, answer } => match answer {
                Answer::Done(head) => self.tell(by, Input::Renewed { anchor, head }),
                Answer::Refused => self.tell(by, Input::RenewalRefused),
                Answer::Moved => self.unlink(by),
            },
            Message::Append { by, server, append, epoch } => {
                self.append(by, server, append, epoch);
            }
            Message::Committed { by, id, answer, warned } => {
                self.committed(by, id, answer, warned);
            }
            Message::NodeAck { to, member, upto } => self.node_ack(to, member, upto),
            Message::Connect { v, session, to, from } => self.open(to, v, session, from),
            Message::Close { session, to } => self.tell(to, Input::Disconnected(session)),
            Message::ToNode { session, to, says } => self.hear(session, to, says),
            Message::Grant { v, session, nonce, length, epoch, min } => {
                self.granted(v, session, (nonce, length), (epoch, min));
            }
            Message::Entry { v, session, row } => self.entry(v, session, &row),
            Message::Resync { v, session, to } => self.resync(v, session, to),
            Message::Snapshot { v, session, known } => self.snapshot(v, session, &known),
        }
    }
}
