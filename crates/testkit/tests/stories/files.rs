//! The command line's files: many processes at once, wrong modes, corrupt contents.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nt_testkit::{Cli, Connection, process, settings};
use nt_token::clock::Stopwatch;

use crate::{OWNER, owner_with_workspace, report, story, text_of};

/// Starts a command whose output nobody wants.
fn spawn(cli: &Cli, args: &[&str]) -> Result<std::process::Child> {
    let mut command = cli.command(args);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command.spawn()?)
}

fn read(cli: &Cli, name: &str) -> Result<String> {
    fs::read_to_string(cli.config_dir().join(name)).with_context(|| name.to_owned())
}

#[test]
fn eight_at_once_on_one_config_lose_no_update() {
    let rounds = if settings::full() { 200 } else { 50 };
    story(|world| {
        let cli = world.signed_in(OWNER)?;
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        for round in 0..rounds {
            // Five new workspaces, and three of the last round's deleted.
            let new: Vec<String> = (0..5).map(|n| format!("w{round}-{n}")).collect();
            let old: Vec<String> = wanted.iter().rev().take(3).cloned().collect();
            let mut children = Vec::new();
            for name in &new {
                children.push((name, spawn(&cli, &["workspace", "create", name])?));
            }
            for name in &old {
                children.push((name, spawn(&cli, &["workspace", "delete", name, "--force"])?));
            }
            for (name, child) in &mut children {
                let status = process::wait(child, Duration::from_mins(1))?;
                assert!(status.success(), "round {round}, {name}: {status}");
            }
            wanted.retain(|name| !old.contains(name));
            wanted.extend(new);
            let config = read(&cli, "config.toml")?;
            let names = config.lines().filter_map(|line| line.strip_prefix("name = \""));
            let known: BTreeSet<String> =
                names.map(|name| name.trim_end_matches('"').to_owned()).collect();
            assert_eq!(known, wanted, "round {round}");
            let tokens = read(&cli, "credentials.json")?.matches("\"wst_").count();
            assert_eq!(tokens, wanted.len(), "round {round}: a token each");
        }
        let sync = cli.json(&["workspace", "sync"])?;
        let count = |name: &str| sync[name].as_array().map(Vec::len);
        assert_eq!((count("server_only"), count("local_only")), (Some(0), Some(0)), "{sync}");
        assert_eq!(count("in_sync"), Some(wanted.len()));
        report(&format!("files: {rounds} rounds of eight ntcli at once, no update lost"))
    });
}

#[test]
fn modes_that_are_too_wide_are_mended_with_a_warning() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let dir = cli.config_dir();
        let mode = |name: &str| -> Result<u32> {
            Ok(fs::metadata(dir.join(name))?.permissions().mode() & 0o777)
        };
        assert_eq!(
            (mode("")?, mode("config.toml")?, mode("credentials.json")?),
            (0o700, 0o600, 0o600)
        );
        for (name, wide, right) in
            [("config.toml", 0o644, 0o600), ("credentials.json", 0o640, 0o600), ("", 0o755, 0o700)]
        {
            fs::set_permissions(dir.join(name), Permissions::from_mode(wide))?;
            let output = cli.run(&["token", "list"])?.expect_code(0)?;
            assert!(output.stderr.contains("warning"), "{name}: {output:?}");
            assert_eq!(mode(name)?, right, "{name}");
            let quiet = cli.run(&["token", "list"])?.expect_code(0)?;
            assert_eq!(quiet.stderr, "", "{name}");
        }
        Ok(())
    });
}

#[test]
fn a_corrupt_file_is_named_with_its_line_and_never_replaced() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        for (name, broken) in [
            ("config.toml", "authority = \"http://127.0.0.1:1\"\nthis is = = no TOML\n"),
            ("credentials.json", "{\n  \"authorities\": {\n  oops\n}\n"),
        ] {
            let path = cli.config_dir().join(name);
            let good = fs::read_to_string(&path)?;
            fs::write(&path, broken)?;
            for args in
                [&["token", "list"][..], &["token", "refresh"], &["workspace", "create", "another"]]
            {
                let output = cli.run(args)?.expect_code(1)?;
                assert!(
                    output.stderr.contains(&path.display().to_string()),
                    "{args:?}: {output:?}"
                );
                assert!(output.stderr.contains("line "), "{args:?}: {output:?}");
                assert_eq!(fs::read_to_string(&path)?, broken, "{args:?}");
            }
            fs::write(&path, good)?;
        }
        cli.ok(&["token", "list"])?;
        Ok(())
    });
}

#[test]
fn an_authority_that_is_down_or_silent_is_said_in_time() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let made = cli.json(&["token", "create"])?;
        let jti = text_of(&made, "jti").to_owned();
        let commands = [
            &["token", "list"][..],
            &["token", "revoke", &jti, "--force"],
            &["token", "create"],
            &["workspace", "list"],
        ];
        world.kill9()?;
        for args in commands {
            let watch = Stopwatch::start();
            let output = cli.run(args)?.expect_code(6)?;
            assert_eq!(output.stdout, "", "{args:?}");
            assert!(
                output.stderr.contains("error: ") && output.stderr.contains("\nhint: "),
                "{output:?}"
            );
            assert!(watch.elapsed() < Duration::from_secs(15), "{args:?}: {:?}", watch.elapsed());
        }
        world.restart()?;
        assert_eq!(world.check(text_of(&made, "token"))?.status, 200);

        // It accepts connections and never answers: the time-out of a listing is ten seconds.
        world.signal(nix::sys::signal::Signal::SIGSTOP)?;
        assert!(Connection::open(world.address()).is_ok(), "the kernel still accepts");
        let watch = Stopwatch::start();
        let output = cli.run(&["token", "list"]);
        world.signal(nix::sys::signal::Signal::SIGCONT)?;
        output?.expect_code(6)?;
        assert!(watch.elapsed() < Duration::from_secs(45), "{:?}", watch.elapsed());
        Ok(())
    });
}
