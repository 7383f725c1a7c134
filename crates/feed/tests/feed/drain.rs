//! A revoke waits for what its token was let in for, where a verifier was told so.

use std::time::Duration;

use nt_feed::client::{Following, connect};
use nt_token::clock::Stopwatch;
use nt_token::sign::sign;
use nt_token::{Expected, SigningKey};
use nt_verifier::{Drain, VerifiedToken, Verifier};
use tokio::time::timeout;

use super::connect::settings;
use super::token::{claims, key_added, revoked};
use super::world::{LEASE, World, ready};

/// A verifier that drains, a request that it has let in, and the log's head.
async fn one_request(world: &World) -> (Verifier, Following, VerifiedToken, u64) {
    let mut settings = settings(world);
    settings.expected = Some(Expected { issuer: "http://a".to_owned(), audience: "b".to_owned() });
    settings.drain = Drain::UntilLeaseEnd;
    let (verifier, following) = connect(settings).await.expect("settings that can be followed");
    let (key, _) = SigningKey::generate().expect("randomness");
    let head = world.append(key_added(&key));
    ready(&verifier, head).await;
    let token = sign(&claims(head), &key);
    let request = verifier.verify(token.expose()).expect("good");
    (verifier, following, request, head)
}

#[tokio::test]
async fn a_revocation_is_complete_when_the_requests_of_its_token_have_ended() {
    let world = World::with_entries(0, None).await;
    let (verifier, _following, request, head) = one_request(&world).await;
    let seq = world.append(revoked(head));
    let complete = world.feed.wait_complete(seq);
    tokio::pin!(complete);
    assert!(timeout(LEASE / 4, &mut complete).await.is_err(), "a request is under way");
    assert_eq!(verifier.stats().applied, seq, "new ones are refused all the same");
    assert!(!request.still_valid());
    let began = Stopwatch::start();
    drop(request);
    timeout(LEASE, complete).await.expect("it has ended");
    assert!(began.elapsed() < LEASE / 4, "{:?}", began.elapsed());
    assert_eq!(world.feed.outcome(seq).acked.len(), 1);
    ready(&verifier, seq).await;
}

#[tokio::test]
async fn a_request_that_does_not_end_delays_its_revocation_by_a_lease_and_costs_no_more_than_that()
{
    let world = World::with_entries(0, None).await;
    let (verifier, _following, request, head) = one_request(&world).await;
    let seq = world.append(revoked(head));
    // κ·Lv, and the 250 ms for which leases are renewed in spite of what is owed.
    let bound = LEASE * 13 / 10 + Duration::from_millis(250) + LEASE / 4;
    let began = Stopwatch::start();
    timeout(2 * bound, world.feed.wait_complete(seq)).await.expect("in bounded time");
    let took = began.elapsed();
    assert!(LEASE / 2 < took && took <= bound, "{took:?}");
    ready(&verifier, seq).await;
    // It owes nothing any more, though the request still runs.
    let next = world.revoke();
    timeout(LEASE / 2, world.feed.wait_complete(next)).await.expect("at once");
    drop(request);
}
