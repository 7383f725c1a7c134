//! `ntcli clients remove`.

use super::named;
use crate::arguments::{Format, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::ui;
use crate::ui::prompt;

/// Remove an OAuth client; its secret opens nothing any more
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "rm",
    after_help = "\
Examples:
  ntcli clients remove billing
  ntcli clients remove billing --force

It is refused from then on, at every node of the authority. What it revoked stays revoked."
)]
pub(crate) struct Args {
    /// The client
    name: String,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    output: TextOrJson,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let name = named(&args.name)?;
    let operator = context.operator("removing clients")?;
    if !args.force {
        prompt::require_terminal("--force removes without asking")?;
        ui::say(&format!("Client {name} will be removed: its secret opens nothing any more."));
        ui::say("This action cannot be undone.\n");
        if !prompt::confirm()? {
            return Err(Error::declined("Aborted. Nothing was removed."));
        }
    }
    let removed = operator.remove_client(&name)?;
    if args.output.format == Format::Json {
        return ui::json(&removed);
    }
    ui::data(&format!("Client {name} removed successfully."))
}
