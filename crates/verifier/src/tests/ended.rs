//! How one learns that a token is good no longer.

use std::time::Duration;

use nt_revocation::RevocationSet;
use nt_token::check::LEEWAY;
use nt_token::{Place, SigningKey};
use tokio::time::timeout;

use super::world::*;
use crate::End;

const SOON: Duration = Duration::from_millis(100);

#[tokio::test(start_paused = true)]
async fn it_resolves_when_the_token_is_revoked_and_not_for_another() {
    let world = World::leased();
    let verified = world.verify(&world.token(0, HERE)).expect("good");
    let mut ended = std::pin::pin!(verified.ended());
    world.apply(revoke(Place { idx: 1, ..HERE }));
    timeout(SOON, &mut ended).await.expect_err("another token was revoked");
    world.apply(revoke(HERE));
    assert_eq!(timeout(SOON, ended).await.expect("at once"), End::Revoked);
}

#[tokio::test(start_paused = true)]
async fn it_resolves_for_a_token_that_was_revoked_before_it_was_first_polled() {
    let world = World::leased();
    let verified = world.verify(&world.token(0, HERE)).expect("good");
    let ended = verified.ended();
    world.apply(revoke_all());
    assert_eq!(timeout(SOON, ended).await.expect("at once"), End::Revoked);
    assert_eq!(timeout(SOON, verified.ended()).await.expect("at once"), End::Revoked);
}

#[tokio::test(start_paused = true)]
async fn it_resolves_when_a_snapshot_or_other_keys_end_the_token() {
    let world = World::leased();
    let verified = world.verify(&world.token(0, HERE)).expect("good");
    let snapshot = RevocationSet::new();
    snapshot.apply(&entry(1, revoke(HERE))).expect("in order");
    world.state.replace(snapshot).expect("knows more");
    assert_eq!(timeout(SOON, verified.ended()).await.expect("at once"), End::Revoked);

    let verified = world.verify(&world.token(0, Place { idx: 1, ..HERE })).expect("good");
    let mut ended = std::pin::pin!(verified.ended());
    timeout(SOON, &mut ended).await.expect_err("nothing happened");
    let (other, _) = SigningKey::generate().expect("entropy");
    world.state.set_keys(keys([&other]));
    assert_eq!(timeout(SOON, ended).await.expect("at once"), End::Revoked);
}

#[tokio::test(start_paused = true)]
async fn it_resolves_when_the_token_expires_while_leases_are_renewed() {
    let world = World::leased();
    let verified = world.verify(&world.token(0, HERE)).expect("good");
    let mut ended = std::pin::pin!(verified.ended());
    let began = tokio::time::Instant::now();
    let end = loop {
        if let Ok(end) = timeout(LEASE / 4, &mut ended).await {
            break end;
        }
        world.renew();
    };
    assert_eq!(end, End::Expired);
    let leeway = Duration::from_secs(LEEWAY.unsigned_abs());
    let late = began.elapsed().checked_sub(LIFETIME + leeway).expect("not before it expires");
    assert!(late < SOON, "{late:?} late");
}

#[tokio::test(start_paused = true)]
async fn it_resolves_when_the_lease_was_over_for_as_long_as_it_was() {
    let world = World::leased();
    let verified = world.verify(&world.token(0, HERE)).expect("good");
    let mut ended = std::pin::pin!(verified.ended());
    timeout(LEASE + LEASE / 2, &mut ended).await.expect_err("a node may be starting again");
    assert!(!verified.still_valid(), "but nothing new is accepted");
    assert_eq!(
        timeout(LEASE / 2 + SOON, ended).await.expect("cut off for too long"),
        End::NotKnown
    );
}

#[tokio::test(start_paused = true)]
async fn a_dropped_lease_leaves_streams_no_more_than_its_length() {
    let world = World::leased();
    let verified = world.verify(&world.token(0, HERE)).expect("good");
    world.state.drop_lease();
    let end = timeout(LEASE + SOON, verified.ended()).await.expect("cut off for too long");
    assert_eq!(end, End::NotKnown);
}

#[tokio::test(start_paused = true)]
async fn thousands_wait_and_one_revocation_ends_them_all() {
    let world = World::leased();
    let verified = world.verify(&world.token(0, HERE)).expect("good");
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..5_000 {
        waiting.spawn(verified.ended());
    }
    tokio::task::yield_now().await;
    assert_eq!(world.verifier.stats().waiting, 5_000);
    world.apply(revoke(HERE));
    let all = timeout(SOON, waiting.join_all()).await.expect("at once");
    assert!(all.iter().all(|end| *end == End::Revoked));
    assert_eq!(world.verifier.stats().waiting, 0);
}
