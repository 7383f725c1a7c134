//! The documented page of `ntcli token revoke`, command by command and script by script.

use std::time::Duration;

use anyhow::{Result, ensure};
use nt_testkit::pty::converse;
use nt_testkit::{Cli, World, process};
use serde_json::Value;

use crate::text::{lines_between, mask, mask_table};
use crate::{owner_with_workspace, story, text_of};

/// A copy of the page, word for word.
const PAGE: &str = include_str!("token-revoke.txt");

/// The identifier that the page uses throughout.
const EXAMPLE: &str = "jti_abc123def456";

/// A new token that is not the current one.
fn new_token(cli: &Cli, args: &[&str]) -> Result<(String, String)> {
    let created = cli.json(&[&["token", "create"], args].concat())?;
    Ok((text_of(&created, "jti").to_owned(), text_of(&created, "token").to_owned()))
}

fn status(world: &World, token: &str) -> Result<u16> {
    Ok(world.check(token)?.status)
}

/// The JTIs of a list, in its order.
fn jtis(list: &Value) -> Vec<&str> {
    let tokens = list["tokens"].as_array().expect("a list of tokens");
    tokens.iter().map(|token| text_of(token, "jti")).collect()
}

#[test]
fn revoking_asks_and_reads_as_printed() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let (jti, token) = new_token(&cli, &[])?;
        assert_eq!(status(world, &token)?, 200);
        let screen = converse(
            &cli.command(&["token", "revoke", &jti]),
            &[("Are you sure? (y/N): ", "y\n")],
        )?;
        let documented = lines_between(
            PAGE,
            "Token jti_abc123def456 will be permanently revoked.",
            "Token jti_abc123def456 revoked successfully.",
        );
        assert_eq!(screen.text, documented.replace(EXAMPLE, &jti));
        assert_eq!(screen.code, Some(0));
        assert_eq!(status(world, &token)?, 401);
        Ok(())
    });
}

#[test]
fn force_asks_nothing_and_json_has_exactly_the_documented_shape() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let (jti, token) = new_token(&cli, &[])?;
        let output = cli.run(&["token", "revoke", &jti, "--force"])?.expect_code(0)?;
        assert_eq!(output.stdout, format!("Token {jti} revoked successfully.\n"));
        assert_eq!(output.stderr, "");
        assert_eq!(status(world, &token)?, 401);

        let (jti, token) = new_token(&cli, &[])?;
        let force_json = ["token", "revoke", &jti, "--force", "--format", "json"];
        let output = cli.run(&force_json)?.expect_code(0)?;
        let documented = lines_between(PAGE, "{", "}");
        assert_eq!(mask(&output.stdout), mask(&documented));
        assert_eq!(text_of(&output.json()?, "jti"), jti);
        assert_eq!(output.stderr, "");
        assert_eq!(status(world, &token)?, 401);
        Ok(())
    });
}

#[test]
fn the_list_is_the_documented_table() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let list = cli.json(&["token", "list"])?;
        let current = jtis(&list)[0].to_owned();
        let (other, _) = new_token(&cli, &[])?;
        let table = cli.ok(&["token", "list"])?;
        // The page shows its current token first, we show the newest first.
        let top = "┌─────────────────────┬─────────────────────┬─────────────────────┬─────────┐";
        let bottom =
            "└─────────────────────┴─────────────────────┴─────────────────────┴─────────┘";
        let documented = lines_between(PAGE, top, bottom);
        let mut rows: Vec<&str> = documented.lines().collect();
        rows.swap(3, 4);
        let documented = rows.join("\n") + "\n";
        assert_eq!(mask_table(&table), mask_table(&documented), "\n{table}");
        let widths: Vec<usize> = table.lines().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "\n{table}");
        let row = |jti: &str| table.lines().find(|line| line.contains(jti)).unwrap_or_default();
        assert!(row(&current).contains('✓') && !row(&other).contains('✓'), "\n{table}");
        assert_eq!(cli.ok(&["token", "ls"])?, table);
        Ok(())
    });
}

