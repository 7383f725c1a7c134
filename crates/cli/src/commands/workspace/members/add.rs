//! `ntcli workspace members add`.

use nt_api::members::{AddMember, MemberStatus, RoleName};

use super::{InWorkspace, name_of, role_parser};
use crate::arguments::{Format, TextOrJson};
use crate::client::idempotency_key;
use crate::context::Context;
use crate::error::Error;
use crate::ui;

/// Add a member to a workspace, or invite somebody who has not signed in yet
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli workspace members add ada@example.com --role developer
  ntcli workspace members add op_01J9ZK3V --role viewer -w my-workspace

Who has not signed in yet becomes a member by signing in with this address.")]
pub(crate) struct Args {
    /// Whom: an e-mail address, or the user ID of somebody who has signed in before
    #[arg(value_name = "EMAIL|USER ID")]
    whom: String,
    /// As what
    #[arg(long, value_parser = role_parser())]
    role: RoleName,
    #[command(flatten)]
    workspace: InWorkspace,
    #[command(flatten)]
    output: TextOrJson,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let whom = Some(args.whom.clone());
    let (email, operator_id) = if args.whom.contains('@') { (whom, None) } else { (None, whom) };
    let request = AddMember { email, operator_id, role: args.role };
    let operator = context.operator("adding members")?;
    let workspace = context.workspace(args.workspace.workspace.as_deref(), &operator)?;
    let member = operator.add_member(workspace, &request, &idempotency_key()?)?;
    if args.output.format == Format::Json {
        return ui::json(&member);
    }
    let (name, role) = (name_of(&member), member.role.as_str());
    match member.status {
        MemberStatus::Active => ui::data(&format!("{name} is a member now: {role}.")),
        MemberStatus::Invited => ui::data(&format!(
            "{name} is invited as {role}, and becomes a member by signing in with this address."
        )),
    }
}
