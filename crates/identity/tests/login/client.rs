//! The client half: what ends the wait, what does not, and what people see.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::time::Duration;

use nt_identity::id_token::{ExpectedLogin, check};
use nt_identity::login::{LoginError, LoginSettings, PendingLogin, SignedIn, begin};
use nt_token::clock::Clock as _;

use crate::world::{Shown, World, answering_once, browse, changed, parameter};

/// Waits, while a browser does what it is told with the login's URL.
fn wait_while<T: Send>(
    world: &World,
    login: PendingLogin,
    browser: impl FnOnce(&str) -> T + Send,
) -> (Result<SignedIn, LoginError>, T) {
    let url = login.url().to_owned();
    std::thread::scope(|scope| {
        let browsing = scope.spawn(move || browser(&url));
        let outcome = login.wait(&world.client, None, |_| {});
        (outcome, browsing.join().expect("the browser's checks hold"))
    })
}

fn callback(url: &str) -> String {
    parameter(url, "redirect_uri").expect("a redirect URI")
}

#[test]
fn every_user_signs_in_without_a_click_and_is_who_the_id_token_says() {
    let world = World::start();
    for (email, name) in [
        ("owner@example.com", "Olivia Owner"),
        ("member@example.com", "Max Member"),
        ("outsider@example.com", "Uma Outsider"),
    ] {
        let (signed_in, shown) = wait_while(&world, world.begin(Some(email)), browse);
        let signed_in = signed_in.expect("signed in");
        assert!(
            shown.status == 200 && shown.body.contains("The identity provider knows you"),
            "{}",
            shown.body
        );
        let expected = ExpectedLogin {
            issuer: world.provider.issuer().to_owned(),
            client_id: "ntcli".to_owned(),
            nonce: Some(signed_in.nonce),
        };
        let keys = world.provider.keys();
        let identity = check(signed_in.id_token.expose(), keys, &expected, world.clock.now())
            .expect("a good ID token");
        assert_eq!(identity.email.as_deref(), Some(email));
        assert_eq!(identity.name.as_deref(), Some(name));
        let other = ExpectedLogin { nonce: Some("another".to_owned()), ..expected };
        assert!(check(signed_in.id_token.expose(), keys, &other, world.clock.now()).is_err());
    }
}

#[test]
fn an_answer_with_a_wrong_state_is_shown_as_an_error_and_the_wait_goes_on() {
    let world = World::start();
    let login = world.begin(Some("owner@example.com"));
    let (signed_in, ()) = wait_while(&world, login, |url| {
        let callback = callback(url);
        for query in ["", "?", "?code=c", "?code=c&state=wrong", "?error=access_denied&state="] {
            let shown = browse(&format!("{callback}{query}"));
            assert_eq!(shown.status, 400, "{query}");
            assert!(shown.body.contains("This did not sign you in"), "{query}");
        }
        let root = callback.trim_end_matches("callback");
        for path in ["", "favicon.ico", "callback/", "Callback?code=c"] {
            assert_eq!(browse(&format!("{root}{path}")).status, 404, "{path}");
        }
        let posted = world.agent.post(&callback).send("code=c").expect("an answer");
        assert_eq!(posted.status(), 405);
        assert_eq!(browse(url).status, 200);
    });
    assert!(signed_in.is_ok());
}

#[test]
fn a_refusal_with_the_right_state_ends_the_wait_and_nothing_of_it_reaches_html_unescaped() {
    let world = World::start();
    let (outcome, shown) = wait_while(&world, world.begin(None), |url| {
        let state = parameter(url, "state").expect("a state");
        let mut answer = format!("{}?error=access_denied", callback(url));
        for (name, value) in [
            ("error_description", Some("<script>alert('x')</script>\u{1b}[2J")),
            ("state", Some(state.as_str())),
            ("iss", Some(world.provider.issuer())),
        ] {
            answer = changed(&answer, name, value);
        }
        browse(&answer)
    });
    let Err(LoginError::Provider { error, description }) = outcome else {
        panic!("not a refusal: {outcome:?}");
    };
    assert_eq!(error, "access_denied");
    assert_eq!(description.as_deref(), Some("<script>alert('x')</script> [2J"));
    assert!(shown.body.contains("You are not signed in"), "{}", shown.body);
    assert!(!shown.body.contains("<script") && shown.body.contains("&lt;script"), "{}", shown.body);
    assert!(shown.policy.starts_with("default-src 'none'; style-src 'sha256-"), "{}", shown.policy);
}

#[test]
fn an_answer_of_another_issuer_is_refused() {
    let world = World::start();
    let (outcome, shown) = wait_while(&world, world.begin(Some("owner@example.com")), |url| {
        let redirect = crate::world::show(world.agent.get(url).call().expect("an answer"));
        browse(&changed(&redirect.location.expect("a redirect"), "iss", Some("https://evil.test")))
    });
    assert!(matches!(outcome, Err(LoginError::WrongIssuer)), "{outcome:?}");
    assert!(shown.body.contains("You are not signed in"));
}

#[test]
fn a_code_that_the_provider_does_not_know_ends_in_its_refusal() {
    let world = World::start();
    let (outcome, shown) = wait_while(&world, world.begin(Some("owner@example.com")), |url| {
        let redirect = crate::world::show(world.agent.get(url).call().expect("an answer"));
        browse(&changed(&redirect.location.expect("a redirect"), "code", Some("guessed")))
    });
    let Err(LoginError::Provider { error, .. }) = outcome else {
        panic!("not a refusal: {outcome:?}");
    };
    assert_eq!(error, "invalid_grant");
    assert!(shown.body.contains("invalid_grant"));
}

