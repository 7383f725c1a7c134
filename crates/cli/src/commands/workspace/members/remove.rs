//! `ntcli workspace members remove`.

use nt_token::WorkspaceId;

use super::InWorkspace;
use crate::arguments::{Format, TextOrJson};
use crate::client::idempotency_key;
use crate::context::Context;
use crate::error::Error;
use crate::ui;
use crate::ui::prompt;

/// Remove a member from a workspace, or withdraw an invitation
#[derive(Debug, clap::Args)]
#[command(
    visible_alias = "rm",
    after_help = "\
Examples:
  ntcli workspace members remove ada@example.com
  ntcli workspace members remove ada@example.com --revoke-their-tokens
  ntcli workspace members rm op_01J9ZK3V --force -w my-workspace

Tokens that the member had created stay alive unless --revoke-their-tokens is given."
)]
pub(crate) struct Args {
    /// Whom: an e-mail address, or a user ID
    #[arg(value_name = "EMAIL|USER ID")]
    whom: String,
    /// Also revoke every token of the workspace that the member had created, in the same step
    #[arg(long)]
    revoke_their_tokens: bool,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    workspace: InWorkspace,
    #[command(flatten)]
    output: TextOrJson,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let operator = context.operator("removing members")?;
    let chosen = context.choose(args.workspace.workspace.as_deref())?;
    if !args.force {
        prompt::require_terminal("--force removes without asking")?;
    }
    let workspace = chosen.resolve(&operator)?;
    if !args.force {
        confirm(args, workspace, context)?;
    }
    let (whom, revoke) = (&args.whom, args.revoke_their_tokens);
    let removed = operator.remove_member(workspace, whom, revoke, &idempotency_key()?)?;
    if args.output.format == Format::Json {
        return ui::json(&removed);
    }
    let what = match (&removed.operator_id, removed.revoked_tokens) {
        (None, _) => format!("The invitation of {whom} is withdrawn."),
        (Some(_), 1) => format!("{whom} is removed. 1 token was revoked."),
        (Some(_), count) => format!("{whom} is removed. {count} tokens were revoked."),
    };
    ui::data(&what)
}

fn confirm(args: &Args, workspace: WorkspaceId, context: &Context) -> Result<(), Error> {
    let (whom, name) = (&args.whom, context.name_of(workspace)?);
    ui::say(&format!("{whom} will be removed from workspace {name}."));
    ui::say(if args.revoke_their_tokens {
        "Every token of it that they had created will be permanently revoked.\n"
    } else {
        "The tokens that they had created stay alive.\n"
    });
    if prompt::confirm()? {
        return Ok(());
    }
    Err(Error::declined("Aborted. Nobody was removed."))
}
