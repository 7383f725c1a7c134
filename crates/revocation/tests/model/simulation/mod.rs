//! Minutes of life with clocks that drift, in a seeded loop: nodes that join, leave, crash and are
//! suspected wrongly, verifiers that move between them, a network that loses, delays, reorders and
//! doubles, machines that pause and are suspended; a database that is cut from its standby, restarted,
//! replaced, lied about and put back from an old copy, and an operator who recovers it; and one node on
//! SQLite that is killed. Each life ends in a calm, in which everything must recover. A failure prints
//! its seed.

mod answers;
mod check;
mod contents;
mod controls;
mod database;
mod host;
mod journal;
mod known;
mod life;
mod mishaps;
mod moves;
mod network;
mod node;
mod operator;
mod routine;
mod transactions;
mod verifier;

use std::time::Duration;

use life::{Bug, Figures, Kind, LIFE_MS, Life};
use nt_revocation::protocol::{Failover, Rules, Sound};
use nt_token::clock::Stopwatch;

/// The largest drift that is assumed, in thousandths.
const DRIFT: u64 = 120;

/// How many seeds, or how long.
enum Budget {
    Seeds(std::ops::Range<u64>),
    Time(Duration),
}

#[expect(clippy::disallowed_methods, reason = "the one place of these tests that reads settings")]
fn settings(time: Duration) -> Budget {
    let seed = std::env::var("NT_SIM_SEED").ok().and_then(|seed| seed.parse().ok());
    let full = std::env::var("NT_TESTKIT_FULL").is_ok_and(|value| value == "1");
    match seed {
        Some(seed) => Budget::Seeds(seed..seed + 1),
        None if full => Budget::Seeds(0..10_000),
        None => Budget::Time(time),
    }
}

/// One life; what went wrong in it.
fn live<R: Rules>(
    seed: u64,
    kind: Kind,
    (bug, drift): (Bug, u64),
    control: Option<&'static str>,
) -> (Figures, Option<String>) {
    let mut life = Life::<R>::new(seed, kind, bug, drift, control);
    while life.t < LIFE_MS && life.step() {}
    (life.figures, life.wrong)
}

fn must_hold(kind: Kind, time: Duration) {
    let (began, budget) = (Stopwatch::start(), settings(time));
    let (first, end) = match &budget {
        Budget::Seeds(seeds) => (seeds.start, seeds.end),
        Budget::Time(_) => (0, u64::MAX),
    };
    let mut all = Figures::default();
    let mut seeds = 0;
    for seed in first..end {
        if matches!(budget, Budget::Time(time) if began.elapsed() >= time) {
            break;
        }
        let (figures, wrong) = live::<Sound>(seed, kind, (Bug::None, DRIFT), None);
        assert_eq!(
            wrong, None,
            "{kind:?}; again: NT_SIM_SEED={seed} cargo test -p nt-revocation --test model simulation"
        );
        seeds += 1;
        all.add(&figures);
    }
    let hours = seeds * LIFE_MS / 3_600_000;
    println!("{kind:?}: {seeds} seeds, {hours} h of life, {all:?}");
    let least = if matches!(kind, Kind::Replicated(_)) { 20 } else { 40 };
    assert!(all.answered > least * seeds && all.accepted > all.checks / 20, "{all:?}");
    assert!(all.overlapped > all.checks / 100, "{all:?}");
    // Of one seed alone, not everything is asked.
    if let (Kind::Replicated(failover), 20..) = (kind, seeds) {
        let few = [all.promoted, all.put_back, all.restarts, all.quarantined, all.recovered];
        assert!(few.iter().all(|figure| *figure > 0), "{all:?}");
        assert!(all.brought_back > 0 && all.revoked_before > 0, "{all:?}");
        assert_eq!(all.cancelled > 0, failover == Failover::Lossless, "{all:?}");
    }
}

#[test]
fn several_nodes_keep_the_promise_and_recover() {
    must_hold(Kind::Leased, Duration::from_secs(7));
}

#[test]
fn one_node_that_is_killed_keeps_the_promise_and_recovers() {
    must_hold(Kind::Sole, Duration::from_secs(3));
}

#[test]
fn several_nodes_keep_the_promise_on_a_database_that_loses_nothing_by_itself() {
    must_hold(Kind::Replicated(Failover::Lossless), Duration::from_secs(10));
}

#[test]
fn several_nodes_keep_the_promise_on_a_database_whose_promotions_lose() {
    must_hold(Kind::Replicated(Failover::MayLose), Duration::from_secs(7));
}
