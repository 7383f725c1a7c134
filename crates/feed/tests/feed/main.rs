//! The feed from end to end: an authority's and a verifier's end over real sockets.

mod connect;
mod drain;
mod node;
mod proxy;
mod raw;
mod several;
mod token;
mod witness;
mod world;

use std::time::Duration;

use nt_feed::client::{Follower, introduce};
use nt_feed::server::Stream;
use nt_token::clock::Stopwatch;
use tokio::time::timeout;

use proxy::Proxy;
use world::{LEASE, World, ready, until};

const SOON: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_revocation_is_complete_as_soon_as_every_verifier_has_acknowledged_it() {
    let world = World::with_entries(3, None).await;
    let (one, _following) = world.follow("one");
    let (two, _also_following) = world.follow("two");
    ready(&one, 3).await;
    ready(&two, 3).await;
    let seq = world.revoke();
    timeout(SOON, world.feed.wait_complete(seq)).await.expect("both acknowledge at once");
    assert_eq!((one.stats().applied, two.stats().applied), (seq, seq));
    let outcome = world.feed.outcome(seq);
    let mut names: Vec<_> = outcome.acked.iter().map(|who| who.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["one", "two"]);
    assert!(outcome.cut_off.is_empty());
    assert_eq!(outcome.acked[0].identity, "the test's");
}

#[tokio::test]
async fn a_verifier_that_went_away_is_waited_for_until_its_lease_has_ended_for_certain() {
    let world = World::with_entries(0, None).await;
    let (verifier, following) = world.follow("gone");
    ready(&verifier, 0).await;
    following.abort();
    until("the stream's end is seen", || {
        world.session("gone").is_none_or(|listed| listed.stream == Stream::Ended)
    })
    .await;
    let began = Stopwatch::start();
    let seq = world.revoke();
    let left = world.session("gone").expect("still waited for").lease_left;
    assert!(!left.is_zero());
    timeout(2 * LEASE, world.feed.wait_complete(seq)).await.expect("its lease ends");
    assert!(began.elapsed() >= left.saturating_sub(Duration::from_millis(20)));
    assert!(verifier.stats().lease_left.is_zero(), "it could still say \"good\"");
    let outcome = world.feed.outcome(seq);
    assert_eq!(outcome.cut_off.len(), 1);
    assert_eq!(outcome.cut_off[0].who.name, "gone");
    assert!(world.session("gone").is_none());
}

#[tokio::test]
async fn a_verifier_that_leaves_in_order_is_not_waited_for() {
    let world = World::with_entries(0, None).await;
    let (verifier, following) = world.follow("leaves");
    ready(&verifier, 0).await;
    following.stop().await;
    assert!(verifier.stats().lease_left.is_zero());
    assert!(world.session("leaves").is_none());
    let seq = world.revoke();
    assert_eq!(*world.feed.complete().borrow(), seq);
}

#[tokio::test]
async fn dropping_the_follower_leaves_in_order_too() {
    let world = World::with_entries(0, None).await;
    let (verifier, following) = world.follow("dropped");
    ready(&verifier, 0).await;
    drop(following);
    until("released", || world.session("dropped").is_none()).await;
    assert!(verifier.stats().lease_left.is_zero());
}

#[tokio::test]
async fn leases_of_the_process_before_are_waited_for() {
    let world = World::with_entries(0, Some(LEASE)).await;
    let seq = world.revoke();
    let early = timeout(LEASE / 2, world.feed.wait_complete(seq)).await;
    assert!(early.is_err(), "verifiers of the process before may still accept");
    timeout(2 * LEASE, world.feed.wait_complete(seq)).await.expect("then they may not");
}

#[tokio::test]
async fn leases_are_renewed_for_as_long_as_it_follows() {
    let world = World::with_entries(1, None).await;
    let (verifier, _following) = world.follow("long");
    ready(&verifier, 1).await;
    let began = Stopwatch::start();
    while began.elapsed() < 3 * LEASE {
        assert!(!verifier.stats().lease_left.is_zero(), "after {:?}", began.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_verifier_finds_its_authority_again_and_goes_on_from_where_it_was() {
    let world = World::with_entries(5, None).await;
    let proxy = Proxy::to(&world.endpoint).await;
    let (verifier, _following) = World::follow_through("back", proxy.endpoint());
    ready(&verifier, 5).await;
    assert_eq!(*world.log.given.lock().expect("no panic"), ["snapshot"]);
    proxy.cut();
    until("another session", || world.log.given.lock().expect("no panic").len() == 2).await;
    assert_eq!(*world.log.given.lock().expect("no panic"), ["snapshot", "entries"]);
    let seq = world.revoke();
    ready(&verifier, seq).await;
}

#[tokio::test]
async fn an_authority_says_whose_tokens_it_issues_and_waits_for_nobody_who_only_asked() {
    let world = World::with_entries(2, None).await;
    let told = introduce(&world.endpoint, &World::follower("asks")).await.expect("an answer");
    assert_eq!((told.issuer.as_str(), told.audience.as_str()), ("http://a", "b"));
    let seq = world.revoke();
    timeout(SOON, world.feed.wait_complete(seq)).await.expect("nobody has a lease");
    let stranger =
        Follower { authorization: "Bearer".parse().expect("ASCII"), ..World::follower("x") };
    let refused = introduce(&world.endpoint, &stranger).await.expect_err("no credential");
    assert!(
        refused.to_string().starts_with("the credential is not known to the authority"),
        "{refused}"
    );
}
