//! The verifiers' side: they move between nodes, crash, leave, and publish
//! what their checks load.

use std::collections::BTreeSet;

use nt_revocation::first_of_epoch;
use nt_revocation::protocol::{Boot, Leases, Lengths, LinkOutput, Member, Now, Rules};

use super::check::Check;
use super::host::{Dice, Host};
use super::known::{Fact, Known, Row, Tokens};
use super::life::{Bug, Life};
use super::network::{Message, Says};

pub(super) struct Verifier {
    pub(super) host: Host,
    pub(super) leases: Leases<u64>,
    /// The streams that it has, the last of which it goes to.
    pub(super) sessions: Vec<(u64, Member)>,
    pub(super) down_until: u64,
    pub(super) heard_at: u64,
    /// What its checks see.
    pub(super) end: Option<Boot>,
    pub(super) state: Known,
    /// What it has applied: the same, but with one bug.
    pub(super) applied: Known,
    /// What it has refused as revoked.
    pub(super) refused: Tokens,
    pub(super) checks: [Option<Check>; 2],
    pub(super) cached: BTreeSet<usize>,
}

impl Verifier {
    pub(super) fn new(dice: &mut Dice, drift: u64) -> Self {
        Self {
            host: Host::new(dice, drift),
            leases: Leases::new(Lengths::default(), 0),
            sessions: Vec::new(),
            down_until: 0,
            heard_at: 0,
            end: None,
            state: Known::nothing(),
            applied: Known::nothing(),
            refused: Tokens::default(),
            checks: [None; 2],
            cached: BTreeSet::new(),
        }
    }

    /// Whether it runs, and this is a stream that it listens to.
    pub(super) fn hears(&self, session: u64) -> bool {
        self.sessions.iter().any(|(mine, _)| *mine == session)
    }

    pub(super) fn now(&self, bug: Bug) -> Now {
        let now = self.host.now();
        let boot = if bug == Bug::HoldsByMono { Boot::from_nanos(now.mono.0) } else { now.boot };
        Now { boot, ..now }
    }
}

impl<R: Rules> Life<R> {
    /// Lets the machine step, and does what it says, in that order.
    pub(super) fn verify(
        &mut self,
        v: usize,
        step: impl FnOnce(&mut Leases<u64>, Now) -> Vec<LinkOutput<u64>>,
    ) {
        let verifier = &mut self.verifiers[v];
        let now = verifier.now(self.bug);
        let outputs = step(&mut verifier.leases, now);
        if self.bug != Bug::AckBeforeApply {
            verifier.state = verifier.applied;
        }
        let (epoch, last) = (verifier.applied.at.epoch, verifier.applied.at.seq);
        for output in outputs {
            match output {
                LinkOutput::LeaseUntil(end) | LinkOutput::LeaseOnlyUntil(end) => {
                    self.verifiers[v].end = Some(end);
                }
                LinkOutput::LeaseOver => self.verifiers[v].end = None,
                // What is applied is of this epoch, whatever the machine saw before it.
                LinkOutput::Renew { link, nonce, acked } => {
                    let acked = acked.min(last);
                    self.say(v, link, Says::Renew { nonce, epoch, acked });
                }
                LinkOutput::Ack { link, seq } => {
                    let seq = seq.min(last);
                    self.say(v, link, Says::Ack { epoch, seq });
                }
                LinkOutput::Release(link) => self.say(v, link, Says::Release),
            }
        }
    }

    /// Says something over a stream; nothing more after a release.
    fn say(&mut self, v: usize, session: u64, says: Says) {
        let sessions = &mut self.verifiers[v].sessions;
        let to = sessions.iter().find(|(mine, _)| *mine == session).map(|(_, to)| *to);
        if says == Says::Release {
            sessions.retain(|(mine, _)| *mine != session);
        }
        if let Some(to) = to {
            self.post(Message::ToNode { session, to, says });
        }
    }

    pub(super) fn granted(
        &mut self,
        v: usize,
        session: u64,
        (nonce, length): (u64, std::time::Duration),
        (epoch, min): (u64, u64),
    ) {
        let at = self.verifiers[v].applied.at;
        if !self.verifiers[v].hears(session) {
            return;
        }
        self.verifiers[v].heard_at = self.t;
        if epoch != at.epoch || at.seq < min {
            self.ask_for_state(v, session);
            return;
        }
        self.verify(v, |leases, now| leases.granted(now, session, nonce, length, min));
        // With a lease of the node that it goes to, it needs no other.
        if let Some((newest, _)) = self.verifiers[v].sessions.last().copied() {
            self.verify(v, |leases, now| leases.move_to(now, newest));
        }
    }

    pub(super) fn entry(&mut self, v: usize, session: u64, row: &Row) {
        let verifier = &mut self.verifiers[v];
        if !verifier.hears(session) {
            return;
        }
        verifier.heard_at = self.t;
        let known = verifier.applied.at;
        let next = match row.fact {
            Fact::EpochBegan { after } => after == known && row.at.seq == first_of_epoch(known.seq),
            _ => row.at.epoch == known.epoch && row.at.seq == known.seq + 1,
        };
        if next {
            verifier.applied.apply(row);
            if row.at.epoch == known.epoch {
                self.verify(v, |leases, now| leases.applied(now, row.at.seq));
            } else {
                self.begin_epoch_at(v);
            }
        } else if row.at.epoch == known.epoch && row.at.seq <= known.seq {
            // Its acknowledgement may have been lost.
            self.say(v, session, Says::Ack { epoch: known.epoch, seq: known.seq });
        } else {
            self.ask_for_state(v, session);
        }
    }

    pub(super) fn snapshot(&mut self, v: usize, session: u64, known: &Known) {
        let verifier = &mut self.verifiers[v];
        let mine = verifier.applied;
        if !verifier.hears(session) || known.at.epoch < mine.at.epoch {
            return;
        }
        verifier.heard_at = self.t;
        if known.at.epoch > mine.at.epoch {
            verifier.applied = *known;
            if self.bug != Bug::EpochReplaces {
                verifier.applied.dead.unite(&mine.dead);
            }
            self.begin_epoch_at(v);
        } else if known.at.seq > mine.at.seq {
            verifier.applied = *known;
            self.verify(v, |leases, now| leases.applied(now, known.at.seq));
        }
    }

    /// What is held lasts until its end; what is on its way is of another epoch.
    fn begin_epoch_at(&mut self, v: usize) {
        let seq = self.verifiers[v].applied.at.seq;
        let nonces = self.dice.below(1 << 40) << 20;
        self.verify(v, |leases, now| leases.begin_anew(now, Lengths::default(), || nonces));
        self.verify(v, |leases, now| leases.applied(now, seq));
    }

    pub(super) fn ask_for_state(&mut self, v: usize, session: u64) {
        let known = self.verifiers[v].sessions.iter().find(|(mine, _)| *mine == session);
        if let Some((session, to)) = known.copied() {
            self.post(Message::Resync { v, session, to });
        }
    }
}
