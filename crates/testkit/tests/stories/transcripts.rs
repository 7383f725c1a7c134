//! The other transcripts and JSON shapes of the command line's contract.

use anyhow::Result;
use nt_testkit::Cli;
use serde_json::Value;

use crate::text::mask;
use crate::{OWNER, owner_with_workspace, story, text_of};

/// The names of an object's members, in the order in which they stand.
fn keys(text: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(text).expect("JSON");
    let object = value.as_object().expect("an object");
    let mut keys: Vec<String> = object.keys().cloned().collect();
    keys.sort_by_key(|key| text.find(&format!("\"{key}\"")));
    keys
}

fn current(cli: &Cli) -> Result<String> {
    Ok(text_of(&cli.json(&["token", "list"])?, "current_token_jti").to_owned())
}

#[test]
fn creating_a_token() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let before = current(&cli)?;
        let text = cli.ok(&["token", "create"])?;
        assert_eq!(mask(&text), "New token created: TOKEN\nToken JTI: JTI\nExpires: TIME\n");
        assert_eq!(current(&cli)?, before, "a created token is not stored here");

        let text = cli.ok(&["token", "create", "--format", "json"])?;
        assert_eq!(keys(&text), ["token", "jti", "expires_at"]);
        for (wish, days) in [("24h", 1), ("90d", 90), ("1y", 365), ("86400", 1)] {
            let made = cli.json(&["token", "create", "--expires-in", wish])?;
            let shown = cli.json(&["token", "show", text_of(&made, "jti")])?;
            let left = shown["days_until_expiry"].as_i64();
            assert!(left == Some(days) || left == Some(days - 1), "{wish}: {shown}");
        }
        let never = cli.json(&["token", "create", "--no-expiry"])?;
        assert_eq!(never["expires_at"], Value::Null);
        let row = cli.ok(&["token", "list"])?;
        let row = row.lines().find(|line| line.contains(text_of(&never, "jti")));
        assert!(row.is_some_and(|row| row.contains(" Never ")), "{row:?}");
        Ok(())
    });
}

#[test]
fn expiries_that_are_none() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let before = cli.json(&["token", "list"])?;
        for wish in
            ["0", "-5", "abc", "1e9", "99999999999", "", "1.5", "d", "99999999999999999999y"]
        {
            let output = cli.run(&["token", "create", "--expires-in", wish])?.expect_code(2)?;
            assert!(
                output.stderr.starts_with("error: Invalid expiration time\n"),
                "{wish}: {output:?}"
            );
            assert_eq!(output.stdout, "");
        }
        assert_eq!(cli.json(&["token", "list"])?, before);
        Ok(())
    });
}

#[test]
fn listing_tokens() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let extra = cli.json(&["token", "create", "--description", "for the nightly build"])?;
        let extra = text_of(&extra, "jti").to_owned();
        let text = cli.ok(&["token", "list", "--format", "json"])?;
        assert_eq!(keys(&text), ["tokens", "total_active", "current_token_jti"]);
        let list: Value = serde_json::from_str(&text)?;
        assert_eq!(list["total_active"], 2);
        assert_eq!(list["tokens"][0]["jti"], *extra, "newest first");
        let token = &list["tokens"][0];
        for name in ["jti", "created_at", "expires_at", "is_current", "status", "description"] {
            assert!(!token[name].is_null(), "{name} in {token}");
        }
        assert_eq!(token["last_used_at"], Value::Null);
        assert!(token["is_current"] == false && list["tokens"][1]["is_current"] == true);

        cli.ok(&["token", "revoke", &extra, "--force"])?;
        assert_eq!(cli.json(&["token", "list"])?["total_active"], 1);
        assert!(!cli.ok(&["token", "list"])?.contains(&extra));
        let table = cli.ok(&["token", "list", "--show-expired"])?;
        let row = table.lines().find(|line| line.contains(&extra)).unwrap_or_default();
        assert!(table.contains("Status") && row.contains("Revoked"), "\n{table}");
        let all = cli.json(&["token", "list", "--show-expired"])?;
        assert_eq!(
            (&all["total_active"], &all["tokens"][0]["status"]),
            (&1.into(), &"revoked".into())
        );
        let wide = cli.ok(&["token", "list", "--show-expired", "--wide"])?;
        assert!(wide.contains("for the nightly build") && wide.contains(OWNER), "\n{wide}");
        Ok(())
    });
}

