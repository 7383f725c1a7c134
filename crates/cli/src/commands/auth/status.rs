//! `ntcli auth status`.

use nt_api::IsoTime;
use nt_api::auth::User;
use nt_token::Timestamp;
use serde::Serialize;

use super::login::display_name;
use crate::arguments::{Format, TextOrJson};
use crate::claimed;
use crate::client::failure::{ClientError, Failure};
use crate::context::Context;
use crate::credentials::{FILE, StoredSession};
use crate::error::{Code, Error};
use crate::ui;

/// Show who is signed in, where, and for how long
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli auth status
  ntcli auth status --format json | jq '.authenticated'

The exit code is 3 when nobody is signed in.")]
pub(crate) struct Args {
    #[command(flatten)]
    output: TextOrJson,
}

#[derive(Serialize)]
struct SignedOut {
    authenticated: bool,
}

#[derive(Serialize)]
struct SignedIn<'a> {
    authenticated: bool,
    email: Option<&'a str>,
    user_id: &'a str,
    authority: &'a str,
    authority_reachable: bool,
    expires_at: IsoTime,
    secrets: Secrets,
}

/// Where the session is kept.
#[derive(Serialize)]
#[serde(tag = "kept_in", rename_all = "lowercase")]
enum Secrets {
    Environment,
    File { path: String },
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let session = context.session()?.filter(|s| !s.expose().starts_with(claimed::PREFIX));
    let Some(session) = session else { return signed_out(args) };
    let operator = context.client()?.operator(session, "this");
    match operator.session() {
        Ok(info) => signed_in(&info.user, info.expires_at.0, true, args, context),
        Err(ClientError::Refused(_)) => signed_out(args),
        Err(ClientError::Failed(failure)) => unconfirmed(failure, args, context),
    }
}

fn signed_out(args: &Args) -> Result<(), Error> {
    if args.output.format == Format::Json {
        ui::json(&SignedOut { authenticated: false })?;
    } else {
        ui::data("❌ Not authenticated\nPlease run 'ntcli auth login' to authenticate")?;
    }
    Err(Error::said(Code::AuthenticationRequired))
}

/// The authority does not answer: what was known when the session began is shown, and the command
/// fails all the same.
fn unconfirmed(failure: Failure, args: &Args, context: &Context) -> Result<(), Error> {
    let kept = context.credentials()?.at(context.authority()?);
    let is_given = context.settings.session_token.is_some();
    if let Some(StoredSession { user, expires_at, .. }) =
        kept.and_then(|at| at.session.as_ref()).filter(|_| !is_given)
    {
        signed_in(user, *expires_at, false, args, context)?;
    }
    Err(failure.into())
}

fn signed_in(
    user: &User,
    expires_at: Timestamp,
    authority_reachable: bool,
    args: &Args,
    context: &Context,
) -> Result<(), Error> {
    let authority = context.authority()?;
    let path = context.folder.path(FILE).display().to_string();
    let is_given = context.settings.session_token.is_some();
    let secrets = if is_given { Secrets::Environment } else { Secrets::File { path } };
    if args.output.format == Format::Json {
        return ui::json(&SignedIn {
            authenticated: true,
            email: user.email.as_deref(),
            user_id: user.id.as_str(),
            authority: authority.as_str(),
            authority_reachable,
            expires_at: expires_at.into(),
            secrets,
        });
    }
    let answers = if authority_reachable { "answers" } else { "does not answer" };
    let secrets = match secrets {
        Secrets::Environment => "the environment (NTCLI_SESSION_TOKEN)".to_owned(),
        Secrets::File { path } => path,
    };
    ui::data(&format!(
        "✅ Authenticated as {}\n\
         User ID:    {}\n\
         Authority:  {authority} ({answers})\n\
         Session:    ends {} UTC\n\
         Secrets:    {secrets}",
        display_name(user),
        user.id,
        expires_at.civil(),
    ))
}
