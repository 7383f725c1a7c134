//! What all sessions share: one mutex, under which entries, grants and acknowledgements are ordered.

pub(super) mod tenure;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nt_revocation::protocol::{Input, Lengths, Mono, Now, Output, Tenure, Wall};
use nt_revocation::{Entry, Position};
use nt_token::clock::{Clock, Stopwatch, SystemClock};
use tokio::sync::{Notify, watch};

use super::line::Line;
use super::outcome::Outcome;
use super::roster::{Listed, Roster, SessionId, Who};
use super::tail::Tail;
use crate::proto::{self, FromAuthority, from_authority};
use crate::wire::{entry_messages, epoch_with};
use tenure::{Leave, NodeLease};

pub(super) struct Hub {
    inner: Mutex<Inner>,
    pub(super) lengths: Lengths,
    numbered: AtomicU64,
    began: Stopwatch,
    complete: watch::Sender<u64>,
    /// A verifier said how far it is.
    heard: watch::Sender<()>,
    /// A deadline may have come that is earlier than the one being waited for.
    pub(super) changed: Notify,
    /// What the node's own doors go by.
    pub(super) lease: NodeLease,
    leave: watch::Sender<Leave>,
    pushed: watch::Sender<u64>,
}

struct Inner {
    roster: Roster,
    lines: HashMap<SessionId, Line>,
    tail: Tail,
    head: Position,
    /// The highest position that a verifier ever said it knew.
    claimed: Option<Position>,
    /// The next look is at this moment; `None` before the first, and while nothing is waited for.
    next_look: Option<Mono>,
}

/// Why a session is not taken in.
pub(super) enum NotJoined {
    /// The entries between what it was told and the log's end are no longer at hand.
    Overrun,
    /// This node is about to end.
    Leaving,
}

impl Hub {
    pub(super) fn new(lengths: Lengths, tenure: Tenure, head: Position) -> Self {
        let began = Stopwatch::start();
        let roster = Roster::new(now(began), lengths, tenure, head.seq);
        let lease = NodeLease::default();
        lease.publish(roster.lease_end());
        let inner = Inner {
            roster,
            lines: HashMap::new(),
            tail: Tail::of(head.epoch),
            head,
            claimed: None,
            next_look: None,
        };
        Self {
            inner: Mutex::new(inner),
            lengths,
            numbered: AtomicU64::new(1),
            began,
            complete: watch::Sender::new(0),
            heard: watch::Sender::new(()),
            changed: Notify::new(),
            lease,
            leave: watch::Sender::new(Leave::No),
            pushed: watch::Sender::new(head.seq),
        }
    }

    /// The clocks are read under the lock: steps must not see time go backwards.
    fn lock(&self) -> (MutexGuard<'_, Inner>, Now) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        (inner, now(self.began))
    }

