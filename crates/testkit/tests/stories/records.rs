//! Who did what, who still knocks with a dead token, and what is written nowhere.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use nt_testkit::operator::id_token;
use nt_testkit::{Request, process};
use serde_json::{Value, json};

use crate::storage::files_below;
use crate::{MEMBER, OWNER, owner_with_workspace, story, text_of};

/// The audit records of an action, newest first.
fn of_action<'a>(audit: &'a Value, action: &str) -> Vec<&'a Value> {
    let records = audit["records"].as_array().map_or(&[][..], Vec::as_slice);
    records.iter().filter(|record| record["action"] == action).collect()
}

#[test]
fn every_action_is_on_record_with_who_when_from_where_and_why() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let made = cli.json(&["token", "create"])?;
        let jti = text_of(&made, "jti").to_owned();
        cli.ok(&["token", "revoke", &jti, "--force", "--reason", "leaked in ticket 4711"])?;
        cli.ok(&["token", "refresh"])?;
        cli.ok(&["workspace", "create", "second"])?;
        cli.ok(&["workspace", "delete", "second", "--force"])?;
        let operator = world.operator(OWNER)?;
        let shown = cli.json(&["token", "show", "-w", "main"])?;
        let workspace = text_of(&shown, "workspace_id");
        let path = format!("/v1/workspaces/{workspace}");
        operator.expect(200, "PATCH", &path, Some(&json!({ "description": "new" })))?;
        let current = text_of(&shown, "jti");
        let refresh = format!("{path}/tokens/{current}/refresh");
        operator.expect(201, "POST", &refresh, Some(&json!({})))?;
        operator.expect(200, "DELETE", "/v1/auth/session", None)?;

        let audit = cli.json(&["audit", "list"])?;
        for action in [
            "session.created",
            "session.ended",
            "workspace.created",
            "workspace.updated",
            "workspace.deleted",
            "token.created",
            "token.refreshed",
            "token.revoked",
        ] {
            let records = of_action(&audit, action);
            assert!(!records.is_empty(), "no {action} in {audit}");
            for record in records {
                assert_eq!(record["operator_email"], OWNER, "{record}");
                assert_eq!(record["from"], "127.0.0.1", "{record}");
                assert!(record["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{record}");
            }
        }
        let revoked = of_action(&audit, "token.revoked");
        let ours = revoked.iter().find(|record| record["jti"] == *jti).context("our revoke")?;
        assert_eq!(ours["reason"], "leaked in ticket 4711");
        let only = cli.json(&["audit", "list", "--jti", &jti])?;
        let actions: Vec<&str> = only["records"]
            .as_array()
            .context("records")?
            .iter()
            .map(|r| text_of(r, "action"))
            .collect();
        assert_eq!(actions, ["token.revoked", "token.created"]);
        let table = cli.ok(&["audit", "list", "--jti", &jti])?;
        assert!(
            table.contains("leaked in ticket 4711") && table.contains("token.revoked"),
            "\n{table}"
        );
        assert_eq!(cli.json(&["audit", "list", "--since", "2999-01-01"])?["records"], json!([]));
        Ok(())
    });
}

#[test]
fn attempts_with_a_revoked_token_are_counted_and_do_not_flood_the_log() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let made = cli.json(&["token", "create"])?;
        let (jti, token) = (text_of(&made, "jti"), text_of(&made, "token"));
        cli.ok(&["token", "revoke", jti, "--force"])?;
        for _ in 0..500 {
            assert_eq!(world.check(token)?.status, 401);
        }
        let denied = process::until(Duration::from_secs(20), || {
            let audit = cli.json(&["audit", "list", "--jti", jti])?;
            let denied = audit["denied"][0].clone();
            Ok((denied["count"] == 500).then_some(denied))
        })?;
        assert_eq!((&denied["jti"], &denied["last_from"]), (&json!(jti), &json!("127.0.0.1")));
        assert!(denied["first_at"].is_string() && denied["last_at"].is_string(), "{denied}");
        let table = cli.ok(&["audit", "list", "--jti", jti])?;
        assert!(table.contains("500") && table.contains("127.0.0.1"), "\n{table}");
        let log = world.log();
        let lines =
            log.lines().filter(|line| line.contains(jti) && line.contains("revoked")).count();
        assert!((1..=5).contains(&lines), "{lines} lines of 500 attempts:\n{log}");
        // The counts outlive an orderly stop.
        assert_eq!(world.check(token)?.status, 401);
        world.stop_and_start()?;
        assert_eq!(cli.json(&["audit", "list", "--jti", jti])?["denied"][0]["count"], 501);
        Ok(())
    });
}

