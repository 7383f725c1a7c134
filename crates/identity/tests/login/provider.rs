//! The development provider by itself: its page, and everything that it refuses.

use std::time::Duration;

use nt_identity::pkce::Verifier;
use serde_json::Value;

use crate::world::{Shown, World, changed, parameter, show};

const CALLBACK: &str = "http://127.0.0.1:41247/callback";

/// A good authorization request, with its verifier.
fn request(world: &World) -> (String, Verifier) {
    let verifier = Verifier::draw().expect("entropy");
    let mut url = format!("{}?response_type=code", world.endpoint("authorize"));
    let challenge = verifier.challenge();
    for (name, value) in [
        ("client_id", "ntcli"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid email profile"),
        ("state", "s-1"),
        ("nonce", "n-1"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ] {
        url = changed(&url, name, Some(value));
    }
    (url, verifier)
}

fn open(world: &World, url: &str) -> Shown {
    show(world.agent.get(url).call().expect("an answer"))
}

fn signed_in(world: &World) -> (String, Verifier) {
    let (url, verifier) = request(world);
    let url = changed(&url, "login_hint", Some("owner@example.com"));
    let redirect = open(world, &url).location.expect("a redirect");
    assert_eq!(parameter(&redirect, "state").as_deref(), Some("s-1"));
    assert_eq!(parameter(&redirect, "iss").as_deref(), Some(world.provider.issuer()));
    (parameter(&redirect, "code").expect("a code"), verifier)
}

/// Redeems a code with some parameters replaced; an empty one is as left out.
fn redeem(world: &World, code: &str, verifier: &str, changes: &[(&str, &str)]) -> (u16, Value) {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("client_id", "ntcli"),
        ("redirect_uri", CALLBACK),
        ("code", code),
        ("code_verifier", verifier),
    ];
    for change in changes {
        form.retain(|(name, _)| *name != change.0);
        form.push(*change);
    }
    let response = world.agent.post(&world.endpoint("token")).send_form(form).expect("an answer");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let shown = show(response);
    (shown.status, serde_json::from_str(&shown.body).expect("JSON"))
}

#[test]
fn the_page_lists_the_users_and_says_that_it_is_for_development() {
    let world = World::start();
    let (url, _) = request(&world);
    for url in [url.clone(), changed(&url, "login_hint", Some("nobody@example.com"))] {
        let response = world.agent.get(&url).call().expect("an answer");
        assert_eq!(response.headers()["x-frame-options"], "DENY");
        assert_eq!(response.headers()["referrer-policy"], "no-referrer");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let shown = show(response);
        assert_eq!(shown.status, 200);
        for text in [
            "Development sign-in",
            "no passwords",
            "Never use it in production",
            "value=\"owner@example.com\"",
            "value=\"member@example.com\"",
            "value=\"outsider@example.com\"",
        ] {
            assert!(shown.body.contains(text), "{text}");
        }
        let form_action = "form-action 'self' http://127.0.0.1:41247;";
        assert!(shown.policy.contains(form_action), "{}", shown.policy);
        assert!(!shown.policy.contains("unsafe"), "{}", shown.policy);
    }
}

#[test]
fn the_pages_form_signs_in_and_another_sites_form_does_not() {
    let world = World::start();
    let (url, verifier) = request(&world);
    let (endpoint, query) = url.split_once('?').expect("a query");
    let post = |user: &str, site: &str| {
        let body = format!("{query}&user={user}");
        let response = world
            .agent
            .post(endpoint)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", site)
            .header("origin", "null")
            .send(body)
            .expect("an answer");
        show(response)
    };
    assert_eq!(post("member@example.com", "cross-site").status, 403);
    assert_eq!(post("root@example.com", "same-origin").status, 400);
    let shown = post("member@example.com", "same-origin");
    assert_eq!(shown.status, 303);
    let code = parameter(&shown.location.expect("a redirect"), "code").expect("a code");
    assert_eq!(redeem(&world, &code, verifier.expose(), &[]).0, 200);
}

#[test]
fn hostile_query_text_is_escaped() {
    let world = World::start();
    let (url, _) = request(&world);
    let hostile = "\"><script>alert(1)</script>'&";
    for name in ["state", "nonce", "login_hint"] {
        let shown = open(&world, &changed(&url, name, Some(hostile)));
        assert_eq!(shown.status, 200, "{name}");
        assert!(!shown.body.contains("<script"), "{name}: {}", shown.body);
    }
    for name in ["redirect_uri", "client_id"] {
        let shown = open(&world, &changed(&url, name, Some(hostile)));
        assert_eq!(shown.status, 400, "{name}");
        assert!(!shown.body.contains("<script"), "{name}: {}", shown.body);
    }
}

#[test]
fn a_foreign_redirect_uri_or_client_is_never_redirected_to() {
    let world = World::start();
    let (url, _) = request(&world);
    let url = changed(&url, "login_hint", Some("owner@example.com"));
    for (name, value) in [
        ("redirect_uri", Some("https://evil.test/callback")),
        ("redirect_uri", Some("http://127.0.0.1:41247@evil.test/callback")),
        ("redirect_uri", Some("http://localhost:41247/callback")),
        ("redirect_uri", None),
        ("client_id", Some("other")),
        ("client_id", None),
    ] {
        let shown = open(&world, &changed(&url, name, value));
        assert_eq!((shown.status, shown.location), (400, None), "{name}={value:?}");
        assert!(shown.body.contains("This sign-in link does not work"));
    }
    let repeated = format!("{url}&redirect_uri=https%3A%2F%2Fevil.test%2Fcallback");
    assert_eq!(open(&world, &repeated).status, 400);
}

#[test]
fn a_request_without_pkce_goes_back_as_an_error() {
    let world = World::start();
    let (url, _) = request(&world);
    let url = changed(&url, "login_hint", Some("owner@example.com"));
    for (name, value) in [
        ("code_challenge", None),
        ("code_challenge_method", None),
        ("code_challenge_method", Some("plain")),
    ] {
        let shown = open(&world, &changed(&url, name, value));
        let redirect = shown.location.expect("a redirect");
        assert_eq!(parameter(&redirect, "error").as_deref(), Some("invalid_request"));
        assert_eq!(parameter(&redirect, "state").as_deref(), Some("s-1"));
        assert_eq!(parameter(&redirect, "code"), None);
    }
}

#[test]
fn silence_can_be_demanded() {
    let world = World::start();
    let (url, _) = request(&world);
    let silent = changed(&url, "prompt", Some("none"));
    let redirect = open(&world, &silent).location.expect("a redirect");
    assert_eq!(parameter(&redirect, "error").as_deref(), Some("login_required"));
    let hinted = changed(&silent, "login_hint", Some("owner@example.com"));
    let redirect = open(&world, &hinted).location.expect("a redirect");
    assert!(parameter(&redirect, "code").is_some());
}

#[test]
fn a_code_is_good_once() {
    let world = World::start();
    let (code, verifier) = signed_in(&world);
    let (status, answer) = redeem(&world, &code, verifier.expose(), &[]);
    assert_eq!((status, &answer["token_type"]), (200, &Value::from("Bearer")));
    assert_eq!(answer["scope"], "openid email profile");
    let (status, answer) = redeem(&world, &code, verifier.expose(), &[]);
    assert_eq!((status, &answer["error"]), (400, &Value::from("invalid_grant")));
}

#[test]
fn a_code_is_good_only_with_what_it_was_given_for_and_is_used_up_by_trying() {
    let world = World::start();
    let other = Verifier::draw().expect("entropy");
    for change in
        [("code_verifier", other.expose()), ("redirect_uri", "http://127.0.0.1:41248/callback")]
    {
        let (code, verifier) = signed_in(&world);
        for changes in [&[change][..], &[]] {
            let (status, answer) = redeem(&world, &code, verifier.expose(), changes);
            assert_eq!((status, &answer["error"]), (400, &Value::from("invalid_grant")));
        }
    }
}

#[test]
fn an_old_code_is_refused() {
    let world = World::start();
    let (code, verifier) = signed_in(&world);
    world.clock.advance(Duration::from_mins(1));
    let (status, answer) = redeem(&world, &code, verifier.expose(), &[]);
    assert_eq!((status, &answer["error"]), (400, &Value::from("invalid_grant")));
}

#[test]
fn token_requests_of_other_kinds_are_refused_by_their_names() {
    let world = World::start();
    let (code, verifier) = signed_in(&world);
    for (name, value, status, error) in [
        ("grant_type", "password", 400, "unsupported_grant_type"),
        ("grant_type", "", 400, "invalid_request"),
        ("client_id", "other", 401, "invalid_client"),
        ("client_id", "", 400, "invalid_request"),
        ("code_verifier", "", 400, "invalid_request"),
        ("redirect_uri", "", 400, "invalid_request"),
        ("code", "", 400, "invalid_request"),
        ("code", "guessed", 400, "invalid_grant"),
    ] {
        let actual = redeem(&world, &code, verifier.expose(), &[(name, value)]);
        assert_eq!((actual.0, &actual.1["error"]), (status, &Value::from(error)), "{name}={value}");
    }
    // None of these was an attempt with the code itself.
    assert_eq!(redeem(&world, &code, verifier.expose(), &[]).0, 200);

    let json =
        world.agent.post(&world.endpoint("token")).send_json(Value::Null).expect("an answer");
    assert_eq!(json.status(), 400);
    let long = "x".repeat(100_000);
    let long = world.agent.post(&world.endpoint("token")).send(long).expect("an answer");
    assert_eq!(long.status(), 413);
}

#[test]
fn the_published_keys_are_those_of_the_provider() {
    let world = World::start();
    let jwks = open(&world, &world.endpoint("jwks")).body;
    let jwks = serde_json::from_str(&jwks).expect("a key set");
    let keys = nt_token::KeySet::from_jwks(&jwks).expect("well-formed");
    let kid = jwks.keys[0].kid.as_deref().expect("named");
    assert!(keys.key(kid).is_some() && world.provider.keys().key(kid).is_some());
    assert!(!open(&world, &world.endpoint("jwks")).body.contains("\"d\""));
}
