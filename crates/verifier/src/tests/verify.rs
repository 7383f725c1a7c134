//! What a check looks at.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nt_revocation::{OutOfOrder, RevocationSet, Why};
use nt_token::check::LEEWAY;
use nt_token::clock::ManualClock;
use nt_token::key::NotOpened;
use nt_token::{Place, Refusal, SigningKey};

use super::world::*;
use crate::{NotReady, Refused};

fn leased() -> (World, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(ISSUED));
    let world = World::at(Arc::clone(&clock) as _, None);
    world.renew();
    (world, clock)
}

#[test]
fn a_good_token_is_accepted_with_and_without_its_prefix() {
    let (world, _) = leased();
    let token = world.token(0, HERE);
    let verified = world.verify(&token).expect("good");
    assert_eq!(verified.claims().place, HERE);
    assert!(verified.still_valid());
    world.verify(token.strip_prefix("wst_").expect("has the prefix")).expect("good as well");
}

#[test]
fn a_token_that_was_seen_before_shares_what_was_kept_of_it() {
    let (world, _) = leased();
    let token = world.token(0, HERE);
    let (one, two) = (world.verify(&token).expect("good"), world.verify(&token).expect("good"));
    assert!(std::ptr::eq(one.claims(), two.claims()));
    assert_eq!(world.verifier.stats().remembered, 1);
}

#[test]
fn a_revoked_token_is_refused_also_when_its_signature_is_remembered() {
    let (world, _) = leased();
    let token = world.token(0, HERE);
    let verified = world.verify(&token).expect("good so far");
    world.apply(revoke(HERE));
    assert_eq!(assert_refused(world.verify(&token)), Refused::Revoked(Why::Token));
    assert!(!verified.still_valid());
    world.verify(&world.token(0, Place { idx: 70_001, ..HERE })).expect("its neighbour is good");
}

#[test]
fn without_a_lease_the_answer_is_not_ready_and_never_refused() {
    let clock = Arc::new(ManualClock::at(ISSUED));
    let world = World::at(Arc::clone(&clock) as _, None);
    let (good, revoked) = (world.token(0, HERE), world.token(0, Place { idx: 1, ..HERE }));
    world.apply(revoke(Place { idx: 1, ..HERE }));
    assert_eq!(assert_not_ready(world.verify(&good)), NotReady::LeaseOver, "never had one");
    world.renew();
    let verified = world.verify(&good).expect("good under a lease");
    clock.advance(LEASE);
    for token in [&good, &revoked] {
        assert_eq!(assert_not_ready(world.verify(token)), NotReady::LeaseOver);
    }
    assert!(!verified.still_valid());
    world.renew();
    world.verify(&good).expect("good under the next lease");
}

#[test]
fn a_lease_ends_at_its_moment_and_not_a_nanosecond_later() {
    let (world, clock) = leased();
    let token = world.token(0, HERE);
    clock.advance(LEASE.checked_sub(Duration::from_nanos(1)).expect("longer"));
    world.verify(&token).expect("still under the lease");
    clock.advance(Duration::from_nanos(1));
    assert_not_ready(world.verify(&token));
}

#[test]
fn a_lease_that_was_dropped_is_over_at_once_and_an_older_grant_does_not_shorten_one() {
    let (world, _) = leased();
    let token = world.token(0, HERE);
    let now = world.state.clock().boot();
    world.state.extend_lease(now);
    world.verify(&token).expect("the longer lease still holds");
    world.state.drop_lease();
    assert_not_ready(world.verify(&token));
}

#[test]
fn a_lease_that_was_lowered_ends_earlier_and_can_be_extended_again() {
    let (world, clock) = leased();
    let token = world.token(0, HERE);
    let now = world.state.clock().boot();
    world.state.lower_lease(now.after(LEASE / 2));
    world.state.lower_lease(now.after(LEASE));
    world.verify(&token).expect("until then");
    clock.advance(LEASE / 2);
    assert_not_ready(world.verify(&token));
    world.renew();
    world.verify(&token).expect("renewed since");
    clock.step_wall(2 * LEASE);
    assert_not_ready(world.verify(&token));
}

#[test]
fn a_jump_of_the_wall_time_ends_the_lease_as_a_paused_machine_shows_no_other() {
    let (world, clock) = leased();
    let token = world.token(0, HERE);
    clock.step_wall(LEASE);
    world.verify(&token).expect("a small step is nothing");
    clock.step_wall(LEASE);
    assert_eq!(assert_not_ready(world.verify(&token)), NotReady::LeaseOver);
    clock.advance(Duration::from_nanos(1));
    world.renew();
    world.verify(&token).expect("renewed since");
}

