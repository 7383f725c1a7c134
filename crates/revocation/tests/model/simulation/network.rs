//! The network, which loses, delays, reorders and doubles; and the database with its log.

use std::time::Duration;

use nt_revocation::protocol::{
    Boot, Change, Incarnation, Input, LinkOutput, Member, NodeId, Proof, Rules,
};

use super::life::{Entry, Life, PROMPT_MS, Token};
use super::verifier::Hears;

#[derive(Debug, Clone, Copy)]
pub(super) enum Message {
    /// A node asks the database, and is answered; `None` for a refusal.
    Ask {
        by: Member,
        anchor: Boot,
    },
    Renewed {
        by: Member,
        anchor: Boot,
        head: Option<u64>,
    },
    /// The database answers a commit.
    Committed {
        by: Member,
        seq: u64,
    },
    NodeAck {
        to: usize,
        member: Member,
        seq: u64,
    },
    Connect {
        v: usize,
        session: u64,
        to: Member,
        acked: u64,
    },
    Close {
        session: u64,
        to: Member,
    },
    ToNode {
        to: Member,
        says: LinkOutput<u64>,
    },
    Grant {
        v: usize,
        session: u64,
        nonce: u64,
        length: Duration,
        min: u64,
    },
    Entry {
        v: usize,
        session: u64,
        seq: u64,
    },
    Resync {
        v: usize,
        session: u64,
        to: Member,
    },
    Snapshot {
        v: usize,
        session: u64,
        upto: u64,
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

    fn queue(&mut self, at: u64, message: Message) {
        self.posted += 1;
        self.mail.insert((at, self.posted), message);
    }

    pub(super) fn deliver(&mut self, message: Message) {
        let host = match message {
            Message::Ask { .. } => None,
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
            Message::Ask { by, anchor } => {
                let served = self.active[Self::row(by)] == Some(by.incarnation);
                let head = served.then_some(self.head());
                self.post(Message::Renewed { by, anchor, head });
            }
            Message::Renewed { by, anchor, head: Some(head) } => {
                self.tell(by, Input::Renewed { anchor, head });
            }
            Message::Renewed { by, head: None, .. } => self.tell(by, Input::RenewalRefused),
            Message::Committed { by, seq } => self.committed(by, seq),
            Message::NodeAck { to, member, seq } => self.node_ack(to, member, seq),
            Message::Connect { v, session, to, acked } => self.open(to, v, session, acked),
            Message::Close { session, to } => self.tell(to, Input::Disconnected(session)),
            Message::ToNode { to, says } => match says {
                LinkOutput::Renew { link: session, nonce, acked } => {
                    self.tell(to, Input::Renew { session, nonce, acked });
                }
                LinkOutput::Ack { link: session, seq } => {
                    self.tell(to, Input::Ack { session, seq });
                }
                LinkOutput::Release(session) => self.tell(to, Input::Released(session)),
                LinkOutput::LeaseUntil(_)
                | LinkOutput::LeaseOnlyUntil(_)
                | LinkOutput::LeaseOver => {}
            },
            Message::Grant { v, session, nonce, length, min } => {
                if self.verifiers[v].hears(session) {
                    self.verify(v, Hears::Granted { session, nonce, length, min });
                    if self.verifiers[v].applied < min {
                        self.ask_for_state(v, session);
                    }
                }
            }
            Message::Entry { v, session, seq } => self.entry(v, session, seq),
            Message::Resync { v, session, to } => self.resync(v, session, to),
            Message::Snapshot { v, session, upto } => {
                let verifier = &self.verifiers[v];
                if verifier.hears(session) && upto > verifier.applied {
                    self.verify(v, Hears::Applied(upto));
                }
            }
        }
    }

    /// The database takes a revoke of a token: a new one, or one that is dying or dead already.
    pub(super) fn commit_revoke(&mut self, by: Member) {
        let last = self.tokens.len() - 1;
        let token = if self.dice.once_in(4) { last.saturating_sub(1) } else { last };
        self.log.push(Entry::Revoked(token));
        let seq = self.head();
        self.tokens[token].first.get_or_insert((seq, self.t));
        if token == last {
            self.tokens.push(Token::default());
        }
        if self.recovered() {
            self.prompt.push((token, self.t + PROMPT_MS));
        }
        self.post(Message::Committed { by, seq });
    }

    pub(super) fn fence(&mut self, member: Member, proof: Proof) {
        let active = &mut self.active[Self::row(member)];
        *active = active.filter(|incarnation| *incarnation != member.incarnation);
        self.log.push(Entry::Membership(Change::Fenced(member, proof)));
    }

    pub(super) fn join(&mut self, i: usize) -> Member {
        let node = NodeId(i as u64);
        if let Some(incarnation) = self.active[i] {
            self.fence(Member { node, incarnation }, Proof::Dead);
        }
        self.incarnations += 1;
        let me = Member { node, incarnation: Incarnation(self.incarnations) };
        self.active[i] = Some(me.incarnation);
        self.log.push(Entry::Membership(Change::Joined(me)));
        me
    }
}
