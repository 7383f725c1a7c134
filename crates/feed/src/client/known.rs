//! What a verifier knows and under which leases: its state, driven by the leases' machine.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use nt_revocation::protocol::{Leases, Lengths, LinkOutput, Now, Wall};
use nt_revocation::{Entry, Position, RevocationSet};
use nt_token::Expected;
use nt_verifier::State;
use tokio::sync::watch;
use tokio::time::timeout;

use super::keys::Keys;
use crate::witness::{Loss, loss};

/// What the authority sent does not follow what is known, or cannot be read here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Misfit(pub(super) String);

/// Why a snapshot is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error(transparent)]
    Misfit(#[from] Misfit),
    #[error(transparent)]
    Loss(#[from] Loss),
}

/// One session with one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LinkId(pub(super) u64);

/// What is to be said to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Say {
    Renew { nonce: u64, epoch: u64, acked: u64 },
    Ack { epoch: u64, seq: u64 },
    Release,
}

/// What is to be said, and to whom, in this order.
pub(super) type Says = Vec<(LinkId, Say)>;

pub(super) struct Known {
    state: State,
    leases: Leases<LinkId>,
    position: Position,
    keys: Keys,
    /// The highest position that was ever applied, also before this process; whoever keeps it on the
    /// disk listens.
    witness: watch::Sender<Option<Position>>,
    /// Up to where everything has ended that was let in before: this may be acknowledged.
    drained: Position,
    /// What waits for that, in order.
    draining: VecDeque<(Position, Draining)>,
}

type Draining = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

impl Known {
    /// Nothing is known yet, but perhaps how far it was known once.
    pub(super) fn new(state: State, witness: watch::Sender<Option<Position>>) -> Self {
        Self {
            state,
            leases: Leases::new(Lengths::default(), 0),
            position: Position::START,
            keys: Keys::default(),
            witness,
            drained: Position::START,
            draining: VecDeque::new(),
        }
    }

    /// Whose tokens are accepted here.
    pub(super) fn expected(&self) -> &Expected {
        self.state.expected()
    }

    /// What can be gone on from; `None` if nothing is known. The authority takes it as acknowledged.
    pub(super) fn position(&self) -> Option<Position> {
        (self.drained != Position::START).then_some(self.drained)
    }

    /// Waits until more can be acknowledged, and returns up to where; for ever if nothing is owed. Not
    /// for longer than the lease: after it nothing is accepted here, which is what the authority waits
    /// for.
    pub(super) async fn drained(&mut self) -> Position {
        let lease = self.leases.end().map_or(Duration::ZERO, |end| end.since(self.now().boot));
        let Some((upto, drained)) = self.draining.front_mut() else {
            return std::future::pending().await;
        };
        let in_time = timeout(lease, drained.as_mut()).await;
        in_time.map_or(self.position, |()| *upto)
    }

    /// Acknowledges up to here.
    pub(super) fn acknowledge(&mut self, upto: Position) -> Says {
        self.draining.retain(|(owed, _)| owed.seq > upto.seq);
        self.drained = upto;
        self.caught_up()
    }

    /// Whether what was applied may be acknowledged at once, or what has to end before.
    fn drain(&mut self) {
        match self.state.drain() {
            Some(draining) => self.draining.push_back((self.position, Box::pin(draining))),
            None => match self.draining.back_mut() {
                Some((upto, _)) => *upto = self.position,
                None => self.drained = self.position,
            },
        }
    }

    /// The highest position that was ever applied, if any.
    pub(super) fn witness(&self) -> Option<Position> {
        *self.witness.borrow()
    }

    /// A session began: leases are this long, and one is asked for.
    pub(super) fn welcomed(&mut self, link: LinkId, lengths: Lengths) -> Says {
        let mut says = Vec::new();
        if lengths != self.leases.lengths() {
            says = self.begin_anew(lengths);
        }
        let asked = self.leases.open(self.now(), link, nonces_from());
        says.extend(self.carry_out(asked));
        says
    }

    /// How long a lease lasts.
    pub(super) fn lease_length(&self) -> Duration {
        self.leases.lengths().verifier
    }

    /// Asks for the leases that are due.
    pub(super) fn tick(&mut self) -> Says {
        let due = self.leases.tick(self.now());
        self.carry_out(due)
    }

    /// In how much time the next renewal is due; `None` without links.
    pub(super) fn renews_in(&self) -> Option<Duration> {
        self.leases.renew_at().map(|at| at.since(self.now().boot))
    }

    /// Replaces everything by a snapshot; by one of a later epoch only adds to it, since what is known
    /// here may be what was lost there. `from` is what the node was told that is known here: then a
    /// snapshot that ends before what is known by now says nothing new.
    pub(super) fn replace(&mut self, bytes: &[u8], from: Option<Position>) -> Result<Says, Unfit> {
        let read = RevocationSet::from_snapshot(bytes);
        let set = read.map_err(|bad| Misfit(bad.to_string()))?;
        let position = set.position();
        if position.epoch < self.position.epoch {
            return Err(Misfit("the snapshot is of an earlier epoch".to_owned()).into());
        }
        let again = position.epoch != self.position.epoch;
        if from.is_some() && !again && position.seq < self.position.seq {
            return Ok(Vec::new());
        }
        // What it says of itself, too: it may end before the log does.
        if let Some(witness) = self.witness()
            && position.seq <= witness.seq
        {
            let here = (position.seq == witness.seq).then_some(position);
            loss(witness, position.epoch, here).map_or(Ok(()), Err)?;
        }
        if let Some(keys) = self.keys.replace(&set)? {
            self.state.set_keys(keys);
        }
        if again && self.position != Position::START {
            let united = self.state.absorb(&set.freeze());
            united.map_err(|refused| Misfit(refused.to_string()))?;
        } else {
            self.state.replace(set).map_err(|refused| Misfit(refused.to_string()))?;
        }
        self.reach(position);
        let mut says = if again { self.begin_anew(self.leases.lengths()) } else { Vec::new() };
        self.drain();
        says.extend(self.caught_up());
        Ok(says)
    }

