//! `ntcli workspace members role`.

use nt_api::members::RoleName;

use super::{InWorkspace, name_of, role_parser};
use crate::arguments::{Format, TextOrJson};
use crate::client::idempotency_key;
use crate::context::Context;
use crate::error::Error;
use crate::ui;

/// Change what a member is in a workspace
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli workspace members role ada@example.com admin
  ntcli workspace members role op_01J9ZK3V viewer -w my-workspace")]
pub(crate) struct Args {
    /// Whom: an e-mail address, or a user ID
    #[arg(value_name = "EMAIL|USER ID")]
    whom: String,
    /// As what from now on
    #[arg(value_parser = role_parser())]
    role: RoleName,
    #[command(flatten)]
    workspace: InWorkspace,
    #[command(flatten)]
    output: TextOrJson,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let operator = context.operator("changing roles")?;
    let workspace = context.workspace(args.workspace.workspace.as_deref(), &operator)?;
    let member = operator.change_member(workspace, &args.whom, args.role, &idempotency_key()?)?;
    if args.output.format == Format::Json {
        return ui::json(&member);
    }
    ui::data(&format!("{} is {} now.", name_of(&member), member.role.as_str()))
}
