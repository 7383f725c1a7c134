//! What is done to nodes, verifiers, their networks and their database, drawn from a seed.

use std::collections::BTreeMap;
use std::fmt;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::Signal;
use nt_postgres_testing::Replicated;
use nt_testkit::Nodes;
use nt_testkit::dice::Dice;
use nt_testkit::nodes::Follower;
use nt_testkit::proxy::Proxy;
use nt_token::clock::Stopwatch;

/// Between two looks at what is due.
const STEP: Duration = Duration::from_millis(10);
/// After so many faults the standby is promoted.
const PROMOTED_AFTER: usize = 9;
/// So long the old primary lives on beside the new one, cut off from it.
const ZOMBIE: Duration = Duration::from_secs(3);

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// A node is killed, and started again later.
    KillNode,
    /// A node is stopped (SIGSTOP) and goes on later.
    StopNode,
    /// A node does not reach the database.
    CutDatabase,
    /// A node and its peers do not reach each other.
    CutPeers,
    /// A verifier is stopped and goes on later.
    StopVerifier,
    /// A verifier reaches no node, and nobody is told.
    CutVerifier,
    /// The primary is restarted.
    RestartDatabase,
    /// The standby is promoted, while the old primary lives on for a while.
    Promote,
    /// For a while nothing happens.
    Calm,
}

/// All of them come before one comes again.
const DECK: [Fault; 8] = [
    Fault::KillNode,
    Fault::StopNode,
    Fault::CutDatabase,
    Fault::CutPeers,
    Fault::StopVerifier,
    Fault::CutVerifier,
    Fault::RestartDatabase,
    Fault::Calm,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Node(usize),
    Verifier(usize),
}

/// What happened, and how often.
#[derive(Default)]
pub(super) struct Tally(BTreeMap<Fault, usize>);

impl Tally {
    /// Whether each kind happened.
    pub(super) fn is_full(&self) -> bool {
        DECK.iter().chain([&Fault::Promote]).all(|fault| self.0.contains_key(fault))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |fault| self.0.get(&fault).copied().unwrap_or_default();
        write!(
            f,
            "nodes killed {} times, stopped {}, cut off from the database {} and from each other {}; \
             verifiers stopped {} times, cut off {}; the database restarted {} times, promoted {}",
            of(Fault::KillNode),
            of(Fault::StopNode),
            of(Fault::CutDatabase),
            of(Fault::CutPeers),
            of(Fault::StopVerifier),
            of(Fault::CutVerifier),
            of(Fault::RestartDatabase),
            of(Fault::Promote),
        )
    }
}

/// Everybody to whom something can happen.
pub(super) struct Field<'a> {
    pub(super) nodes: &'a mut Nodes,
    pub(super) followers: &'a mut [Follower],
    pub(super) pair: &'a Replicated,
}

impl Field<'_> {
    /// Makes things fail until told to stop; then everything is whole again, on the promoted standby.
    pub(super) fn rage(&mut self, dice: &mut Dice, go_on: &dyn Fn() -> bool) -> Result<Tally> {
        let watch = Stopwatch::start();
        let mut tally = Tally::default();
        let mut deck = Vec::new();
        // Who suffers from what, and until when.
        let mut suffering: BTreeMap<Victim, (Duration, Fault)> = BTreeMap::new();
        let (mut next, mut drawn, mut promoted) = (Duration::ZERO, 0, false);
        while go_on() || !promoted {
            let now = watch.elapsed();
            for (victim, (_, fault)) in suffering.extract_if(.., |_, (until, _)| *until <= now) {
                self.end(victim, fault)?;
            }
            if now < next {
                thread::sleep(STEP);
                continue;
            }
            next = now + dice.between(300, 1_500);
            if deck.is_empty() {
                deck = DECK.to_vec();
            }
            let card = usize::try_from(dice.below(u64::try_from(deck.len())?))?;
            let fault =
                if drawn == PROMOTED_AFTER { Fault::Promote } else { deck.swap_remove(card) };
            drawn += 1;
            *tally.0.entry(fault).or_default() += 1;
            match fault {
                Fault::Calm => next = now + Duration::from_secs(3),
                Fault::Promote => {
                    self.promote()?;
                    promoted = true;
                }
                Fault::RestartDatabase if promoted => self.pair.standby().restart()?,
                Fault::RestartDatabase => self.pair.primary().restart()?,
                _ => {
                    let victim = self.choose(dice, fault)?;
                    // What it suffers from already ends first.
                    if let Some((_, before)) = suffering.remove(&victim) {
                        self.end(victim, before)?;
                    }
                    self.begin(victim, fault)?;
                    suffering.insert(victim, (now + dice.between(100, 4_000), fault));
                }
            }
        }
        suffering.into_iter().try_for_each(|(victim, (_, fault))| self.end(victim, fault))?;
        Ok(tally)
    }

    /// The old primary is cut off from its standby, which takes its place; so it finishes no commit,
    /// but may say that it takes writes, until somebody ends it.
    fn promote(&self) -> Result<()> {
        self.pair.cut()?;
        self.pair.promote()?;
        thread::sleep(ZOMBIE);
        self.pair.primary().kill()
    }

    fn choose(&self, dice: &mut Dice, fault: Fault) -> Result<Victim> {
        let mut one_of =
            |count: usize| anyhow::Ok(usize::try_from(dice.below(u64::try_from(count)?))?);
        Ok(match fault {
            Fault::StopVerifier | Fault::CutVerifier => {
                Victim::Verifier(one_of(self.followers.len())?)
            }
            _ => Victim::Node(one_of(self.nodes.nodes.len())?),
        })
    }

    fn begin(&mut self, victim: Victim, fault: Fault) -> Result<()> {
        match victim {
            Victim::Node(nth) => {
                let node = &mut self.nodes.nodes[nth];
                match fault {
                    Fault::KillNode => node.world.kill9(),
                    Fault::StopNode => node.world.signal(Signal::SIGSTOP),
                    Fault::CutDatabase => node.database.stall(),
                    _ => node.peers.stall(),
                }
            }
            Victim::Verifier(nth) => {
                let follower = &self.followers[nth];
                if fault == Fault::StopVerifier {
                    return follower.service.signal(Signal::SIGSTOP);
                }
                follower.proxies.iter().for_each(Proxy::stall);
                Ok(())
            }
        }
    }

    fn end(&mut self, victim: Victim, fault: Fault) -> Result<()> {
        match victim {
            Victim::Node(nth) => {
                let node = &mut self.nodes.nodes[nth];
                match fault {
                    Fault::KillNode => node.world.launch(),
                    Fault::StopNode => node.world.signal(Signal::SIGCONT),
                    Fault::CutDatabase => node.database.heal(),
                    _ => node.peers.heal(),
                }
            }
            Victim::Verifier(nth) => {
                let follower = &self.followers[nth];
                if fault == Fault::StopVerifier {
                    return follower.service.signal(Signal::SIGCONT);
                }
                follower.proxies.iter().for_each(Proxy::heal);
                Ok(())
            }
        }
    }
}