#[test]
fn a_token_from_a_part_of_the_log_that_is_not_known_here_is_not_ready() {
    let (world, _) = leased();
    let token = world.token(1, HERE);
    assert_eq!(assert_not_ready(world.verify(&token)), NotReady::Behind);
    world.apply(revoke_all());
    world.verify(&token).expect("issued after it");
    assert_eq!(assert_refused(world.verify(&world.token(0, HERE))), Refused::Revoked(Why::All));
}

#[test]
fn a_revoked_key_counts_no_more_though_the_signature_is_remembered() {
    let (world, _) = leased();
    let token = world.token(0, HERE);
    world.verify(&token).expect("good so far");
    world.apply(revoke_key(world.key.kid()));
    assert_eq!(assert_refused(world.verify(&token)), Refused::Revoked(Why::Key));
}

#[test]
fn a_key_that_was_taken_out_counts_no_more_though_the_signature_is_remembered() {
    let (world, _) = leased();
    let token = world.token(0, HERE);
    let verified = world.verify(&token).expect("good so far");
    let (other, _) = SigningKey::generate().expect("entropy");
    world.state.set_keys(keys([&other]));
    let unknown = Refused::Token(Refusal::NotOpened(NotOpened::UnknownKey));
    assert_eq!(assert_refused(world.verify(&token)), unknown);
    assert!(!verified.still_valid());
    world.state.set_keys(keys([&other, &world.key]));
    world.verify(&token).expect("good again");
}

#[test]
fn a_key_that_is_not_known_is_not_ready_while_it_may_be_a_new_one() {
    let (world, clock) = leased();
    let token = world.token(0, HERE);
    world.state.set_keys(keys([]));
    assert_refused(world.verify(&token));
    clock.advance(LEASE);
    assert_not_ready(world.verify(&token));
}

#[test]
fn an_expired_token_is_refused_though_its_signature_is_remembered() {
    let (world, clock) = leased();
    let token = world.token(0, HERE);
    world.verify(&token).expect("good so far");
    clock.advance(LIFETIME + Duration::from_secs(LEEWAY.unsigned_abs()));
    world.renew();
    assert_eq!(assert_refused(world.verify(&token)), Refused::Token(Refusal::Expired));
}

#[test]
fn what_is_no_token_is_refused() {
    let (world, _) = leased();
    for text in ["", "wst_", "a.b.c", &"A".repeat(100_000)] {
        assert!(matches!(assert_refused(world.verify(text)), Refused::Token(_)), "{text:.10}");
    }
    assert_eq!(world.verifier.stats().refused, 4);
}

#[test]
fn entries_out_of_order_are_not_applied() {
    let (world, _) = leased();
    let refused = world.state.apply(&entry(2, revoke(HERE)));
    assert_eq!(refused, Err(OutOfOrder::Gap { applied: 0, got: 2 }));
    assert_eq!(world.state.applied(), 0);
    world.state.apply_all(&[entry(1, revoke(HERE)), entry(2, revoke_all())]).expect("in order");
    assert_eq!(world.verifier.stats().applied, 2);
}

#[test]
fn a_snapshot_replaces_what_is_known_unless_it_knows_less() {
    let (world, _) = leased();
    let token = world.token(0, HERE);
    let snapshot = RevocationSet::new();
    snapshot.apply(&entry(1, revoke(HERE))).expect("in order");
    world.state.replace(snapshot).expect("knows more");
    assert_eq!(assert_refused(world.verify(&token)), Refused::Revoked(Why::Token));
    let older = world.state.replace(RevocationSet::new());
    assert_eq!(older, Err(OutOfOrder::Gap { applied: 1, got: 0 }));
    assert_refused(world.verify(&token));
    world.apply(revoke_all());
    assert_eq!(world.state.applied(), 2);
}

#[test]
fn what_was_applied_is_seen_by_every_thread_at_once() {
    const TOKENS: u32 = 100;
    let (world, _) = leased();
    let place = |idx| Place { list: idx % 3, idx: idx * 400 };
    let tokens: Vec<String> = (0..TOKENS).map(|idx| world.token(0, place(idx))).collect();
    let revoked = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let known = revoked.load(Ordering::Acquire);
                    let all = tokens.iter().take(known).all(|token| world.verify(token).is_err());
                    assert!(all, "an applied revocation was not seen");
                    if known == tokens.len() {
                        return;
                    }
                }
            });
        }
        for idx in 0..TOKENS {
            world.apply(revoke(place(idx)));
            revoked.fetch_add(1, Ordering::Release);
        }
    });
}

#[test]
fn what_is_left_of_a_lease_is_nothing_after_a_jump_of_the_wall_time() {
    let (world, clock) = leased();
    assert!(!world.verifier.stats().lease_left.is_zero());
    clock.step_wall(Duration::from_hours(1));
    assert_not_ready(world.verify(&world.token(0, HERE)));
    assert_eq!(world.verifier.stats().lease_left, Duration::ZERO);
}
