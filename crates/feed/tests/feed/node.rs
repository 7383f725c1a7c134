//! A node among several: its own lease, its end in order, and what verifiers know better.

use std::time::Duration;

use nt_feed::client::connect;
use nt_feed::proto::{self, from_authority, from_verifier};
use nt_revocation::protocol::{Boot, Lengths, Tenure};
use nt_revocation::{Entry, Fact, Position, first_of_epoch};
use nt_token::EntryId;
use nt_token::clock::{Clock, SystemClock};
use tokio::time::timeout;
use tonic::Code;

use super::SOON;
use super::connect::settings;
use super::raw::{Raw, hello, position};
use super::world::{LEASE, Log, SECRET, World, ready, until};

fn renew(nonce: u64, acked: u64) -> from_verifier::Message {
    from_verifier::Message::Renew(proto::Renew { nonce, acked, epoch: 1 })
}

async fn connected(world: &World, seq: u64) -> Raw {
    let hello = hello(Some(position(seq)));
    let mut raw = Raw::connect(world, SECRET, hello).await.expect("admitted");
    raw.hear().await.expect("a welcome");
    until("a session", || world.session("raw").is_some()).await;
    raw
}

#[tokio::test]
async fn a_leased_node_grants_and_answers_only_under_the_databases_lease() {
    let log = Log::with_entries(2);
    let world = World::node(&log, Tenure::Leased).await;
    let lease = world.feed.lease();
    assert!(!world.feed.serves());
    assert_eq!(lease.end(), Boot::default());
    let mut early = Raw::connect(&world, SECRET, hello(None)).await.expect("admitted");
    assert_eq!(early.hear().await.expect_err("not served").code(), Code::Unavailable);
    // A renewal that saw more than was pushed here waits for it.
    let anchor = SystemClock.boot();
    world.feed.renewed(anchor, 3);
    assert!(!world.feed.serves());
    world.revoke();
    assert!(world.feed.serves());
    assert_eq!(lease.end(), anchor.after(Lengths::default().node));
    let mut raw = connected(&world, 3).await;
    raw.say(renew(2, 3)).await;
    let grant = raw.hear().await.expect("a grant");
    assert!(matches!(grant, from_authority::Message::Grant(grant) if grant.nonce == 2));
    // Refused: over at once, and the verifiers are told.
    world.feed.renewal_refused();
    assert_eq!((lease.end(), world.feed.serves()), (Boot::default(), false));
    assert!(matches!(raw.hear().await, Ok(from_authority::Message::Leaving(_))));
    world.feed.renewed(SystemClock.boot(), 3);
    assert!(!world.feed.serves(), "that incarnation is over");
    // As another it begins anew.
    world.feed.rejoin();
    raw.hear().await.expect_err("to be connected anew");
    world.feed.renewed(SystemClock.boot(), 3);
    assert!(world.feed.serves() && lease.end() > Boot::default());
}

#[tokio::test]
async fn a_database_of_one_process_is_its_own_for_ever() {
    let world = World::with_entries(0, None).await;
    assert!(world.feed.serves());
    assert_eq!(world.feed.lease().end(), Boot::from_nanos(u64::MAX));
}

#[tokio::test]
async fn a_node_that_leaves_says_so_grants_nothing_and_has_left_when_the_last_has_gone() {
    let world = World::with_entries(2, None).await;
    let mut raw = connected(&world, 2).await;
    raw.say(renew(1, 2)).await;
    raw.hear().await.expect("a grant");
    world.feed.leave();
    assert!(matches!(raw.hear().await, Ok(from_authority::Message::Leaving(_))));
    raw.say(renew(2, 2)).await;
    // What happens meanwhile is acknowledged as ever.
    let seq = world.revoke();
    let next = raw.hear().await.expect("no grant, but the entry");
    assert!(matches!(next, from_authority::Message::Entries(_)), "{next:?}");
    raw.say(from_verifier::Message::Ack(proto::Ack { epoch: 1, seq })).await;
    timeout(SOON, world.feed.wait_complete(seq)).await.expect("acknowledged");
    let mut late = Raw::connect(&world, SECRET, hello(None)).await.expect("admitted");
    assert_eq!(late.hear().await.expect_err("no new sessions").code(), Code::Unavailable);
    assert!(timeout(LEASE / 8, world.feed.left()).await.is_err(), "a lease is out");
    raw.say(from_verifier::Message::Release(proto::Release {})).await;
    timeout(LEASE / 4, world.feed.left()).await.expect("at once");
}

#[tokio::test]
async fn a_node_that_leaves_waits_for_the_leases_of_those_that_say_nothing() {
    let world = World::with_entries(2, None).await;
    let mut raw = connected(&world, 2).await;
    raw.say(renew(1, 2)).await;
    raw.hear().await.expect("a grant");
    world.feed.leave();
    timeout(2 * LEASE, world.feed.left()).await.expect("its lease ends");
    assert!(world.session("raw").is_none_or(|raw| raw.lease_left.is_zero()));
}

