//! The promise, checked on the machines that production runs: no check accepts after a revoke was
//! answered. Then each rule is broken in turn, and the checker must notice.

mod mutants;
mod simulation;
mod world;

use std::marker::PhantomData;
use std::time::Duration;

use nt_revocation::protocol::{How, Lengths, Rules, Sound};
use stateright::{Checker, HasDiscoveries, Model, Property, UniformChooser};
use world::{Bounds, Caller, Kind, LENGTHS, Step, World};

const PROMISE: &str = "no check accepts after a revoke was answered";

struct Checked<R: Rules> {
    bounds: Bounds,
    rules: PhantomData<R>,
}

impl<R: Rules> Checked<R> {
    fn new(bounds: Bounds) -> Self {
        Self { bounds, rules: PhantomData }
    }
}

impl<R: Rules> Model for Checked<R> {
    type State = World<R>;
    type Action = Step;

    fn init_states(&self) -> Vec<Self::State> {
        vec![World::new(&self.bounds)]
    }

    fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>) {
        state.steps(&self.bounds, actions);
    }

    fn next_state(&self, last: &Self::State, step: Self::Action) -> Option<Self::State> {
        let mut next = last.clone();
        next.take(step);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(PROMISE, |_, state: &World<R>| !(state.answered() && state.accepts())),
            // A model in which nothing succeeds would keep the promise too.
            Property::sometimes("a revoke is acknowledged under a lease", |_, state: &World<R>| {
                state.callers.contains(&Caller::Done(How::Acked))
                    && state.verifier.lasts(world::now(state.t).boot)
            }),
            Property::sometimes("a revoke is waited out", |_, state: &World<R>| {
                state.callers.contains(&Caller::Done(How::Expired))
            }),
        ]
    }
}

/// A node that restarts at once.
const RESTART: Bounds = Bounds {
    ticks: 2,
    crashes: 1,
    fences: 0,
    closes: 0,
    verifier_renewals: 1,
    node_renewals: 1,
    starts: 1,
    callers: 1,
    ..ALL
};

/// A node, and a verifier whose leases are as long as the node's own.
const NESTED: Bounds = Bounds {
    lengths: Lengths { verifier: LENGTHS.node, ..LENGTHS },
    ticks: 7,
    crashes: 0,
    starts: 0,
    ..RESTART
};

/// Everything at once.
const ALL: Bounds = Bounds {
    lengths: LENGTHS,
    ticks: 9,
    crashes: 1,
    fences: 1,
    leaves: 0,
    closes: 1,
    copies: 0,
    restarts: 0,
    verifier_renewals: 2,
    node_renewals: 2,
    up: 1,
    starts: 2,
    callers: 2,
    kind: Kind::Leased,
};

/// Also messages that come twice, a verifier that starts anew, and a node that ends in order.
const TWICE: Bounds = Bounds { copies: 1, restarts: 1, leaves: 1, ..ALL };

/// Two nodes, of which one ends in order.
const LEAVES: Bounds = Bounds {
    ticks: 7,
    leaves: 1,
    crashes: 0,
    fences: 0,
    closes: 0,
    verifier_renewals: 1,
    node_renewals: 1,
    up: 2,
    starts: 0,
    callers: 1,
    ..ALL
};

/// One process at a time, on a database of its own.
const SOLE: Bounds =
    Bounds { kind: Kind::Sole, fences: 0, leaves: 1, copies: 1, starts: 2, crashes: 2, ..ALL };

#[test]
fn the_promise_holds_in_every_state_that_is_reached_breadth_first() {
    let checker = Checked::<Sound>::new(TWICE)
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyFailures)
        .target_state_count(2_000_000)
        .timeout(Duration::from_mins(1))
        .spawn_bfs()
        .join();
    println!("{} states, {} distinct", checker.state_count(), checker.unique_state_count());
    assert!(checker.discovery(PROMISE).is_none(), "{:?}", checker.discovery(PROMISE));
}

/// Random walks: the promise holds on each, and revokes succeed on some.
fn must_hold(bounds: Bounds, states: usize) {
    let checker = Checked::<Sound>::new(bounds)
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .target_state_count(states)
        .timeout(Duration::from_mins(1))
        .spawn_simulation(1, UniformChooser)
        .join();
    println!("{} states", checker.state_count());
    assert!(checker.discovery(PROMISE).is_none(), "{:?}", checker.discovery(PROMISE));
    assert!(checker.discovery("a revoke is acknowledged under a lease").is_some());
    assert!(checker.discovery("a revoke is waited out").is_some());
}

#[test]
fn the_promise_holds_on_long_random_walks() {
    must_hold(TWICE, 2_000_000);
}

#[test]
fn the_promise_holds_on_random_walks_where_nodes_end_in_order() {
    must_hold(LEAVES, 1_000_000);
}

#[test]
fn the_promise_holds_on_random_walks_with_one_node_that_is_killed() {
    must_hold(SOLE, 1_000_000);
}

#[test]
fn the_promise_holds_in_every_state_of_a_narrow_world() {
    let checker = Checked::<Sound>::new(NESTED)
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    println!("{} states, {} distinct", checker.state_count(), checker.unique_state_count());
    assert!(checker.discovery(PROMISE).is_none(), "{:?}", checker.discovery(PROMISE));
}
