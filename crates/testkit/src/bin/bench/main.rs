//! The benchmarks: each beside a control that does the least that could be done, both measured in
//! turn in one run, written to `docs/benchmarks.md`.

mod bare;
mod compare;
mod forward_auth;
mod machine;
mod process;
mod table;
mod verify;
mod writes;

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use nt_testkit::World;

use crate::table::Table;

/// Measure, and write `docs/benchmarks.md`.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Args {
    #[command(subcommand)]
    part: Option<Part>,
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
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("no threads to run on")?;
    match Args::parse().part {
        Some(Part::Bare { listen, verify }) => runtime.block_on(bare::serve(listen, verify)),
        None => measure(&runtime),
    }
}

fn measure(runtime: &tokio::runtime::Runtime) -> Result<()> {
    println!("==> Measuring; this takes some minutes, and wants the machine for itself.");
    let mut table = Table::default();
    verify::measure(&mut table)?;
    let world = World::start()?;
    forward_auth::measure(&world, runtime, &mut table)?;
    process::measure(&world, &mut table)?;
    writes::measure(&world, runtime, &mut table)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file = root.join("docs/benchmarks.md");
    std::fs::write(&file, table.page(&machine::describe()))?;
    println!("==> Written to docs/benchmarks.md");
    Ok(())
}