#[test]
fn refreshing_the_current_token() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let old = current(&cli)?;
        let text = cli.ok(&["token", "refresh"])?;
        let new = current(&cli)?;
        assert_eq!(
            mask(&text),
            "Token refreshed successfully.\nOld token (JTI) has been revoked.\n\
             New token expires: TIME\nNew token JTI: JTI\n"
        );
        assert!(text.contains(&format!("({old})")) && text.contains(&format!("JTI: {new}\n")));

        let text = cli.ok(&["token", "refresh", "--format", "json"])?;
        assert_eq!(keys(&text), ["new_token", "old_token", "message"]);
        let answer: Value = serde_json::from_str(&text)?;
        assert_eq!(answer["message"], "Token refreshed successfully");
        assert_eq!(answer["old_token"]["jti"], *new);
        assert!(
            answer["old_token"]["revoked_at"].is_string()
                && answer["new_token"]["expires_at"].is_string()
        );

        let revoked = current(&cli)?;
        cli.ok(&["token", "revoke", &revoked, "--force"])?;
        let text = cli.ok(&["token", "refresh"])?;
        let plain = "Token refreshed successfully.\nNew token expires: TIME\nNew token JTI: JTI\n";
        assert_eq!(mask(&text), plain, "this machine had none any more");
        let list = cli.json(&["token", "list"])?;
        assert_eq!(list["total_active"], 1, "{list}");

        let elsewhere = world.ntcli("elsewhere")?;
        elsewhere.sign_in(OWNER)?;
        elsewhere.ok(&["workspace", "switch", "main"])?;
        let first = elsewhere.json(&["token", "refresh"])?;
        assert_eq!(first["old_token"], Value::Null, "that machine had none");
        assert_eq!(cli.json(&["token", "list"])?["total_active"], 2);
        Ok(())
    });
}

#[test]
fn showing_a_token() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let jti = current(&cli)?;
        let text = cli.ok(&["token", "show"])?;
        let wanted = "Workspace Token Information\n───────────────────────────\n\
             JTI:         JTI\nCreated:     DATE CLOCK UTC\nExpires:     DATE CLOCK UTC\n\
             Status:      Active\nWorkspace:   UUID\n\nToken is valid and ready to use.\n";
        assert_eq!(mask(&text), wanted);
        let text = cli.ok(&["token", "show", "--format", "json"])?;
        let names = [
            "jti",
            "created_at",
            "expires_at",
            "status",
            "workspace_id",
            "is_valid",
            "days_until_expiry",
        ];
        assert_eq!(keys(&text), names);
        let shown: Value = serde_json::from_str(&text)?;
        assert_eq!((&shown["status"], &shown["is_valid"]), (&"active".into(), &true.into()));

        let secret = cli.run(&["token", "show", "--show-token"])?.expect_code(0)?;
        let both = format!("{}{}", secret.stderr, secret.stdout);
        let warning = "⚠️  WARNING: Token value is displayed below. Keep it secure!";
        assert!(both.contains(warning), "{both}");
        let token = secret.stdout.lines().find_map(|line| line.strip_prefix("Token:"));
        let token = token.map(str::trim).unwrap_or_default().to_owned();
        assert_eq!(world.check(&token)?.status, 200);

        let machine = world.ntcli("machine")?.with_env("NTCLI_WORKSPACE_TOKEN", &token);
        assert!(machine.ok(&["token", "show"])?.contains("Status:      Active"));
        cli.ok(&["token", "revoke", &jti, "--force"])?;
        let revoked = machine.run(&["token", "show"])?;
        assert!(revoked.stdout.contains("Status:      Revoked"), "{revoked:?}");
        assert!(cli.ok(&["token", "show", &jti])?.contains("Status:      Revoked"));
        Ok(())
    });
}

#[test]
fn errors_of_show() {
    story(|world| {
        let cli = world.signed_in(OWNER)?;
        let none = cli.run(&["token", "show"])?;
        assert!(none.code != Some(0) && none.stderr.contains("No workspace selected"), "{none:?}");
        let bad =
            cli.with_env("NTCLI_WORKSPACE_TOKEN", "wst_not-a-token").run(&["token", "show"])?;
        assert!(bad.code != Some(0), "{bad:?}");
        assert!(bad.stderr.contains("Token format is invalid"), "{bad:?}");
        cli.ok(&["workspace", "create", "main"])?;
        let jti = current(&cli)?;
        cli.ok(&["token", "revoke", &jti, "--force"])?;
        let forgotten = cli.run(&["token", "show"])?;
        assert!(forgotten.code != Some(0), "{forgotten:?}");
        assert!(forgotten.stderr.contains("No workspace token found"), "{forgotten:?}");
        cli.ok(&["token", "refresh"])?;
        world.kill9()?;
        let down = cli.run(&["token", "show"])?.expect_code(6)?;
        assert!(down.stderr.contains("Unable to validate token with server"), "{down:?}");
        Ok(())
    });
}

