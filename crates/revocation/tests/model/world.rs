//! Everything that can happen around the machines, one step at a time.
//!
//! Two nodes, one verifier, one token, two callers that revoke it, one database. Messages are lost,
//! delayed and reordered: each waits in a set, from which any may be taken at any time, or never. A
//! tick is a nanosecond, so κ rounds up; drift is part of the bounds (and of the simulation).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nt_revocation::protocol::{
    Boot, Change, Event, How, Incarnation, Input, Lengths, Member, Membership, Mono, Next, Node,
    NodeId, Now, Output, Proof, Revoke, Rules, Tenure, VerifierInput, VerifierLease,
    VerifierOutput, Wall,
};

/// The verifier's session, at every node.
const SESSION: u8 = 0;

/// Short, so that few ticks suffice; κ makes 6 of 4 and 3 of 2.
pub(crate) const LENGTHS: Lengths = Lengths {
    node: Duration::from_nanos(4),
    verifier: Duration::from_nanos(2),
    ack_grace: Duration::from_nanos(1),
};

/// How much may happen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub lengths: Lengths,
    pub ticks: u64,
    pub crashes: u8,
    pub fences: u8,
    pub closes: u8,
    pub verifier_renewals: u64,
    pub node_renewals: u8,
    /// How many of the two nodes have joined at the start.
    pub up: usize,
    /// How many more incarnations may.
    pub starts: u8,
    pub callers: usize,
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
    pub closes: u8,
    pub verifier_renewals: u64,
    pub node_renewals: [u8; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Tick,
    Start(usize),
    Crash(usize),
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
    Fence(usize, Member),
    DeclareGone(usize, Member),
    Revoke(usize, usize),
    /// A member's report reaches the node at which a caller waits.
    Report(usize, Member),
}

pub(crate) fn now(t: u64) -> Now {
    Now { boot: Boot(t), mono: Mono(t), wall: Wall(t) }
}

