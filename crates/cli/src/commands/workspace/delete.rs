//! `ntcli workspace delete`.

use nt_api::IsoTime;
use nt_token::WorkspaceId;
use serde::Serialize;

use crate::arguments::{Format, TextOrJson};
use crate::client::idempotency_key;
use crate::context::Context;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::ui;
use crate::ui::prompt;

/// Delete a workspace; all its tokens are revoked with it
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "rm",
    after_help = "\
Examples:
  ntcli workspace delete my-workspace
  ntcli workspace delete my-workspace --force"
)]
pub(crate) struct Args {
    /// The workspace, by name or UUID
    #[arg(value_name = "NAME|UUID")]
    workspace: String,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    output: TextOrJson,
}

#[derive(Serialize)]
struct Output<'a> {
    workspace_id: WorkspaceId,
    status: &'a str,
    deleted_at: IsoTime,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let operator = context.operator("workspace deletion")?;
    let chosen = context.choose_named(&args.workspace)?;
    if !args.force {
        prompt::require_terminal("--force deletes without asking")?;
    }
    let id = chosen.resolve(&operator)?;
    let name = context.name_of(id)?;
    if !args.force {
        ui::say(&format!("Workspace {name} will be permanently deleted."));
        ui::say("All its tokens will be revoked. This action cannot be undone.\n");
        if !prompt::confirm()? {
            return Err(Error::declined("Aborted. Nothing was deleted."));
        }
    }
    let deleted = operator.delete_workspace(id, &idempotency_key()?)?;
    forget(id, context)?;
    if args.output.format == Format::Json {
        let (status, deleted_at) = (&deleted.status, deleted.deleted_at);
        return ui::json(&Output { workspace_id: id, status, deleted_at });
    }
    ui::data(&format!("Workspace {name} deleted successfully."))
}

/// Forgets all that is kept here of a workspace that is no more.
fn forget(id: WorkspaceId, context: &Context) -> Result<(), Error> {
    let authority = context.authority()?;
    Credentials::update(&context.folder, |all| {
        all.authorities.get_mut(authority).map(|at| at.workspaces.remove(&id));
    })?;
    context.update_known(|at| {
        at.workspaces.remove(&id);
        at.active.take_if(|active| *active == id);
    })
}
