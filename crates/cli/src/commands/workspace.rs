//! Workspaces: those at the authority, and which one is active here.

mod clear;
mod create;
mod delete;
mod list;
mod members;
mod select;
mod switch;
mod sync;

use clap::Subcommand;

use crate::context::Context;
use crate::error::Error;

/// Create, list, choose and delete workspaces, and say who is a member
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ntcli workspace create my-workspace
  ntcli workspace list
  ntcli ws use my-workspace")]
pub(crate) enum Command {
    Create(create::Args),
    List(list::Args),
    Switch(switch::Args),
    Select(select::Args),
    Delete(delete::Args),
    Clear(clear::Args),
    Sync(sync::Args),
    #[command(subcommand)]
    Members(members::Command),
}

pub(super) fn run(command: Command, context: &Context) -> Result<(), Error> {
    match command {
        Command::Create(args) => create::run(args, context),
        Command::List(args) => list::run(&args, context),
        Command::Switch(args) => switch::run(&args, context),
        Command::Select(args) => select::run(&args, context),
        Command::Delete(args) => delete::run(&args, context),
        Command::Clear(args) => clear::run(&args, context),
        Command::Sync(args) => sync::run(&args, context),
        Command::Members(command) => members::run(&command, context),
    }
}