impl<R: Rules> World<R> {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        let mut world = Self {
            lengths: bounds.lengths,
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
                closes: bounds.closes,
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
    fn first(&self) -> Option<u64> {
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

    pub(crate) fn steps(&self, bounds: &Bounds, steps: &mut Vec<Step>) {
        if self.t < bounds.ticks {
            steps.push(Step::Tick);
        }
        if R::RENEWAL_BY_READ && self.zombie.is_none() {
            steps.push(Step::Failover);
        }
        for (i, node) in self.nodes.iter().enumerate() {
            match node {
                Some(process) => self.steps_of(i, process, steps),
                None if self.left.starts > 0 => {
                    steps.push(Step::Start(i));
                }
                None => {}
            }
        }
        steps.extend(self.net.iter().map(|message| Step::Deliver(*message)));
        for (c, caller) in self.callers.iter().enumerate() {
            if let Caller::Waits { revoke, .. } = caller {
                let reports = self.complete.iter().filter(|(member, seq)| {
                    **seq >= revoke.seq()
                        && revoke.waiting_for().is_some_and(|waiting| waiting.contains(member))
                });
                steps.extend(reports.map(|(member, _)| Step::Report(c, *member)));
            }
        }
    }

    fn steps_of(&self, i: usize, process: &Process<R>, steps: &mut Vec<Step>) {
        if self.left.crashes > 0 {
            steps.push(Step::Crash(i));
        }
        if self.can_apply(i) {
            steps.push(Step::Apply(i));
        }
        match process.asking {
            Asking::Nothing if self.left.node_renewals[i] > 0 => steps.push(Step::Ask(i)),
            Asking::Nothing => {}
            Asking::Asked(_) => {
                steps.push(Step::Serve(i));
                if self.zombie.is_some() {
                    steps.push(Step::ServeByZombie(i));
                }
            }
            Asking::Answered(..) => steps.push(Step::Answer(i)),
        }
        if process.connected {
            if self.left.closes > 0 {
                steps.push(Step::Close(i));
            }
            if self.left.verifier_renewals > 0 {
                steps.push(Step::Renew(i));
            }
            let next = self.verifier.applied() + 1;
            if next <= process.machine.applied() {
                steps.push(Step::Push(i));
            }
        } else {
            steps.push(Step::Connect(i));
        }
        if self.left.fences > 0 {
            let others = process.members.members().filter(|member| *member != process.me);
            steps.extend(others.map(|member| Step::Fence(i, member)));
        }
        for member in process.members.ended(now(self.t).mono, &self.lengths) {
            let gone = Record::Membership(Change::Gone(member));
            if member != process.me && !self.log.contains(&gone) {
                steps.push(Step::DeclareGone(i, member));
            }
        }
        // Callers are alike: the first that is idle stands for all.
        let idle = self.callers.iter().position(|caller| *caller == Caller::Idle);
        steps.extend(idle.map(|c| Step::Revoke(c, i)));
    }

    pub(crate) fn take(&mut self, step: Step) {
        match step {
            Step::Tick => self.tick(),
            Step::Start(i) => {
                self.left.starts -= 1;
                self.start(i);
            }
            Step::Crash(i) => self.crash(i),
            Step::Apply(i) => self.apply(i),
            Step::Ask(i) => {
                self.left.node_renewals[i] -= 1;
                let anchor = now(self.t).boot;
                self.process(i).asking = Asking::Asked(anchor);
            }
            Step::Serve(i) => {
                let head = self.head();
                let active = self.active[i];
                let process = self.process(i);
                let served = active == Some(process.me.incarnation);
                if let Asking::Asked(anchor) = process.asking {
                    process.asking = Asking::Answered(anchor, served.then_some(head));
                }
            }
            Step::Failover => self.zombie = Some(self.head()),
            Step::ServeByZombie(i) => {
                let head = self.zombie;
                let process = self.process(i);
                if let Asking::Asked(anchor) = process.asking {
                    process.asking = Asking::Answered(anchor, head);
                }
            }
            Step::Answer(i) => self.answer(i),
            Step::Connect(i) => {
                let acked = self.verifier.applied();
                self.process(i).connected = true;
                self.node(i, Input::SessionOpened { session: SESSION, acked });
            }
            Step::Close(i) => {
                self.left.closes -= 1;
                self.process(i).connected = false;
                self.node(i, Input::Disconnected(SESSION));
            }
            Step::Renew(i) => {
                self.left.verifier_renewals -= 1;
                self.verify(i, VerifierInput::Connected);
            }
            Step::Push(i) => {
                let next = self.verifier.applied() + 1;
                assert_eq!(self.verifier.entry(next), Next::Apply);
                self.verify(i, VerifierInput::Applied(next));
            }
            Step::Deliver(message) => self.deliver(message),
            Step::Fence(_, member) => {
                self.left.fences -= 1;
                self.fence(member, Proof::Suspected);
            }
            Step::DeclareGone(_, member) => {
                self.log.push(Record::Membership(Change::Gone(member)));
            }
            Step::Revoke(c, i) => self.revoke(c, i),
            Step::Report(c, member) => {
                let seq = self.complete[&member];
                self.call(c, Event::NodeAck { member, seq });
            }
        }
    }

    fn process(&mut self, i: usize) -> &mut Process<R> {
        self.nodes[i].as_mut().expect("only steps of processes that run are offered")
    }

    fn tick(&mut self) {
        self.t += 1;
        for i in 0..2 {
            if self.nodes[i].is_some() {
                self.node(i, Input::Tick);
            }
        }
        (0..self.callers.len()).for_each(|c| self.call(c, Event::Tick));
    }

    fn start(&mut self, i: usize) {
        self.incarnations += 1;
        let node = NodeId(i as u64);
        let me = Member { node, incarnation: Incarnation(self.incarnations) };
        if let Some(incarnation) = self.active[i] {
            self.fence(Member { node, incarnation }, Proof::Dead);
        }
        self.active[i] = Some(me.incarnation);
        self.log.push(Record::Membership(Change::Joined(me)));
        let machine = Node::new(now(self.t), self.lengths, Tenure::Leased, 0);
        let members = Membership::new();
        let asking = Asking::Nothing;
        self.nodes[i] = Some(Process { me, machine, members, asking, connected: false });
    }

    fn fence(&mut self, member: Member, proof: Proof) {
        let row = usize::try_from(member.node.0).expect("two nodes");
        if self.active[row] == Some(member.incarnation) {
            self.active[row] = None;
        }
        self.log.push(Record::Membership(Change::Fenced(member, proof)));
    }

    fn crash(&mut self, i: usize) {
        self.left.crashes -= 1;
        self.nodes[i] = None;
        for caller in &mut self.callers {
            if matches!(caller, Caller::Waits { node, .. } if *node == i) {
                *caller = Caller::Failed;
            }
        }
    }

    fn can_apply(&self, i: usize) -> bool {
        self.nodes[i].as_ref().is_some_and(|process| process.machine.applied() < self.head())
    }

    fn apply(&mut self, i: usize) {
        let seen = now(self.t).mono;
        let seq = self.process(i).machine.applied() + 1;
        let at = usize::try_from(seq - 1).expect("a short log");
        let change = match self.log[at] {
            Record::Revoked => None,
            Record::Membership(change) => Some(change),
        };
        self.process(i).members.apply(seq, seen, change);
        self.node(i, Input::Applied(seq));
        let members = self.process(i).members.clone();
        for c in 0..self.callers.len() {
            if matches!(self.callers[c], Caller::Waits { node, .. } if node == i) {
                self.call(c, Event::Folded(&members));
                if let Some(Change::Gone(member)) = change {
                    self.call(c, Event::NodeGone(member));
                }
            }
        }
    }

    fn answer(&mut self, i: usize) {
        let process = self.process(i);
        let asking = std::mem::replace(&mut process.asking, Asking::Nothing);
        match asking {
            Asking::Answered(anchor, Some(head)) => self.node(i, Input::Renewed { anchor, head }),
            Asking::Answered(_, None) => self.node(i, Input::RenewalRefused),
            Asking::Nothing | Asking::Asked(_) => {}
        }
    }

    fn node(&mut self, i: usize, input: Input<u8>) {
        let now = now(self.t);
        let process = self.process(i);
        let (me, outputs) = (process.me, process.machine.step(now, input));
        for output in outputs {
            match output {
                Output::Grant { nonce, length, min, .. } => {
                    self.net.insert(Message::Grant { nonce, length, min });
                }
                Output::Complete(seq) => {
                    self.complete.insert(me, seq);
                }
                Output::Refused { .. } | Output::LeaseLost | Output::Left => {}
            }
        }
    }

    fn verify(&mut self, i: usize, input: VerifierInput) {
        for output in self.verifier.step(now(self.t), input) {
            match output {
                VerifierOutput::Renew { nonce, acked } => {
                    self.net.insert(Message::Renew { node: i, nonce, acked });
                }
                VerifierOutput::Ack(seq) => {
                    self.net.insert(Message::Ack { node: i, seq });
                }
                VerifierOutput::LeaseUntil(_)
                | VerifierOutput::LeaseOver
                | VerifierOutput::Release => {}
            }
        }
    }

    fn deliver(&mut self, message: Message) {
        self.net.remove(&message);
        let session = SESSION;
        match message {
            Message::Renew { node, nonce, acked } if self.nodes[node].is_some() => {
                self.node(node, Input::Renew { session, nonce, acked });
            }
            Message::Ack { node, seq } if self.nodes[node].is_some() => {
                self.node(node, Input::Ack { session, seq });
            }
            Message::Renew { .. } | Message::Ack { .. } => {}
            Message::Grant { nonce, length, min } => {
                self.verify(0, VerifierInput::Granted { nonce, length, min });
            }
        }
    }

    fn revoke(&mut self, c: usize, i: usize) {
        if !Revoke::<R>::needs_entry(self.first().is_some()) {
            self.callers[c] = Caller::Done(How::Acked);
            return;
        }
        self.log.push(Record::Revoked);
        let (seq, committed) = (self.head(), now(self.t).mono);
        let lengths = self.lengths;
        let revoke = Revoke::new(seq, committed, &self.process(i).members, &lengths);
        self.callers[c] = Caller::Waits { node: i, revoke };
        self.call(c, Event::Tick);
    }

    fn call(&mut self, c: usize, event: Event<'_, R>) {
        if let Caller::Waits { revoke, .. } = &mut self.callers[c]
            && let Some(in_force) = revoke.step(now(self.t).mono, event)
        {
            self.callers[c] = Caller::Done(in_force.how);
        }
    }
}
