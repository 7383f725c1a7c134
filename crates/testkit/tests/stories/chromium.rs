//! Signing in with a real browser: at the development provider, and at a certified one that is not
//! ours; and how long such a sign-in lasts. Pictures of our pages are left in `test-output/`.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nt_testkit::{Cli, Operator, Options, Request, World, process};
use serde_json::Value;

use crate::script::Script;
use crate::webdriver::Chromium;
use crate::{OWNER, story, text_of};

const PATIENCE: Duration = Duration::from_mins(1);

/// A certified provider whose keys are of this kind, and an authority whose people sign in there.
fn certified(algorithm: &str, session_lifetime: u32) -> Result<(Script, String, World)> {
    let script = Script::start("oidc_provider.mjs", &[algorithm]);
    let issuer = script.line();
    let settings = format!(
        "session_lifetime = {session_lifetime}\n[oidc]\nissuer = \"{issuer}\"\nclient_id = \"ntcli\"\n"
    );
    let world = World::with(Options { settings: Some(settings), ..Options::default() })?;
    Ok((script, issuer, world))
}

/// Signs in at the provider's own pages: who, and that the client may know.
fn sign_in(browser: &Chromium, cli: &Cli, who: &str) -> Result<()> {
    let login = cli.begin_login(&[])?;
    browser.open(&login.url)?;
    browser.type_into("input[name=login]", who)?;
    browser.type_into("input[name=password]", "x")?;
    browser.click("button[type=submit]")?;
    browser.await_text("body", "Authorize")?;
    browser.click("button[type=submit]")?;
    browser.await_text("h1", "The identity provider knows you")?;
    let output = login.end()?.expect_code(0)?;
    assert_eq!(output.stdout, format!("✅ Authenticated as {who}@example.com\n"));
    Ok(())
}

/// What this `ntcli` keeps of its sign-in.
fn kept(cli: &Cli) -> Result<Value> {
    let text = fs::read_to_string(cli.config_dir().join("credentials.json"))?;
    let all: Value = serde_json::from_str(&text)?;
    let authorities = all["authorities"].as_object().context("authorities")?;
    let at = authorities.values().next().context("an authority")?;
    Ok(at["session"].clone())
}

/// The code of the refusal of a session, if it is refused.
fn refusal(world: &World, session: &str) -> Result<Option<String>> {
    let answer = world.send(&Request::get("/v1/auth/session").bearer(session))?;
    Ok(answer.error_code())
}

#[test]
fn somebody_signs_in_at_the_development_provider_in_a_real_browser() {
    story(|world| {
        let browser = Chromium::start()?;
        let cli = world.ntcli(OWNER)?;
        let login = cli.begin_login(&[])?;
        browser.open(&login.url)?;
        browser.await_text("h1", "Choose who you are")?;
        browser.screenshot("development-sign-in")?;
        browser.resize(400, 800)?;
        browser.screenshot("development-sign-in-narrow")?;
        browser.resize(1000, 800)?;
        // Another tab's old redirect does not end the wait.
        let query = login.url.split_once("redirect_uri=").context("a redirect URI")?.1;
        let redirect = query.split('&').next().context("a value")?;
        let redirect = redirect.replace("%3A", ":").replace("%2F", "/");
        browser.open(&format!("{redirect}?code=x&state=old"))?;
        browser.await_text("h1", "This did not sign you in")?;
        browser.screenshot("callback-of-another-sign-in")?;
        browser.open(&login.url)?;
        browser.click(&format!("button[value='{OWNER}']"))?;
        browser.await_text("h1", "The identity provider knows you")?;
        browser.screenshot("callback")?;
        login.end()?.expect_code(0)?;
        cli.ok(&["workspace", "create", "main"]).map(drop)
    });
}

#[test]
fn a_certified_provider_signs_people_in_and_renews_their_sessions_until_it_says_no() -> Result<()> {
    let (_script, issuer, world) = certified("ES256", 6)?;
    let (browser, cli) = (Chromium::start()?, world.ntcli("ada")?);
    sign_in(&browser, &cli, "ada")?;
    browser.screenshot("callback-of-a-certified-provider")?;
    cli.ok(&["workspace", "create", "main"])?;

    // In the second half of its life the session is renewed on the way, and the old one ended.
    let first = text_of(&kept(&cli)?, "access_token").to_owned();
    process::until(PATIENCE, || {
        cli.ok(&["token", "list"])?;
        Ok((text_of(&kept(&cli)?, "access_token") != first).then_some(()))
    })?;
    assert_eq!(refusal(&world, &first)?.as_deref(), Some("AUTHENTICATION_REQUIRED"));
    // One that has run out is renewed, too.
    let second = text_of(&kept(&cli)?, "access_token").to_owned();
    assert_eq!(refusal(&world, &second)?, None);
    process::until(PATIENCE, || Ok(refusal(&world, &second)?.filter(|c| c == "TOKEN_EXPIRED")))?;
    assert_eq!(cli.json(&["token", "list"])?["total_active"], 1);

    // The provider ends the sign-in: the session that was built on it ends with it.
    let third = kept(&cli)?;
    let refresh_token = text_of(&third["grant"], "refresh_token");
    let form = [("token", refresh_token), ("client_id", "ntcli")];
    ureq::post(&format!("{issuer}/token/revocation")).send_form(form)?;
    let output = process::until(PATIENCE, || {
        let output = cli.run(&["token", "list"])?;
        Ok((output.code != Some(0)).then_some(output))
    })?;
    let output = output.expect_code(3)?;
    let error = "error: Your sign-in has ended at the identity provider.\nhint: ntcli auth login\n";
    assert_eq!(output.stderr, error);
    let third = text_of(&third, "access_token");
    assert_eq!(refusal(&world, third)?.as_deref(), Some("AUTHENTICATION_REQUIRED"));
    cli.run(&["token", "list"])?.expect_code(3)?;
    assert_eq!(kept(&cli)?, Value::Null);
    Ok(())
}

#[test]
fn a_provider_that_changes_its_keys_in_mid_run_goes_on_signing_people_in() -> Result<()> {
    let (mut script, issuer, world) = certified("EdDSA", 3_600)?;
    let browser = Chromium::start()?;
    let ada = world.ntcli("ada")?;
    sign_in(&browser, &ada, "ada")?;
    script.tell("ES256");
    assert_eq!(script.line(), "rotated");
    // Unknown keys are asked for again after a cool-down: until then the new key is no key.
    let session = kept(&ada)?;
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", text_of(&session["grant"], "refresh_token")),
        ("client_id", "ntcli"),
    ];
    let mut answer = ureq::post(&format!("{issuer}/token")).send_form(form)?;
    let tokens: Value = serde_json::from_str(&answer.body_mut().read_to_string()?)?;
    process::until(PATIENCE, || {
        Ok(Operator::exchange(world.address(), text_of(&tokens, "id_token")).ok())
    })?;
    // The provider remembers whom it has signed in; this is somebody at another machine.
    let other = Chromium::start()?;
    sign_in(&other, &world.ntcli("grace")?, "grace")?;
    assert!(ada.ok(&["auth", "status"])?.contains("ada@example.com"));
    Ok(())
}
