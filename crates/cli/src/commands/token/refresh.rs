//! `ntcli token refresh`: what is said; how it is done without losing a token is in
//! [`crate::refresh`].

use nt_api::IsoTime;
use nt_token::Jti;
use serde::Serialize;

use super::{Expiry, InWorkspace};
use crate::arguments::{Format, TextOrJson};
use crate::context::Context;
use crate::error::Error;
use crate::refresh::Refresh;
use crate::ui;

/// Replace the current token: a new one is stored here, then the old one is revoked
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli token refresh
  ntcli token refresh --expires-in 90d
  ntcli token refresh -w my-workspace --format json

If it is interrupted, run it again: it finishes what was begun.")]
pub(crate) struct Args {
    #[command(flatten)]
    expiry: Expiry,
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

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let request = args.expiry.request()?;
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
