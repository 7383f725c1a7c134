//! The proof that a token is refused everywhere outlives the authority that gave it.

use std::fs;

use nt_testkit::World;

use crate::{OWNER, owner_with_workspace, story, text_of};

#[test]
fn a_receipt_is_checked_offline_and_only_by_the_keys_of_its_authority() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let made = cli.json(&["token", "create"])?;
        let (jti, token) = (text_of(&made, "jti").to_owned(), text_of(&made, "token").to_owned());
        let not_yet = cli.run(&["receipt", "show", &jti])?.expect_code(5)?;
        assert!(not_yet.stderr.contains("is not revoked"), "{not_yet:#?}");

        let revoke = ["token", "revoke", &jti, "--force", "--verbose", "--format", "json"];
        let revoked = cli.run(&revoke)?.expect_code(0)?;
        assert!(revoked.stderr.contains("acknowledged by 1 node and 0 verifiers"), "{revoked:#?}");
        let receipt = text_of(&revoked.json()?, "receipt").to_owned();
        assert_eq!(cli.ok(&["receipt", "show", &jti, "--raw"])?, format!("{receipt}\n"));
        world.stop_and_start()?;
        let shown = cli.json(&["receipt", "show", &jti])?;
        assert_eq!(shown["receipt"], *receipt, "it was written down");
        assert_eq!((&shown["proven"], &shown["nodes"]), (&"acked".into(), &1.into()));

        let file = world.dir().join("receipt.jws");
        let path = file.display().to_string();
        fs::write(&file, cli.ok(&["receipt", "show", &jti, "--raw"])?)?;
        let other = World::start()?;
        let stranger = other.signed_in(OWNER)?;
        world.stop()?;

        let verified = cli.ok(&["receipt", "verify", &path])?;
        assert!(verified.contains(&jti) && verified.contains("valid"), "\n{verified}");
        let piped = cli.run_with_input(&["receipt", "verify", "-"], &receipt)?;
        piped.expect_code(0)?;
        stranger.run(&["receipt", "verify", &path])?.expect_code(1)?;
        cli.run_with_input(&["receipt", "verify", "-"], &token)?.expect_code(1)?;
        let half = receipt.len() / 2;
        let changed = if &receipt[half..=half] == "A" { "B" } else { "A" };
        let tampered = format!("{}{changed}{}", &receipt[..half], &receipt[half + 1..]);
        fs::write(&file, tampered)?;
        let refused = cli.run(&["receipt", "verify", &path])?.expect_code(1)?;
        assert!(refused.stdout.is_empty(), "{refused:#?}");
        Ok(())
    });
}

#[test]
fn a_receipt_that_a_crash_took_is_stated_again() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let made = cli.json(&["token", "create"])?;
        let jti = text_of(&made, "jti").to_owned();
        cli.ok(&["token", "revoke", &jti, "--force"])?;
        world.restart()?;
        let shown = cli.json(&["receipt", "show", &jti])?;
        assert!(shown["position"]["seq"].as_u64() > Some(0), "{shown}");
        let again = cli.ok(&["receipt", "show", &jti, "--raw"])?;
        assert_eq!(again.trim(), text_of(&shown, "receipt"), "and stays the same");
        cli.run_with_input(&["receipt", "verify", "-"], &again)?.expect_code(0)?;
        Ok(())
    });
}
