//! Everything that can happen around the machines, one step at a time.
//!
//! Two nodes, one verifier, one token, two callers that revoke it, one database; or one node alone. Messages are lost,
//! delayed and reordered: each waits in a set, from which any may be taken at any time, or never. A
//! tick is a nanosecond, so κ rounds up; drift is part of the bounds (and of the simulation).

mod choices;
mod machines;
mod take;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nt_revocation::protocol::{
    Boot, Change, How, Incarnation, Lengths, Member, Membership, Mono, Node, Now, Revoke, Rules,
    VerifierLease, Wall,
};

/// The verifier's session, at every node.
pub(super) const SESSION: u8 = 0;

/// Short, so that few ticks suffice; κ makes 6 of 4 and 3 of 2.
pub(crate) const LENGTHS: Lengths = Lengths {
    node: Duration::from_nanos(4),
    verifier: Duration::from_nanos(2),
    ack_grace: Duration::from_nanos(1),
};

/// Who has the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Two nodes, to which it grants leases.
    Leased,
    /// One process at a time.
    Sole,
}

/// How much may happen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub lengths: Lengths,
    pub ticks: u64,
    pub crashes: u8,
    pub fences: u8,
    /// Nodes that end in order.
    pub leaves: u8,
    pub closes: u8,
    /// Messages that arrive once more.
    pub copies: u8,
    /// How often the verifier may lose all that it knows.
    pub restarts: u8,
    pub verifier_renewals: u64,
    pub node_renewals: u8,
    /// How many of the two nodes have joined at the start.
    pub up: usize,
    /// How many more incarnations may.
    pub starts: u8,
    pub callers: usize,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Message {
    Renew { node: usize, nonce: u64, acked: u64 },
    Ack { node: usize, seq: u64 },
    Grant { nonce: u64, length: Duration, min: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Record {
    Revoked,
    Membership(Change),
}

/// A node's conversation with the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Asking {
    Nothing,
    Asked(Boot),
    Answered(Boot, Option<u64>),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Process<R: Rules> {
    pub me: Member,
    pub machine: Node<u8, R>,
    pub members: Membership<R>,
    pub asking: Asking,
    pub connected: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Caller<R: Rules> {
    Idle,
    Waits {
        node: usize,
        revoke: Revoke<R>,
    },
    /// Its node crashed under it.
    Failed,
    Done(How),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World<R: Rules> {
    pub lengths: Lengths,
    pub kind: Kind,
    /// The file that says that leases may be out (Sole).
    pub granted: bool,
    pub incarnations: u64,
    pub t: u64,
    pub log: Vec<Record>,
    /// The incarnation whose renewals the database accepts.
    pub active: [Option<Incarnation>; 2],
    /// The head that a primary which was replaced goes on seeing.
    pub zombie: Option<u64>,
    pub nodes: [Option<Process<R>>; 2],
    pub verifier: VerifierLease<R>,
    pub net: BTreeSet<Message>,
    /// What each incarnation has reported complete; it reaches a caller's node at any time.
    pub complete: BTreeMap<Member, u64>,
    pub callers: Vec<Caller<R>>,
    pub left: Left,
}

/// What may still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Left {
    pub starts: u8,
    pub crashes: u8,
    pub fences: u8,
    pub leaves: u8,
    pub closes: u8,
    pub copies: u8,
    pub restarts: u8,
    pub verifier_renewals: u64,
    pub node_renewals: [u8; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Tick,
    Start(usize),
    Crash(usize),
    /// A node ends in order.
    Leave(usize),
    /// A node applies the next entry of the log.
    Apply(usize),
    Ask(usize),
    /// The database executes the renewal.
    Serve(usize),
    Failover,
    ServeByZombie(usize),
    Answer(usize),
    Connect(usize),
    Close(usize),
    /// The verifier asks a node for a lease.
    Renew(usize),
    /// The next entry reaches the verifier from a node that has applied it.
    Push(usize),
    Deliver(Message),
    /// It arrives, and will arrive once more.
    DeliverCopy(Message),
    /// The verifier starts anew, with nothing.
    Restart,
    Fence(usize, Member),
    DeclareGone(usize, Member),
    Revoke(usize, usize),
    /// A member's report reaches the node at which a caller waits.
    Report(usize, Member),
}

pub(crate) fn now(t: u64) -> Now {
    Now { boot: Boot::from_nanos(t), mono: Mono(t), wall: Wall(t) }
}

impl<R: Rules> World<R> {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        let mut world = Self {
            lengths: bounds.lengths,
            kind: bounds.kind,
            granted: false,
            incarnations: 0,
            t: 0,
            log: Vec::new(),
            active: [None; 2],
            zombie: None,
            nodes: [None, None],
            verifier: VerifierLease::new(bounds.lengths, 0, 0),
            net: BTreeSet::new(),
            complete: BTreeMap::new(),
            callers: vec![Caller::Idle; bounds.callers],
            left: Left {
                starts: bounds.starts,
                crashes: bounds.crashes,
                fences: bounds.fences,
                leaves: bounds.leaves,
                closes: bounds.closes,
                copies: bounds.copies,
                restarts: bounds.restarts,
                verifier_renewals: bounds.verifier_renewals,
                node_renewals: [bounds.node_renewals; 2],
            },
        };
        (0..bounds.up).for_each(|i| world.start(i));
        for i in 0..bounds.up {
            while world.can_apply(i) {
                world.apply(i);
            }
        }
        world.verifier = VerifierLease::new(bounds.lengths, world.head(), 0);
        world
    }

    pub(crate) fn head(&self) -> u64 {
        self.log.len() as u64
    }

    /// The entry from which on the token is dead to whoever has applied it.
    pub(super) fn first(&self) -> Option<u64> {
        self.log.iter().position(|record| *record == Record::Revoked).map(|at| at as u64 + 1)
    }

    pub(crate) fn answered(&self) -> bool {
        self.callers.iter().any(|caller| matches!(caller, Caller::Done(_)))
    }

    /// Whether a check that starts now would accept the token, at the verifier or at a node's door.
    pub(crate) fn accepts(&self) -> bool {
        let blind = |applied: u64| self.first().is_none_or(|first| applied < first);
        let now = now(self.t).boot;
        let verifier = self.verifier.lasts(now) && blind(self.verifier.applied());
        let door =
            |process: &Process<R>| process.machine.serves(now) && blind(process.machine.applied());
        verifier || self.nodes.iter().flatten().any(door)
    }
}
