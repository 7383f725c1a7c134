//! A verifier in one call.

use std::time::Duration;

use nt_feed::client::{Settings, connect};
use nt_token::{Expected, Secret};
use tokio::time::{sleep, timeout};

use super::world::{SECRET, World, ready};

pub(crate) fn settings(world: &World) -> Settings {
    let authority = world.endpoint.uri().to_string().parse().expect("an origin");
    let mut settings = Settings::new(authority, "service");
    let secret = SECRET.strip_prefix("Bearer ").expect("a bearer's");
    settings.credential = Some(Secret::from(secret.to_owned()));
    settings
}

#[tokio::test]
async fn one_call_makes_a_verifier_that_is_kept_fresh_and_leaves_in_order() {
    let world = World::with_entries(3, None).await;
    let (verifier, following) = connect(settings(&world)).await.expect("connected");
    ready(&verifier, 3).await;
    let seq = world.revoke();
    world.feed.wait_complete(seq).await;
    assert_eq!(verifier.stats().applied, seq);
    following.stop().await;
    assert!(world.session("service").is_none());
}

#[tokio::test]
async fn an_authority_whose_tokens_name_another_issuer_gives_no_lease() {
    let world = World::with_entries(3, None).await;
    let mut settings = settings(&world);
    let other = Expected { issuer: "http://other".to_owned(), audience: "b".to_owned() };
    settings.expected = Some(other);
    let (verifier, _following) = connect(settings).await.expect("settings that can be followed");
    sleep(Duration::from_millis(300)).await;
    assert!(verifier.stats().lease_left.is_zero());
    let seq = world.revoke();
    timeout(Duration::from_secs(1), world.feed.wait_complete(seq))
        .await
        .expect("nobody has a lease");
}
