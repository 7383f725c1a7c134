//! What was let in before a revocation is waited for, where that was chosen.

use std::sync::Arc;

use nt_token::Place;
use nt_token::clock::ManualClock;
use tokio::time::{Duration, timeout};

use super::world::{HERE, ISSUED, World, assert_refused, revoke, revoke_key};
use crate::Drain;

const A_MOMENT: Duration = Duration::from_millis(50);

fn draining() -> World {
    let world = World::draining(Arc::new(ManualClock::at(ISSUED)), Drain::UntilLeaseEnd);
    world.renew();
    world
}

#[tokio::test]
async fn a_revocation_is_drained_when_every_clone_of_its_token_is_gone() {
    let world = draining();
    let token = world.token(0, HERE);
    let (one, other) = (world.verify(&token).expect("good"), world.verify(&token).expect("good"));
    let clone = one.clone();
    assert!(world.state.drain().is_none(), "nothing is revoked");
    world.apply(revoke(HERE));
    assert_refused(world.verify(&token));
    let drained = world.state.drain().expect("two requests are under way");
    tokio::pin!(drained);
    for ended in [one, other] {
        assert!(timeout(A_MOMENT, &mut drained).await.is_err());
        drop(ended);
    }
    assert!(timeout(A_MOMENT, &mut drained).await.is_err(), "a clone is the same request");
    drop(clone);
    timeout(A_MOMENT, drained).await.expect("all have ended");
    assert!(world.state.drain().is_none());
}

#[tokio::test]
async fn other_tokens_and_later_revocations_hold_nothing_up() {
    let world = draining();
    let here = world.token(0, HERE);
    let there = Place { idx: 1, ..HERE };
    let others = world.token(0, there);
    let (mine, theirs) = (world.verify(&here).expect("good"), world.verify(&others).expect("good"));
    world.apply(revoke(HERE));
    let drained = world.state.drain().expect("one is under way");
    world.apply(revoke(there));
    drop(mine);
    timeout(A_MOMENT, drained).await.expect("the first revocation's has ended");
    assert!(world.state.drain().is_some(), "the second's has not");
    drop(theirs);
    assert!(world.state.drain().is_none());
}

#[tokio::test]
async fn a_revoked_key_revokes_what_it_signed() {
    let world = draining();
    let held = world.verify(&world.token(0, HERE)).expect("good");
    world.apply(revoke_key(world.key.kid()));
    assert!(world.state.drain().is_some());
    drop(held);
    assert!(world.state.drain().is_none());
}

#[tokio::test]
async fn nothing_is_waited_for_where_that_was_not_chosen() {
    let world = World::draining(Arc::new(ManualClock::at(ISSUED)), Drain::No);
    world.renew();
    let _held = world.verify(&world.token(0, HERE)).expect("good");
    world.apply(revoke(HERE));
    assert!(world.state.drain().is_none());
}
