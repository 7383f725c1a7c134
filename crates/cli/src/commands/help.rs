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
    let mut command = arguments::command();
    let mut found = &mut command;
    for name in &args.topic {
        found = found.find_subcommand_mut(name).ok_or_else(|| {
            let message = format!("There is no command '{}'.", args.topic.join(" "));
            Error::usage(message).hint("ntcli --help")
        })?;
    }
    let help = found.render_long_help();
    ui::raw(&help.ansi().to_string())
}
