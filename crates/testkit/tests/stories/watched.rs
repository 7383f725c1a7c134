//! A revocation that is watched: by whoever revokes, and by the authority itself with its canaries.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use nt_testkit::cli::Cli;
use nt_testkit::world::Options;
use nt_testkit::{Request, World, process};

use crate::edge::Edge;
use crate::{OWNER, owner_with_workspace, story, text_of};

const SOON: Duration = Duration::from_secs(10);

/// An edge that is registered under this name.
fn registered(world: &World, admin: &Cli, name: &str) -> Result<Edge> {
    let credential = admin.ok(&["verifiers", "add", name])?;
    let file = world.dir().join(name);
    fs::write(&file, credential)?;
    fs::set_permissions(&file, Permissions::from_mode(0o600))?;
    let file = file.to_str().context("UTF-8")?;
    Edge::start(world, &["--credential-file", file, "--name", "anything"])
}

#[test]
fn whoever_says_more_is_shown_who_is_waited_for_until_the_crashed_ones_lease_has_ended() {
    story(|world| {
        let cli = owner_with_workspace(world)?;
        let (alive, crashed) =
            (registered(world, &cli, "edge-1")?, registered(world, &cli, "edge-2")?);
        let listed = cli.json(&["verifiers", "list"])?;
        for verifier in listed["verifiers"].as_array().into_iter().flatten() {
            let program = concat!("ntd-edge ", env!("CARGO_PKG_VERSION"));
            assert_eq!(verifier["version"], program, "{listed}");
            for known in ["position", "lease_ms_left", "last_ack_ms_ago"] {
                assert!(!verifier[known].is_null(), "{known} in {listed}");
            }
        }
        let made = cli.json(&["token", "create"])?;
        let (jti, token) = (text_of(&made, "jti"), text_of(&made, "token"));
        assert_eq!(crashed.check(token)?.status, 200);
        crashed.signal(Signal::SIGKILL)?;

        let run = cli.run(&["token", "revoke", jti, "--force", "--verbose"])?.expect_code(0)?;
        assert_eq!(alive.check(token)?.status, 401);
        assert_eq!(run.stdout, format!("Token {jti} revoked successfully.\n"));
        let told = "Refused by edge-1. Waiting for edge-2, at most ";
        let left = run.stderr.lines().find_map(|line| line.strip_prefix(told));
        let left = left.and_then(|left| left.strip_suffix(" s.")?.parse::<f64>().ok());
        assert!(left.is_some_and(|left| left <= 2.8), "{}", run.stderr);
        let receipt = cli.json(&["receipt", "show", jti])?;
        assert_eq!(receipt["verifiers"]["acknowledged"], 1, "{receipt}");
        assert_eq!(receipt["verifiers"]["cut_off"][0]["name"], "edge-2", "{receipt}");
        assert!(receipt["waited_ms"].as_u64() > Some(500), "{receipt}");
        assert!(run.stderr.contains("Cut off:     edge-2"), "{}", run.stderr);
        Ok(())
    });
}

/// What the authority measures under this name.
fn measured(world: &World, name: &str) -> Result<Option<f64>> {
    let answer = world.send(&Request::get("/metrics"))?;
    assert_eq!(answer.status, 200);
    let text = answer.text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line.and_then(|value| value.parse().ok()))
}

#[test]
fn a_canary_tells_how_long_each_verifier_takes_and_which_one_says_nothing() {
    let settings = Some("canary_interval = 1\n".to_owned());
    let world = World::with(Options { settings, ..Options::default() }).expect("it starts");
    let told = (|| -> Result<()> {
        assert_eq!(measured(&world, "ntd_canary_revoked_total")?, Some(0.0));
        let edge = Edge::start(&world, &["--name", "edge-1"])?;
        let own = "ntd_canary_refused_seconds{verifier=\"dev:edge-1\"}";
        let took = process::until(SOON, || measured(&world, own))?;
        assert!(took < 1.0, "{took}");
        assert_eq!(measured(&world, "ntd_canary_silent")?, Some(0.0));

        edge.signal(Signal::SIGSTOP)?;
        process::until(SOON, || {
            Ok((measured(&world, "ntd_canary_silent")? == Some(1.0)).then_some(()))
        })?;
        let took = measured(&world, "ntd_canary_in_force_seconds")?;
        assert!(took.is_some_and(|took| took < 3.8), "{took:?}");
        assert_eq!(measured(&world, own)?, None, "it said nothing");
        assert_eq!(measured(&world, "ntd_canary_late_total")?, Some(0.0));
        edge.signal(Signal::SIGCONT)?;

        let cli = world.signed_in(OWNER)?;
        assert!(!cli.ok(&["audit", "list"])?.contains("canary"));
        Ok(())
    })();
    told.expect("the story holds");
}
