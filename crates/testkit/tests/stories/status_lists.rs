//! Keys and Token Status Lists (JWT and CWT), read by libraries that are not ours.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nt_testkit::operator::Issued;
use nt_testkit::{Request, World, install, process};
use serde_json::{Value, json};

use crate::keys::{by_another, keys_ok, signed_by};
use crate::{OWNER, story};

/// How stale a list may be, with room for a machine that is busy.
const STALE: Duration = Duration::from_secs(10);

/// Somebody who verifies by the published keys and lists.
struct ThirdParty {
    program: PathBuf,
    script: PathBuf,
}

impl ThirdParty {
    fn node() -> Result<Self> {
        let installed = install::npm(&sources())?;
        Ok(Self { program: "node".into(), script: installed.join("verify.mjs") })
    }

    fn python() -> Result<Self> {
        let programs = install::pip(&sources())?;
        Ok(Self { program: programs.join("python"), script: sources().join("verify.py") })
    }

    /// What it makes of each token, with nothing remembered.
    fn look(&self, world: &World, tokens: &[&str]) -> Result<Vec<Value>> {
        let mut command = Command::new(&self.program);
        command.arg(&self.script).arg(world.url()).stdin(Stdio::piped());
        let output = process::run(&mut command, Some(tokens.join("\n").as_bytes()))?;
        let output = output.expect_code(0)?;
        let lines = output.stdout.lines().map(serde_json::from_str);
        let verdicts = lines.collect::<Result<Vec<Value>, _>>()?;
        ensure!(verdicts.len() == tokens.len(), "{verdicts:?}");
        Ok(verdicts)
    }

    /// Asks until a list says of the tokens what it must; answers the verdicts.
    fn until(&self, world: &World, tokens: &[&Issued], statuses: &[i64]) -> Result<Vec<Value>> {
        let texts: Vec<&str> = tokens.iter().map(|token| token.token.as_str()).collect();
        let mut last = Vec::new();
        let found = process::until(STALE, || {
            last = self.look(world, &texts)?;
            let is = last.iter().map(|verdict| verdict["status"].as_i64());
            Ok(is.eq(statuses.iter().copied().map(Some)).then_some(()))
        });
        found.with_context(|| format!("wanted {statuses:?}: {last:?}"))?;
        Ok(last)
    }
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/lists")
}

#[test]
fn jose_verifies_our_tokens_by_the_published_keys_whichever_algorithm_signs() {
    story(|world| {
        let (node, operator) = (ThirdParty::node()?, world.operator(OWNER)?);
        let old = operator.create_workspace("main")?;
        let (first, _) = signed_by(&old)?;
        world.stop()?;
        keys_ok(world, &["rotate", "--algorithm", "ES256", "--now"])?;
        world.restart()?;
        let new = by_another(&operator, &old.workspace, &first)?;
        let forged = format!("{}AAAA", &new.token[..new.token.len() - 4]);
        let verdicts = node.look(world, &[&old.token, &new.token, &forged, "nonsense"])?;
        for (verdict, algorithm) in verdicts.iter().zip(["EdDSA", "ES256"]) {
            assert_eq!((&verdict["alg"], &verdict["status"]), (&json!(algorithm), &json!(0)));
            assert_eq!(verdict["listAlg"], "ES256", "by the key that signs now");
            assert_eq!(verdict["media"], "application/statuslist+jwt");
            assert_eq!(verdict["cached"], "public, max-age=60");
            assert_eq!(verdict["ttl"], 60);
        }
        assert_eq!(verdicts[2]["refused"], "ERR_JWS_SIGNATURE_VERIFICATION_FAILED");
        assert_eq!(verdicts[3]["refused"], "ERR_JWS_INVALID");
        Ok(())
    });
}

#[test]
fn two_libraries_read_in_our_lists_what_was_revoked_alone_and_with_its_workspace() {
    story(|world| {
        let (node, python) = (ThirdParty::node()?, ThirdParty::python()?);
        let operator = world.operator(OWNER)?;
        let kept = operator.create_workspace("kept")?;
        let alone = operator.create_token(&kept.workspace, &json!({}))?;
        let with_workspace = operator.create_workspace("gone")?;
        let all = [&kept, &alone, &with_workspace];
        let both = |world: &World, statuses: &[i64]| -> Result<()> {
            node.until(world, &all, statuses)?;
            let verdicts = python.until(world, &all, statuses)?;
            ensure!(verdicts.iter().all(|verdict| verdict["places"] == 1 << 20), "{verdicts:?}");
            Ok(())
        };
        both(world, &[0, 0, 0])?;
        operator.revoke(&kept.workspace, &alone.jti)?;
        both(world, &[0, 1, 0])?;
        let gone = format!("/v1/workspaces/{}", with_workspace.workspace);
        operator.expect(200, "DELETE", &gone, None)?;
        both(world, &[0, 1, 1])?;
        world.stop_and_start()?;
        both(world, &[0, 1, 1])
    });
}

#[test]
fn what_is_published_can_be_kept_asked_for_again_and_looked_at_without_its_body() {
    story(|world| {
        let operator = world.operator(OWNER)?;
        let made = operator.create_workspace("main")?;
        let all = world.send(&Request::get("/v1/status-lists"))?;
        assert_eq!(
            all.json(),
            json!({ "status_lists": [format!("{}/v1/status-lists/0", world.url())] })
        );
        for path in ["/v1/status-lists/0", "/.well-known/jwks.json"] {
            let answer = world.send(&Request::get(path))?;
            let header = |name| answer.header(name).map(str::to_owned);
            let tag = header("etag").context("a tag")?;
            assert!(header("cache-control").is_some_and(|it| it.starts_with("public, max-age=60")));
            assert_eq!(header("access-control-allow-origin").as_deref(), Some("*"));
            let again = world.send(&Request::get(path).header("if-none-match", &tag))?;
            assert_eq!((again.status, again.text()), (304, String::new()));
            assert_eq!(again.header("etag"), Some(&*tag));
            let head = ureq::head(format!("{}{path}", world.url())).call()?;
            let header = |name| head.headers().get(name).and_then(|value| value.to_str().ok());
            assert_eq!(header("etag"), Some(&*tag));
            assert_eq!(header("content-length"), answer.header("content-length"));
        }
        let keys = world.send(&Request::get("/.well-known/jwks.json"))?;
        assert_eq!(keys.header("content-type"), Some("application/json"));
        let key = &keys.json()["keys"][0];
        assert_eq!((&key["use"], &key["alg"]), (&json!("sig"), &json!("EdDSA")));
        assert_eq!(key["kid"].as_str(), Some(&*signed_by(&made)?.0));
        for path in ["/v1/status-lists/1", "/v1/status-lists/00", "/v1/status-lists/x"] {
            let answer = world.send(&Request::get(path))?;
            assert_eq!((answer.status, answer.header("cache-control")), (404, Some("no-store")));
        }
        let past = world.send(&Request::get("/v1/status-lists/0?time=1700000000"))?;
        assert_eq!(past.status, 501, "nobody is told the present for the past");
        Ok(())
    });
}
