//! Renewing a login: what goes on, what ends it, and who may end it.

use nt_identity::id_token::{ExpectedLogin, check};
use nt_identity::login::{LoginError, RefreshError, Refreshed, SignedIn, refresh};
use nt_token::Secret;
use nt_token::clock::Clock as _;

use crate::world::{World, answering_once, browse, parameter, show};

fn sign_in(world: &World, email: &str) -> SignedIn {
    let login = world.begin(Some(email));
    let scope = parameter(login.url(), "scope").expect("a scope");
    assert_eq!(scope, "openid email profile offline_access");
    let url = login.url().to_owned();
    std::thread::scope(|scope| {
        scope.spawn(move || browse(&url));
        login.wait(&world.client, None, |_| {}).expect("signed in")
    })
}

fn first_token(world: &World, email: &str) -> Secret {
    sign_in(world, email).refresh_token.expect("the provider offers them")
}

fn renew(world: &World, token: &Secret) -> Result<Refreshed, RefreshError> {
    refresh(&world.client, world.provider.issuer(), "ntcli", token)
}

fn end(world: &World, user: &str, site: &str) -> u16 {
    let url = format!("{}?user={user}", world.endpoint("end"));
    let request = world.agent.post(&url).header("sec-fetch-site", site);
    show(request.send_empty().expect("an answer")).status
}

#[test]
fn a_renewed_login_proves_the_same_person_with_new_times_and_no_nonce() {
    let world = World::start();
    let token = first_token(&world, "member@example.com");
    world.clock.advance(std::time::Duration::from_hours(1));
    let renewed = renew(&world, &token).expect("the login goes on");
    let expected = ExpectedLogin {
        issuer: world.provider.issuer().to_owned(),
        client_id: "ntcli".to_owned(),
        nonce: None,
    };
    let now = world.clock.now();
    let identity = check(renewed.id_token.expose(), world.provider.keys(), &expected, now);
    let email = identity.expect("a good ID token").email;
    assert_eq!(email.as_deref(), Some("member@example.com"));
    let with_nonce = ExpectedLogin { nonce: Some("n".to_owned()), ..expected };
    assert!(check(renewed.id_token.expose(), world.provider.keys(), &with_nonce, now).is_err());
    assert_ne!(renewed.refresh_token, token);
    assert!(renew(&world, &renewed.refresh_token).is_ok());
}

#[test]
fn a_token_used_twice_ends_the_login() {
    let world = World::start();
    let first = first_token(&world, "owner@example.com");
    let second = renew(&world, &first).expect("the login goes on").refresh_token;
    for token in [&first, &second] {
        let refused = renew(&world, token);
        assert!(matches!(refused, Err(RefreshError::Refused { .. })), "{refused:?}");
    }
}

#[test]
fn the_provider_can_end_a_users_logins_and_another_site_cannot() {
    let world = World::start();
    let owner = first_token(&world, "owner@example.com");
    let member = first_token(&world, "member@example.com");
    assert_eq!(end(&world, "owner%40example.com", "cross-site"), 403);
    assert_eq!(end(&world, "root%40example.com", "same-origin"), 400);
    let owner = renew(&world, &owner).expect("nothing was ended").refresh_token;
    assert_eq!(end(&world, "owner%40example.com", "same-origin"), 200);
    let refused = renew(&world, &owner);
    assert!(matches!(refused, Err(RefreshError::Refused { .. })), "{refused:?}");
    assert!(renew(&world, &member).is_ok());
}

#[test]
fn the_sign_in_page_lists_how_to_end_logins() {
    let world = World::start();
    let login = world.begin(None);
    let page = browse(login.url());
    assert!(page.body.contains("End this user's logins"), "{}", page.body);
    assert!(page.body.contains("action=\"/dev/end?user=owner%40example.com\""), "{}", page.body);
}

#[test]
fn a_provider_that_gives_no_answer_has_not_ended_the_login() {
    let world = World::start();
    let token = Secret::from("t".to_owned());
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let nobody = format!("http://{}", closed.local_addr().expect("bound"));
    drop(closed);
    let outcome = refresh(&world.client, &nobody, "ntcli", &token);
    assert!(matches!(outcome, Err(RefreshError::Unreachable(_))), "{outcome:?}");

    let broken = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n".to_owned();
    let outcome = refresh(&world.client, &answering_once(broken), "ntcli", &token);
    assert!(matches!(outcome, Err(RefreshError::Unusable(_))), "{outcome:?}");

    // Another client's name is a matter of the settings, not the end of the login.
    let token = first_token(&world, "owner@example.com");
    let outcome = refresh(&world.client, world.provider.issuer(), "other", &token);
    let Err(RefreshError::Unusable(LoginError::Provider { error, .. })) = outcome else {
        panic!("not unusable: {outcome:?}");
    };
    assert_eq!(error, "invalid_client");
    assert!(renew(&world, &token).is_ok());
}
