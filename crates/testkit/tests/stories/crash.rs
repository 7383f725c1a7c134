//! Refreshing the current token, killed at every step of its way.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nt_testkit::{Cli, World, process};

use crate::{owner_with_workspace, story, text_of};

/// The steps at which a debug build of `ntcli` can be told to abort, in their order.
const STEPS: [&str; 6] = [
    "before-pending",
    "after-pending",
    "after-create",
    "after-store",
    "after-revoke",
    "after-clear",
];

/// The token that this machine has stored.
fn stored(cli: &Cli) -> Result<String> {
    let shown = cli.ok(&["token", "show", "--show-token"])?;
    let token = shown.lines().find_map(|line| line.strip_prefix("Token:"));
    Ok(token.context("a token is shown")?.trim().to_owned())
}

/// A working token is stored.
fn assert_works(world: &World, cli: &Cli, when: &str) -> Result<()> {
    let token = stored(cli).with_context(|| format!("nothing is stored {when}"))?;
    assert_eq!(world.check(&token)?.status, 200, "the stored token does not work {when}");
    Ok(())
}

/// A working token is stored, and besides the expected ones it is the only live one.
fn assert_nothing_forgotten(world: &World, cli: &Cli, others: u64, when: &str) -> Result<()> {
    assert_works(world, cli, when)?;
    let list = cli.json(&["token", "list"])?;
    assert_eq!(list["total_active"], others + 1, "{when}: {list}");
    let current = text_of(&list, "current_token_jti");
    let tokens = list["tokens"].as_array().context("a list of tokens")?;
    assert!(tokens.iter().any(|token| token["jti"] == *current), "{when}: {list}");
    Ok(())
}

/// Runs a refresh that aborts at this step.
fn crash_at(cli: &Cli, step: &str) -> Result<()> {
    let output = cli.with_env("NTCLI_TEST_CRASH_AT", step).run(&["token", "refresh"])?;
    assert_eq!(output.code, None, "a signal ended it at {step}: {output:?}");
    Ok(())
}

#[test]
fn killed_at_any_step_a_working_token_is_stored_and_the_next_run_finishes_the_job() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        cli.ok(&["token", "create"])?;
        for step in STEPS {
            crash_at(&cli, step)?;
            assert_works(world, &cli, &format!("after a crash at {step}"))?;
            cli.ok(&["token", "refresh"])?;
            assert_nothing_forgotten(
                world,
                &cli,
                1,
                &format!("after a crash at {step}, run again"),
            )?;
        }
        Ok(())
    });
}

#[test]
fn killed_twice_at_any_two_steps_nothing_is_forgotten_either() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        for first in STEPS {
            for second in STEPS {
                let when = format!("after crashes at {first} and {second}");
                crash_at(&cli, first)?;
                let again = cli.with_env("NTCLI_TEST_CRASH_AT", second);
                // The second run may have no such step left to do, and then simply ends.
                let output = again.run(&["token", "refresh"])?;
                assert!(matches!(output.code, None | Some(0)), "{when}: {output:?}");
                assert_works(world, &cli, &when)?;
                cli.ok(&["token", "refresh"])?;
                assert_nothing_forgotten(world, &cli, 0, &format!("{when}, run again"))?;
            }
        }
        Ok(())
    });
}

#[test]
fn the_authority_dies_on_the_way_and_the_next_run_finishes_the_job() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        for step in STEPS {
            crash_at(&cli, step)?;
            world.kill9()?;
            let down = cli.run(&["token", "refresh"])?;
            assert_eq!(down.code, Some(6), "a failed refresh is a failure: {down:?}");
            world.restart()?;
            assert_works(world, &cli, &format!("after {step} and an outage"))?;
            cli.ok(&["token", "refresh"])?;
            assert_nothing_forgotten(world, &cli, 0, &format!("after {step} and an outage"))?;
        }
        Ok(())
    });
}

#[test]
fn several_refreshes_at_once_leave_one_token() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        for round in 0..10 {
            let spawn = || {
                let mut command = cli.command(&["token", "refresh"]);
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
            };
            let mut children = [spawn()?, spawn()?, spawn()?];
            for child in &mut children {
                let status = process::wait(child, Duration::from_secs(30))?;
                assert!(status.success(), "round {round}: {status}");
            }
            assert_nothing_forgotten(world, &cli, 0, &format!("in round {round}"))?;
        }
        Ok(())
    });
}

#[test]
fn a_refresh_interrupted_while_it_waits_for_the_authority_is_finished_later() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let (mut interrupted, mut tries) = (0, 0);
        while interrupted < 5 {
            tries += 1;
            ensure!(tries < 50, "only {interrupted} of {tries} were interrupted");
            let mut command = cli.command(&["token", "refresh"]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn()?;
            let pending = cli.config_dir().join("credentials.json");
            // The record of the intent is on the disk: the token is asked for now, or the old one is
            // being revoked.
            let is_under_way =
                || std::fs::read_to_string(&pending).map(|text| text.contains("idempotency_key"));
            while !is_under_way()? && child.try_wait()?.is_none() {
                std::thread::yield_now();
            }
            world.signal(nix::sys::signal::Signal::SIGSTOP)?;
            // One that has what it needs ends by itself; the others are killed.
            let ended = process::wait(&mut child, Duration::from_millis(200)).is_ok();
            interrupted += usize::from(!ended);
            world.signal(nix::sys::signal::Signal::SIGCONT)?;
            assert_works(world, &cli, "after a kill")?;
            cli.ok(&["token", "refresh"])?;
            assert_nothing_forgotten(world, &cli, 0, "after a kill, run again")?;
        }
        Ok(())
    });
}
