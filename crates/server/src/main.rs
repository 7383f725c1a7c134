//! The authority `ntd`: see `ntd --help`.

use std::process::ExitCode;

use clap::Parser as _;
use ntd::commands::Command;

fn main() -> ExitCode {
    match Command::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
