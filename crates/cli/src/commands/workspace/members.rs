//! Who is a member of a workspace, and as what.

mod add;
mod list;
mod remove;
mod role;

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use nt_api::members::{Member, MemberStatus, RoleName};

use crate::context::Context;
use crate::error::Error;

/// List, add and remove members, and change their roles
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ntcli workspace members list
  ntcli workspace members add ada@example.com --role developer
  ntcli workspace members role ada@example.com admin
  ntcli workspace members remove ada@example.com --revoke-their-tokens

An owner may do everything; an admin manages tokens and members; a developer creates tokens and
revokes their own; a viewer sees.")]
pub(crate) enum Command {
    List(list::Args),
    Add(add::Args),
    Role(role::Args),
    Remove(remove::Args),
}

pub(super) fn run(command: &Command, context: &Context) -> Result<(), Error> {
    match command {
        Command::List(args) => list::run(args, context),
        Command::Add(args) => add::run(args, context),
        Command::Role(args) => role::run(args, context),
        Command::Remove(args) => remove::run(args, context),
    }
}

/// Which workspace.
#[derive(Debug, clap::Args)]
struct InWorkspace {
    /// The workspace, by name or UUID; otherwise the active one
    #[arg(short, long, value_name = "NAME|UUID")]
    workspace: Option<String>,
}

/// Reads a role by its name.
fn role_parser() -> impl clap::builder::TypedValueParser<Value = RoleName> {
    PossibleValuesParser::new(RoleName::ALL.map(RoleName::as_str)).try_map(|name| {
        RoleName::ALL.into_iter().find(|role| role.as_str() == name).ok_or("not a role")
    })
}

/// What a member is called.
fn name_of(member: &Member) -> String {
    let id = member.operator_id.as_ref().map(ToString::to_string);
    member.email.clone().or(id).unwrap_or_default()
}

fn status(status: MemberStatus) -> &'static str {
    match status {
        MemberStatus::Active => "Active",
        MemberStatus::Invited => "Invited",
    }
}
