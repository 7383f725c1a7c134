//! A provider whose keys change, grow without end, come late or not at all.

use std::net::TcpListener;
use std::sync::Arc;

use nt_identity::key_cache::{COOL_DOWN, FRESH, OUTAGE};
use nt_identity::provider::{IdentifyError, Provider};
use nt_token::Timestamp;
use nt_token::clock::ManualClock;
use serde_json::json;

use crate::forged::{NOW, good, provider};
use crate::keys::{Key, with};
use crate::misbehaving::{Jwks, Misbehaving};

/// A token that holds at this time.
fn token(key: &Key, kid: &str, issuer: &str, now: Timestamp) -> String {
    let times = json!({"iat": now.unix(), "exp": now.unix() + 300});
    key.token(kid, &with(&good(issuer), &times))
}

async fn unavailable(provider: &Provider, token: &str, now: Timestamp) -> String {
    let outcome = provider.identify(token, Some("n-1"), now).await;
    assert!(matches!(outcome, Err(IdentifyError::Unavailable(_))), "{outcome:?}");
    outcome.expect_err("unavailable").to_string()
}

#[tokio::test]
async fn an_answer_that_is_no_key_set_is_unavailability_and_never_replaces_a_good_one() {
    let key = Key::es256();
    for (jwks, reason) in [
        (Jwks::Endless, "is too long"),
        (Jwks::Set(Vec::new()), "no key of the set can be used"),
        (Jwks::Text("<html>"), "is no key set"),
        (Jwks::Text(""), "is no key set"),
        (Jwks::Status(503), "status 503"),
        (Jwks::Status(302), "status 302"),
    ] {
        let server = Misbehaving::start(jwks.clone());
        let empty = provider(&server.issuer);
        let first = token(&key, "k-1", &server.issuer, NOW);
        let why = unavailable(&empty, &first, NOW).await;
        assert!(why.contains(reason), "{jwks:?}: {why}");
        // Not asked again at once, and still not the token's fault.
        let why = unavailable(&empty, &first, NOW.plus_seconds(COOL_DOWN - 1)).await;
        assert!(why.contains("a moment ago") && why.contains(reason), "{jwks:?}: {why}");
        assert_eq!(server.fetches(), 1);
        if matches!(jwks, Jwks::Endless) {
            // What lay in the sockets' buffers, but by far not all of it.
            assert!(server.sent() < 9_000_000, "{}", server.sent());
        }

        server.now_answers(Jwks::Set(vec![key.jwk("k-1")]));
        let later = NOW.plus_seconds(COOL_DOWN);
        let good = token(&key, "k-1", &server.issuer, later);
        assert!(empty.identify(&good, Some("n-1"), later).await.is_ok(), "{jwks:?}");
        server.now_answers(jwks.clone());
        let stale = later.plus_seconds(FRESH);
        let good = token(&key, "k-1", &server.issuer, stale);
        assert!(empty.identify(&good, Some("n-1"), stale).await.is_ok(), "{jwks:?}");
        assert_eq!(server.fetches(), 3, "{jwks:?}");
    }
}

#[tokio::test]
async fn a_provider_that_never_answers_or_is_down_is_unavailable() {
    let key = Key::es256();
    let server = Misbehaving::start(Jwks::Silence);
    let silent = provider(&server.issuer);
    let why = unavailable(&silent, &token(&key, "k-1", &server.issuer, NOW), NOW).await;
    assert!(why.contains("takes too long"), "{why}");

    let closed = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let issuer = format!("http://{}", closed.local_addr().expect("bound"));
    drop(closed);
    let down = provider(&issuer);
    let why = unavailable(&down, &token(&key, "k-1", &issuer, NOW), NOW).await;
    assert!(why.contains("cannot be reached") && why.contains("refused"), "{why}");
}

#[tokio::test]
async fn an_outage_is_ridden_out_and_then_it_is_unavailability() {
    let key = Key::es256();
    let server = Misbehaving::start(Jwks::Set(vec![key.jwk("k-1")]));
    let provider = provider(&server.issuer);
    let first = token(&key, "k-1", &server.issuer, NOW);
    assert!(provider.identify(&first, Some("n-1"), NOW).await.is_ok());
    server.now_answers(Jwks::Status(500));
    for later in [FRESH, FRESH + COOL_DOWN, OUTAGE - 1] {
        let later = NOW.plus_seconds(later);
        let token = token(&key, "k-1", &server.issuer, later);
        assert!(provider.identify(&token, Some("n-1"), later).await.is_ok());
    }
    let over = NOW.plus_seconds(OUTAGE + COOL_DOWN);
    let why = unavailable(&provider, &token(&key, "k-1", &server.issuer, over), over).await;
    assert!(why.contains("status 500"), "{why}");
}

