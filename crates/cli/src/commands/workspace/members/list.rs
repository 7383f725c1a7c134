//! `ntcli workspace members list`.

use nt_api::members::Member;

use super::{InWorkspace, status};
use crate::arguments::{Format, TableOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::ui;
use crate::ui::table::{self, Column};

const COLUMNS: [Column; 6] = [
    Column::new("Email"),
    Column::new("Name"),
    Column::new("Role"),
    Column::new("Status"),
    Column::new("Since"),
    Column::new("User ID"),
];

/// List the members of a workspace, and who is invited
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "ls",
    after_help = "\
Examples:
  ntcli workspace members list
  ntcli workspace members list -w my-workspace
  ntcli workspace members list --format json | jq -r '.members[].email'"
)]
pub(crate) struct Args {
    #[command(flatten)]
    workspace: InWorkspace,
    #[command(flatten)]
    output: TableOrJson,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let operator = context.operator("member listing")?;
    let workspace = context.workspace(args.workspace.workspace.as_deref(), &operator)?;
    let list = operator.members(workspace)?;
    if args.output.format == Format::Json {
        return ui::json(&list);
    }
    ui::data(&table::draw(&COLUMNS, list.members.into_iter().map(row)))
}

fn row(member: Member) -> Vec<String> {
    vec![
        member.email.unwrap_or_default(),
        member.name.unwrap_or_default(),
        member.role.as_str().to_owned(),
        status(member.status).to_owned(),
        member.since.0.civil(),
        member.operator_id.map(|id| id.to_string()).unwrap_or_default(),
    ]
}
