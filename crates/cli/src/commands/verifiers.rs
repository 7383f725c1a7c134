//! The register of verifiers: services that check tokens by the authority's log.

mod add;
mod list;
mod remove;

use clap::Subcommand;
use nt_token::VerifierName;

use crate::context::Context;
use crate::error::Error;

/// Say which services may follow the authority's log and check tokens by it
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ntcli verifiers add edge-1
  ntcli verifiers list
  ntcli verifiers remove edge-1

Only administrators of the authority may do this.")]
pub(crate) enum Command {
    Add(add::Args),
    List(list::Args),
    Remove(remove::Args),
}

pub(super) fn run(command: &Command, context: &Context) -> Result<(), Error> {
    match command {
        Command::Add(args) => add::run(args, context),
        Command::List(args) => list::run(args, context),
        Command::Remove(args) => remove::run(args, context),
    }
}

/// Refuses what cannot be a name before anything is sent.
fn named(name: &str) -> Result<VerifierName, Error> {
    name.parse().map_err(|_| {
        Error::usage("Invalid verifier name").hint(
            "use 3 to 64 lower-case letters, digits, hyphens and single dots, from a letter to a letter or digit",
        )
    })
}
