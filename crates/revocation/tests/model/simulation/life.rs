//! A life: its hosts, its tokens, and one step after another. The network and the database stand beside.

use std::collections::BTreeMap;

use nt_revocation::protocol::{Failover, Lengths, Member, Rules};

use super::database::Database;
use super::host::{Dice, STEP_MS};
use super::known::Tokens;
use super::network::Message;
use super::node::Seat;
use super::operator::Operator;
use super::verifier::Verifier;

/// A life's true time: faults of every kind, and then a calm in which everything must recover.
pub(super) const TURBULENT_MS: u64 = 60_000;
pub(super) const LIFE_MS: u64 = TURBULENT_MS + 35_000;
/// From here on nothing of the turbulence is left: the longest pause, a recovery, and 12.73 s by a slow clock.
const RECOVERED_MS: u64 = TURBULENT_MS + 30_000;
/// How long a revoke may take when everybody runs: some round trips.
pub(super) const PROMPT_MS: u64 = 1_000;

pub(super) const PROMISE: &str = "a token is accepted after its revoke was answered";
pub(super) const BACK: &str = "a token is accepted where it was refused as revoked";

/// Which machinery is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Three nodes that a database leases, to which nothing happens.
    Leased,
    /// The same, on a primary with a standby, to which everything happens.
    Replicated(Failover),
    /// One node on SQLite.
    Sole,
}

/// What is broken around the machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bug {
    None,
    /// Nodes come and go more often: in which a broken rule of the machines shows sooner.
    Restless,
    /// Holders count by the clock of waiters, which stands still in suspend.
    HoldsByMono,
    StateBeforeExpiry,
    VerdictCached,
    AckBeforeApply,
    /// A verifier that goes to another node releases the one before at once, and relies on its lease.
    ReleasedTooEarly,
    /// Nothing is kept of leases that the process before granted.
    BeforeForgotten,
    /// Log numbers are handed out before the commit, by a counter outside the transaction.
    Serial,
    /// The database renews by a plain read.
    RenewalByRead,
    /// Entries are told apart by their numbers alone.
    NumberIsIdentity,
    /// A warning that the wait for the standby was cancelled is taken for success.
    WarningIsSuccess,
    /// A revoke is answered before it is in the journal.
    AnswerBeforeJournal,
    /// A snapshot of a later epoch takes the place of what a verifier knows.
    EpochReplaces,
    /// A node that reads on does not look whether the log still has what it read last.
    TailUnchecked,
    /// A promotion that may lose is followed like one that does not.
    LossyFollowed,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Token {
    /// The true time from which on whoever asks the database learns that it is dead.
    pub(super) first: Option<u64>,
    pub(super) answered: bool,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Figures {
    pub(super) answered: u64,
    pub(super) checks: u64,
    pub(super) accepted: u64,
    pub(super) overlapped: u64,
    pub(super) promoted: u64,
    pub(super) put_back: u64,
    pub(super) restarts: u64,
    pub(super) cancelled: u64,
    pub(super) quarantined: u64,
    pub(super) recovered: u64,
    pub(super) brought_back: u64,
    pub(super) revoked_before: u64,
}

impl Figures {
    pub(super) fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.checks += other.checks;
        self.accepted += other.accepted;
        self.overlapped += other.overlapped;
        self.promoted += other.promoted;
        self.put_back += other.put_back;
        self.restarts += other.restarts;
        self.cancelled += other.cancelled;
        self.quarantined += other.quarantined;
        self.recovered += other.recovered;
        self.brought_back += other.brought_back;
        self.revoked_before += other.revoked_before;
    }
}

pub(super) struct Life<R: Rules> {
    pub(super) kind: Kind,
    pub(super) bug: Bug,
    pub(super) dice: Dice,
    pub(super) t: u64,
    pub(super) db: Database,
    pub(super) operator: Operator,
    /// When somebody last said that history was lost.
    pub(super) heard_at: u64,
    /// Entries and incarnations so far.
    pub(super) ids: u64,
    pub(super) incarnations: u64,
    pub(super) sessions: u64,
    pub(super) nodes: Vec<Seat<R>>,
    pub(super) verifiers: Vec<Verifier>,
    pub(super) mail: BTreeMap<(u64, u64), Message>,
    pub(super) posted: u64,
    pub(super) tokens: Vec<Token>,
    /// Those whose revoke was answered.
    pub(super) dead: Tokens,
    /// Something is broken on purpose: only this is looked at.
    control: Option<&'static str>,
    /// Revokes since the recovery, and until when each is to be answered.
    pub(super) prompt: Vec<(usize, u64)>,
    pub(super) figures: Figures,
    pub(super) wrong: Option<String>,
}

impl<R: Rules> Life<R> {
    pub(super) fn new(
        seed: u64,
        kind: Kind,
        bug: Bug,
        drift: u64,
        control: Option<&'static str>,
    ) -> Self {
        let mut dice = Dice(seed);
        let nodes = if kind == Kind::Sole { 1 } else { 3 };
        let mut life = Self {
            kind,
            bug,
            t: 0,
            db: Database::new(nodes, kind != Kind::Replicated(Failover::MayLose)),
            operator: Operator::Idle,
            heard_at: 0,
            ids: 0,
            incarnations: 0,
            sessions: 0,
            nodes: (0..nodes).map(|_| Seat::new(&mut dice, drift)).collect(),
            verifiers: (0..4).map(|_| Verifier::new(&mut dice, drift)).collect(),
            mail: BTreeMap::new(),
            posted: 0,
            dead: Tokens::default(),
            control,
            tokens: vec![Token::default()],
            prompt: Vec::new(),
            figures: Figures::default(),
            wrong: None,
            dice,
        };
        (0..nodes).for_each(|i| life.start(i));
        life
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
        if self.control.is_some_and(|control| control != what) {
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
        self.run_database();
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
        let over = |at: u64| self.t > at + after;
        self.kind == Kind::Leased && self.tokens[token].first.is_some_and(over)
    }
}
