//! What a verifier knows and under which lease: its state, driven by the lease's machine.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use nt_revocation::protocol::{Lengths, Now, VerifierInput, VerifierLease, VerifierOutput, Wall};
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

/// What is to be said to the authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Say {
    Renew { nonce: u64, epoch: u64, acked: u64 },
    Ack { epoch: u64, seq: u64 },
    Release,
}

pub(super) struct Known {
    state: State,
    lease: VerifierLease,
    lengths: Lengths,
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
        let lengths = Lengths::default();
        let lease = VerifierLease::new(lengths, 0, nonces_from());
        Self {
            state,
            lease,
            lengths,
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
        let lease = self.lease.end().map_or(Duration::ZERO, |end| end.since(self.now().boot));
        let Some((upto, drained)) = self.draining.front_mut() else {
            return std::future::pending().await;
        };
        let in_time = timeout(lease, drained.as_mut()).await;
        in_time.map_or(self.position, |()| *upto)
    }

    /// Acknowledges up to here.
    pub(super) fn acknowledge(&mut self, upto: Position) -> Vec<Say> {
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

    /// Whether a log of this epoch that is here at the witness's place goes through the witness.
    pub(super) fn meets(&self, epoch: u64, at_witness: Option<Position>) -> Result<(), Loss> {
        let loss = self.witness().and_then(|witness| loss(witness, epoch, at_witness));
        loss.map_or(Ok(()), Err)
    }

    /// A session began: leases are this long, and one is asked for.
    pub(super) fn welcomed(&mut self, lengths: Lengths) -> Vec<Say> {
        if lengths != self.lengths {
            self.lengths = lengths;
            self.begin_anew();
        }
        self.step(VerifierInput::Connected)
    }

    /// Asks for a lease if one is due.
    pub(super) fn tick(&mut self) -> Vec<Say> {
        self.step(VerifierInput::Tick)
    }

    /// In how much time the next renewal is due.
    pub(super) fn renews_in(&self) -> Duration {
        let due = self.lease.renew_at();
        due.map_or(self.lengths.verifier_renews_each(), |at| at.since(self.now().boot))
    }

    /// Replaces everything by a snapshot; by one of a later epoch only adds to it, since what is known
    /// here may be what was lost there.
    pub(super) fn replace(&mut self, bytes: &[u8]) -> Result<Vec<Say>, Unfit> {
        let read = RevocationSet::from_snapshot(bytes);
        let set = read.map_err(|bad| Misfit(bad.to_string()))?;
        let position = set.position();
        if position.epoch < self.position.epoch {
            return Err(Misfit("the snapshot is of an earlier epoch".to_owned()).into());
        }
        // What it says of itself, too: it may end before the log does.
        if let Some(witness) = self.witness()
            && position.seq <= witness.seq
        {
            self.meets(position.epoch, (position.seq == witness.seq).then_some(position))?;
        }
        if let Some(keys) = self.keys.replace(&set)? {
            self.state.set_keys(keys);
        }
        let again = position.epoch != self.position.epoch;
        if again && self.position != Position::START {
            let united = self.state.absorb(&set.freeze());
            united.map_err(|refused| Misfit(refused.to_string()))?;
        } else {
            self.state.replace(set).map_err(|refused| Misfit(refused.to_string()))?;
        }
        self.reach(position);
        if again {
            self.begin_anew();
        }
        self.drain();
        Ok(self.caught_up())
    }

    /// Applies what follows. When this returns, every check that starts later sees it.
    pub(super) fn absorb(&mut self, epoch: u64, entries: &[Entry]) -> Result<Vec<Say>, Misfit> {
        let known = self.position.seq;
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
                self.begin_anew();
            }
            // The acknowledgement of the last one says the same of all before it.
            let _said_by_the_last = self.step(VerifierInput::Applied(entry.seq));
        }
        self.drain();
        Ok(self.caught_up())
    }

    fn reach(&mut self, position: Position) {
        self.position = position;
        // The log goes through the last witness, or is of a later epoch: this one is higher.
        self.witness.send_replace(Some(position).filter(|position| position.seq > 0));
    }

    /// A grant counts from when it was asked for, and only if everything up to `min` is known.
    pub(super) fn granted(&mut self, nonce: u64, length: Duration, min: Position) -> Vec<Say> {
        if min.epoch != self.position.epoch {
            return Vec::new();
        }
        self.step(VerifierInput::Granted { nonce, length, min: min.seq })
    }

    /// What is known is not to be trusted any more.
    pub(super) fn give_up(&mut self) {
        self.step(VerifierInput::GiveUp);
    }

    /// Ends the lease; only then may the authority be told.
    pub(super) fn leave(&mut self) -> Vec<Say> {
        self.step(VerifierInput::Leave)
    }

    /// Acknowledges, and asks for the lease that could not be had before.
    fn caught_up(&mut self) -> Vec<Say> {
        let mut says = self.step(VerifierInput::Applied(self.position.seq));
        if !self.lease.lasts(self.now().boot) {
            says.extend(self.step(VerifierInput::Connected));
        }
        says
    }

    fn step(&mut self, input: VerifierInput) -> Vec<Say> {
        let now = self.now();
        let mut says = Vec::new();
        for output in self.lease.step(now, input) {
            match output {
                // The machine says what is applied; what is acknowledged may be less.
                VerifierOutput::Renew { nonce, acked } => {
                    let (epoch, acked) = (self.drained.epoch, acked.min(self.drained.seq));
                    says.push(Say::Renew { nonce, epoch, acked });
                }
                VerifierOutput::Ack(seq) if self.drained.epoch == self.position.epoch => {
                    let seq = seq.min(self.drained.seq);
                    says.push(Say::Ack { epoch: self.position.epoch, seq });
                }
                VerifierOutput::Ack(_) => {}
                VerifierOutput::LeaseUntil(end) => {
                    self.state.extend_lease(end);
                }
                VerifierOutput::LeaseOver => self.state.drop_lease(),
                VerifierOutput::Release => says.push(Say::Release),
            }
        }
        says
    }

    /// Another epoch or other lengths are another machine's: its lease is asked for anew. The one
    /// that was published runs out by itself.
    fn begin_anew(&mut self) {
        self.lease = VerifierLease::new(self.lengths, self.position.seq, nonces_from());
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
