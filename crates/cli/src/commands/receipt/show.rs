//! `ntcli receipt show`.

use nt_revocation::receipt::read_unverified;
use nt_token::Jti;

use super::summary;
use crate::arguments::{Format, TextOrJson};
use crate::commands::token::InWorkspace;
use crate::context::Context;
use crate::error::{Code, Error};
use crate::ui;

/// Show the receipt of a revoked token
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli receipt show jti_abc123def456
  ntcli receipt show jti_abc123def456 --raw > receipt.jws
  ntcli receipt show jti_abc123def456 --format json | jq '.waited_ms'")]
pub(crate) struct Args {
    /// The JWT ID of the token, such as jti_abc123def456
    jti: String,
    /// Print the receipt as it was signed, for `ntcli receipt verify`; not together with --format
    #[arg(long, conflicts_with = "format")]
    raw: bool,
    #[command(flatten)]
    workspace: InWorkspace,
    #[command(flatten)]
    output: TextOrJson,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let jti: Jti = args.jti.parse().map_err(|e: nt_token::id::InvalidId| {
        Error::new(Code::InvalidJti, e.to_string()).hint("ntcli token list shows the JTIs")
    })?;
    let operator = context.operator("token listing")?;
    let workspace = context.workspace(args.workspace.workspace.as_deref(), &operator)?;
    let shown = operator.receipt(workspace, &jti)?;
    let receipt = read_unverified(&shown.receipt)
        .map_err(|e| Error::failed(format!("The receipt was not understood: {e}.")))?;
    if receipt.jti != jti || receipt.workspace_id != workspace {
        return Err(Error::failed("The answer is the receipt of another token."));
    }
    if args.raw {
        return ui::data(&shown.receipt);
    }
    if args.output.format == Format::Json {
        return ui::json(&shown);
    }
    ui::data(&summary(&receipt))
}
