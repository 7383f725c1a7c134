//! An authority that lost history is followed by nobody who knows better.

use std::path::Path;
use std::time::Duration;

use nt_feed::client::{Following, NotConnected, connect};
use nt_revocation::Position;
use nt_token::{EntryId, Expected};
use nt_verifier::Verifier;
use tokio::time::sleep;

use super::connect::settings;
use super::world::{World, ready, until};

/// Long enough for several connections, were they of any use.
const A_WHILE: Duration = Duration::from_millis(400);

async fn follow(world: &World, file: &Path) -> (Verifier, Following) {
    let mut settings = settings(world);
    // Else the first connection only asks for this, and shows no witness.
    let expected = Expected { issuer: "http://a".to_owned(), audience: "b".to_owned() };
    settings.expected = Some(expected);
    settings.position_file = Some(file.to_owned());
    connect(settings).await.expect("settings that can be followed")
}

/// A verifier that has applied this much of the world's log, and was stopped.
async fn went_as_far_as(world: &World, seq: u64, file: &Path) {
    let (verifier, following) = follow(world, file).await;
    ready(&verifier, seq).await;
    following.stop().await;
}

#[tokio::test]
async fn after_a_restart_a_log_that_ends_earlier_or_went_another_way_gives_no_lease() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("position");
    let world = World::with_entries(5, None).await;
    went_as_far_as(&world, 5, &file).await;
    let older = World::with_entries(4, None).await;
    let other = World::with_entries(4, None).await;
    other.append_as(EntryId([9; 16]));
    other.revoke();
    for lost in [older, other] {
        let (verifier, following) = follow(&lost, &file).await;
        until("it was heard", || lost.log.asked_at.lock().expect("no panic").contains(&5)).await;
        sleep(A_WHILE).await;
        assert!(verifier.stats().lease_left.is_zero());
        assert_eq!(verifier.stats().applied, 0, "nothing is taken from it");
        assert!(lost.log.given.lock().expect("no panic").is_empty(), "nothing is given to it");
        assert!(lost.feed.sessions().is_empty());
        following.stop().await;
    }
    // The log that it knows is followed as ever, and further on.
    let seq = world.revoke();
    went_as_far_as(&world, seq, &file).await;
}

#[tokio::test]
async fn what_was_applied_is_a_witness_for_as_long_as_the_process_runs_also_without_a_file() {
    let world = World::with_entries(5, None).await;
    let older = World::with_entries(3, None).await;
    let proxy = super::Proxy::to(&world.endpoint).await;
    let (verifier, _following) = World::follow_through("service", proxy.endpoint());
    ready(&verifier, 5).await;
    proxy.turn_to(&older.endpoint);
    proxy.cut();
    until("the lease is over", || verifier.stats().lease_left.is_zero()).await;
    sleep(A_WHILE).await;
    assert!(verifier.stats().lease_left.is_zero());
    assert!(older.log.given.lock().expect("no panic").is_empty());
    // The newest database was put back.
    proxy.turn_to(&world.endpoint);
    ready(&verifier, 5).await;
}

#[tokio::test]
async fn a_damaged_position_is_no_reason_to_trust_anybody() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("position");
    let world = World::with_entries(1, None).await;
    went_as_far_as(&world, 1, &file).await;
    let mut bytes = std::fs::read(&file).expect("the position");
    bytes[20] ^= 1;
    std::fs::write(&file, bytes).expect("a file");
    let mut settings = settings(&world);
    settings.position_file = Some(file);
    let refused = connect(settings).await.expect_err("damaged");
    assert!(matches!(refused, NotConnected::Position(_)), "{refused}");
}

#[tokio::test]
async fn an_empty_log_is_no_witness_against_another() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("position");
    went_as_far_as(&World::with_entries(0, None).await, Position::START.seq, &file).await;
    assert!(!file.exists());
    went_as_far_as(&World::with_entries(2, None).await, 2, &file).await;
    assert!(file.exists());
}
