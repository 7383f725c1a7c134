//! A node: it holds a lease from the database, grants leases to verifiers from it, and knows when all
//! of them have applied an entry.
//!
//! Everything happens in one `step` at a time: a renewal, the push of an entry and an acknowledgement
//! are never interleaved. A closed connection ends nothing: only a release or the deadline does.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::time::Duration;

use super::lease::{Held, Lengths};
use super::rules::{Rules, Sound};
use super::sessions::{Session, Sessions};
use super::signals::{Input, Outcome, Output, Refusal, SessionView, Tenure};
use super::time::{Boot, Mono, Now, kappa};

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Node<V: Ord + Copy, R: Rules = Sound> {
    lengths: Lengths,
    tenure: Tenure,
    applied: u64,
    held: Held,
    /// Renewals that saw more than is applied here: the lease begins when that is caught up.
    pending: Option<(Boot, u64)>,
    refused: bool,
    leaving: bool,
    sessions: Sessions<V>,
    /// Applied within the grace, so not yet overdue; and the last entry that is.
    recent: VecDeque<(Mono, u64)>,
    overdue: u64,
    /// Until when leases of the process before may run.
    before: Option<Mono>,
    complete: u64,
    rules: PhantomData<R>,
}

impl<V: Ord + Copy, R: Rules> Node<V, R> {
    /// A node that has applied the log up to `applied`.
    pub fn new(now: Now, lengths: Lengths, tenure: Tenure, applied: u64) -> Self {
        let before = match tenure {
            Tenure::Sole { before } => before.map(|longest| now.mono.after(kappa(longest))),
            Tenure::Leased => None,
        };
        Self {
            lengths,
            tenure,
            applied,
            held: Held::default(),
            pending: None,
            refused: false,
            leaving: false,
            sessions: Sessions::new(),
            recent: VecDeque::new(),
            overdue: applied,
            before,
            complete: 0,
            rules: PhantomData,
        }
    }

    /// The last entry that was applied.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// Up to where everything was reported complete.
    pub fn complete(&self) -> u64 {
        self.complete
    }

    /// Whether it may give verdicts and say "revoked".
    pub fn serves(&self, now: Boot) -> bool {
        !self.left_of_lease(now).is_zero()
    }

    /// Until when it may: the last moment that there is, where its lease never ends, and the first where
    /// it has none.
    pub fn lease_end(&self) -> Boot {
        match self.tenure {
            _ if self.refused => Boot::default(),
            Tenure::Sole { .. } => Boot::from_nanos(u64::MAX),
            Tenure::Leased => self.held.end().unwrap_or_default(),
        }
    }

