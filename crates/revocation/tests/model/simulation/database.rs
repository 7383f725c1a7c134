//! The database: a primary and its standby, a primary that was replaced and does not know it, and
//! copies of both that were put aside. What nodes ask of it is in [`super::transactions`].

use std::collections::VecDeque;

use nt_revocation::Position;
use nt_revocation::protocol::{Lineage, Look, Member};

use super::contents::{Contents, Write};
use super::known::find;
use super::network::Message;

/// A transaction that is durable here and waits for the standby: nobody sees it yet.
pub(super) struct Waiting {
    pub(super) writes: Vec<Write>,
    /// Where it ends in what is sent to the standby.
    pub(super) upto: u64,
    pub(super) not_before: u64,
    pub(super) answer: Message,
    pub(super) locks: bool,
}

/// A server that runs.
pub(super) struct Server {
    pub(super) id: u64,
    pub(super) lineage: Lineage,
    pub(super) disk: Contents,
    pub(super) waiting: VecDeque<Waiting>,
    written: u64,
}

impl Server {
    fn new(id: u64, lineage: Lineage, disk: Contents) -> Self {
        Self { id, lineage, disk, waiting: VecDeque::new(), written: 0 }
    }

    pub(super) fn look(&self, witness: Position) -> Look {
        Look {
            lineage: self.lineage,
            recorded: self.disk.recorded,
            epoch: self.disk.epoch,
            at_witness: if witness.seq == 0 {
                Some(Position { epoch: witness.epoch, ..Position::START })
            } else {
                find(&self.disk.log, witness.seq)
            },
        }
    }

    /// Whether the log's row is locked by a transaction that waits.
    pub(super) fn locked(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.locks)
    }
}

/// All of it.
pub(super) struct Database {
    pub(super) primary: Server,
    /// The one before, while it still answers.
    pub(super) zombie: Option<Server>,
    standby: Contents,
    /// What the standby has not got yet.
    unsent: VecDeque<Write>,
    received: u64,
    pub(super) synchronous: bool,
    /// When the standby can be reached again, and the primary.
    pub(super) cut_until: u64,
    pub(super) down_until: u64,
    pub(super) zombie_until: u64,
    pub(super) copies: Vec<Contents>,
    /// An old copy was put back, and nothing was done about it.
    pub(super) old: bool,
    servers: u64,
}

impl Database {
    pub(super) fn new(nodes: usize, synchronous: bool) -> Self {
        let lineage = Lineage { system: 1, timeline: 1 };
        let active = vec![None; nodes];
        let disk = Contents { log: Vec::new(), epoch: 1, recorded: lineage, active };
        Self {
            primary: Server::new(1, lineage, disk.clone()),
            zombie: None,
            standby: disk,
            unsent: VecDeque::new(),
            received: 0,
            synchronous,
            cut_until: 0,
            down_until: 0,
            zombie_until: 0,
            copies: Vec::new(),
            old: false,
            servers: 1,
        }
    }

    /// A server that is up.
    pub(super) fn server(&mut self, id: u64, t: u64) -> Option<&mut Server> {
        if self.primary.id == id {
            return (t >= self.down_until).then_some(&mut self.primary);
        }
        self.zombie.as_mut().filter(|zombie| zombie.id == id)
    }

    /// Writes on a server; the answer is sent when it is as durable as it has to be.
    pub(super) fn write(&mut self, id: u64, waiting: (Vec<Write>, Message, bool), not_before: u64) {
        let (writes, answer, locks) = waiting;
        if self.primary.id == id {
            self.unsent.extend(&writes);
            self.primary.written += writes.len() as u64;
            let upto = self.primary.written;
            let waiting = Waiting { writes, upto, not_before, answer, locks };
            self.primary.waiting.push_back(waiting);
        } else if let Some(zombie) = &mut self.zombie {
            // Where it has to wait, it waits for ever: its standby is another's primary.
            let upto = if self.synchronous { u64::MAX } else { 0 };
            zombie.waiting.push_back(Waiting { writes, upto, not_before, answer, locks });
        }
    }

    /// Writes in a transaction that is answered at once; whether that was possible.
    pub(super) fn write_now(&mut self, id: u64, t: u64, writes: &[Write]) -> bool {
        let (synchronous, cut) = (self.synchronous, t < self.cut_until);
        let primary = self.primary.id == id;
        let Some(server) = self.server(id, t) else { return false };
        if server.locked() || synchronous && (cut || !primary) {
            return false;
        }
        for write in writes {
            server.disk.write(*write);
        }
        if primary {
            self.unsent.extend(writes);
            self.primary.written += writes.len() as u64;
            if synchronous {
                self.send();
            }
        }
        true
    }

    /// The standby gets what it has not got.
    pub(super) fn send(&mut self) {
        self.received += self.unsent.len() as u64;
        self.unsent.drain(..).for_each(|write| self.standby.write(write));
    }

    /// What has become visible, and is to be answered.
    pub(super) fn done(&mut self, t: u64) -> Vec<Waiting> {
        let received = if self.synchronous { self.received } else { u64::MAX };
        let mut done = take(&mut self.primary, received, t);
        if let Some(zombie) = &mut self.zombie {
            done.extend(take(zombie, 0, t));
        }
        done
    }

    /// The standby takes over; the primary may go on without knowing.
    pub(super) fn promote(&mut self, goes_on: bool) {
        let timeline = self.primary.lineage.timeline + 1;
        let lineage = Lineage { timeline, ..self.primary.lineage };
        let before = self.replace(lineage, self.standby.clone());
        self.zombie = goes_on.then_some(before);
        for waiting in self.zombie.iter_mut().flat_map(|zombie| &mut zombie.waiting) {
            waiting.upto = if self.synchronous { u64::MAX } else { 0 };
        }
    }

    /// Another server takes over with these contents, and gets a standby of its own.
    pub(super) fn replace(&mut self, lineage: Lineage, disk: Contents) -> Server {
        self.servers += 1;
        self.standby = disk.clone();
        self.unsent.clear();
        self.received = 0;
        std::mem::replace(&mut self.primary, Server::new(self.servers, lineage, disk))
    }

    /// It is restarted: what was durable here is visible now, whatever the standby has.
    pub(super) fn restart(&mut self) {
        for waiting in self.primary.waiting.drain(..) {
            for write in &waiting.writes {
                self.primary.disk.write(*write);
            }
        }
    }

    /// Whose lives a member's join ends.
    pub(super) fn earlier(&self, id: u64, me: Member) -> Vec<Member> {
        let servers = [Some(&self.primary), self.zombie.as_ref()];
        let server = servers.into_iter().flatten().find(|server| server.id == id);
        let members = server.map(|server| server.disk.members::<nt_revocation::protocol::Sound>());
        members.map_or(Vec::new(), |members| members.earlier(me).collect())
    }
}

fn take(server: &mut Server, received: u64, t: u64) -> Vec<Waiting> {
    let mut done = Vec::new();
    let mut waits = VecDeque::new();
    for waiting in server.waiting.drain(..) {
        if waiting.upto <= received && waiting.not_before <= t {
            for write in &waiting.writes {
                server.disk.write(*write);
            }
            done.push(waiting);
        } else {
            waits.push_back(waiting);
        }
    }
    server.waiting = waits;
    done
}
