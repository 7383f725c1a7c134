//! A life: its hosts, its tokens, and one step after another. The network and the database stand beside.

use std::collections::BTreeMap;

use nt_revocation::protocol::{Change, Incarnation, Lengths, Member, Rules};

use super::host::{Dice, STEP_MS};
use super::network::Message;
use super::node::Seat;
use super::verifier::Verifier;

/// A life's true time: faults of every kind, and then a calm in which everything must recover.
pub(super) const TURBULENT_MS: u64 = 60_000;
pub(super) const LIFE_MS: u64 = TURBULENT_MS + 30_000;
/// From here on nothing of the turbulence is left: the longest pause, and then 12.73 s by a slow clock.
const RECOVERED_MS: u64 = TURBULENT_MS + 25_000;
/// How long a revoke may take when everybody runs: some round trips.
pub(super) const PROMPT_MS: u64 = 1_000;

pub(super) const PROMISE: &str = "a token is accepted after its revoke was answered";

/// Which machinery is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Three nodes that a database leases.
    Leased,
    /// One node on SQLite.
    Sole,
}

/// What is broken around the machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bug {
    None,
    /// Holders count by the clock of waiters, which stands still in suspend.
    HoldsByMono,
    StateBeforeExpiry,
    VerdictCached,
    AckBeforeApply,
    /// A verifier that goes to another node releases the one before at once, and relies on its lease.
    ReleasedTooEarly,
    /// Nothing is kept of leases that the process before granted.
    BeforeForgotten,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Entry {
    Revoked(usize),
    Membership(Change),
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Token {
    /// The entry from which on it is dead to whoever has applied it, and the true time of it.
    pub(super) first: Option<(u64, u64)>,
    pub(super) answered: bool,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Figures {
    pub(super) answered: u64,
    pub(super) checks: u64,
    pub(super) accepted: u64,
    pub(super) overlapped: u64,
}

pub(super) struct Life<R: Rules> {
    pub(super) kind: Kind,
    pub(super) bug: Bug,
    pub(super) dice: Dice,
    pub(super) t: u64,
    pub(super) log: Vec<Entry>,
    /// The incarnation of each node whose renewals the database accepts.
    pub(super) active: Vec<Option<Incarnation>>,
    pub(super) incarnations: u64,
    pub(super) sessions: u64,
    pub(super) nodes: Vec<Seat<R>>,
    pub(super) verifiers: Vec<Verifier>,
    pub(super) mail: BTreeMap<(u64, u64), Message>,
    pub(super) posted: u64,
    pub(super) tokens: Vec<Token>,
    /// The last entry from which on an answered token is dead.
    pub(super) newest_dead: u64,
    /// Something is broken on purpose: only the promise is looked at.
    control: bool,
    /// Revokes since the recovery, and until when each is to be answered.
    pub(super) prompt: Vec<(usize, u64)>,
    pub(super) figures: Figures,
    pub(super) wrong: Option<String>,
}

impl<R: Rules> Life<R> {
    pub(super) fn new(seed: u64, kind: Kind, bug: Bug, drift: u64) -> Self {
        let mut dice = Dice(seed);
        let nodes = if kind == Kind::Sole { 1 } else { 3 };
        let mut life = Self {
            kind,
            bug,
            t: 0,
            log: Vec::new(),
            active: vec![None; nodes],
            incarnations: 0,
            sessions: 0,
            nodes: (0..nodes).map(|_| Seat::new(&mut dice, drift)).collect(),
            verifiers: (0..4).map(|_| Verifier::new(&mut dice, drift)).collect(),
            mail: BTreeMap::new(),
            posted: 0,
            newest_dead: 0,
            control: bug != Bug::None || drift > 120 || R::CLOSE_IS_RELEASE,
            tokens: vec![Token::default()],
            prompt: Vec::new(),
            figures: Figures::default(),
            wrong: None,
            dice,
        };
        (0..nodes).for_each(|i| life.start(i));
        life
    }

    pub(super) fn head(&self) -> u64 {
        self.log.len() as u64
    }

    pub(super) fn turbulent(&self) -> bool {
        self.t < TURBULENT_MS
    }

    pub(super) fn recovered(&self) -> bool {
        self.t >= RECOVERED_MS
    }

    pub(super) fn row(member: Member) -> usize {
        usize::try_from(member.node.0).expect("few nodes")
    }

    pub(super) fn fails(&mut self, what: &str) {
        let t = self.t;
        if self.control && what != PROMISE {
            return;
        }
        self.wrong.get_or_insert_with(|| format!("{what}, at {t} ms"));
    }

    /// One step of everything; whether all is as promised.
    pub(super) fn step(&mut self) -> bool {
        self.t += STEP_MS;
        let (t, turbulent) = (self.t, self.turbulent());
        for host in self.nodes.iter_mut().map(|node| &mut node.host) {
            host.pass(t, turbulent, &mut self.dice);
        }
        for host in self.verifiers.iter_mut().map(|verifier| &mut verifier.host) {
            host.pass(t, turbulent, &mut self.dice);
        }
        // Whether a check or its driver is woken first is chance.
        let early = self.dice.once_in(2);
        if early {
            (0..self.verifiers.len()).for_each(|v| self.check(v));
        }
        while let Some(mail) = self.mail.first_entry().filter(|mail| mail.key().0 <= t) {
            let message = mail.remove();
            self.deliver(message);
        }
        (0..self.nodes.len()).for_each(|i| self.run_node(i));
        (0..self.verifiers.len()).for_each(|v| self.run_verifier(v));
        if !early {
            (0..self.verifiers.len()).for_each(|v| self.check(v));
        }
        (0..self.nodes.len()).for_each(|i| self.check_door(i));
        if self.prompt.iter().any(|(token, until)| !self.tokens[*token].answered && *until < t) {
            self.fails("a revoke is not in force though everybody runs");
        }
        self.wrong.is_none()
    }

    /// Whether nobody may accept this token any more, answered or not: the floor is over by the
    /// slowest clock.
    pub(super) fn must_be_over(&self, token: usize) -> bool {
        let slowest = 1_000 - u64::from(nt_revocation::protocol::time::RHO_PER_MILLE);
        let node = u64::try_from(Lengths::default().node.as_millis()).expect("seconds");
        let after = node * 1_000 / slowest + STEP_MS;
        let over = |(_, at): (u64, u64)| self.t > at + after;
        self.kind == Kind::Leased && self.tokens[token].first.is_some_and(over)
    }
}
