//! Minutes of life with clocks that drift, in a seeded loop: nodes that join, leave, crash and are
//! suspected wrongly, verifiers that move between them, a network that loses, delays, reorders and
//! doubles, machines that pause and are suspended; and one node on SQLite that is killed. Each life
//! ends in a calm, in which everything must recover. A failure prints its seed.

mod check;
mod host;
mod life;
mod network;
mod node;
mod routine;
mod verifier;

use std::time::Duration;

use life::{Bug, Figures, Kind, LIFE_MS, Life, PROMISE};
use nt_revocation::protocol::{Rules, Sound};
use nt_token::clock::Stopwatch;

use super::mutants::CloseIsRelease;

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
fn live<R: Rules>(seed: u64, kind: Kind, bug: Bug, drift: u64) -> (Figures, Option<String>) {
    let mut life = Life::<R>::new(seed, kind, bug, drift);
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
        let (figures, wrong) = live::<Sound>(seed, kind, Bug::None, DRIFT);
        assert_eq!(
            wrong, None,
            "{kind:?}; again: NT_SIM_SEED={seed} cargo test -p nt-revocation --test model simulation"
        );
        seeds += 1;
        all.answered += figures.answered;
        all.checks += figures.checks;
        all.accepted += figures.accepted;
        all.overlapped += figures.overlapped;
    }
    let hours = seeds * LIFE_MS / 3_600_000;
    println!("{kind:?}: {seeds} seeds, {hours} h of life, {all:?}");
    assert!(all.answered > 40 * seeds && all.accepted > all.checks / 20, "{all:?}");
    assert!(all.overlapped > all.checks / 100, "{all:?}");
}

fn must_be_caught<R: Rules>(kind: Kind, bug: Bug, drift: u64) {
    let caught = (0..200).find_map(|seed| Some((seed, live::<R>(seed, kind, bug, drift).1?)));
    let (seed, wrong) = caught.expect("the simulation does not notice what is broken");
    println!("{bug:?}: seed {seed}: {wrong}");
    assert!(wrong.starts_with(PROMISE), "{wrong}");
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
fn clocks_that_drift_by_more_than_is_assumed_are_noticed() {
    must_be_caught::<Sound>(Kind::Leased, Bug::None, 350);
}

#[test]
fn a_lease_held_by_a_clock_that_stands_still_in_suspend_is_noticed() {
    must_be_caught::<Sound>(Kind::Leased, Bug::HoldsByMono, DRIFT);
}

#[test]
fn a_close_taken_for_a_release_is_noticed() {
    must_be_caught::<CloseIsRelease>(Kind::Leased, Bug::None, DRIFT);
}

#[test]
fn a_state_that_is_loaded_before_the_leases_end_is_noticed() {
    must_be_caught::<Sound>(Kind::Leased, Bug::StateBeforeExpiry, DRIFT);
}

#[test]
fn a_cached_verdict_is_noticed() {
    must_be_caught::<Sound>(Kind::Leased, Bug::VerdictCached, DRIFT);
}

#[test]
fn an_acknowledgement_of_what_is_not_applied_is_noticed() {
    must_be_caught::<Sound>(Kind::Leased, Bug::AckBeforeApply, DRIFT);
}

#[test]
fn a_lease_that_is_relied_on_after_its_release_is_noticed() {
    must_be_caught::<Sound>(Kind::Leased, Bug::ReleasedTooEarly, DRIFT);
}

#[test]
fn leases_of_the_process_before_that_are_forgotten_are_noticed() {
    must_be_caught::<Sound>(Kind::Sole, Bug::BeforeForgotten, DRIFT);
}
