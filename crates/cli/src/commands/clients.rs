//! The register of OAuth clients: services that may ask about tokens, or revoke them.

mod add;
mod list;
mod remove;

use clap::Subcommand;
use nt_token::ClientName;

use crate::context::Context;
use crate::error::Error;

/// Say which services may ask about tokens (RFC 7662) or revoke them (RFC 7009)
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ntcli clients add billing --may introspect
  ntcli clients list
  ntcli clients remove billing

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
fn named(name: &str) -> Result<ClientName, Error> {
    name.parse().map_err(|_| {
        Error::usage("Invalid client name").hint(
            "use 3 to 64 lower-case letters, digits, hyphens and single dots, from a letter to a letter or digit",
        )
    })
}
