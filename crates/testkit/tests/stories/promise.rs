//! The promise, for real: processes that check tokens themselves, what is done to them, and the
//! checker that looks for one acceptance after an answered revoke.
//!
//! "A closed connection is taken for a release" has no control here: that rule is the authority's,
//! and `ntd` has no switch to break it. The model does it (`crates/revocation/tests/model`).

mod cut_off;
mod faults;
mod mutants;
mod stopped;
mod streams;
mod under_fire;

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use nt_testkit::{Service, World};

/// How long a revoke may wait for whoever is out of reach: κ·Lv and 100 ms are 2.65 s, and the rest is
/// for the machine that runs the test.
const ANSWERED_WITHIN: Duration = Duration::from_millis(3_200);
/// How long it may take until whoever is in reach again accepts. The aim is 300 ms.
const BACK_WITHIN: Duration = Duration::from_secs(1);
/// How long anything else may take.
const SOON: Duration = Duration::from_secs(20);

/// A service that embeds `nt-verifier`, told that the authority is there. It may be a mutant.
fn verifier(
    world: &World,
    name: &str,
    authority: SocketAddr,
    mutant: Option<&str>,
) -> Result<Service> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_verifier"));
    command.args(mutant.map(|mutant| format!("--mutant={mutant}")));
    Service::start(world.dir(), name, &[authority], command, "/check")
}
