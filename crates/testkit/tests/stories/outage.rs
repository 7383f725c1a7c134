//! The identity provider is slow or down: nobody signs in meanwhile, and everybody who is signed in
//! goes on working.

use std::time::Duration;

use anyhow::Result;
use nt_testkit::{Cli, Operator, Options, Output, World};
use nt_token::clock::Stopwatch;
use serde_json::json;

use crate::issuer::{Issuer, Keys};
use crate::text_of;

fn world(issuer: &Issuer) -> Result<World> {
    let settings = format!("[oidc]\nissuer = \"{}\"\nclient_id = \"ntcli\"\n", issuer.url);
    World::with(Options { settings: Some(settings), ..Options::default() })
}

/// Signs in; the provider asks the browser nothing.
fn sign_in(cli: &Cli) -> Result<Output> {
    let login = cli.begin_login(&[])?;
    let page = ureq::get(&login.url).call()?.body_mut().read_to_string()?;
    assert!(page.contains("The identity provider knows you"), "{page}");
    login.end()
}

#[test]
fn a_provider_without_keys_is_named_in_the_log_and_people_are_told_to_try_again() -> Result<()> {
    for (keys, reason, longest) in [(Keys::Broken, "500", 5), (Keys::Silent, "", 12)] {
        let issuer = Issuer::start()?;
        issuer.answer_for_keys(keys);
        let world = world(&issuer)?;
        let cli = world.ntcli("ada")?;
        let watch = Stopwatch::start();
        let output = sign_in(&cli)?.expect_code(6)?;
        assert!(watch.elapsed() < Duration::from_secs(longest), "{:?}", watch.elapsed());
        let error = "error: The identity provider cannot be reached; try again\n\
                     hint: try again in a moment\n";
        assert!(output.stderr.ends_with(error), "{output:#?}");
        assert_eq!(output.stdout, "");
        let log = world.log();
        let lines = log.lines().filter(|line| line.contains("identity provider gives no answer"));
        let lines: Vec<_> = lines.collect();
        assert!(!lines.is_empty(), "{log}");
        for line in lines {
            assert!(line.contains(&format!("{}/jwks", issuer.url)), "{line}");
            assert!(line.contains(reason), "{line}");
        }
        cli.run(&["auth", "status"])?.expect_code(3)?;
    }
    Ok(())
}

#[test]
fn people_sign_in_again_when_the_provider_is_back() -> Result<()> {
    let issuer = Issuer::start()?;
    issuer.answer_for_keys(Keys::Broken);
    let world = world(&issuer)?;
    let cli = world.ntcli("ada")?;
    sign_in(&cli)?.expect_code(6)?;
    issuer.answer_for_keys(Keys::Given);
    // Between two questions to a provider there is always a cool-down.
    let token = issuer.sign(&json!({ "aud": "ntcli", "sub": "grace" }))?;
    nt_testkit::process::until(Duration::from_mins(1), || {
        Ok(Operator::exchange(world.address(), &token).ok())
    })?;
    sign_in(&cli)?.expect_code(0)?;
    assert!(issuer.asked().iter().filter(|path| *path == "/jwks").count() <= 3);
    Ok(())
}

#[test]
fn a_provider_that_is_down_is_told_by_the_command_line_itself() -> Result<()> {
    let port = nt_testkit::world::free_port()?;
    let url = format!("http://127.0.0.1:{port}");
    let settings = format!("[oidc]\nissuer = \"{url}\"\nclient_id = \"ntcli\"\n");
    // The authority starts without its provider: tokens are checked and revoked as ever.
    let world = World::with(Options { settings: Some(settings), ..Options::default() })?;
    let output = world.ntcli("ada")?.run(&["auth", "login", "--no-browser"])?.expect_code(6)?;
    assert!(output.stderr.contains("\nerror: Signing in failed: "), "{output:#?}");
    assert!(output.stderr.contains(&url) && output.stderr.contains("hint: "), "{output:#?}");
    Ok(())
}

#[test]
fn whoever_has_a_session_does_not_notice_that_the_provider_is_away() -> Result<()> {
    let issuer = Issuer::start()?;
    let world = world(&issuer)?;
    let cli = world.ntcli("ada")?;
    sign_in(&cli)?.expect_code(0)?;
    cli.ok(&["workspace", "create", "main"])?;
    let asked = issuer.asked();
    assert!(asked.iter().any(|path| path == "/jwks"), "{asked:?}");

    issuer.answer_for_keys(Keys::Silent);
    let watch = Stopwatch::start();
    for _ in 0..10 {
        let made = cli.json(&["token", "create"])?;
        assert_eq!(world.check(text_of(&made, "token"))?.status, 200);
        assert!(cli.json(&["token", "list"])?["total_active"].is_number());
        cli.ok(&["token", "revoke", text_of(&made, "jti"), "--force"])?;
        assert_eq!(world.check(text_of(&made, "token"))?.status, 401);
        cli.ok(&["auth", "status"])?;
    }
    // Even one round trip would have taken as long as the provider is waited for.
    assert!(watch.elapsed() < Duration::from_secs(20), "{:?}", watch.elapsed());
    assert_eq!(issuer.asked(), asked, "a request with a session went to the provider");
    cli.ok(&["auth", "logout"])?;
    assert_eq!(issuer.asked(), asked);
    Ok(())
}