#[test]
fn the_bulk_script_revokes_all_but_the_current_token() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let current = cli.json(&["token", "list"])?["current_token_jti"].clone();
        let others = (0..4).map(|_| new_token(&cli, &[])).collect::<Result<Vec<_>>>()?;
        let script = lines_between(PAGE, "#!/bin/bash", "done");
        let output = cli.bash(&script)?.expect_code(0)?;
        for (jti, token) in &others {
            let said = format!("Revoking {jti}...\nToken {jti} revoked successfully.\n");
            assert!(output.stdout.contains(&said), "{output:?}");
            assert_eq!(status(world, token)?, 401);
        }
        assert_eq!(output.stderr, "");
        let left = cli.json(&["token", "list"])?;
        assert_eq!(jtis(&left), [current.as_str().unwrap_or_default()]);
        Ok(())
    });
}

#[test]
fn the_expired_script_revokes_exactly_the_expired_tokens() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let (live, live_token) = new_token(&cli, &[])?;
        let short = ["--expires-in", "1"];
        let expired = (0..3).map(|_| new_token(&cli, &short)).collect::<Result<Vec<_>>>()?;
        let is_expired = || {
            let list = cli.json(&["token", "list", "--show-expired"])?;
            let tokens = list["tokens"].as_array().map_or(&[][..], Vec::as_slice);
            let count = tokens.iter().filter(|token| token["status"] == "expired").count();
            Ok((count == expired.len()).then_some(()))
        };
        process::until(Duration::from_secs(20), is_expired)?;
        let script = lines_between(PAGE, "# Find and revoke expired tokens", "    done");
        let output = cli.bash(&script)?.expect_code(0)?;
        let mut said: Vec<&str> = output.stdout.lines().collect();
        let mut wanted: Vec<String> =
            expired.iter().map(|(jti, _)| format!("Token {jti} revoked successfully.")).collect();
        said.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(said, wanted, "{output:?}");
        let list = cli.json(&["token", "list", "--show-expired"])?;
        for token in list["tokens"].as_array().expect("a list of tokens") {
            let was_expired = expired.iter().any(|(jti, _)| token["jti"] == **jti);
            let wanted = if was_expired { "revoked" } else { "active" };
            assert_eq!(token["status"], wanted, "{token}");
        }
        ensure!(jtis(&list).contains(&live.as_str()), "the live token is still there");
        assert_eq!(status(world, &live_token)?, 200);
        Ok(())
    });
}

#[test]
fn the_recovery_script_makes_a_working_token_and_refresh_a_new_current_one() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let script = lines_between(PAGE, "# Create new token for CI/CD system", "echo $NEW_TOKEN");
        let output = cli.bash(&script)?.expect_code(0)?;
        let lines: Vec<&str> = output.stdout.lines().collect();
        assert_eq!(lines[0], "Update your CI/CD system with this new token:");
        assert!(lines[1].starts_with("wst_"), "{output:?}");
        assert_eq!(status(world, lines[1])?, 200);

        let before = cli.json(&["token", "list"])?;
        let current = text_of(&before, "current_token_jti").to_owned();
        let revoked = cli.run(&["token", "revoke", &current, "--force"])?.expect_code(0)?;
        assert_eq!(revoked.stdout, format!("Token {current} revoked successfully.\n"));
        assert!(revoked.stderr.contains("ntcli token refresh"), "{revoked:?}");
        cli.ok(&["token", "refresh"])?;
        let after = cli.json(&["token", "list"])?;
        ensure!(text_of(&after, "current_token_jti") != current, "{after}");
        assert_eq!(after["total_active"], 2, "{after}");
        Ok(())
    });
}

#[test]
fn anything_but_yes_declines_and_nothing_is_revoked() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let (jti, token) = new_token(&cli, &[])?;
        for answer in ["\n", "n\n", "no\n", "yess\n", "Y E S\n", "\u{4}"] {
            let command = cli.command(&["token", "revoke", &jti]);
            let screen = converse(&command, &[("Are you sure? (y/N): ", answer)])?;
            assert_eq!(screen.code, Some(1), "{answer:?}: {screen:?}");
            assert!(screen.text.contains("Aborted. Nothing was revoked."), "{screen:?}");
            assert_eq!(status(world, &token)?, 200);
        }
        let command = cli.command(&["token", "revoke", &jti]);
        let screen = converse(&command, &[("Are you sure? (y/N): ", "\u{3}")])?;
        assert!(matches!(screen.code, Some(130) | None), "interrupted: {screen:?}");
        assert_eq!(status(world, &token)?, 200);
        for answer in ["yes\n", "YES\n"] {
            let (jti, token) = new_token(&cli, &[])?;
            let command = cli.command(&["token", "revoke", &jti]);
            let screen = converse(&command, &[("Are you sure? (y/N): ", answer)])?;
            assert_eq!(screen.code, Some(0), "{answer:?}: {screen:?}");
            assert_eq!(status(world, &token)?, 401);
        }
        Ok(())
    });
}