    /// Applies what follows. When this returns, every check that starts later sees it.
    pub(super) fn absorb(&mut self, epoch: u64, entries: &[Entry]) -> Result<Says, Misfit> {
        let (known, mut says) = (self.position.seq, Vec::new());
        for entry in entries.iter().filter(|entry| entry.seq > known) {
            let next = self.position.followed_by(entry);
            let next = next.ok_or_else(|| Misfit(format!("entry {} leaves a gap", entry.seq)))?;
            if next.epoch != epoch {
                return Err(Misfit("the entries are of another epoch".to_owned()));
            }
            // Before the entry is acknowledged: the authority may sign with the key then.
            if let Some(keys) = self.keys.add(entry)? {
                self.state.set_keys(keys);
            }
            self.state.apply(entry).map_err(|refused| Misfit(refused.to_string()))?;
            let again = next.epoch != self.position.epoch;
            self.reach(next);
            if again {
                says.extend(self.begin_anew(self.leases.lengths()));
            }
        }
        self.drain();
        // The acknowledgement of the last one says the same of all before it.
        says.extend(self.caught_up());
        Ok(says)
    }

    fn reach(&mut self, position: Position) {
        self.position = position;
        // The log goes through the last witness, or is of a later epoch: this one is higher.
        self.witness.send_replace(Some(position).filter(|position| position.seq > 0));
    }

    /// A grant counts from when it was asked for, and only if everything up to `min` is known. One that
    /// counts is of a node that can be relied on: no other is needed.
    pub(super) fn granted(
        &mut self,
        link: LinkId,
        nonce: u64,
        length: Duration,
        min: Position,
    ) -> Says {
        if min.epoch != self.position.epoch {
            return Vec::new();
        }
        let granted = self.leases.granted(self.now(), link, nonce, length, min.seq);
        self.carry_out(granted)
    }

    /// Whether this link's own lease lasts.
    pub(super) fn holds(&self, link: LinkId) -> bool {
        self.leases.lasts(link, self.now().boot)
    }

    /// Relies on this link alone, if it has a lease, and releases all others.
    pub(super) fn move_to(&mut self, link: LinkId) -> Says {
        let moved = self.leases.move_to(self.now(), link);
        self.carry_out(moved)
    }

    /// A link broke. Its lease lasts until its end.
    pub(super) fn broke(&mut self, link: LinkId) {
        self.leases.broke(link);
    }

    /// What is known is not to be trusted any more.
    pub(super) fn give_up(&mut self) {
        let over = self.leases.give_up(self.now());
        self.carry_out(over);
    }

    /// Ends the lease; only then may anybody be told.
    pub(super) fn leave(&mut self) -> Says {
        let left = self.leases.leave(self.now());
        self.carry_out(left)
    }

    /// Acknowledges, and asks for the lease that could not be had before.
    fn caught_up(&mut self) -> Says {
        let applied = self.leases.applied(self.now(), self.position.seq);
        self.carry_out(applied)
    }

    /// In this order: what is published is there before anything is said that rests on it.
    fn carry_out(&mut self, outputs: Vec<LinkOutput<LinkId>>) -> Says {
        let mut says = Vec::new();
        for output in outputs {
            match output {
                // The machine says what is applied; what is acknowledged may be less.
                LinkOutput::Renew { link, nonce, acked } => {
                    let (epoch, acked) = (self.drained.epoch, acked.min(self.drained.seq));
                    says.push((link, Say::Renew { nonce, epoch, acked }));
                }
                LinkOutput::Ack { link, seq } if self.drained.epoch == self.position.epoch => {
                    let seq = seq.min(self.drained.seq);
                    says.push((link, Say::Ack { epoch: self.position.epoch, seq }));
                }
                LinkOutput::Ack { .. } => {}
                LinkOutput::LeaseUntil(end) => self.state.extend_lease(end),
                LinkOutput::LeaseOnlyUntil(end) => self.state.lower_lease(end),
                LinkOutput::LeaseOver => self.state.drop_lease(),
                LinkOutput::Release(link) => says.push((link, Say::Release)),
            }
        }
        says
    }

    /// In another epoch, or with other lengths, leases are asked for anew. What was published runs out
    /// by itself.
    fn begin_anew(&mut self, lengths: Lengths) -> Says {
        let asked = self.leases.begin_anew(self.now(), lengths, nonces_from);
        self.carry_out(asked)
    }

    fn now(&self) -> Now {
        let clock = self.state.clock();
        Now {
            boot: clock.boot(),
            wall: Wall(clock.wall_ms().saturating_mul(1_000_000)),
            ..Now::default()
        }
    }
}

/// A grant to an earlier life must not look like one to this.
fn nonces_from() -> u64 {
    let mut draw = [0; 8];
    aws_lc_rs::rand::fill(&mut draw).expect("the system has randomness");
    u64::from_be_bytes(draw)
}
