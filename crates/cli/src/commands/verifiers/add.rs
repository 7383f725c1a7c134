//! `ntcli verifiers add`.

use super::named;
use crate::arguments::{Format, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::ui;

/// Register a verifier and print its credential, once
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli verifiers add edge-1
  (umask 077; ntcli verifiers add edge-1 > edge-1.credential)
  ntcli verifiers add edge-1 --format json | jq -r '.credential'

The credential is on standard output, everything else on standard error. Keep it in a file that only
the verifier can read (0600).")]
pub(crate) struct Args {
    /// 3 to 64 lower-case letters, digits, hyphens and dots; begins with a letter, ends with a letter
    /// or a digit, no two dots in a row
    name: String,
    #[command(flatten)]
    output: TextOrJson,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let name = named(&args.name)?;
    let added = context.operator("adding verifiers")?.add_verifier(&name)?;
    if args.output.format == Format::Json {
        return ui::json(&added);
    }
    ui::data(added.credential.expose())?;
    ui::say(&format!(
        "Verifier {} is registered. Its credential is shown this once and kept nowhere.",
        added.name
    ));
    ui::hint("keep it in a file that only the verifier can read (0600)");
    Ok(())
}
