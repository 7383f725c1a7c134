//! Minutes of life with clocks that drift, in a seeded loop: a node that crashes and restarts, three
//! verifiers, pauses, partitions, loss, delays and reordering. A failure prints its seed.

use nt_revocation::protocol::{
    Boot, Change, Event, Incarnation, Input, Lengths, Member, Membership, Mono, Node, NodeId, Now,
    Output, Proof, Revoke, Tenure, VerifierInput, VerifierLease, VerifierOutput, Wall,
};

const STEP_MS: u64 = 5;
const VERIFIERS: usize = 3;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

#[derive(Clone, Copy)]
enum Message {
    Renewed { incarnation: u64, anchor: Boot, head: u64 },
    ToNode(usize, VerifierOutput),
    ToVerifier(usize, VerifierInput),
}

struct Verifier {
    lease: VerifierLease,
    rate: u64,
    cut_until: u64,
    paused_until: u64,
}

struct Life {
    dice: Dice,
    t: u64,
    node_rate: u64,
    paused_until: u64,
    incarnation: u64,
    node: Node<usize>,
    members: Membership,
    log: Vec<Option<Change>>,
    verifiers: Vec<Verifier>,
    mail: Vec<(u64, Message)>,
    revokes: Vec<Revoke>,
    /// The last entry whose revoke was answered, and how many were.
    dead: u64,
    answered: u64,
}

/// What a clock of this rate, in thousandths, shows.
fn clock(t: u64, rate: u64) -> Now {
    let nanos = t * rate * 1_000;
    Now { boot: Boot(nanos), mono: Mono(nanos), wall: Wall(nanos) }
}

impl Life {
    fn new(seed: u64, drift: u64) -> Self {
        let mut dice = Dice(seed);
        // The ends of the range are the dangerous values: a fast waiter and a slow holder.
        let mut rate = || 1_000 - drift + dice.below(3) * drift;
        let node_rate = rate();
        let verifiers = (0..VERIFIERS as u64)
            .map(|v| Verifier {
                lease: VerifierLease::new(Lengths::default(), 0, v << 32),
                rate: rate(),
                cut_until: 0,
                paused_until: 0,
            })
            .collect();
        let node = Node::new(clock(0, node_rate), Lengths::default(), Tenure::Leased, 0);
        let mut life = Self {
            dice,
            t: 0,
            node_rate,
            paused_until: 0,
            incarnation: 0,
            node,
            members: Membership::new(),
            log: Vec::new(),
            verifiers,
            mail: Vec::new(),
            revokes: Vec::new(),
            dead: 0,
            answered: 0,
        };
        life.start();
        life
    }

    fn me(&self) -> Member {
        Member { node: NodeId(1), incarnation: Incarnation(self.incarnation) }
    }

    fn now(&self) -> Now {
        clock(self.t, self.node_rate)
    }

    /// Also what follows a crash: the process before is fenced, its callers got no answer.
    fn start(&mut self) {
        if self.incarnation > 0 {
            self.log.push(Some(Change::Fenced(self.me(), Proof::Dead)));
        }
        self.incarnation += 1;
        self.log.push(Some(Change::Joined(self.me())));
        self.node = Node::new(self.now(), Lengths::default(), Tenure::Leased, 0);
        self.members = Membership::new();
        self.revokes.clear();
        for v in 0..VERIFIERS {
            let acked = self.verifiers[v].lease.applied();
            self.tell(Input::SessionOpened { session: v, acked });
            let now = clock(self.t, self.verifiers[v].rate);
            let outputs = self.verifiers[v].lease.step(now, VerifierInput::Connected);
            self.send(v, outputs);
        }
    }

    fn post(&mut self, message: Message) {
        if !self.dice.once_in(10) {
            let delay = self.dice.below(20) * if self.dice.once_in(10) { 50 } else { 1 };
            self.mail.push((self.t + delay, message));
        }
    }

    fn send(&mut self, v: usize, outputs: Vec<VerifierOutput>) {
        for output in outputs {
            self.post(Message::ToNode(v, output));
        }
    }

    fn tell(&mut self, input: Input<usize>) {
        for output in self.node.step(self.now(), input) {
            match output {
                Output::Grant { session, nonce, length, min } => {
                    let granted = VerifierInput::Granted { nonce, length, min };
                    self.post(Message::ToVerifier(session, granted));
                }
                Output::Complete(seq) => {
                    let member = self.me();
                    self.advance(Event::NodeAck { member, seq });
                }
                _ => {}
            }
        }
    }

    fn advance(&mut self, event: Event<'_>) {
        let now = self.now().mono;
        let (dead, answered) = (&mut self.dead, &mut self.answered);
        self.revokes.retain_mut(|revoke| {
            let in_force = revoke.step(now, event);
            if let Some(in_force) = in_force {
                *dead = (*dead).max(in_force.seq);
                *answered += 1;
            }
            in_force.is_none()
        });
    }

