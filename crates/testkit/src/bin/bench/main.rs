//! The benchmarks: each beside a control that does the least that could be done, both measured in
//! turn in one run, written to `docs/benchmarks.md`.

mod bare;
mod compare;
mod followers;
mod forward_auth;
mod library;
mod machine;
mod nginx;
mod process;
mod promise;
mod proxy;
mod sets;
mod several;
mod table;
mod verify;
mod writes;

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand, ValueEnum};
use nt_testkit::World;

use crate::table::Table;

/// Measure, and write `docs/benchmarks.md`.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Args {
    /// Measure only this part; may be given several times.
    #[arg(long, value_enum)]
    only: Vec<Name>,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What can be measured by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// A check at the authority, in one process.
    Check,
    /// `nt-verifier`: tokens that it has not seen.
    LibraryFirst,
    /// `nt-verifier`: a token that it has seen.
    LibrarySeen,
    /// `nt-verifier`: checks while revocations pour in.
    LibraryUnderRevokes,
    /// The revocation set's memory.
    Memory,
    /// A snapshot until the first verdict.
    Snapshot,
    /// `/v1/token_auth` over HTTP.
    ForwardAuth,
    /// `ntd edge --upstream`, beside nginx.
    Proxy,
    /// `ntcli` as a whole process.
    Process,
    /// Creating and revoking over HTTP.
    Writes,
    /// A revoke with eight verifiers.
    Revoke,
    /// A revoke with a thousand verifiers.
    Thousand,
    /// What five thousand verifiers cost.
    Crowd,
    /// A revoke at one of three nodes on PostgreSQL.
    Nodes,
    /// Revokes a second at nodes on PostgreSQL.
    NodesRates,
    /// What nodes on PostgreSQL cost that do nothing.
    NodesIdle,
    /// Starting with ten million revocations in PostgreSQL.
    NodesStart,
    /// Revokes while three nodes are restarted in turn.
    NodesRolling,
    /// Eight million tokens in PostgreSQL: a page of them, and deleting a million.
    NodesLarge,
}

#[derive(Subcommand)]
enum Part {
    /// Run the bare server that is the control of forward-auth: a process of its own, as ntd is.
    #[command(hide = true)]
    Bare {
        /// Where to listen.
        listen: SocketAddr,
        /// Whether to verify one signature for each request.
        #[arg(long)]
        verify: bool,
    },
    /// Run the bare broadcaster that is the control of revokes: a process of its own, as ntd is.
    #[command(hide = true)]
    Broadcast {
        /// Where to listen.
        listen: SocketAddr,
    },
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("no threads to run on")?;
    let args = Args::parse();
    match args.part {
        Some(Part::Bare { listen, verify }) => runtime.block_on(bare::serve(listen, verify)),
        Some(Part::Broadcast { listen }) => runtime.block_on(bare::broadcast(listen)),
        None => measure(&runtime, &args.only),
    }
}

fn measure(runtime: &tokio::runtime::Runtime, only: &[Name]) -> Result<()> {
    println!("==> Measuring; this takes some minutes, and wants the machine for itself.");
    let mut table = Table::default();
    let wanted = |name: &Name| only.is_empty() || only.contains(name);
    for name in Name::value_variants().iter().filter(|name| wanted(name)) {
        let table = &mut table;
        match name {
            Name::Check => verify::measure(table)?,
            Name::LibraryFirst => library::first_time(table)?,
            Name::LibrarySeen => library::seen_before(table)?,
            Name::LibraryUnderRevokes => library::under_revokes(table)?,
            Name::Memory => sets::memory(table)?,
            Name::Snapshot => sets::snapshot(table)?,
            Name::ForwardAuth => forward_auth::measure(&World::start()?, runtime, table)?,
            Name::Proxy => proxy::measure(&World::start()?, runtime, table)?,
            Name::Process => process::measure(&World::start()?, table)?,
            Name::Writes => writes::measure(&World::start()?, runtime, table)?,
            Name::Revoke => promise::with_eight(runtime, table)?,
            Name::Thousand => promise::with_a_thousand(runtime, table)?,
            Name::Crowd => promise::crowd(runtime, table)?,
            Name::Nodes => several::revoke(runtime, table)?,
            Name::NodesRates => several::rates(runtime, table)?,
            Name::NodesIdle => several::idle(runtime, table)?,
            Name::NodesStart => several::start(table)?,
            Name::NodesRolling => several::rolling(runtime, table)?,
            Name::NodesLarge => several::large(table)?,
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file = root.join("docs/benchmarks.md");
    table.keep(&std::fs::read_to_string(&file).unwrap_or_default());
    std::fs::write(&file, table.page(&machine::describe()))?;
    println!("==> Written to docs/benchmarks.md");
    Ok(())
}