#[test]
fn silent_connections_hold_up_nobody() {
    let world = World::start();
    let login = world.begin(Some("owner@example.com"));
    let (signed_in, _silent) = wait_while(&world, login, |url| {
        let callback = callback(url);
        let address = callback.trim_start_matches("http://").trim_end_matches("/callback");
        let silent: Vec<_> =
            (0..40).map(|_| TcpStream::connect(address).expect("accepted")).collect();
        assert_eq!(browse(url).status, 200);
        silent
    });
    assert!(signed_in.is_ok());
}

#[test]
fn nobody_coming_back_is_a_time_out() {
    let world = World::start();
    let settings = LoginSettings { timeout: Duration::from_millis(50), ..world.settings(None) };
    let login = begin(&world.client, settings).expect("the provider answers");
    let outcome = login.wait(&world.client, None, |_| {});
    assert!(matches!(outcome, Err(LoginError::TimedOut)), "{outcome:?}");
}

#[test]
fn a_pasted_redirect_serves_as_well_and_a_wrong_one_does_not_end_the_wait() {
    let world = World::start();
    let login = world.begin(Some("owner@example.com"));
    let redirect = world.redirect(&login);
    let (paste, pasted) = channel();
    for text in ["hello", &changed(&redirect, "state", Some("wrong")), &redirect] {
        paste.send(text.to_owned()).expect("waited for");
    }
    let problems = std::cell::RefCell::new(Vec::new());
    let signed_in = login.wait(&world.client, Some(pasted), |problem| {
        problems.borrow_mut().push(problem.to_owned());
    });
    assert!(signed_in.is_ok(), "{signed_in:?}");
    assert_eq!(
        problems.into_inner(),
        ["this is not the address that the browser was sent to", "this belongs to another sign-in"]
    );
}

#[test]
fn a_busy_port_gives_way_to_one_of_the_next_ten() {
    let world = World::start();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
    let port = taken.local_addr().expect("bound").port();
    let begin_at = |port| begin(&world.client, LoginSettings { port, ..world.settings(None) });
    let login = begin_at(port).expect("another port is free");
    let callback = callback(login.url());
    let used = callback.trim_start_matches("http://127.0.0.1:").trim_end_matches("/callback");
    let used: u16 = used.parse().expect("a port");
    assert!((port + 1..=port.saturating_add(10)).contains(&used), "{used} after {port}");

    // Those that cannot be bound are taken by somebody else, which does as well.
    let _all: Vec<_> = (port + 1..=port.saturating_add(10))
        .map(|each| TcpListener::bind((Ipv4Addr::LOCALHOST, each)))
        .collect();
    let outcome = begin_at(port);
    assert!(matches!(outcome, Err(LoginError::PortsBusy { first, .. }) if first == port));
}

#[test]
fn a_provider_that_is_not_the_configured_one_is_refused() {
    let world = World::start();
    let begin_with = |issuer: &str| {
        let settings = LoginSettings { issuer: issuer.to_owned(), ..world.settings(None) };
        begin(&world.client, settings).err()
    };
    let issuer = world.provider.issuer();
    let other_spelling = begin_with(&format!("{issuer}/"));
    assert!(matches!(other_spelling, Some(LoginError::Discovery(_))), "{other_spelling:?}");
    let no_document = begin_with(&issuer.replace("/dev", "/nothing"));
    assert!(matches!(no_document, Some(LoginError::Discovery(_))), "{no_document:?}");
    let in_the_clear = begin_with("http://id.example.com");
    assert!(matches!(in_the_clear, Some(LoginError::Discovery(_))), "{in_the_clear:?}");

    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
    let address = closed.local_addr().expect("bound");
    drop(closed);
    let nobody = begin_with(&format!("http://{address}"));
    assert!(matches!(nobody, Some(LoginError::Unreachable { .. })), "{nobody:?}");
}

#[test]
fn a_document_that_is_too_long_broken_or_elsewhere_is_refused() {
    let world = World::start();
    let long = format!("{{\"padding\":\"{}\"}}", "x".repeat(300_000));
    let elsewhere = world.endpoint(".well-known/openid-configuration");
    for (head, body, why) in [
        ("200 OK\r\nx: y", long.as_str(), "is too long"),
        ("200 OK\r\nx: y", "{\"issuer\":", "is not as it should be"),
        (&format!("302 Found\r\nlocation: {elsewhere}"), "", "status 302"),
        ("503 Service Unavailable\r\nx: y", "", "status 503"),
    ] {
        let length = body.len();
        let response = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n{body}");
        let settings = LoginSettings { issuer: answering_once(response), ..world.settings(None) };
        let Err(LoginError::Discovery(what)) = begin(&world.client, settings) else {
            panic!("{why}: not refused");
        };
        assert!(what.contains(why), "{what}");
    }
}

#[test]
fn the_result_page_says_nothing_that_came_with_the_answer() {
    let world = World::start();
    let login = world.begin(Some("owner@example.com"));
    let (signed_in, shown): (_, Shown) = wait_while(&world, login, |url| {
        let redirect = crate::world::show(world.agent.get(url).call().expect("an answer"));
        let redirect = redirect.location.expect("a redirect");
        browse(&changed(&redirect, "extra", Some("<img src=x onerror=alert(1)>")))
    });
    assert!(signed_in.is_ok());
    assert!(!shown.body.contains("onerror"), "{}", shown.body);
}
