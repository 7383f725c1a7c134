//! Clerk: a team signs in with three settings, its session tokens work as they are, and one of a
//! session that has ended takes nothing back.

use anyhow::{Context as _, Result};
use nt_testkit::operator::Issued;
use nt_testkit::world::free_port;
use nt_testkit::{Cli, Operator, Options, Request, Response, World};
use nt_token::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::issuer::Issuer;
use crate::script::Script;
use crate::text_of;

/// The emulator's key of the Backend API.
const SECRET_KEY: &str = "sk_test_admin";

/// The note of a revocation whose session Clerk could not be asked about.
const NOT_CHECKED: &str = "the provider's session was not checked: no answer";

/// The emulator of Clerk's APIs, which knows the redirects to this port and the ten after it.
fn emulator() -> Result<(Script, String, String)> {
    let port = free_port()?;
    let redirects = (port..=port + 10).map(|port| format!("http://127.0.0.1:{port}/callback"));
    let script = Script::start("clerk.mjs", &[&redirects.collect::<Vec<_>>().join(",")]);
    let url = script.line();
    Ok((script, url, port.to_string()))
}

/// The section `[clerk]`.
fn settings(frontend_api: &str, more: &str) -> String {
    format!("[clerk]\nfrontend_api = \"{frontend_api}\"\nclient_id = \"ntcli\"\n{more}\n")
}

/// The settings by which Clerk is asked whether a session still is.
fn asking(api_url: &str) -> String {
    format!("secret_key = \"{SECRET_KEY}\"\napi_url = \"{api_url}\"\n")
}

fn world(settings: String) -> Result<World> {
    World::with(Options { settings: Some(settings), ..Options::default() })
}

/// Signs in at the emulator's page, as its form does.
fn sign_in(cli: &Cli, port: &str) -> Result<()> {
    let login = cli.begin_login(&["--port", port])?;
    let page = ureq::get(&login.url).call()?.body_mut().read_to_string()?;
    assert!(page.contains("user_ada"), "{page}");
    let (endpoint, query) = login.url.split_once('?').context("a query")?;
    let form = ureq::post(&format!("{endpoint}/callback"))
        .content_type("application/x-www-form-urlencoded");
    let page = form.send(format!("{query}&user_ref=user_ada"))?.body_mut().read_to_string()?;
    assert!(page.contains("The identity provider knows you"), "{page}");
    let output = login.end()?.expect_code(0)?;
    assert_eq!(output.stdout, "✅ Authenticated as ada@example.com\n");
    Ok(())
}

/// Asks Clerk's Backend API.
fn backend(url: &str, body: &Value) -> Result<Value> {
    let request = ureq::post(url).header("authorization", &format!("Bearer {SECRET_KEY}"));
    let text = request.content_type("application/json").send(body.to_string())?;
    Ok(serde_json::from_str(&text.into_body().read_to_string()?)?)
}

/// A session in Clerk: its identifier and a session token.
fn session_token(url: &str) -> Result<(String, String)> {
    let session = backend(&format!("{url}/v1/sessions"), &json!({ "user_id": "user_ada" }))?;
    let sid = text_of(&session, "id").to_owned();
    let token = backend(&format!("{url}/v1/sessions/{sid}/tokens"), &json!({}))?;
    Ok((sid, text_of(&token, "jwt").to_owned()))
}

/// Revokes a token with this credential.
fn revoke(world: &World, credential: &str, token: &Issued) -> Result<Response> {
    let path = format!("/v1/workspaces/{}/tokens/{}", token.workspace, token.jti);
    world.send(&Request::new("DELETE", &path).bearer(credential))
}

/// The note on the revocation of a token.
fn note(operator: &Operator, jti: &str) -> Result<Value> {
    let audit = operator.expect(200, "GET", &format!("/v1/audit?jti={jti}"), None)?;
    assert_eq!(audit["records"][0]["action"], "token.revoked", "{audit}");
    Ok(audit["records"][0]["note"].clone())
}

#[test]
fn a_team_signs_in_with_clerk_and_its_session_tokens_work_as_they_are() -> Result<()> {
    let (_script, clerk, port) = emulator()?;
    let world = world(settings(&clerk, "authorized_parties = []"))?;
    let cli = world.ntcli("ada")?;
    sign_in(&cli, &port)?;
    cli.ok(&["workspace", "create", "main"])?;
    assert_eq!(cli.json(&["token", "list"])?["total_active"], 1);

    // The same person, with a token of a session in the browser.
    let ada = Operator::with_session(world.address(), &session_token(&clerk)?.1);
    let list = ada.expect(200, "GET", "/v1/workspaces", None)?;
    assert_eq!((&list["total"], &list["workspaces"][0]["role"]), (&json!(1), &json!("owner")));
    let workspace = text_of(&list["workspaces"][0], "workspace_id");
    let made = ada.create_token(workspace, &json!({}))?;
    assert_eq!(world.check(&made.token)?.status, 200);
    assert_eq!(ada.tokens(workspace, "active")?.len(), 2);
    ada.revoke(workspace, &made.jti)?;
    assert_eq!(world.check(&made.token)?.status, 401);
    assert_eq!(note(&ada, &made.jti)?, Value::Null);
    // It is no session of ours.
    let session = ada.call("GET", "/v1/auth/session", None)?;
    assert_eq!((session.status, session.error_code().as_deref()), (404, Some("NOT_FOUND")));
    // A headless `ntcli` takes it, too.
    let headless = world.ntcli("headless")?.with_env("NTCLI_SESSION_TOKEN", &ada.session);
    assert_eq!(headless.json(&["token", "list", "-w", workspace])?["total_active"], 1);
    Ok(())
}