    /// A new session's number.
    pub(super) fn number(&self) -> SessionId {
        SessionId(self.numbered.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.complete.subscribe()
    }

    pub(super) fn heard(&self) -> watch::Receiver<()> {
        self.heard.subscribe()
    }

    /// Where the log ends, as far as it was pushed.
    pub(super) fn head(&self) -> Position {
        self.lock().0.head
    }

    /// Waits until the log was pushed up to this entry.
    pub(super) async fn reached(&self, seq: u64) {
        let pushed = self.pushed.subscribe().wait_for(|pushed| *pushed >= seq).await.map(drop);
        pushed.expect("the sender is here");
    }

    /// Keeps what a verifier says that it knows.
    pub(super) fn claim(&self, witness: Position) {
        let (mut inner, _) = self.lock();
        let rank = |position: &Position| (position.epoch, position.seq);
        if inner.claimed.as_ref().is_none_or(|known| rank(known) < rank(&witness)) {
            inner.claimed = Some(witness);
        }
    }

    pub(super) fn highest_claimed(&self) -> Option<Position> {
        self.lock().0.claimed
    }

    pub(super) fn push(&self, entries: &[Entry]) {
        let (mut inner, now) = self.lock();
        let head = inner.head.seq;
        let new: Vec<&Entry> = entries.iter().filter(|entry| entry.seq > head).collect();
        let Some(last) = new.last() else { return };
        let seq = last.seq;
        let messages = entry_messages(inner.head.epoch, new.iter().copied());
        let epoch = new.iter().fold(inner.head.epoch, |epoch, entry| epoch_with(epoch, entry));
        inner.head = Position { epoch, seq, entry: last.id };
        inner.tail.extend(new.into_iter().cloned());
        for message in &messages {
            inner.tell_all(now, message);
        }
        self.step(&mut inner, now, Input::Applied(seq));
        drop(inner);
        self.pushed.send_replace(seq);
    }

    /// Takes a session in that was told everything up to `told`: sends what has come since.
    pub(super) fn join(
        &self,
        id: SessionId,
        who: Who,
        known: u64,
        told: u64,
        mut line: Line,
    ) -> Result<(), NotJoined> {
        let (mut inner, now) = self.lock();
        // Under the lock: whoever is taken in before is told of it.
        if self.is_leaving() {
            return Err(NotJoined::Leaving);
        }
        if told < inner.head.seq {
            for message in inner.tail.after(told).ok_or(NotJoined::Overrun)? {
                line.say(message).map_err(|_| NotJoined::Overrun)?;
            }
        }
        let known = known.min(inner.head.seq);
        inner.roster.open(now, id, who, known);
        inner.lines.insert(id, line);
        Ok(())
    }

    /// Grants a lease, if one may be granted. It is queued under the lock, so that it stands behind
    /// every entry that its `min` names.
    pub(super) fn renew(&self, session: SessionId, renew: proto::Renew) {
        let (mut inner, now) = self.lock();
        let proto::Renew { nonce, acked, epoch } = renew;
        // What is of another epoch is no entry of this one, whatever its number.
        let acked = if epoch == inner.head.epoch { acked.min(inner.head.seq) } else { 0 };
        self.step(&mut inner, now, Input::Renew { session, nonce, acked });
        // Most renewals only make a deadline later.
        let next = inner.roster.next_deadline(now.mono);
        let earlier = next.is_some_and(|next| inner.next_look.is_none_or(|look| next < look));
        drop(inner);
        self.heard.send_replace(());
        if earlier {
            self.changed.notify_one();
        }
    }

    /// Counts for nothing that was not pushed yet: a reader of the log may be ahead of the pushes,
    /// and its verifier acknowledges again when the push comes. Answers whether it may be of this log:
    /// of an earlier epoch it is on its way since before this one began, and counts for nothing.
    pub(super) fn ack(&self, session: SessionId, epoch: u64, seq: u64) -> bool {
        let (mut inner, now) = self.lock();
        let may_be_ours = epoch <= inner.head.epoch;
        if epoch == inner.head.epoch {
            let seq = seq.min(inner.head.seq);
            self.step(&mut inner, now, Input::Ack { session, seq });
            drop(inner);
            self.heard.send_replace(());
        }
        may_be_ours
    }

    pub(super) fn release(&self, id: SessionId) {
        let (mut inner, now) = self.lock();
        inner.lines.remove(&id);
        self.step(&mut inner, now, Input::Released(id));
    }

    /// The stream ended: that releases nothing.
    pub(super) fn end(&self, id: SessionId) {
        let (mut inner, now) = self.lock();
        inner.end(now, id);
    }

    /// Looks at the deadlines; returns for how long they need no other look.
    pub(super) fn look(&self) -> Option<Duration> {
        let (mut inner, now) = self.lock();
        self.step(&mut inner, now, Input::Tick);
        let next = inner.roster.next_deadline(now.mono);
        inner.next_look = next;
        next.map(|deadline| deadline.since(now.mono))
    }

    /// Gives a sign of life to those that got none otherwise since the last time. Most did: their
    /// renewals were answered.
    pub(super) fn heartbeat(&self) {
        let (mut inner, _) = self.lock();
        let beat = proto::Heartbeat { head: inner.head.seq };
        inner.lines.values_mut().for_each(|line| line.beat(beat));
    }

    pub(super) fn list(&self) -> Vec<Listed> {
        let (inner, now) = self.lock();
        inner.roster.list(now.mono)
    }

    pub(super) fn outcome(&self, seq: u64) -> Outcome {
        self.lock().0.roster.outcome(seq)
    }

    fn step(&self, inner: &mut Inner, now: Now, input: Input<SessionId>) {
        for output in inner.roster.step(now, input) {
            match output {
                Output::Grant { session, nonce, length, .. } => {
                    inner.grant(now, session, nonce, length);
                }
                Output::Left => {
                    self.leave.send_if_modified(|leave| {
                        std::mem::replace(leave, Leave::Left) != Leave::Left
                    });
                }
                // The lease is published below; what is complete is asked for.
                Output::LeaseLost | Output::Complete(_) | Output::Refused { .. } => {}
            }
        }
        self.lease.publish(inner.roster.lease_end());
        let complete = inner.roster.complete();
        self.complete.send_if_modified(|known| std::mem::replace(known, complete) != complete);
    }
}

impl Inner {
    fn grant(&mut self, now: Now, session: SessionId, nonce: u64, length: Duration) {
        let length_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        // What is applied here is what was pushed: the machine's `min`, with its identity.
        let (min, wall_ms) = (Some(self.head.into()), now.wall.0 / 1_000_000);
        let grant = proto::Grant { nonce, length_ms, min, wall_ms };
        self.tell(now, session, from_authority::Message::Grant(grant).into());
    }

    fn tell_all(&mut self, now: Now, message: &FromAuthority) {
        let ids: Vec<SessionId> = self.lines.keys().copied().collect();
        for id in ids {
            self.tell(now, id, message.clone());
        }
    }

    fn tell(&mut self, now: Now, id: SessionId, message: FromAuthority) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        if line.say(message).is_err() {
            tracing::warn!(session = id.0, "a verifier does not keep up with the feed: cut off");
            self.end(now, id);
        }
    }

    fn end(&mut self, now: Now, id: SessionId) {
        self.lines.remove(&id);
        // What this completes is seen at the next look, which every deadline brings about.
        self.roster.step(now, Input::Disconnected(id));
    }
}

fn now(began: Stopwatch) -> Now {
    let nanos = |length: Duration| u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
    Now {
        boot: SystemClock.boot(),
        mono: Mono(nanos(began.elapsed())),
        wall: Wall(SystemClock.wall_ms().saturating_mul(1_000_000)),
    }
}