#[test]
fn uses_are_recorded_with_time_address_and_count() {
    story(|world| {
        let operator = world.operator(OWNER)?;
        let first = operator.create_workspace("main")?;
        for _ in 0..7 {
            assert_eq!(world.check(&first.token)?.status, 200);
        }
        let path = format!("/v1/workspaces/{}/tokens/{}", first.workspace, first.jti);
        let record = process::until(Duration::from_secs(20), || {
            let record = operator.expect(200, "GET", &path, None)?;
            Ok((record["use_count"] == 7).then_some(record))
        })?;
        assert_eq!(record["last_used_from"], "127.0.0.1", "{record}");
        assert!(record["last_used_at"].is_i64(), "{record}");
        // An address that nobody vouches for is not believed.
        let forged = Request::get("/v1/token_auth").bearer(&first.token);
        world.send(&forged.header("x-forwarded-for", "203.0.113.9"))?;
        process::until(Duration::from_secs(20), || {
            let record = operator.expect(200, "GET", &path, None)?;
            ensure!(record["last_used_from"] == "127.0.0.1", "{record}");
            Ok((record["use_count"] == 8).then_some(()))
        })
    });
}

#[test]
fn no_token_session_or_key_is_written_where_it_does_not_belong() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let operator = world.operator(MEMBER)?;
        let first = operator.create_workspace("main")?;
        let made = cli.json(&["token", "create"])?;
        let created = text_of(&made, "token").to_owned();
        let shown = cli.ok(&["token", "show", "--show-token"])?;
        let current = shown.lines().find_map(|line| line.strip_prefix("Token:"));
        let current = current.context("a token is shown")?.trim().to_owned();
        let id_token = id_token(world.address(), MEMBER)?;
        let exchange = Request::new("POST", "/api/v1/auth/token-exchange");
        world.send(&exchange.json(&json!({ "oauth_token": id_token })))?;
        for token in [&created, &first.token, &format!("{created}x")] {
            world.check(token)?;
            world.send(&Request::get("/v1/workspaces").bearer(token))?;
            world.send(&Request::get(&format!("/v1/nosuch?token={token}")))?;
        }
        cli.ok(&["token", "revoke", text_of(&made, "jti"), "--force"])?;
        world.check(&created)?;
        let debug = cli.with_env("NTCLI_DEBUG", "1");
        let talk = debug.run(&["token", "refresh"])?.expect_code(0)?;
        let later = cli.ok(&["token", "show", "--show-token"])?;
        let later = later.lines().find_map(|line| line.strip_prefix("Token:"));
        let later = later.context("a token is shown")?.trim().to_owned();

        let credentials = cli.config_dir().join("credentials.json");
        let kept = fs::read_to_string(&credentials)?;
        let session = kept.split('"').find(|part| part.starts_with("nts_")).unwrap_or_default();
        ensure!(kept.contains(&later), "the current token is where it belongs");
        let key_secret = world.data_dir().join("key-secret");
        let private = vec![fs::read_to_string(&key_secret)?.trim().to_owned()];
        ensure!(private[0].len() > 40, "the key secret was found to look for");
        ensure!(session.len() > 20, "a session was found to look for");

        // A token's signature is enough to know it by; without the prefix it would be found too.
        let signature = |token: &str| token.rsplit('.').next().unwrap_or_default().to_owned();
        let mut secrets: Vec<String> =
            [&created, &first.token, &current, &later, &id_token].map(|t| signature(t)).to_vec();
        secrets
            .extend([session, &operator.session].map(|s| s.trim_start_matches("nts_").to_owned()));
        let everywhere = [secrets.clone(), private].concat();
        world.stop()?;
        let contains = |bytes: &[u8], secret: &str| {
            bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
        };
        let mut looked_at = 0;
        for path in files_below(world.dir())? {
            if path == credentials || path == key_secret {
                continue;
            }
            let bytes = fs::read(&path)?;
            looked_at += 1;
            for secret in &everywhere {
                assert!(!contains(&bytes, secret), "{} in {}", &secret[..8], path.display());
            }
        }
        assert!(looked_at >= 4, "the log, the database and the settings were looked at");
        for secret in &secrets {
            assert!(!talk.stderr.contains(secret), "NTCLI_DEBUG tells a secret: {}", talk.stderr);
        }
        Ok(())
    });
}