#[test]
fn without_a_terminal_and_without_force_nothing_is_sent() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let (jti, token) = new_token(&cli, &[])?;
        for input in ["", "y\n", "yes\n"] {
            let output = cli.run_with_input(&["token", "revoke", &jti], input)?.expect_code(2)?;
            assert_eq!(output.stdout, "", "{output:?}");
            assert!(output.stderr.starts_with("error: "), "{output:?}");
            assert!(output.stderr.contains("\nhint: "), "{output:?}");
            assert!(output.stderr.contains("--force"), "{output:?}");
            assert_eq!(status(world, &token)?, 200);
        }
        world.kill9()?;
        // Had anything been sent, this would be 6: the authority is gone.
        cli.run_with_input(&["token", "revoke", &jti], "y\n")?.expect_code(2)?;
        Ok(())
    });
}

#[test]
fn a_workspace_token_revokes_nothing() {
    story(|world| {
        let owner = owner_with_workspace(world)?;
        let (jti, token) = new_token(&owner, &[])?;
        let machine = world.ntcli("machine")?;
        let refused = |cli: &Cli, what: &str| -> Result<()> {
            let output = cli.run(&["token", "revoke", &jti, "-w", "main", "--force"])?;
            let output = output.expect_code(4)?;
            let message = "error: Clerk authentication required for token revocation\n";
            assert!(output.stderr.starts_with(message), "{what}: {output:?}");
            assert!(output.stderr.contains("hint: ntcli auth login"), "{what}: {output:?}");
            assert_eq!(output.stdout, "", "{what}");
            assert_eq!(status(world, &token)?, 200, "{what}");
            Ok(())
        };
        refused(&machine.with_env("NTCLI_WORKSPACE_TOKEN", &token), "in the environment")?;
        refused(&machine.with_env("NTCLI_TOKEN", &token), "under its other name")?;
        refused(&machine.with_env("NTCLI_SESSION_TOKEN", &token), "as a session")?;
        let nobody = machine.run(&["token", "revoke", &jti, "--force"])?.expect_code(3)?;
        assert!(nobody.stderr.contains("Authentication required."), "{nobody:?}");
        Ok(())
    });
}

#[test]
fn revoking_twice_says_when_it_was_and_unknown_or_ill_formed_ones_are_told_apart() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let (jti, _) = new_token(&cli, &[])?;
        let args = ["token", "revoke", &jti, "--force", "--format", "json"];
        let first = cli.run(&args)?.expect_code(0)?;
        let again = cli.run(&args)?.expect_code(0)?;
        assert_eq!(first.stdout, again.stdout);
        assert!(again.stderr.contains("Token is already revoked"), "{again:?}");
        assert_eq!(first.stderr, "");

        let unknown = cli.run(&["token", "revoke", "jti_xyz", "--force"])?.expect_code(5)?;
        assert!(unknown.stderr.starts_with("error: Token with JTI 'jti_xyz' not found\n"));
        let long = format!("jti_{}", "a".repeat(10_240));
        world.kill9()?;
        for bad in ["../../x", "..", "a?x=1", "jti_", "jti_a\u{7}b", "jti_\u{1b}[2J", &long] {
            let output = cli.run(&["token", "revoke", bad, "--force"])?.expect_code(2)?;
            assert!(output.stderr.starts_with("error: Invalid JTI format\n"), "{output:?}");
            assert_eq!(output.stdout, "");
        }
        cli.run(&["token", "revoke", &jti, "--force"])?.expect_code(6)?;
        Ok(())
    });
}