    /// One step of everything; whether the promise still holds.
    fn step(&mut self) -> bool {
        self.t += STEP_MS;
        if self.dice.once_in(6_000) {
            self.start();
        }
        if self.dice.once_in(2_000) {
            self.paused_until = self.t + self.dice.below(4_000);
        }
        let (due, later): (Vec<_>, Vec<_>) = self.mail.drain(..).partition(|(at, _)| *at <= self.t);
        self.mail = later;
        for (_, message) in due {
            self.deliver(message);
        }
        if self.t >= self.paused_until {
            self.run_node();
        }
        (0..VERIFIERS).for_each(|v| self.run_verifier(v));
        let accepts = |v: &Verifier| {
            v.lease.lasts(clock(self.t, v.rate).boot) && v.lease.applied() < self.dead
        };
        !self.verifiers.iter().any(accepts)
    }

    fn deliver(&mut self, message: Message) {
        let paused = |until: u64| self.t < until;
        match message {
            Message::ToVerifier(v, _) if paused(self.verifiers[v].cut_until) => {}
            Message::ToNode(v, _) if paused(self.verifiers[v].cut_until) => {}
            Message::ToVerifier(v, _) if paused(self.verifiers[v].paused_until) => {
                self.mail.push((self.verifiers[v].paused_until, message));
            }
            Message::ToNode(..) | Message::Renewed { .. } if paused(self.paused_until) => {
                self.mail.push((self.paused_until, message));
            }
            Message::ToVerifier(v, input) => {
                let now = clock(self.t, self.verifiers[v].rate);
                let outputs = self.verifiers[v].lease.step(now, input);
                self.send(v, outputs);
            }
            Message::ToNode(session, VerifierOutput::Renew { nonce, acked }) => {
                self.tell(Input::Renew { session, nonce, acked });
            }
            Message::ToNode(session, VerifierOutput::Ack(seq)) => {
                self.tell(Input::Ack { session, seq });
            }
            Message::ToNode(..) => {}
            Message::Renewed { incarnation, anchor, head } => {
                if incarnation == self.incarnation {
                    self.tell(Input::Renewed { anchor, head });
                }
            }
        }
    }

    fn run_node(&mut self) {
        if self.dice.once_in(200) {
            let (anchor, head) = (self.now().boot, self.log.len() as u64);
            self.post(Message::Renewed { incarnation: self.incarnation, anchor, head });
        }
        if self.dice.once_in(200) {
            self.log.push(None);
            let (seq, now) = (self.log.len() as u64, self.now().mono);
            self.revokes.push(Revoke::new(seq, now, &self.members, &Lengths::default()));
        }
        while self.node.applied() < self.log.len() as u64 && !self.dice.once_in(4) {
            let seq = self.node.applied() + 1;
            let change = usize::try_from(seq - 1).ok().and_then(|at| self.log[at]);
            self.members.apply(seq, self.now().mono, change);
            self.tell(Input::Applied(seq));
            let members = self.members.clone();
            self.advance(Event::Folded(&members));
            if let Some(Change::Gone(member)) = change {
                self.advance(Event::NodeGone(member));
            }
        }
        for member in self.members.ended(self.now().mono, &Lengths::default()) {
            if self.node.applied() == self.log.len() as u64 {
                self.log.push(Some(Change::Gone(member)));
            }
        }
        self.tell(Input::Tick);
        self.advance(Event::Tick);
    }

    fn run_verifier(&mut self, v: usize) {
        if self.dice.once_in(1_500) {
            self.verifiers[v].cut_until = self.t + self.dice.below(6_000);
        }
        if self.dice.once_in(1_500) {
            self.verifiers[v].paused_until = self.t + self.dice.below(3_000);
        }
        let verifier = &mut self.verifiers[v];
        if self.t < verifier.paused_until {
            return;
        }
        let now = clock(self.t, verifier.rate);
        let mut outputs = verifier.lease.step(now, VerifierInput::Tick);
        while self.t >= verifier.cut_until
            && verifier.lease.applied() < self.node.applied()
            && !self.dice.once_in(8)
        {
            let next = verifier.lease.applied() + 1;
            outputs.extend(verifier.lease.step(now, VerifierInput::Applied(next)));
        }
        self.send(v, outputs);
    }
}

/// Two minutes of each seed; the first that breaks the promise, and how many revokes were answered.
fn live(seeds: std::ops::Range<u64>, drift: u64) -> (Option<u64>, u64) {
    let mut answered = 0;
    for seed in seeds {
        let mut life = Life::new(seed, drift);
        for _ in 0..120_000 / STEP_MS {
            if !life.step() {
                return (Some(seed), answered);
            }
        }
        answered += life.answered;
    }
    (None, answered)
}

#[test]
fn the_promise_holds_while_clocks_drift_by_as_much_as_is_assumed() {
    let (broken, answered) = live(0..1_000, 120);
    println!("{answered} revokes answered");
    assert_eq!(broken, None, "the seed that breaks the promise");
    assert!(answered > 50_000, "only {answered} revokes were answered");
}

#[test]
fn clocks_that_drift_by_more_than_is_assumed_are_noticed() {
    let (broken, _) = live(0..60, 350);
    assert!(broken.is_some(), "the simulation would not notice a broken promise");
}