#[tokio::test]
async fn a_rotated_key_is_found_and_the_old_one_is_forgotten() {
    let (old, new) = (Key::rs256(), Key::es256());
    let server = Misbehaving::start(Jwks::Set(vec![old.jwk("k-1")]));
    let provider = provider(&server.issuer);
    let identify = async |key: &Key, kid: &str, now: Timestamp| {
        let token = token(key, kid, &server.issuer, now);
        provider.identify(&token, Some("n-1"), now).await
    };
    assert!(identify(&old, "k-1", NOW).await.is_ok());
    server.now_answers(Jwks::Set(vec![new.jwk("k-2")]));
    let early = identify(&new, "k-2", NOW.plus_seconds(COOL_DOWN - 1)).await;
    assert!(matches!(early, Err(IdentifyError::Refused(_))), "{early:?}");
    let later = NOW.plus_seconds(COOL_DOWN);
    assert!(identify(&new, "k-2", later).await.is_ok());
    assert!(matches!(identify(&old, "k-1", later).await, Err(IdentifyError::Refused(_))));
    assert_eq!(server.fetches(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_unknown_keys_makes_one_fetch_a_cool_down_and_holds_up_nobody() {
    let (key, foreign) = (Key::es256(), Key::es256());
    let server = Misbehaving::start(Jwks::Set(vec![key.jwk("k-1")]));
    let provider = provider(&server.issuer);
    let good = token(&key, "k-1", &server.issuer, NOW);
    assert!(provider.identify(&good, Some("n-1"), NOW).await.is_ok());
    for round in 1..=3 {
        let now = NOW.plus_seconds(round * COOL_DOWN);
        let flood: Vec<_> = (0..200)
            .map(|n| {
                let token = token(&foreign, &format!("unknown-{n}"), &server.issuer, now);
                let provider = provider.clone();
                tokio::spawn(async move { provider.identify(&token, None, now).await })
            })
            .collect();
        for each in flood {
            let refused = each.await.expect("no panic").expect_err("unknown");
            assert!(refused.to_string().contains("key that is not known"), "{refused}");
        }
        assert_eq!(server.fetches(), 1 + usize::try_from(round).expect("small"));
    }
    // While a fetch hangs, those whose key is known go on without it.
    server.now_answers(Jwks::Silence);
    let now = NOW.plus_seconds(4 * COOL_DOWN);
    let unknown = token(&foreign, "unknown", &server.issuer, now);
    let hanging = {
        let provider = provider.clone();
        tokio::spawn(async move { provider.identify(&unknown, None, now).await.map(|_| ()) })
    };
    while server.fetches() < 5 {
        tokio::task::yield_now().await;
    }
    let good = token(&key, "k-1", &server.issuer, now);
    assert!(provider.identify(&good, Some("n-1"), now).await.is_ok());
    assert!(!hanging.is_finished());
    hanging.abort();
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_break_off_the_fetch() {
    let key = Key::es256();
    let server = Misbehaving::start(Jwks::Set(vec![key.jwk("k-1")]));
    let provider = provider(&server.issuer);
    let good = token(&key, "k-1", &server.issuer, NOW);
    {
        // Polled once, which begins the fetch, and dropped.
        let mut gone = std::pin::pin!(provider.identify(&good, Some("n-1"), NOW));
        let once = std::future::poll_fn(|context| {
            std::task::Poll::Ready(gone.as_mut().poll(context).is_ready())
        });
        assert!(!once.await);
    }
    assert!(provider.identify(&good, Some("n-1"), NOW).await.is_ok());
    assert_eq!(server.fetches(), 1);
}

#[tokio::test]
async fn the_background_fetches_before_the_first_login() {
    let key = Key::es256();
    let server = Misbehaving::start(Jwks::Set(vec![key.jwk("k-1")]));
    let provider = provider(&server.issuer);
    let background = {
        let provider = provider.clone();
        tokio::spawn(async move { provider.keep_keys_fresh(Arc::new(ManualClock::at(NOW))).await })
    };
    while server.fetches() < 1 {
        tokio::task::yield_now().await;
    }
    let good = token(&key, "k-1", &server.issuer, NOW);
    assert!(provider.identify(&good, Some("n-1"), NOW).await.is_ok());
    assert_eq!(server.fetches(), 1);
    background.abort();
}