#[tokio::test]
async fn what_a_verifier_knows_better_is_told_to_the_authority_and_kept() {
    let world = World::with_entries(4, None).await;
    assert_eq!(world.feed.highest_witness(), None);
    let ahead = proto::Position { epoch: 1, seq: 9, entry_id: vec![9; 16].into() };
    let other = proto::Position { entry_id: vec![9; 16].into(), ..position(3) };
    let witnesses = [Some(position(4)), Some(ahead.clone()), Some(other.clone())];
    for witness in witnesses {
        let hello = proto::Hello { witness, ..hello(None) };
        let mut raw = Raw::connect(&world, SECRET, hello).await.expect("admitted");
        let welcome = raw.hear().await.expect("a welcome");
        let from_authority::Message::Welcome(welcome) = welcome else { panic!("{welcome:?}") };
        assert_eq!(welcome.head, Some(position(4)));
        let _served_or_not = raw.hear().await;
    }
    let told = world.log.contradictions.lock().expect("no panic").clone();
    let of = |position: proto::Position| Position::try_from(position).expect("well-formed");
    assert_eq!(told, [(of(ahead.clone()), "raw".to_owned()), (of(other), "raw".to_owned())]);
    assert_eq!(world.feed.highest_witness(), Some(of(ahead)));
}

#[tokio::test]
async fn what_this_node_is_not_told_of_yet_but_the_log_has_is_no_loss() {
    let world = World::with_entries(4, None).await;
    // Another node committed it, and a verifier of that one comes here.
    let next = world.log.next();
    world.log.add(next.clone());
    let hello = proto::Hello { witness: Some(position(5)), ..hello(Some(position(5))) };
    let mut raw = Raw::connect(&world, SECRET, hello).await.expect("admitted");
    assert!(timeout(Duration::from_millis(100), raw.hear()).await.is_err(), "it is waited for");
    world.feed.push(&[next]);
    let welcome = raw.hear().await.expect("a welcome");
    let from_authority::Message::Welcome(welcome) = welcome else { panic!("{welcome:?}") };
    assert_eq!((welcome.head, welcome.at_witness), (Some(position(5)), Some(position(5))));
    assert!(world.log.contradictions.lock().expect("no panic").is_empty());
}

/// The first entry of epoch 2, behind what this log has.
fn epoch_behind(log: &Log) -> Entry {
    let Position { seq: after, entry, .. } = log.position();
    let fact = Fact::EpochBegan { epoch: 2, after, entry };
    Entry { seq: first_of_epoch(after), id: EntryId([2; 16]), fact }
}

#[tokio::test]
async fn whoever_stands_where_a_new_epoch_begins_goes_on_into_it() {
    let world = World::with_entries(3, None).await;
    let (verifier, following) = world.follow("service");
    ready(&verifier, 3).await;
    let began = epoch_behind(&world.log);
    world.log.add(began.clone());
    world.feed.push(std::slice::from_ref(&began));
    timeout(SOON, world.feed.wait_complete(began.seq)).await.expect("acknowledged");
    assert_eq!(verifier.stats().applied, began.seq);
    let seq = world.revoke();
    timeout(SOON, world.feed.wait_complete(seq)).await.expect("acknowledged");
    tokio::time::sleep(2 * LEASE).await;
    ready(&verifier, seq).await;
    assert_eq!(world.log.given.lock().expect("no panic").as_slice(), ["snapshot"], "one session");
    following.stop().await;
}

#[tokio::test]
async fn a_log_that_was_recovered_without_what_a_verifier_knows_is_followed_by_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("position");
    let world = World::with_entries(9, None).await;
    let with_file = |world: &World| {
        let mut settings = settings(world);
        settings.position_file = Some(file.clone());
        settings
    };
    let (verifier, following) = connect(with_file(&world)).await.expect("settings");
    ready(&verifier, 9).await;
    following.stop().await;
    let log = Log::with_entries(5);
    let recovered = {
        log.add(epoch_behind(&log));
        World::node(&log, Tenure::Sole { before: None }).await
    };
    let (verifier, following) = connect(with_file(&recovered)).await.expect("settings");
    ready(&verifier, first_of_epoch(5)).await;
    following.stop().await;
    assert!(log.contradictions.lock().expect("no panic").is_empty());
    // The log that was lost is of an earlier epoch than the witness now.
    let (verifier, _following) = connect(with_file(&world)).await.expect("settings");
    tokio::time::sleep(LEASE / 2).await;
    assert!(verifier.stats().lease_left.is_zero());
}
