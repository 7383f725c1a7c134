//! `ntcli workspace list`.

use nt_api::IsoTime;
use nt_token::WorkspaceId;
use serde::Serialize;

use crate::arguments::{Format, TableOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::ui;
use crate::ui::table::{self, Column};

const COLUMNS: [Column; 5] = [
    Column::new("Name"),
    Column::new("Workspace ID"),
    Column::new("Created"),
    Column::new("Role"),
    Column::new("Active"),
];

/// List the workspaces that you are a member of
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "ls",
    after_help = "\
Examples:
  ntcli workspace list
  ntcli workspace list --format json | jq -r '.workspaces[].name'"
)]
pub(crate) struct Args {
    #[command(flatten)]
    output: TableOrJson,
}

#[derive(Serialize)]
struct Output<'a> {
    workspaces: Vec<Item<'a>>,
    total: usize,
    active_workspace_id: Option<WorkspaceId>,
}

#[derive(Serialize)]
struct Item<'a> {
    workspace_id: WorkspaceId,
    name: &'a str,
    description: Option<&'a str>,
    created_at: IsoTime,
    role: &'a str,
    is_active: bool,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let all = context.operator("workspace listing")?.workspaces()?.workspaces;
    let active = context.known()?.and_then(|at| at.active);
    if args.output.format == Format::Json {
        let items = all.iter().map(|w| Item {
            workspace_id: w.workspace_id,
            name: &w.workspace_name,
            description: w.description.as_deref(),
            created_at: w.created_at,
            role: &w.role,
            is_active: active == Some(w.workspace_id),
        });

        let workspaces: Vec<_> = items.collect();
        let total = workspaces.len();
        return ui::json(&Output { workspaces, total, active_workspace_id: active });
    }
    if all.is_empty() {
        ui::say("No workspaces found.");
        ui::hint("ntcli workspace create <name>");
        return Ok(());
    }
    let rows = all.into_iter().map(|w| {
        let is_active = if active == Some(w.workspace_id) { "✓" } else { "" };
        let created = w.created_at.0.civil();
        vec![w.workspace_name, w.workspace_id.to_string(), created, w.role, is_active.to_owned()]
    });
    ui::data(&table::draw(&COLUMNS, rows))
}
