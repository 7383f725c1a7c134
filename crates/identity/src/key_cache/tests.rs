//! Keys that come, go and stay away, on a clock that the tests read out.

use nt_token::{SigningKey, VerifyingKey};

use super::*;

const NOW: Timestamp = Timestamp::from_unix(1_723_000_000);

fn keys() -> (KeySet, String) {
    let (key, _) = SigningKey::generate().expect("entropy");
    let public = VerifyingKey::from_jwk(&key.jwk()).expect("our own key");
    (KeySet::new([public]).expect("one key"), key.kid().as_str().to_owned())
}

fn down() -> Unavailable {
    Unavailable::Status { url: "https://id.example.com".to_owned(), status: 503 }
}

fn at(seconds: i64) -> Timestamp {
    NOW.plus_seconds(seconds)
}

/// What a step comes to, in a word.
fn word(step: &Step) -> &'static str {
    match step {
        Step::Use(_) => "use",
        Step::Fetch { meanwhile: Some(_) } => "fetch, or use the old ones",
        Step::Fetch { meanwhile: None } => "fetch",
        Step::Without(_) => "without",
    }
}

fn filled(max_age: Option<i64>) -> (KeyCache, String) {
    let (keys, kid) = keys();
    let mut cache = KeyCache::default();
    cache.asking(NOW);
    cache.fetched(keys, max_age, NOW);
    (cache, kid)
}

#[test]
fn fresh_keys_are_used_without_asking_for_as_long_as_the_provider_says_within_bounds() {
    for (max_age, fresh_for) in [
        (None, FRESH),
        (Some(0), SHORTEST_FRESH),
        (Some(-5), SHORTEST_FRESH),
        (Some(600), 600),
        (Some(i64::MAX), LONGEST_FRESH),
    ] {
        let (cache, kid) = filled(max_age);
        let step = |seconds| word(&cache.step(Some(&kid), at(seconds)));
        assert_eq!((step(0), step(fresh_for - 1)), ("use", "use"), "{max_age:?}");
        let then = if fresh_for < OUTAGE { "fetch, or use the old ones" } else { "fetch" };
        assert_eq!(step(fresh_for), then, "{max_age:?}");
    }
}

#[test]
fn unknown_keys_ask_once_a_cool_down_however_many_come() {
    let (mut cache, kid) = filled(None);
    let mut attempts = 0;
    for second in 1..=300 {
        for n in 0..100 {
            if word(&cache.step(Some(&format!("unknown-{n}")), at(second))) == "fetch" {
                cache.asking(at(second));
                cache.failed(down());
                attempts += 1;
            }
        }
        assert_eq!(word(&cache.step(Some(&kid), at(second))), "use");
    }
    assert_eq!(attempts, 300 / COOL_DOWN);
}

#[test]
fn a_token_that_names_no_key_asks_nobody() {
    let (cache, _) = filled(None);
    assert_eq!(word(&cache.step(None, at(COOL_DOWN))), "use");
}

#[test]
fn while_the_provider_is_asked_the_outcome_is_waited_for_where_it_matters() {
    let mut cache = KeyCache::default();
    cache.asking(NOW);
    assert_eq!(word(&cache.step(Some("k"), NOW)), "fetch");
    let (mut cache, kid) = filled(None);
    cache.asking(at(FRESH));
    assert_eq!(word(&cache.step(Some("unknown"), at(FRESH))), "fetch");
    assert_eq!(word(&cache.step(Some(&kid), at(FRESH - 1))), "use");
    assert_eq!(word(&cache.step(Some(&kid), at(FRESH))), "fetch, or use the old ones");
}

#[test]
fn an_outage_is_ridden_out_for_its_bound_and_then_there_are_no_keys() {
    let (mut cache, kid) = filled(None);
    for second in (FRESH..OUTAGE).step_by(600) {
        assert_eq!(word(&cache.step(Some(&kid), at(second))), "fetch, or use the old ones");
        cache.asking(at(second));
        cache.failed(down());
        assert_eq!(word(&cache.step(Some(&kid), at(second + 1))), "use");
    }
    cache.asking(at(OUTAGE - 1));
    cache.failed(down());
    assert_eq!(word(&cache.step(Some(&kid), at(OUTAGE - 1))), "use");
    let Step::Without(reason) = cache.step(Some(&kid), at(OUTAGE)) else { panic!("used") };
    assert!(reason.to_string().contains("status 503"), "{reason}");
    assert_eq!(word(&cache.step(Some(&kid), at(OUTAGE + COOL_DOWN))), "fetch");
}

#[test]
fn without_any_keys_the_provider_is_asked_once_a_cool_down() {
    let mut cache = KeyCache::default();
    assert_eq!(word(&cache.step(Some("k"), NOW)), "fetch");
    cache.asking(NOW);
    cache.failed(down());
    assert_eq!(word(&cache.step(Some("k"), at(COOL_DOWN - 1))), "without");
    assert_eq!(word(&cache.step(Some("k"), at(COOL_DOWN))), "fetch");
}

#[test]
fn rotated_keys_take_the_place_of_the_old_ones() {
    let (mut cache, old) = filled(None);
    let (keys, new) = keys();
    assert_eq!(word(&cache.step(Some(&new), at(COOL_DOWN))), "fetch");
    cache.asking(at(COOL_DOWN));
    cache.fetched(keys, None, at(COOL_DOWN));
    let Step::Use(keys) = cache.step(Some(&new), at(COOL_DOWN)) else { panic!("not used") };
    assert!(keys.key(&new).is_some() && keys.key(&old).is_none());
}

#[test]
fn the_background_fetches_before_the_keys_grow_old_and_patiently_after_failures() {
    assert_eq!(KeyCache::default().refresh_in(NOW), 0);
    let (mut cache, _) = filled(Some(1_000));
    assert_eq!((cache.refresh_in(NOW), cache.refresh_in(at(799))), (800, 1));
    assert_eq!(cache.refresh_in(at(900)), 0);
    cache.asking(at(800));
    cache.failed(down());
    assert_eq!(cache.refresh_in(at(801)), 2 * COOL_DOWN - 1);
    assert_eq!(cache.refresh_in(at(800 + 2 * COOL_DOWN)), 0);
}

#[test]
fn a_clock_that_was_set_back_stops_nothing() {
    let (cache, kid) = filled(None);
    assert_eq!(word(&cache.step(Some("unknown"), at(-3 * COOL_DOWN))), "fetch");
    assert_eq!(word(&cache.step(Some(&kid), at(-2 * FRESH))), "fetch, or use the old ones");
    assert_eq!(word(&cache.step(Some(&kid), at(-OUTAGE))), "fetch");
}
