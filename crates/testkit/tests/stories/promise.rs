//! The promise, for real: processes that check tokens themselves, what is done to them, and the
//! checker that looks for one acceptance after an answered revoke.
//!
//! "A closed connection is taken for a release" has no control here: that rule is the authority's,
//! and `ntd` has no switch to break it. The model does it (`crates/revocation/tests/model`).

mod cut_off;
mod faults;
mod mutants;
mod streams;
mod under_fire;

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Result;
use nt_testkit::{Service, World};

/// A service that embeds `nt-verifier`, told that the authority is there. It may be a mutant.
fn verifier(
    world: &World,
    name: &str,
    authority: SocketAddr,
    mutant: Option<&str>,
) -> Result<Service> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_verifier"));
    command.args(mutant.map(|mutant| format!("--mutant={mutant}")));
    Service::start(world, name, authority, command, "/check")
}
