//! `ntcli workspace clear`: no active workspace.

use nt_token::WorkspaceId;
use serde::Serialize;

use crate::arguments::{Format, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::ui;

/// Have no active workspace
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "unset",
    after_help = "\
Examples:
  ntcli workspace clear"
)]
pub(crate) struct Args {
    #[command(flatten)]
    output: TextOrJson,
}

#[derive(Serialize)]
struct Output {
    cleared_workspace_id: Option<WorkspaceId>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let mut cleared_workspace_id = None;
    context.update_known(|at| cleared_workspace_id = at.active.take())?;
    if args.output.format == Format::Json {
        return ui::json(&Output { cleared_workspace_id });
    }
    match cleared_workspace_id {
        Some(_) => ui::data("Active workspace cleared."),
        None => ui::data("No workspace was active."),
    }
}
