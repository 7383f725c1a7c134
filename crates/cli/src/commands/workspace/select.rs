//! `ntcli workspace select`: choose the active workspace from a list.

use std::fmt;

use inquire::ui::RenderConfig;
use inquire::{InquireError, Select};
use nt_token::WorkspaceId;

use super::switch::activate;
use crate::arguments::TextOrJson;
use crate::context::Context;
use crate::error::{Code, Error};
use crate::ui;
use crate::ui::scrub;

/// Choose the active workspace from a list
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli workspace select")]
pub(crate) struct Args {
    #[command(flatten)]
    output: TextOrJson,
}

struct Choice {
    id: WorkspaceId,
    name: String,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  ({})", scrub::line(&self.name), self.id)
    }
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let operator = context.operator("workspace listing")?;
    if !ui::is_interactive() {
        let message = "A choice is needed, and standard input is not a terminal.";
        return Err(
            Error::new(Code::ConfirmationRequired, message).hint("ntcli workspace switch <name>")
        );
    }
    let active = context.known()?.and_then(|at| at.active);
    let all = operator.workspaces()?.workspaces;
    if all.is_empty() {
        return Err(Error::new(Code::WorkspaceNotFound, "No workspaces found.")
            .hint("ntcli workspace create <name>"));
    }
    let start = all.iter().position(|w| Some(w.workspace_id) == active).unwrap_or(0);
    let choices: Vec<_> =
        all.into_iter().map(|w| Choice { id: w.workspace_id, name: w.workspace_name }).collect();
    let style =
        if ui::has_colours() { RenderConfig::default_colored() } else { RenderConfig::empty() };
    let chosen = Select::new("Workspace:", choices)
        .with_starting_cursor(start)
        .with_render_config(style)
        .prompt();
    let chosen = chosen.map_err(|e| not_chosen(&e))?;
    activate(chosen.id, Some(&chosen.name), args.output.format, context)
}

fn not_chosen(error: &InquireError) -> Error {
    match error {
        InquireError::OperationInterrupted => Error::new(Code::Interrupted, "Interrupted."),
        InquireError::OperationCanceled => Error::declined("Aborted. Nothing was changed."),
        other => Error::failed(format!("Could not ask: {other}")),
    }
}
