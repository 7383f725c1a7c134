//! Two libraries that services use, unchanged: `openid-client` and `oauth4webapi`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use nt_testkit::{install, process};
use serde_json::{Value, json};

use super::{Told, told};
use crate::{report, text_of};

const LIBRARIES: [&str; 2] = ["openid-client", "oauth4webapi"];

/// A client of the authority with one of the libraries.
struct Library<'a> {
    told: &'a Told,
    name: &'static str,
    /// How it proves who it is: `basic` or `post`.
    method: &'static str,
    id: &'static str,
    secret: String,
}

impl Library<'_> {
    /// Does this once, in a process of its own; what the library says of it.
    fn call(&self, action: &str, token: &str) -> Result<Value> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/oauth");
        let directory = install::npm(&sources)?;
        let mut node = Command::new("node");
        node.arg(directory.join("call.mjs")).current_dir(&directory);
        let issuer = self.told.world.url();
        node.args([self.name, action, self.method, &issuer, self.id, &self.secret, token]);
        let output = process::run(&mut node, None)?;
        ensure!(output.code == Some(0), "{output:?}");
        serde_json::from_str(&output.stdout).with_context(|| format!("{output:?}"))
    }

    /// What it returns where all is well.
    fn returned(&self, action: &str, token: &str) -> Result<Value> {
        let mut said = self.call(action, token)?;
        ensure!(said.get("thrown").is_none(), "{} {action}: {said}", self.name);
        Ok(said["returned"].take())
    }

    /// The status and the schemes of the challenge where it throws.
    fn challenged(&self, action: &str, token: &str) -> Result<(Value, Value)> {
        let mut said = self.call(action, token)?;
        Ok((said["status"].take(), said["schemes"].take()))
    }
}

#[test]
fn standard_clients_find_the_endpoints_ask_revoke_and_learn_of_it_in_the_next_question() {
    told(|told| {
        let secret = told.register("billing", "introspect,revoke", Some("ours"))?;
        let owner = told.world.operator(crate::OWNER)?;
        for (name, method) in [
            ("openid-client", "basic"),
            ("openid-client", "post"),
            ("oauth4webapi", "basic"),
            ("oauth4webapi", "post"),
        ] {
            let id = "billing";
            let library = Library { told, name, method, id, secret: secret.clone() };
            let token = owner.create_token(&told.ours.workspace, &json!({ "scope": ["read"] }))?;
            let said = library.returned("introspect", &token.token)?;
            let expected = json!({
                "active": true, "token_type": "Bearer", "scope": "read", "jti": token.jti,
                "sub": token.workspace, "iss": told.world.url(), "aud": told.world.url(),
            });
            for (claim, value) in expected.as_object().into_iter().flatten() {
                assert_eq!(&said[claim], value, "{name} by {method}: {claim}");
            }
            assert_eq!(library.returned("introspect", &told.theirs.token)?["active"], false);
            assert_eq!(library.returned("revoke", &token.token)?, Value::Null);
            assert_eq!(told.world.check(&token.token)?.status, 401, "{name} by {method}");
            let said = library.returned("introspect", &token.token)?;
            assert_eq!(said, json!({ "active": false }), "{name} by {method}");
            assert_eq!(library.returned("revoke", "no token of ours")?, Value::Null);
            let refused = library.call("revoke", &told.theirs.token)?;
            assert_eq!(refused["thrown"], "unauthorized_client", "{refused}");
        }
        report(
            "openid-client and oauth4webapi: discovery, introspection and revocation, by both methods",
        )
    });
}

#[test]
fn standard_clients_read_what_is_published_and_are_challenged_where_they_are_wrong() {
    told(|told| {
        let secret = told.register("billing", "introspect,revoke", None)?;
        let url = told.world.url();
        for name in LIBRARIES {
            let with = |secret: &str| {
                let secret = secret.to_owned();
                Library { told, name, method: "basic", id: "billing", secret }
            };
            let library = with(&secret);
            let server = library.returned("discover", "")?;
            assert_eq!(server["introspection_endpoint"], format!("{url}/oauth2/introspect"));
            assert_eq!(server["revocation_endpoint"], format!("{url}/oauth2/revoke"));
            if name == "oauth4webapi" {
                let resource = library.returned("resource", "")?;
                assert_eq!(text_of(&resource, "resource"), url);
            }
            let refused = (json!(401), json!(["basic"]));
            for action in ["introspect", "revoke"] {
                let wrong = with("ntc_wrong").challenged(action, &told.ours.token)?;
                assert_eq!(wrong, refused, "{name} {action}");
            }
        }
        told.admin.ok(&["clients", "remove", "billing", "-f"])?;
        for name in LIBRARIES {
            let secret = secret.clone();
            let library = Library { told, name, method: "basic", id: "billing", secret };
            let removed = library.challenged("introspect", &told.ours.token)?;
            assert_eq!(removed, (json!(401), json!(["basic"])), "{name}");
        }
        assert_eq!(told.world.check(&told.ours.token)?.status, 200);
        Ok(())
    });
}

#[test]
fn authlib_asks_revokes_and_learns_of_it_in_the_next_question() {
    told(|told| {
        let secret = told.register("billing", "introspect,revoke", Some("ours"))?;
        let owner = told.world.operator(crate::OWNER)?;
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/authlib");
        let bin = install::pip(&sources)?;
        for method in ["client_secret_basic", "client_secret_post"] {
            let token = owner.create_token(&told.ours.workspace, &json!({}))?;
            let mut python = Command::new(bin.join("python"));
            python.arg(sources.join("call.py")).args([&told.world.url(), "billing", &secret]);
            python.args([method, &token.token]);
            let output = process::run(&mut python, None)?;
            let said: Value =
                serde_json::from_str(&output.stdout).with_context(|| format!("{output:?}"))?;
            assert_eq!(said[0]["jti"], token.jti, "{said}");
            let rest = json!([200, { "active": false }, 401, "invalid_client"]);
            assert_eq!(said.as_array().map(|all| &all[1..]), rest.as_array().map(Vec::as_slice));
            assert_eq!(told.world.check(&token.token)?.status, 401);
        }
        report("Authlib: introspection and revocation, by both methods")
    });
}
