//! The verifiers' side: they move between nodes, crash, leave, and publish
//! what their checks load.

use std::collections::BTreeSet;

use nt_revocation::Position;
use nt_revocation::protocol::{
    Boot, Lengths, Member, Next, Now, Rules, VerifierInput, VerifierLease, VerifierOutput,
};

use super::check::Check;
use super::host::{Dice, Host};
use super::known::{Fact, Known, Row, Tokens};
use super::life::{Bug, Life};
use super::network::Message;

pub(super) struct Verifier {
    pub(super) host: Host,
    pub(super) lease: VerifierLease,
    session: Option<(u64, Member)>,
    pub(super) down_until: u64,
    heard_at: u64,
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
            lease: VerifierLease::new(Lengths::default(), 0, dice.below(1 << 40) << 20),
            session: None,
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

    /// Whether it runs, and this is the stream that it listens to.
    pub(super) fn hears(&self, session: u64) -> bool {
        self.session.is_some_and(|(mine, _)| mine == session)
    }

    pub(super) fn now(&self, bug: Bug) -> Now {
        let now = self.host.now();
        let boot = if bug == Bug::HoldsByMono { Boot::from_nanos(now.mono.0) } else { now.boot };
        Now { boot, ..now }
    }
}

impl<R: Rules> Life<R> {
    pub(super) fn verify(&mut self, v: usize, input: VerifierInput) {
        let (bug, t) = (self.bug, self.t);
        let verifier = &mut self.verifiers[v];
        verifier.heard_at = match input {
            VerifierInput::Tick | VerifierInput::Leave => verifier.heard_at,
            _ => t,
        };
        let outputs = verifier.lease.step(verifier.now(bug), input);
        let to = verifier.session;
        if bug != Bug::AckBeforeApply {
            verifier.state = verifier.applied;
        }
        for output in outputs {
            match output {
                VerifierOutput::LeaseUntil(end) => self.verifiers[v].end = Some(end),
                VerifierOutput::LeaseOver => self.verifiers[v].end = None,
                says => {
                    if let Some((session, to)) = to {
                        self.post(Message::ToNode { session, to, says });
                    }
                }
            }
        }
    }

    pub(super) fn entry(&mut self, v: usize, session: u64, row: &Row) {
        let verifier = &mut self.verifiers[v];
        if !verifier.hears(session) {
            return;
        }
        let known = verifier.applied.at;
        if row.at.epoch != known.epoch {
            match row.fact {
                // It says itself whom it follows.
                Fact::EpochBegan { after } if after == known => {
                    let known = Known { at: row.at, ..verifier.applied };
                    self.begin_epoch_at(v, known);
                }
                _ => self.ask_for_state(v),
            }
            return;
        }
        match verifier.lease.entry(row.at.seq) {
            Next::Apply => {
                verifier.applied.apply(row);
                self.verify(v, VerifierInput::Applied(row.at.seq));
            }
            // Its acknowledgement may have been lost.
            Next::Duplicate => {
                let says = VerifierOutput::Ack(self.verifiers[v].lease.applied());
                if let Some((session, to)) = self.verifiers[v].session {
                    self.post(Message::ToNode { session, to, says });
                }
            }
            Next::Resync => self.ask_for_state(v),
        }
    }

    pub(super) fn snapshot(&mut self, v: usize, session: u64, known: &Known) {
        let verifier = &mut self.verifiers[v];
        let mine = &verifier.applied;
        if !verifier.hears(session) || known.at.epoch < mine.at.epoch {
            return;
        }
        if known.at.epoch > mine.at.epoch {
            let mut known = *known;
            if self.bug != Bug::EpochReplaces {
                known.dead.unite(&mine.dead);
            }
            self.begin_epoch_at(v, known);
        } else if known.at.seq > mine.at.seq {
            verifier.applied = *known;
            self.verify(v, VerifierInput::Applied(known.at.seq));
        }
    }

    /// A machine lives within one epoch.
    fn begin_epoch_at(&mut self, v: usize, known: Known) {
        let nonces = self.dice.below(1 << 40) << 20;
        self.verify(v, VerifierInput::GiveUp);
        let verifier = &mut self.verifiers[v];
        verifier.applied = known;
        verifier.lease = VerifierLease::new(Lengths::default(), known.at.seq, nonces);
        self.verify(v, VerifierInput::Applied(known.at.seq));
        self.verify(v, VerifierInput::Connected);
    }

    pub(super) fn ask_for_state(&mut self, v: usize) {
        if let Some((session, to)) = self.verifiers[v].session {
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
                self.verify(v, VerifierInput::Leave);
            }
            self.end(v);
            return;
        }
        let silent = t - self.verifiers[v].heard_at > 1_500;
        if self.verifiers[v].session.is_none() || silent || (turbulent && self.dice.once_in(700)) {
            self.connect(v);
        }
        self.verify(v, VerifierInput::Tick);
    }

    /// This process ends; the next one starts with what was kept on disk, or with nothing.
    fn end(&mut self, v: usize) {
        let down = self.dice.below(3_000);
        let (nonces, kept) = (self.dice.below(1 << 40) << 20, self.dice.once_in(2));
        let verifier = &mut self.verifiers[v];
        let applied = if kept { verifier.state } else { Known::nothing() };
        verifier.lease = VerifierLease::new(Lengths::default(), applied.at.seq, nonces);
        verifier.session = None;
        verifier.down_until = self.t + down;
        verifier.end = None;
        verifier.state = applied;
        verifier.applied = applied;
        verifier.refused = if kept { verifier.refused } else { Tokens::default() };
        verifier.checks = [None; 2];
        verifier.cached.clear();
    }

    /// Moves to a node that may be another; the stream before may or may not be seen to end.
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
        if let Some((session, to)) = self.verifiers[v].session.replace((session, to)) {
            self.post(Message::Close { session, to });
        }
        let from: Position = self.verifiers[v].state.at;
        self.post(Message::Connect { v, session, to, from });
        self.verify(v, VerifierInput::Connected);
        self.ask_for_state(v);
    }
}
