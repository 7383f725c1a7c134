//! `ntcli workspace switch`: another active workspace. A UUID, and a name that this machine knows,
//! need no authority.

use nt_token::WorkspaceId;
use serde::Serialize;

use crate::arguments::{Format, TextOrJson};
use crate::config::KnownWorkspace;
use crate::context::{Chosen, Context};
use crate::error::Error;
use crate::ui;

/// Make a workspace the active one
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "use",
    after_help = "\
Examples:
  ntcli workspace switch my-workspace
  ntcli workspace use 6f0b7c52-89d3-4c6e-8f0a-3f6f5d0c1b2a"
)]
pub(crate) struct Args {
    /// The workspace, by name or UUID
    #[arg(value_name = "NAME|UUID")]
    workspace: String,
    #[command(flatten)]
    output: TextOrJson,
}

#[derive(Serialize)]
struct Output<'a> {
    workspace_id: WorkspaceId,
    name: Option<&'a str>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    match context.choose_named(&args.workspace)? {
        Chosen::Id(id) => {
            let known = context.known()?.and_then(|at| at.workspaces.get(&id));
            activate(id, known.map(|known| known.name.as_str()), args.output.format, context)
        }
        chosen @ Chosen::Name(_) => {
            let id = chosen.resolve(&context.operator("workspace listing")?)?;
            activate(id, Some(&args.workspace), args.output.format, context)
        }
    }
}

/// Makes a workspace the active one and says so.
pub(super) fn activate(
    id: WorkspaceId,
    name: Option<&str>,
    format: Format,
    context: &Context,
) -> Result<(), Error> {
    context.update_known(|at| {
        at.active = Some(id);
        if let Some(name) = name {
            at.workspaces.entry(id).or_insert_with(|| KnownWorkspace::named(name));
        }
    })?;
    if format == Format::Json {
        return ui::json(&Output { workspace_id: id, name });
    }
    match name {
        Some(name) => ui::data(&format!("Switched to workspace '{name}'.")),
        None => ui::data(&format!("Switched to workspace {id}.")),
    }
}
