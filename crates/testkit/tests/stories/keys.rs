//! The signing keys are changed with `ntd keys`, while a verifier follows.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nt_testkit::operator::{Issued, Operator};
use nt_testkit::service::Service;
use nt_testkit::{Request, World, process};
use serde_json::{Value, json};

use crate::{OWNER, story};

const SOON: Duration = Duration::from_secs(10);

/// Runs `ntd keys`; whether it succeeded, and what it said.
fn keys(world: &World, args: &[&str]) -> Result<(bool, String)> {
    let mut command = Command::new(&world.binaries().ntd);
    let (what, args) = args.split_first().context("something to do")?;
    command.args(["keys", what]).arg("--data-dir").arg(world.data_dir()).args(args).env_clear();
    let output = command.output().context("ntd runs")?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8(said)?))
}

pub(crate) fn keys_ok(world: &World, args: &[&str]) -> Result<String> {
    let (succeeded, said) = keys(world, args)?;
    ensure!(succeeded, "ntd keys {args:?}: {said}");
    Ok(said)
}

fn header(token: &str) -> Result<Value> {
    let encoded = token.trim_start_matches("wst_").split('.').next().context("a header")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded)?)?)
}

pub(crate) fn signed_by(token: &Issued) -> Result<(String, String)> {
    let header = header(&token.token)?;
    let text = |name: &str| header[name].as_str().map(str::to_owned).context("a text");
    Ok((text("kid")?, text("alg")?))
}

/// A token by another key than this one, as soon as there is one.
pub(crate) fn by_another(operator: &Operator, workspace: &str, kid: &str) -> Result<Issued> {
    process::until(SOON, || {
        let made = operator.create_token(workspace, &json!({}))?;
        Ok((signed_by(&made)?.0 != kid).then_some(made))
    })
}

fn published(world: &World) -> Result<Vec<String>> {
    let answer = world.send(&Request::get("/.well-known/jwks.json"))?.json();
    let keys = answer["keys"].as_array().context("a key set")?;
    Ok(keys.iter().filter_map(|key| key["kid"].as_str().map(str::to_owned)).collect())
}

#[test]
fn keys_change_under_a_live_verifier_and_a_revoked_one_takes_its_tokens_with_it() {
    story(|world| {
        let edge = Service::edge(world, "edge", world.address())?;
        let operator = world.operator(OWNER)?;
        let old = operator.create_workspace("main")?;
        edge.until(&old.token, 200)?;
        let (first, algorithm) = signed_by(&old)?;
        assert_eq!(algorithm, "EdDSA");
        let (succeeded, said) = keys(world, &["rotate"])?;
        assert!(!succeeded && said.contains("in use by another ntd"), "{said}");
        assert!(said.contains("stop that one"), "it says what to do: {said}");

        // Another key, with another algorithm.
        world.stop()?;
        let said = keys_ok(world, &["rotate", "--algorithm", "ES256", "--now"])?;
        assert!(said.contains("is announced"), "{said}");
        let (again, said) = keys(world, &["rotate"])?;
        assert!(!again && said.contains("announced already"), "{said}");
        world.restart()?;
        let new = by_another(&operator, &old.workspace, &first)?;
        let (second, algorithm) = signed_by(&new)?;
        assert_eq!(algorithm, "ES256");
        for token in [&old, &new] {
            assert_eq!(world.check(&token.token)?.status, 200);
            edge.until(&token.token, 200)?;
        }
        assert_eq!(published(world)?, [first.clone(), second.clone()]);

        // The first key has leaked.
        world.stop()?;
        let (asked, said) = keys(world, &["revoke", "--", &first])?;
        assert!(!asked && said.contains("--force"), "{said}");
        let said = keys_ok(world, &["revoke", "--force", "--", &first])?;
        assert!(said.ends_with("Revoked.\n"), "{said}");
        world.restart()?;
        edge.until(&old.token, 401)?;
        assert_eq!(world.check(&old.token)?.status, 401);
        assert_eq!(edge.check(&new.token)?.status, 200);
        assert_eq!(world.check(&new.token)?.status, 200);
        assert_eq!(published(world)?, std::slice::from_ref(&second));
        let revoked = operator.tokens(&old.workspace, "revoked")?;
        assert!(revoked.iter().any(|token| token["jti"] == old.jti.as_str()), "{revoked:?}");
        assert!(revoked.iter().all(|token| token["jti"] != new.jti.as_str()), "{revoked:?}");

        world.stop()?;
        let said = keys_ok(world, &["list"])?;
        let lines: Vec<Vec<&str>> =
            said.lines().map(|line| line.split_whitespace().take(3).collect()).collect();
        let expected = [[&*first, "EdDSA", "revoked"], [&*second, "ES256", "active"]];
        assert_eq!(lines, expected);
        Ok(())
    });
}

#[test]
fn a_key_that_signs_is_replaced_in_the_step_that_revokes_it() {
    story(|world| {
        let operator = world.operator(OWNER)?;
        let old = operator.create_workspace("main")?;
        let (first, _) = signed_by(&old)?;
        world.stop()?;
        let said = keys_ok(world, &["revoke", "--force", "--", &first])?;
        assert!(said.contains("signs from now on"), "{said}");
        world.restart()?;
        assert_eq!(world.check(&old.token)?.status, 401);
        let new = operator.create_token(&old.workspace, &json!({}))?;
        assert_ne!(signed_by(&new)?.0, first);
        assert_eq!(world.check(&new.token)?.status, 200);
        Ok(())
    });
}
