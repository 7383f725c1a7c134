//! What a newcomer types: `cargo xtask demo`, `cargo xtask test`, `cargo xtask bench`.
//!
//! This program compiles in seconds and only says and starts what is to be done; the demo and the
//! benchmarks themselves are programs of `nt-testkit`.

mod packages;
mod run;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::run::cargo;

/// The tasks of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Watch a workspace token being created, used, revoked, and refused from that moment on.
    Demo {
        /// Leave the authority running at the end, to try things by hand.
        #[arg(long)]
        keep: bool,
    },
    /// Install what the tests need, then check style, build everything and run all tests.
    Test {
        /// Run the long forms of the tests.
        #[arg(long)]
        full: bool,
    },
    /// Measure, and write `docs/benchmarks.md`.
    Bench {
        /// Measure only this part, and keep what is written of the others; may be given several times.
        #[arg(long)]
        only: Vec<String>,
    },
}

/// Builds the two programs, for the whole workspace: so everything shared is built once, with one set
/// of features, whoever asks.
const BUILD: [&str; 6] = ["build", "--workspace", "--bin", "ntd", "--bin", "ntcli"];

fn main() -> Result<ExitCode> {
    let root = root();
    match Args::parse().task {
        Task::Demo { keep } => {
            say(
                "Building ntd, ntcli and the demo (dev profile; the first time takes a few minutes).",
            );
            run::demand(cargo(&root).args(BUILD).args(["--bin", "demo"]))?;
            run::status(run::built("debug", "demo")?.args(keep.then_some("--keep")))
        }
        Task::Test { full } => test::run(&root, full),
        Task::Bench { only } => {
            say("Building in the release profile (the first time takes some ten minutes).");
            run::demand(cargo(&root).args(BUILD).args(["--bin", "bench", "--release"]))?;
            let only = only.iter().flat_map(|name| ["--only", name]);
            run::status(run::built("release", "bench")?.args(only).current_dir(&root))
        }
    }
}

/// The repository: the folder above this program's source.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), ToOwned::to_owned)
}

/// Tells the person what happens now.
fn say(text: &str) {
    println!("==> {text}");
}
