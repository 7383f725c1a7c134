//! `ntcli clients add`.

use nt_token::ClientRight;

use super::named;
use crate::arguments::{Format, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::ui;

/// Register an OAuth client and print its secret, once
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli clients add billing --may introspect
  ntcli clients add incident-bot --may introspect,revoke --workspace production
  (umask 077; ntcli clients add billing --may introspect > billing.secret)
  ntcli clients add billing --may introspect --format json | jq -r '.client_secret'

The name is the client's client_id. The secret is on standard output, everything else on standard
error.")]
pub(crate) struct Args {
    /// 3 to 64 lower-case letters, digits, hyphens and dots; begins with a letter, ends with a letter
    /// or a digit, no two dots in a row
    name: String,
    /// What it may do, with commas between: introspect, revoke
    #[arg(long, value_name = "RIGHTS", value_delimiter = ',', required = true)]
    may: Vec<ClientRight>,
    /// The one workspace, by name or UUID, whose tokens it may ask about or revoke; otherwise any
    #[arg(short, long, value_name = "NAME|UUID")]
    workspace: Option<String>,
    #[command(flatten)]
    output: TextOrJson,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let name = named(&args.name)?;
    let operator = context.operator("adding clients")?;
    let workspace = args.workspace.as_deref();
    let workspace = workspace.map(|named| context.workspace(Some(named), &operator)).transpose()?;
    let added = operator.add_client(&name, &args.may, workspace)?;
    if args.output.format == Format::Json {
        return ui::json(&added);
    }
    ui::data(added.client_secret.expose())?;
    ui::say(&format!(
        "Client {} is registered. Its secret is shown this once and kept nowhere.",
        added.client_id
    ));
    ui::hint("keep it in a file that only the client can read (0600)");
    Ok(())
}
