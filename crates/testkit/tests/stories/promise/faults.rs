//! What is done to an authority and its verifiers, drawn from a seed.

use std::collections::BTreeMap;
use std::fmt;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::Signal;
use nt_testkit::dice::Dice;
use nt_testkit::proxy::Proxy;
use nt_testkit::{Service, World, settings};
use nt_token::clock::Stopwatch;

/// Between two looks at what is due.
const STEP: Duration = Duration::from_millis(10);

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// A verifier's process is stopped (SIGSTOP) and goes on later.
    Stop,
    /// A verifier is killed, and started again later.
    Kill,
    /// A verifier's connection is cut, and those that follow.
    Cut,
    /// A verifier's connection is silent.
    Stall,
    /// The authority is killed and started again.
    KillAuthority,
    /// For a while nothing happens.
    Calm,
}

/// All of them come before one comes again.
const DECK: [Fault; 8] = [
    Fault::Stop,
    Fault::Kill,
    Fault::Cut,
    Fault::Stall,
    Fault::Stop,
    Fault::KillAuthority,
    Fault::Stall,
    Fault::Calm,
];

/// A verifier, and what stands between it and the authority.
pub(super) struct Victim {
    pub(super) service: Service,
    pub(super) proxy: Proxy,
}

/// What happened, and how often.
#[derive(Default)]
pub(super) struct Tally(BTreeMap<Fault, usize>);

impl Tally {
    /// Whether each kind happened.
    pub(super) fn is_full(&self) -> bool {
        DECK.iter().all(|fault| self.0.contains_key(fault))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |fault| self.0.get(&fault).copied().unwrap_or_default();
        write!(
            f,
            "{} verifiers stopped, {} killed, {} cut off, {} met with silence, and the authority \
             killed {} times",
            of(Fault::Stop),
            of(Fault::Kill),
            of(Fault::Cut),
            of(Fault::Stall),
            of(Fault::KillAuthority)
        )
    }
}

/// Makes things fail until told to stop; then everything is whole again.
pub(super) fn rage(
    world: &mut World,
    victims: &mut [Victim],
    dice: &mut Dice,
    go_on: impl Fn() -> bool,
) -> Result<Tally> {
    let watch = Stopwatch::start();
    let mut tally = Tally::default();
    let mut deck = Vec::new();
    // Who suffers from what, and until when.
    let mut suffering: BTreeMap<usize, (Duration, Fault)> = BTreeMap::new();
    let mut next = Duration::ZERO;
    while go_on() {
        let now = watch.elapsed();
        for (victim, (_, fault)) in suffering.extract_if(.., |_, (until, _)| *until <= now) {
            end(&mut victims[victim], fault)?;
        }
        if now < next {
            thread::sleep(STEP);
            continue;
        }
        next = now + dice.between(100, 600);
        if deck.is_empty() {
            deck = DECK.to_vec();
        }
        let drawn = usize::try_from(dice.below(u64::try_from(deck.len())?))?;
        let fault = deck.swap_remove(drawn);
        *tally.0.entry(fault).or_default() += 1;
        match fault {
            Fault::Calm => next = now + Duration::from_millis(1_500),
            Fault::KillAuthority => world.restart()?,
            _ => {
                let victim = usize::try_from(dice.below(u64::try_from(victims.len())?))?;
                // What it suffers from already ends first.
                if let Some((_, before)) = suffering.remove(&victim) {
                    end(&mut victims[victim], before)?;
                }
                begin(&mut victims[victim], fault)?;
                suffering.insert(victim, (now + lasts(dice, fault), fault));
            }
        }
    }
    for (victim, (_, fault)) in suffering {
        end(&mut victims[victim], fault)?;
    }
    Ok(tally)
}

fn lasts(dice: &mut Dice, fault: Fault) -> Duration {
    match fault {
        Fault::Kill => dice.between(0, 1_000),
        Fault::Stop if settings::full() && dice.below(4) == 0 => dice.between(3_000, 30_000),
        _ => dice.between(100, 3_000),
    }
}

fn begin(victim: &mut Victim, fault: Fault) -> Result<()> {
    match fault {
        Fault::Stop => victim.service.signal(Signal::SIGSTOP)?,
        Fault::Kill => victim.service.kill9()?,
        Fault::Cut => victim.proxy.cut(),
        Fault::Stall => victim.proxy.stall(),
        Fault::KillAuthority | Fault::Calm => {}
    }
    Ok(())
}

fn end(victim: &mut Victim, fault: Fault) -> Result<()> {
    match fault {
        Fault::Stop => victim.service.signal(Signal::SIGCONT)?,
        Fault::Kill => victim.service.restart()?,
        Fault::Cut | Fault::Stall => victim.proxy.heal(),
        Fault::KillAuthority | Fault::Calm => {}
    }
    Ok(())
}