#[test]
fn who_is_signed_in() {
    story(|world| {
        let cli = world.ntcli("me")?;
        let out = cli.run(&["auth", "status"])?.expect_code(3)?;
        let wanted = "❌ Not authenticated\nPlease run 'ntcli auth login' to authenticate\n";
        assert_eq!(out.stdout, wanted);
        let json = cli.run(&["auth", "status", "--format", "json"])?.expect_code(3)?;
        assert_eq!(json.json()?, serde_json::json!({ "authenticated": false }));
        assert!(cli.ok(&["auth", "logout"])?.contains("No credentials found to clear"));

        cli.sign_in(OWNER)?;
        let status = cli.ok(&["auth", "status"])?;
        assert!(status.starts_with(&format!("✅ Authenticated as {OWNER}\nUser ID: ")), "{status}");
        assert_eq!(cli.json(&["auth", "status"])?["authenticated"], true);
        cli.ok(&["workspace", "create", "main"])?;

        let secrets = std::fs::read_to_string(cli.config_dir().join("credentials.json"))?;
        let session = secrets.split('"').find(|part| part.starts_with("nts_")).unwrap_or_default();
        let with_it = |session: &str| {
            world.send(&nt_testkit::Request::get("/v1/auth/session").bearer(session))
        };
        assert_eq!(with_it(session)?.status, 200);
        cli.ok(&["auth", "logout"])?;
        assert_eq!(with_it(session)?.status, 401, "the session ended at the authority too");
        cli.run(&["auth", "status"])?.expect_code(3)?;
        let secrets = std::fs::read_to_string(cli.config_dir().join("credentials.json"));
        assert!(!secrets.is_ok_and(|text| text.contains("wst_")), "tokens are forgotten here");
        Ok(())
    });
}

#[test]
fn workspaces_come_and_go() {
    story(|world| {
        let cli = world.signed_in(OWNER)?;
        cli.run(&["token", "list"])?.expect_code(2)?;
        for bad in ["ab", "1abc", "Abc", "a_b", "-ab", &"a".repeat(33), "../x"] {
            cli.run(&["workspace", "create", "--", bad])?.expect_code(2)?;
        }
        cli.ok(&["workspace", "create", "first", "-d", "the first one"])?;
        cli.ok(&["ws", "create", "second"])?;
        let taken = cli.run(&["workspace", "create", "first"])?.expect_code(1)?;
        assert!(taken.stderr.starts_with("error: "), "{taken:?}");
        let second = current(&cli)?;
        cli.ok(&["workspace", "use", "first"])?;
        assert_ne!(current(&cli)?, second);
        let list = cli.ok(&["workspace", "list"])?;
        assert!(list.contains("first") && list.contains("second"), "{list}");
        cli.run(&["workspace", "switch", "nosuch"])?.expect_code(5)?;
        assert_eq!(
            text_of(&cli.json(&["token", "list", "-w", "second"])?, "current_token_jti"),
            second
        );

        cli.run(&["workspace", "delete", "second"])?.expect_code(2)?;
        cli.ok(&["workspace", "delete", "second", "--force"])?;
        cli.run(&["token", "list", "-w", "second"])?.expect_code(5)?;
        cli.ok(&["workspace", "clear"])?;
        cli.run(&["token", "list"])?.expect_code(2)?;
        Ok(())
    });
}

#[test]
fn errors_are_json_where_json_was_asked_for_and_help_explains() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let args = ["token", "revoke", "jti_xyz", "--force", "--format", "json"];
        let output = cli.run(&args)?.expect_code(5)?;
        assert_eq!(output.stdout, "");
        let line = output.stderr.lines().find(|line| line.starts_with('{')).unwrap_or_default();
        let error: Value = serde_json::from_str(line)?;
        assert_eq!(error["error"]["code"], "TOKEN_NOT_FOUND");
        assert_eq!(error["error"]["message"], "Token with JTI 'jti_xyz' not found");
        assert!(error["error"].get("hint").is_some(), "{error}");

        assert!(cli.ok(&["help", "exit-codes"])?.contains("130"));
        assert!(cli.ok(&["token", "revoke", "--help"])?.contains("ntcli token revoke"));
        let typo = cli.run(&["tokne", "list"])?.expect_code(2)?;
        assert!(typo.stderr.contains("token"), "did you mean: {typo:?}");
        assert!(cli.ok(&["--version"])?.contains("0.1.0"));
        assert!(cli.ok(&["health"])?.contains("healthy"));
        assert!(cli.ok(&["completions", "bash"])?.contains("ntcli"));
        Ok(())
    });
}
