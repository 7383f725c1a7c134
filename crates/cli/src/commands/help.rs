//! `ntcli help`: the help of a command, and what the exit codes mean.

use crate::arguments;
use crate::error::{EXIT_CODES, Error};
use crate::ui;

/// Show the help of a command, or what the exit codes mean
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli help token revoke
  ntcli help exit-codes")]
pub(crate) struct Args {
    /// A command, or `exit-codes`
    #[arg(value_name = "COMMAND")]
    topic: Vec<String>,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    if args.topic == ["exit-codes"] {
        return ui::raw(EXIT_CODES);
    }
    arguments::print_help(&args.topic)
}
