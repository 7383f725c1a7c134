//! What nodes ask of the database, and how it is answered: in time, late, with a warning, or never.

use nt_revocation::Position;
use nt_revocation::protocol::{Boot, Change, Incarnation, Lineage, Member, NodeId, Proof, Rules};

use super::contents::Write;
use super::database::Waiting;
use super::known::{Fact, Row, id};
use super::life::{Bug, Kind, Life};
use super::network::Message;

/// What a statement came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The entry's number, or the head that a renewal saw.
    Done(u64),
    /// The database renews this incarnation no more.
    Refused,
    /// The epoch is another, or the server.
    Moved,
}

/// An append under way, at the node that wants it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Append {
    pub(super) id: u64,
    pub(super) token: usize,
    pub(super) again_at: u64,
}

impl<R: Rules> Life<R> {
    /// Whether a statement by a node of this epoch has any effect on this server.
    fn moved(&self, server: u64, epoch: u64) -> bool {
        let servers = [Some(&self.db.primary), self.db.zombie.as_ref()];
        let server = servers.into_iter().flatten().find(|known| known.id == server);
        server.is_none_or(|it| it.disk.epoch != epoch || it.disk.recorded != it.lineage)
    }

    pub(super) fn renew(&mut self, by: Member, server: u64, anchor: Boot, epoch: u64) {
        let moved = self.moved(server, epoch);
        let t = self.t;
        let Some(at) = self.db.server(server, t) else { return };
        let refused = at.disk.active[Self::row(by)] != Some(by.incarnation);
        let head = at.disk.head().seq;
        let renewed = |answer| Message::Renewed { by, anchor, answer };
        if moved {
            self.post(renewed(Answer::Moved));
        } else if refused {
            self.post(renewed(Answer::Refused));
        } else if self.bug == Bug::RenewalByRead {
            self.post(renewed(Answer::Done(head)));
        } else {
            let write = (vec![Write::Nothing], renewed(Answer::Done(head)), false);
            self.db.write(server, write, t);
        }
    }

    pub(super) fn append(&mut self, by: Member, server: u64, append: Append, epoch: u64) {
        let moved = self.moved(server, epoch);
        let (t, serial) = (self.t, self.bug == Bug::Serial);
        let Some(at) = self.db.server(server, t) else { return };
        if at.locked() && !serial {
            self.queue(t + 10, Message::Append { by, server, append, epoch });
            return;
        }
        let answer = |answer| Message::Committed { by, id: append.id, answer, warned: false };
        if moved {
            self.post(answer(Answer::Moved));
            return;
        }
        let entry = id(append.id);
        let known = at.disk.log.iter().rev().find(|row| row.at.entry == entry);
        if let Some(row) = known {
            // Its own commit may not have reached the standby. That of this write proves it.
            let write = (vec![Write::Nothing], answer(Answer::Done(row.at.seq)), false);
            self.db.write(server, write, t);
            return;
        }
        let mut last = at.disk.head().seq;
        for write in at.waiting.iter().flat_map(|waiting| &waiting.writes).filter(|_| serial) {
            match write {
                Write::Row(row) if row.at.entry == entry => return,
                Write::Row(row) => last = last.max(row.at.seq),
                _ => {}
            }
        }
        let at = Position { epoch: at.disk.epoch, seq: last + 1, entry };
        let row = Write::Row(Row { at, fact: Fact::Revoked(append.token) });
        let not_before = if serial { t + self.dice.below(300) } else { t };
        self.db.write(server, (vec![row], answer(Answer::Done(at.seq)), true), not_before);
    }

    pub(super) fn run_database(&mut self) {
        if self.db.synchronous {
            if self.t >= self.db.cut_until {
                self.db.send();
            }
        } else if self.t >= self.db.cut_until && self.dice.once_in(20) {
            self.db.send();
        }
        for waiting in self.db.done(self.t) {
            self.visible(waiting);
        }
        if matches!(self.kind, Kind::Replicated(_)) {
            self.mishap();
            self.operate();
        }
    }

    pub(super) fn visible(&mut self, waiting: Waiting) {
        for write in waiting.writes {
            if let Write::Row(Row { fact: Fact::Revoked(token), .. }) = write {
                self.tokens[token].first.get_or_insert(self.t);
            }
        }
        self.post(waiting.answer);
    }

    fn next_row(&mut self, server: u64, ahead: u64, change: Change) -> Option<Write> {
        self.ids += 1;
        let (t, entry) = (self.t, id(self.ids));
        let disk = &self.db.server(server, t)?.disk;
        let at = Position { epoch: disk.epoch, seq: disk.head().seq + 1 + ahead, entry };
        Some(Write::Row(Row { at, fact: Fact::Membership(change) }))
    }

    /// Writes changes of the membership; whether the database took them.
    pub(super) fn change(&mut self, server: u64, changes: &[Change]) -> bool {
        let mut writes = Vec::new();
        for (ahead, change) in (0..).zip(changes) {
            let Some(row) = self.next_row(server, ahead, *change) else { return false };
            writes.push(row);
            let active = self.db.server(server, self.t).map(|at| at.disk.active.clone());
            let active = active.unwrap_or_default();
            match change {
                Change::Joined(me) => {
                    writes.push(Write::Active(Self::row(*me), Some(me.incarnation)));
                }
                Change::Fenced(member, _) | Change::Gone(member) => {
                    let row = Self::row(*member);
                    if active[row] == Some(member.incarnation) {
                        writes.push(Write::Active(row, None));
                    }
                }
            }
        }
        self.db.write_now(server, self.t, &writes)
    }

    /// A new life of a node; what it was before is fenced in the same transaction.
    pub(super) fn join(&mut self, server: u64, i: usize) -> Option<Member> {
        self.incarnations += 1;
        let incarnation = Incarnation(self.incarnations);
        let me = Member { node: NodeId(i as u64), incarnation };
        let earlier = self.db.earlier(server, me).into_iter();
        let fenced = earlier.map(|member| Change::Fenced(member, Proof::Dead));
        let changes: Vec<Change> = fenced.chain([Change::Joined(me)]).collect();
        self.change(server, &changes).then_some(me)
    }

    /// Says in the log's own row who writes it from now on.
    pub(super) fn record(&mut self, server: u64, lineage: Lineage) -> bool {
        self.db.write_now(server, self.t, &[Write::Record(lineage)])
    }
}
