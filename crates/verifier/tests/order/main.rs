//! The order of a check's loads and of a publication's stores, in all interleavings and with all
//! reorderings that the memory model allows (loom).
//!
//! One token is revoked. The authority answers "revoked" on one of two grounds: the verifier has
//! acknowledged, or the lease that it held is over. A check that starts after the answer must not
//! accept. The check runs the crate's own order; each wrong order is a control that must fail.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use loom::thread;
use nt_verifier::order;

const FIRST_LEASE: u64 = 1;
const RENEWED_LEASE: u64 = 2;

struct World {
    expiry: AtomicU64,
    dead: AtomicBool,
    clock: AtomicU64,
    answered: AtomicBool,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            expiry: AtomicU64::new(FIRST_LEASE),
            dead: AtomicBool::new(false),
            clock: AtomicU64::new(0),
            answered: AtomicBool::new(false),
        })
    }

    fn publish(&self) {
        self.dead.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    fn expiry(&self, order: Ordering) -> u64 {
        self.expiry.load(order)
    }

    fn dead(&self) -> bool {
        self.dead.load(Ordering::Acquire)
    }

    fn dead_relaxed(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }
}

/// What a check sees: the lease's end, whether the token is dead, and the time.
type Check = fn(&World) -> (u64, bool, u64);

fn right(world: &World) -> (u64, bool, u64) {
    order::check(|| world.expiry(Ordering::Acquire), || world.dead(), || world.now())
}

fn state_before_expiry(world: &World) -> (u64, bool, u64) {
    let dead = world.dead();
    (world.expiry(Ordering::Acquire), dead, world.now())
}

fn expiry_without_acquire(world: &World) -> (u64, bool, u64) {
    order::check(|| world.expiry(Ordering::Relaxed), || world.dead_relaxed(), || world.now())
}

/// A check on this thread, while others go on.
fn no_acceptance_after_the_answer(world: &World, check: Check) {
    let answered = world.answered.load(Ordering::Acquire);
    let (expiry, dead, now) = check(world);
    let accepted = now < expiry && !dead;
    assert!(!(answered && accepted), "accepted after the revocation was answered");
}

/// The authority waits until the first lease is over; the follower applies the entry and has its
/// lease renewed meanwhile.
fn answered_when_the_lease_is_over(check: Check, renew: fn(&World)) {
    loom::model(move || {
        let world = World::new();
        let follower = {
            let world = Arc::clone(&world);
            thread::spawn(move || renew(&world))
        };
        let authority = {
            let world = Arc::clone(&world);
            thread::spawn(move || {
                world.clock.store(FIRST_LEASE, Ordering::SeqCst);
                world.answered.store(true, Ordering::Release);
            })
        };
        no_acceptance_after_the_answer(&world, check);
        follower.join().expect("the follower ends");
        authority.join().expect("the authority ends");
    });
}

fn publish_then_renew(world: &World) {
    world.publish();
    world.expiry.fetch_max(RENEWED_LEASE, Ordering::AcqRel);
}

fn renew_then_publish(world: &World) {
    world.expiry.fetch_max(RENEWED_LEASE, Ordering::AcqRel);
    world.publish();
}

/// The follower acknowledges, and that is the answer; the lease lives on.
fn answered_when_acknowledged(acknowledge: fn(&World)) {
    loom::model(move || {
        let world = World::new();
        let follower = {
            let world = Arc::clone(&world);
            thread::spawn(move || acknowledge(&world))
        };
        no_acceptance_after_the_answer(&world, right);
        follower.join().expect("the follower ends");
    });
}

fn publish_then_acknowledge(world: &World) {
    world.publish();
    world.answered.store(true, Ordering::Release);
}

fn acknowledge_then_publish(world: &World) {
    world.answered.store(true, Ordering::Release);
    world.publish();
}

/// The verifier has leases of two nodes, and moves to the one whose ends first. The other node answers as
/// soon as it is released, once the first lease is over, and the entry never comes.
fn answered_when_released_and_the_other_lease_is_over(go: fn(&World, &AtomicBool)) {
    loom::model(move || {
        let (world, released) = (World::new(), Arc::new(AtomicBool::new(false)));
        world.expiry.store(RENEWED_LEASE, Ordering::SeqCst);
        let follower = {
            let (world, released) = (Arc::clone(&world), Arc::clone(&released));
            thread::spawn(move || go(&world, &released))
        };
        let authority = {
            let world = Arc::clone(&world);
            thread::spawn(move || {
                world.clock.store(FIRST_LEASE, Ordering::SeqCst);
                if released.load(Ordering::Acquire) {
                    world.answered.store(true, Ordering::Release);
                }
            })
        };
        no_acceptance_after_the_answer(&world, right);
        follower.join().expect("the follower ends");
        authority.join().expect("the authority ends");
    });
}

fn lower_then_release(world: &World, released: &AtomicBool) {
    world.expiry.store(FIRST_LEASE, Ordering::SeqCst);
    fence(Ordering::SeqCst);
    released.store(true, Ordering::Release);
}

fn release_then_lower(world: &World, released: &AtomicBool) {
    released.store(true, Ordering::Release);
    world.expiry.store(FIRST_LEASE, Ordering::SeqCst);
    fence(Ordering::SeqCst);
}

#[test]
fn after_a_release_no_check_accepts_by_the_lease_that_was_released() {
    answered_when_released_and_the_other_lease_is_over(lower_then_release);
}

#[test]
#[should_panic(expected = "accepted after the revocation was answered")]
fn control_a_release_before_the_lease_is_lowered_is_caught() {
    answered_when_released_and_the_other_lease_is_over(release_then_lower);
}

#[test]
fn after_a_lease_is_over_no_check_accepts_what_was_revoked_under_it() {
    answered_when_the_lease_is_over(right, publish_then_renew);
}

#[test]
fn after_an_acknowledgement_no_check_accepts_what_was_revoked() {
    answered_when_acknowledged(publish_then_acknowledge);
}

#[test]
#[should_panic(expected = "accepted after the revocation was answered")]
fn control_looking_up_before_the_expiry_is_loaded_is_caught() {
    answered_when_the_lease_is_over(state_before_expiry, publish_then_renew);
}

#[test]
#[should_panic(expected = "accepted after the revocation was answered")]
fn control_an_expiry_loaded_without_acquire_is_caught() {
    answered_when_the_lease_is_over(expiry_without_acquire, publish_then_renew);
}

#[test]
#[should_panic(expected = "accepted after the revocation was answered")]
fn control_a_lease_renewed_before_the_state_is_published_is_caught() {
    answered_when_the_lease_is_over(right, renew_then_publish);
}

#[test]
#[should_panic(expected = "accepted after the revocation was answered")]
fn control_an_acknowledgement_before_the_publication_is_caught() {
    answered_when_acknowledged(acknowledge_then_publish);
}
