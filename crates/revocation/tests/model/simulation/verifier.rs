//! The verifiers' side: they move between nodes, with two streams for a while or with none, crash, leave,
//! and publish what their checks load.

use std::collections::{BTreeMap, BTreeSet};

use nt_revocation::protocol::{Boot, Leases, Lengths, LinkOutput, Member, Now, Rules};

use super::check::Check;
use super::host::{Dice, Host};
use super::life::{Bug, Life};
use super::network::Message;

/// What a verifier's driver tells its machine.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hears {
    Tick,
    Connected(u64),
    Applied(u64),
    Granted { session: u64, nonce: u64, length: std::time::Duration, min: u64 },
    Leave,
}

pub(super) struct Verifier {
    pub(super) host: Host,
    leases: Leases<u64>,
    pub(super) applied: u64,
    links: BTreeMap<u64, Member>,
    pub(super) down_until: u64,
    heard_at: u64,
    /// What its checks see.
    pub(super) end: Option<Boot>,
    pub(super) state: u64,
    pub(super) checks: [Option<Check>; 2],
    pub(super) cached: BTreeSet<usize>,
}

impl Verifier {
    pub(super) fn new(dice: &mut Dice, drift: u64) -> Self {
        Self {
            host: Host::new(dice, drift),
            leases: Leases::new(Lengths::default(), 0),
            applied: 0,
            links: BTreeMap::new(),
            down_until: 0,
            heard_at: 0,
            end: None,
            state: 0,
            checks: [None; 2],
            cached: BTreeSet::new(),
        }
    }

    /// Whether it runs, and this is a stream that it listens to.
    pub(super) fn hears(&self, session: u64) -> bool {
        self.links.contains_key(&session)
    }

    pub(super) fn now(&self, bug: Bug) -> Now {
        let now = self.host.now();
        let boot = if bug == Bug::HoldsByMono { Boot::from_nanos(now.mono.0) } else { now.boot };
        Now { boot, ..now }
    }
}

impl<R: Rules> Life<R> {
    pub(super) fn verify(&mut self, v: usize, heard: Hears) {
        let (bug, t) = (self.bug, self.t);
        let nonces = self.dice.below(1 << 40) << 20;
        let moves = !self.dice.once_in(4);
        let verifier = &mut self.verifiers[v];
        if !matches!(heard, Hears::Tick | Hears::Leave) {
            verifier.heard_at = t;
        }
        let (now, leases) = (verifier.now(bug), &mut verifier.leases);
        let outputs = match heard {
            Hears::Tick => leases.tick(now),
            Hears::Connected(session) => leases.open(now, session, nonces),
            Hears::Applied(seq) => {
                verifier.applied = verifier.applied.max(seq);
                leases.applied(now, seq)
            }
            Hears::Granted { session, nonce, length, min } => {
                let mut outputs = leases.granted(now, session, nonce, length, min);
                if moves {
                    outputs.extend(leases.move_to(now, session));
                }
                outputs
            }
            Hears::Leave => leases.leave(now),
        };
        if bug != Bug::AckBeforeApply {
            verifier.state = verifier.applied;
        }
        for output in outputs {
            let verifier = &mut self.verifiers[v];
            let session = match output {
                LinkOutput::LeaseUntil(end) | LinkOutput::LeaseOnlyUntil(end) => {
                    verifier.end = Some(end);
                    continue;
                }
                LinkOutput::LeaseOver => {
                    verifier.end = None;
                    continue;
                }
                LinkOutput::Renew { link, .. }
                | LinkOutput::Ack { link, .. }
                | LinkOutput::Release(link) => link,
            };
            let to = verifier.links.get(&session).copied();
            if matches!(output, LinkOutput::Release(_)) {
                verifier.links.remove(&session);
            }
            if let Some(to) = to {
                self.post(Message::ToNode { to, says: output });
            }
        }
    }

    pub(super) fn entry(&mut self, v: usize, session: u64, seq: u64) {
        if !self.verifiers[v].hears(session) {
            return;
        }
        let applied = self.verifiers[v].applied;
        if seq == applied + 1 {
            self.verify(v, Hears::Applied(seq));
        } else if seq <= applied {
            // Its acknowledgement may have been lost.
            if let Some(to) = self.verifiers[v].links.get(&session).copied() {
                let says = LinkOutput::Ack { link: session, seq: applied };
                self.post(Message::ToNode { to, says });
            }
        } else {
            self.ask_for_state(v, session);
        }
    }

    pub(super) fn ask_for_state(&mut self, v: usize, session: u64) {
        if let Some(to) = self.verifiers[v].links.get(&session).copied() {
            self.post(Message::Resync { v, session, to });
        }
    }

    pub(super) fn run_verifier(&mut self, v: usize) {
        let (t, turbulent) = (self.t, self.turbulent());
        let verifier = &mut self.verifiers[v];
        if verifier.host.stands_until(t).is_some() || t < verifier.down_until {
            return;
        }
        if self.bug == Bug::AckBeforeApply && self.dice.once_in(10) {
            verifier.state = verifier.applied;
        }
        if turbulent && self.dice.once_in(2_000) {
            if self.dice.once_in(2) {
                self.verify(v, Hears::Leave);
            }
            self.end(v);
            return;
        }
        let silent = t - self.verifiers[v].heard_at > 1_500;
        if self.verifiers[v].links.is_empty() || silent || (turbulent && self.dice.once_in(700)) {
            self.connect(v);
        }
        self.verify(v, Hears::Tick);
    }

    /// This process ends; the next one starts with what was kept on disk, or with nothing.
    fn end(&mut self, v: usize) {
        let down = self.dice.below(3_000);
        let kept = self.dice.once_in(2);
        let verifier = &mut self.verifiers[v];
        let applied = if kept { verifier.state } else { 0 };
        verifier.leases = Leases::new(Lengths::default(), applied);
        verifier.applied = applied;
        verifier.links.clear();
        verifier.down_until = self.t + down;
        verifier.end = None;
        verifier.state = applied;
        verifier.checks = [None; 2];
        verifier.cached.clear();
    }

    /// Opens a stream to a node that may be another. Those before go on until that one has granted a lease;
    /// or they break, which may or may not be seen at their other end.
    fn connect(&mut self, v: usize) {
        let up = self.nodes.iter().filter_map(|seat| seat.process.as_ref());
        let up: Vec<Member> = up.map(|process| process.me).collect();
        if up.is_empty() {
            return;
        }
        let which = self.dice.below(up.len() as u64);
        let to = up[usize::try_from(which).expect("few nodes")];
        self.sessions += 1;
        let session = self.sessions;
        let breaks = self.dice.once_in(2) || self.verifiers[v].links.len() > 2;
        if breaks || self.bug == Bug::ReleasedTooEarly {
            for (session, to) in std::mem::take(&mut self.verifiers[v].links) {
                self.verifiers[v].leases.broke(session);
                self.post(if self.bug == Bug::ReleasedTooEarly {
                    Message::ToNode { to, says: LinkOutput::Release(session) }
                } else {
                    Message::Close { session, to }
                });
            }
        }
        self.verifiers[v].links.insert(session, to);
        let acked = self.verifiers[v].state;
        self.post(Message::Connect { v, session, to, acked });
        self.verify(v, Hears::Connected(session));
        self.ask_for_state(v, session);
    }
}
