//! `ntcli token refresh`: what is said; how it is done without losing a token is in
//! [`crate::refresh`].

use nt_api::IsoTime;
use nt_token::{Jti, OperatorId};
use serde::Serialize;

use super::{Expiry, InWorkspace, Restrictions};
use crate::arguments::{Format, TextOrJson};
use crate::context::{Chosen, Context};
use crate::error::Error;
use crate::refresh::{self, Refresh};
use crate::ui;

/// Replace the current token: a new one is stored here, then the old one is revoked
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli token refresh
  ntcli token refresh --expires-in 90d
  ntcli token refresh -w my-workspace --format json
  ntcli token refresh --source-network 192.0.2.0/24
  ntcli token refresh --abandon

The new token may be used for what the old one might, from where it might, or for less.
If it is interrupted, run it again: it finishes what was begun. Only who began it can finish it;
--abandon gives it up and says which tokens may still be alive.")]
pub(crate) struct Args {
    #[command(flatten)]
    expiry: Expiry,
    #[command(flatten)]
    restrictions: Restrictions,
    /// Give up an interrupted refresh, and say which tokens may still be alive
    #[arg(long, conflicts_with_all = ["expires_in", "no_expiry", "scope", "source_network"])]
    abandon: bool,
    #[command(flatten)]
    workspace: InWorkspace,
    #[command(flatten)]
    output: TextOrJson,
}

#[derive(Serialize)]
struct Output<'a> {
    new_token: NewToken<'a>,
    old_token: Option<OldToken<'a>>,
    message: &'static str,
}

#[derive(Serialize)]
struct NewToken<'a> {
    jti: &'a Jti,
    expires_at: Option<IsoTime>,
}

#[derive(Serialize)]
struct OldToken<'a> {
    jti: &'a Jti,
    revoked_at: Option<IsoTime>,
}

/// What is left of a refresh that was given up.
#[derive(Serialize)]
struct GivenUp<'a> {
    abandoned: bool,
    operator_id: Option<&'a OperatorId>,
    /// The token that was to be revoked.
    old_jti: Option<&'a Jti>,
    /// The token that was created, if it is known that it was.
    new_jti: Option<&'a Jti>,
    new_token_may_exist: bool,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    if args.abandon {
        return abandon(args, context);
    }
    let mut request = args.expiry.request()?;
    args.restrictions.put_into(&mut request)?;
    let operator = context.operator("token refresh")?;
    let workspace = context.workspace(args.workspace.workspace.as_deref(), &operator)?;
    let done = Refresh::new(context, &operator, workspace)?.run(request)?;
    if context.settings.workspace_token.is_some() {
        ui::warning("the environment sets a workspace token; it was left as it is.");
    }
    let expires_at = done.expires_at.map(IsoTime);
    if args.output.format == Format::Json {
        return ui::json(&Output {
            new_token: NewToken { jti: &done.jti, expires_at },
            old_token: done
                .old
                .as_ref()
                .map(|old| OldToken { jti: &old.jti, revoked_at: old.revoked_at }),
            message: "Token refreshed successfully",
        });
    }
    let mut lines = vec!["Token refreshed successfully.".to_owned()];
    lines.extend(done.old.map(|old| format!("Old token ({}) has been revoked.", old.jti)));
    let expires = expires_at.map_or_else(|| "Never".to_owned(), |at| at.to_string());
    lines.push(format!("New token expires: {expires}"));
    lines.push(format!("New token JTI: {}", done.jti));
    ui::data(&lines.join("\n"))
}

/// No session is needed to forget something that is only here, if the workspace is known here.
fn abandon(args: &Args, context: &Context) -> Result<(), Error> {
    let workspace = match context.choose(args.workspace.workspace.as_deref())? {
        Chosen::Id(id) => id,
        chosen @ Chosen::Name(_) => chosen.resolve(&context.operator("token refresh")?)?,
    };
    let pending = refresh::abandon(context, workspace)?;
    if args.output.format == Format::Json {
        let pending = pending.as_ref();
        return ui::json(&GivenUp {
            abandoned: pending.is_some(),
            operator_id: pending.map(|pending| &pending.operator),
            old_jti: pending.and_then(|pending| pending.old.as_ref()),
            new_jti: pending.and_then(|pending| pending.created.as_ref()),
            new_token_may_exist: pending.is_some(),
        });
    }
    let Some(pending) = pending else { return ui::data("No refresh was interrupted.") };
    let mut lines = vec![format!("The refresh that {} began is given up.", pending.operator)];
    lines.extend(pending.old.map(|old| format!("The old token ({old}) may still be alive.")));
    lines.push(match pending.created {
        Some(new) => format!("The new token ({new}) is alive unless it was revoked."),
        None => format!(
            "A new token may exist that is not stored here, created by {}.",
            pending.operator
        ),
    });
    ui::data(&lines.join("\n"))?;
    ui::hint("ntcli token list --wide shows what is alive; ntcli token revoke <jti> ends it");
    Ok(())
}
