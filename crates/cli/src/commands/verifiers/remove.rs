//! `ntcli verifiers remove`.

use super::named;
use crate::arguments::{Format, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::ui;
use crate::ui::prompt;

/// Remove a verifier; its credential opens nothing any more
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "rm",
    after_help = "\
Examples:
  ntcli verifiers remove edge-1
  ntcli verifiers remove edge-1 --force

Its processes are cut off at once. What they were last granted still counts until it ends, 2 s
at the most: so long they may answer from memory, and so long revokes wait for them."
)]
pub(crate) struct Args {
    /// The verifier
    name: String,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    output: TextOrJson,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let name = named(&args.name)?;
    let operator = context.operator("removing verifiers")?;
    if !args.force {
        prompt::require_terminal("--force removes without asking")?;
        ui::say(&format!(
            "Verifier {name} will be removed: its credential opens nothing any more."
        ));
        ui::say("This action cannot be undone.\n");
        if !prompt::confirm()? {
            return Err(Error::declined("Aborted. Nothing was removed."));
        }
    }
    let removed = operator.remove_verifier(&name)?;
    if args.output.format == Format::Json {
        return ui::json(&removed);
    }
    ui::data(&format!("Verifier {name} removed successfully."))
}
