//! `ntcli token revoke`: the documented command.

mod watch;

use nt_api::IsoTime;
use nt_api::tokens::Token;
use nt_token::{Jti, Timestamp, WorkspaceId};
use serde::Serialize;

use super::{InWorkspace, networks_shown};

use crate::arguments::{Format, TextOrJson};
use crate::client::calls::Operator;
use crate::commands::receipt;
use crate::context::Context;
use crate::credentials::Credentials;
use crate::error::{Code, Error};
use crate::ui;
use crate::ui::prompt;

/// Revoke a token for good
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli token revoke jti_abc123def456
  ntcli token revoke jti_abc123def456 --force
  ntcli token revoke jti_abc123def456 --force --format json
  ntcli token revoke jti_abc123def456 --reason 'found in a public repository'
  ntcli token revoke jti_abc123def456 --force --verbose    shows who is waited for

It cannot be undone. `ntcli token list` shows the JTIs.")]
pub(crate) struct Args {
    /// The JWT ID of the token, such as jti_abc123def456
    jti: String,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    workspace: InWorkspace,
    #[command(flatten)]
    output: TextOrJson,
}

#[derive(Serialize)]
struct Output<'a> {
    jti: &'a Jti,
    revoked_at: IsoTime,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<&'a str>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let jti: Jti = args.jti.parse().map_err(|e: nt_token::id::InvalidId| {
        Error::new(Code::InvalidJti, e.to_string()).hint("ntcli token list shows the JTIs")
    })?;
    let operator = context.operator("token revocation")?;
    let chosen = context.choose(args.workspace.workspace.as_deref())?;
    if !args.force {
        prompt::require_terminal("--force revokes without asking")?;
    }
    let workspace = chosen.resolve(&operator)?;
    if !args.force {
        confirm(&jti, workspace, &operator, context)?;
    }
    let reason = args.reason.as_deref();
    let revoked = if context.verbose {
        watch::revoke(&operator, workspace, &jti, reason)?
    } else {
        operator.revoke(workspace, &jti, reason)?
    };
    let is_dead = revoked.status == "revoked";
    // It must be told that the token is revoked whatever becomes of its copy here, and the copy
    // must go whatever becomes of the telling.
    let forgotten = forget(&jti, workspace, context);
    if revoked.already_revoked {
        ui::say("Token is already revoked");
    }
    if args.output.format == Format::Json {
        let status = if is_dead { "revoked" } else { "revoking" };
        let receipt = revoked.receipt.as_deref().filter(|_| context.verbose);
        ui::json(&Output { jti: &jti, revoked_at: revoked.revoked_at, status, receipt })?;
    } else if is_dead {
        ui::data(&format!("Token {jti} revoked successfully."))?;
    } else {
        ui::data(&format!("Token {jti} is being revoked; not yet proven everywhere."))?;
    }
    if context.verbose {
        tell_receipt(revoked.receipt.as_deref());
    }
    if forgotten? {
        ui::say("This was the current token.");
        ui::hint("ntcli token refresh");
    }
    if is_dead { Ok(()) } else { Err(Error::said(Code::Revoking)) }
}

/// Says what the authority states of the revocation.
fn tell_receipt(text: Option<&str>) {
    match text.map(nt_revocation::receipt::read_unverified) {
        Some(Ok(receipt)) => ui::say(&receipt::summary(&receipt)),
        Some(Err(error)) => ui::warning(&format!("the receipt was not understood: {error}")),
        None => {}
    }
}

fn confirm(
    jti: &Jti,
    workspace: WorkspaceId,
    operator: &Operator<'_>,
    context: &Context,
) -> Result<(), Error> {
    if context.verbose {
        let token = operator.token(workspace, jti)?;
        describe(&token, context.current_jti(workspace)?.as_ref() == Some(jti));
    }
    ui::say(&format!("Token {jti} will be permanently revoked."));
    ui::say("This action cannot be undone.\n");
    if prompt::confirm()? {
        return Ok(());
    }
    Err(Error::declined("Aborted. Nothing was revoked."))
}

/// What is known of the token, to decide by.
fn describe(token: &Token, is_current: bool) {
    let or_never = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), Timestamp::civil);
    let created_by = token.created_by_email.clone().unwrap_or_else(|| token.created_by.to_string());
    ui::say(&format!("Description:  {}", token.description.as_deref().unwrap_or("-")));
    ui::say(&format!("Created:      {} by {created_by}", token.created_at.civil()));
    ui::say(&format!("Expires:      {}", or_never(token.expires_at)));
    let from = token.last_used_from.map(|ip| format!(" from {ip}")).unwrap_or_default();
    let uses = token.use_count;
    ui::say(&format!("Last used:    {}{from}, {uses} times", or_never(token.last_used_at)));
    ui::say(&format!("Scope:        {}", token.scope.join(" ")));
    ui::say(&format!("Networks:     {}", networks_shown(&token.source_networks)));
    ui::say(&format!("Current:      {}\n", if is_current { "yes" } else { "no" }));
}

/// Forgets the token's value if it is the one that this machine uses: it is worth nothing now. Says
/// whether it was the current one.
fn forget(jti: &Jti, workspace: WorkspaceId, context: &Context) -> Result<bool, Error> {
    let is_kept = context.kept_token(workspace)?.is_some_and(|kept| kept.jti == *jti);
    if is_kept {
        let authority = context.authority()?;
        Credentials::update(&context.folder, |all| {
            let kept = &mut all.workspace_mut(authority, workspace).current;
            kept.take_if(|current| current.jti == *jti);
        })?;
    }
    Ok(is_kept || context.current_jti(workspace)?.as_ref() == Some(jti))
}