    /// Its sessions.
    pub fn sessions(&self) -> impl Iterator<Item = SessionView<V>> + '_ {
        self.sessions.iter().map(view)
    }

    /// How many sessions it knows.
    pub fn sessions_known(&self) -> usize {
        self.sessions.len()
    }

    /// The sessions whose leases have ended since the last step.
    pub fn run_out(&self, now: Mono) -> impl Iterator<Item = SessionView<V>> + '_ {
        self.sessions.run_out(now).map(view)
    }

    /// Who has not applied entry `seq` and may still accept.
    pub fn waiting_for(&self, seq: u64, now: Mono) -> impl Iterator<Item = V> + '_ {
        let waits = move |s: &Session| s.acked < seq && s.may_accept(now);
        self.sessions.iter().filter(move |(_, s)| waits(s)).map(|(session, _)| session)
    }

    /// How the sessions stand to entry `seq`. Sessions that never had a lease count only once they
    /// have applied it: they cannot be cut off from what they never had.
    pub fn outcome(&self, seq: u64, now: Mono) -> Outcome {
        let mut outcome = Outcome::default();
        for (_, session) in self.sessions.iter() {
            if session.acked >= seq {
                outcome.acked += 1;
            } else if session.may_accept(now) {
                outcome.waiting += 1;
            } else if session.deadline.is_some() {
                outcome.expired += 1;
            }
        }
        outcome
    }

    /// When a [`Input::Tick`] may change something next.
    pub fn next_deadline(&self, now: Mono) -> Option<Mono> {
        let before = self.before.filter(|until| *until > now);
        self.sessions.next_end(now).into_iter().chain(before).min()
    }

    /// Takes an input into account.
    pub fn step(&mut self, now: Now, input: Input<V>) -> Vec<Output<V>> {
        let mut outputs = Vec::new();
        match input {
            Input::Renewed { anchor, head } => self.renewed(now, anchor, head),
            Input::RenewalRefused => {
                self.refused = true;
                self.held.drop_now();
                self.pending = None;
                outputs.push(Output::LeaseLost);
            }
            Input::Applied(seq) => self.apply(now.mono, seq),
            Input::SessionOpened { session, acked } => self.open(now.mono, session, acked),
            Input::Renew { session, nonce, acked } => {
                self.ack(now.mono, session, acked);
                outputs.push(match self.grant(now, session) {
                    Ok(length) => {
                        let min = if R::GRANT_WITHOUT_MIN { 0 } else { self.applied };
                        Output::Grant { session, nonce, length, min }
                    }
                    Err(why) => Output::Refused { session, nonce, why },
                });
            }
            Input::Ack { session, seq } => self.ack(now.mono, session, seq),
            Input::Released(session) => self.sessions.remove(session),
            Input::Disconnected(session) => self.disconnect(now.mono, session),
            Input::Leave => self.leaving = true,
            Input::Tick => {}
        }
        self.report(now.mono, &mut outputs);
        outputs
    }

    fn renewed(&mut self, now: Now, anchor: Boot, head: u64) {
        if self.refused {
            return;
        }
        let anchor = if R::NODE_ANCHOR_AT_ANSWER { now.boot } else { anchor };
        if self.applied >= head || R::LEASE_BEFORE_CATCH_UP {
            self.held.extend(anchor.after(self.lengths.node));
            return;
        }
        // Of two that wait, the one that is caught up with first, while it is still of use.
        let useful = |(anchor, _): &(Boot, u64)| now.boot < anchor.after(self.lengths.node);
        let kept = self.pending.filter(|kept| useful(kept) && kept.1 < head);
        self.pending = kept.or(Some((anchor, head)));
    }

    fn apply(&mut self, now: Mono, seq: u64) {
        if seq <= self.applied {
            return;
        }
        self.applied = seq;
        self.recent.push_back((now, seq));
        if let Some((anchor, _)) = self.pending.take_if(|(_, head)| *head <= seq) {
            self.held.extend(anchor.after(self.lengths.node));
        }
    }

    fn open(&mut self, now: Mono, session: V, acked: u64) {
        // A verifier that comes back keeps its deadline. What it says now counts, also if it is less
        // than before: it may have lost its state.
        let deadline = self.sessions.get(session).and_then(|before| before.deadline);
        self.sessions.put(now, session, Session { acked, deadline, connected: true });
    }

    fn ack(&mut self, now: Mono, session: V, seq: u64) {
        self.sessions.change(now, session, |session| session.acked = session.acked.max(seq));
    }

    fn disconnect(&mut self, now: Mono, session: V) {
        self.sessions.change(now, session, |gone| {
            gone.connected = false;
            if R::CLOSE_IS_RELEASE {
                gone.deadline = None;
            }
        });
    }

    fn grant(&mut self, now: Now, session: V) -> Result<Duration, Refusal> {
        let mut left = self.left_of_lease(now.boot);
        if left.is_zero() {
            return Err(Refusal::NodeLease);
        }
        if R::GRANT_OUTLIVES_NODE {
            left = Duration::MAX;
        }
        if self.leaving {
            return Err(Refusal::Leaving);
        }
        self.age(now.mono);
        let held = self.sessions.get(session).filter(|session| session.connected);
        if held.ok_or(Refusal::NoSession)?.acked < self.overdue {
            return Err(Refusal::Lagging);
        }
        let length = left.min(self.lengths.verifier);
        let deadline = now.mono.after(kappa(length));
        // Recorded before it is sent, so no lease is ever out that nobody waits for.
        self.sessions.change(now.mono, session, |held| {
            held.deadline = held.deadline.max(Some(deadline));
        });
        Ok(length)
    }

    fn left_of_lease(&self, now: Boot) -> Duration {
        match (self.tenure, self.held.end()) {
            _ if self.refused => Duration::ZERO,
            (Tenure::Sole { .. }, _) => Duration::MAX,
            (Tenure::Leased, Some(end)) => end.since(now),
            (Tenure::Leased, None) => Duration::ZERO,
        }
    }

    /// Moves what is older than the grace from recent to overdue.
    fn age(&mut self, now: Mono) {
        while let Some((_, seq)) =
            self.recent.pop_front_if(|(applied, _)| now.since(*applied) > self.lengths.ack_grace)
        {
            self.overdue = seq;
        }
    }

    fn report(&mut self, now: Mono, outputs: &mut Vec<Output<V>>) {
        self.age(now);
        // Who was cut off is remembered for a while: receipts count them.
        self.sessions.look(now, self.lengths.floor());
        self.before = self.before.filter(|until| now < *until);
        if self.before.is_some() {
            // Nothing is known of the verifiers of the process before.
            return;
        }
        let least = self.sessions.least_acked().unwrap_or(u64::MAX);
        let complete =
            if R::COMPLETE_WITHOUT_SESSIONS { self.applied } else { least.min(self.applied) };
        if complete > self.complete {
            self.complete = complete;
            outputs.push(Output::Complete(complete));
        }
        if self.leaving && (R::LEFT_AT_ONCE || self.sessions.least_acked().is_none()) {
            outputs.push(Output::Left);
        }
    }
}

fn view<V>((session, s): (V, &Session)) -> SessionView<V> {
    let Session { acked, deadline, connected } = *s;
    SessionView { session, acked, deadline, connected }
}