#[test]
fn a_token_of_a_session_that_clerk_has_ended_takes_nothing_back() -> Result<()> {
    let (_script, clerk, _) = emulator()?;
    let mut world = world(settings(&clerk, &asking(&clerk)))?;
    let (sid, token) = session_token(&clerk)?;
    let ada = Operator::with_session(world.address(), &token);
    let first = ada.create_workspace("main")?;
    let second = ada.create_token(&first.workspace, &json!({}))?;
    let third = ada.create_token(&first.workspace, &json!({}))?;
    assert_eq!(revoke(&world, &token, &first)?.status, 200, "the session lives");
    assert_eq!(note(&ada, &first.jti)?, Value::Null);

    backend(&format!("{clerk}/v1/sessions/{sid}/revoke"), &json!({}))?;
    let path = format!("/v1/workspaces/{}", second.workspace);
    for (method, rest, body) in [
        ("DELETE", format!("/tokens/{}", second.jti), None),
        ("POST", format!("/tokens/{}/refresh", second.jti), Some(json!({}))),
        ("DELETE", String::new(), None),
    ] {
        let answer = ada.call(method, &format!("{path}{rest}"), body.as_ref())?;
        let is = (answer.status, answer.error_code());
        assert_eq!(is, (401, Some("TOKEN_EXPIRED".to_owned())), "{method} {rest}");
    }
    assert_eq!(world.check(&second.token)?.status, 200, "nothing was revoked");
    // With `ntcli` the session has ended, like any other.
    let headless = world.ntcli("headless")?.with_env("NTCLI_SESSION_TOKEN", &token);
    let args = ["token", "revoke", &second.jti, "--force", "-w", &second.workspace];
    headless.run(&args)?.expect_code(3)?;

    // Clerk does not answer: a leaked token must not stay alive because of that.
    let nobody = format!("http://127.0.0.1:{}", free_port()?);
    world.restart_with(settings(&clerk, &asking(&nobody)))?;
    assert_eq!(revoke(&world, &token, &second)?.status, 200);
    assert_eq!(world.check(&second.token)?.status, 401);
    assert_eq!(note(&ada, &second.jti)?, NOT_CHECKED);
    assert!(world.log().contains("a session at the identity provider could not be checked"));
    // A session of ours is not Clerk's to end: it was won by a login, and is ended by a logout.
    let ours = Operator::exchange(world.address(), &session_token(&clerk)?.1)?;
    assert_eq!(revoke(&world, &ours.session, &third)?.status, 200);
    assert_eq!(note(&ours, &third.jti)?, Value::Null);
    Ok(())
}

#[test]
fn a_session_token_of_another_origin_is_refused() -> Result<()> {
    let frontend = Issuer::start()?;
    let parties = "authorized_parties = [\"https://app.example.com\"]";
    let world = world(settings(&frontend.url, parties))?;
    let now = SystemClock.now().unix();
    let token = |azp: Value| {
        let mut claims = json!({ "sub": "user_1", "sid": "sess_1", "nbf": now - 10, "v": 2 });
        if !azp.is_null() {
            claims["azp"] = azp;
        }
        frontend.sign(&claims)
    };
    let ours = token(json!("https://app.example.com"))?;
    let own = Operator::with_session(world.address(), &ours);
    let first = own.create_workspace("main")?;
    for azp in [
        json!("https://evil.example.com"),
        json!("https://app.example.com.evil.example.com"),
        json!("http://app.example.com"),
        json!(""),
        Value::Null,
    ] {
        let foreign = token(azp.clone())?;
        let list = world.send(&Request::get("/v1/workspaces").bearer(&foreign))?;
        for answer in [list, revoke(&world, &foreign, &first)?] {
            assert_eq!(answer.status, 401, "{azp}");
            assert_eq!(answer.error_code().as_deref(), Some("AUTHENTICATION_REQUIRED"), "{azp}");
            assert!(!answer.text().contains("origin"), "{azp}: {}", answer.text());
        }
        let exchanged = Operator::exchange(world.address(), &foreign);
        assert!(exchanged.is_err_and(|error| error.to_string().contains("401")), "{azp}");
    }
    let log = world.log();
    assert_eq!(log.lines().filter(|line| line.contains("another origin")).count(), 15, "{log}");
    assert_eq!(world.check(&first.token)?.status, 200);
    Ok(())
}
